use syn::visit::{self, Visit};
use syn::{
    GenericArgument, Lifetime, PathArguments, PathSegment, Type, TypeImplTrait, TypeReference,
};

use crate::errors::{Errors, a};

/// Refuses references, lifetimes and `impl Trait` anywhere in a type.
pub(crate) fn check_owned(ty: &Type, what: &'static str, errors: &mut Errors) {
    OwnedCheck { what, errors }.visit_type(ty);
}

struct OwnedCheck<'a> {
    what: &'static str,
    errors: &'a mut Errors,
}

impl<'ast> Visit<'ast> for OwnedCheck<'_> {
    fn visit_type_reference(&mut self, reference: &'ast TypeReference) {
        let hint = match &*reference.elem {
            Type::Path(path) if path.path.is_ident("str") => ": take a `String`",
            Type::Slice(_) => ": take a `Vec`",
            _ => "",
        };
        let message =
            format!("{} is owned, since it travels between processes{hint}", a(self.what));
        self.errors.add(reference, message);
    }

    fn visit_type_impl_trait(&mut self, ty: &'ast TypeImplTrait) {
        let message =
            format!("{} has a concrete type, since it is recorded: name the type", a(self.what));
        self.errors.add(ty, message);
    }

    fn visit_lifetime(&mut self, lifetime: &'ast Lifetime) {
        if lifetime.ident != "static" {
            let message = format!("{} is owned: use a type without lifetime", a(self.what));
            self.errors.add(lifetime, message);
        }
        visit::visit_lifetime(self, lifetime);
    }
}

/// The type arguments of a path type whose last segment has this name: `T` and `S` of
/// `rethread::Final<T, S>`.
pub(crate) fn arguments_of<'a>(ty: &'a Type, name: &str) -> Option<Vec<&'a Type>> {
    let segment = last_segment(ty).filter(|segment| segment.ident == name)?;
    let PathArguments::AngleBracketed(arguments) = &segment.arguments else { return None };
    let types = arguments.args.iter().filter_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    });
    Some(types.collect())
}

/// Whether it is a path type whose last segment has this name and no arguments.
pub(crate) fn is_plain(ty: &Type, name: &str) -> bool {
    last_segment(ty).is_some_and(|segment| segment.ident == name && segment.arguments.is_empty())
}

fn last_segment(ty: &Type) -> Option<&PathSegment> {
    match ty {
        Type::Path(path) => path.path.segments.last(),
        Type::Paren(inner) => last_segment(&inner.elem),
        // A type that came through a `macro_rules!` fragment.
        Type::Group(inner) => last_segment(&inner.elem),
        _ => None,
    }
}
