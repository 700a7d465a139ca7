use proc_macro2::{Ident, Span};
use quote::format_ident;
use syn::{FnArg, ItemFn, Pat, ReturnType, Type};

use crate::errors::{Errors, a};
use crate::types::{arguments_of, check_owned, is_plain};

/// Most arguments of a task.
const ARGUMENTS_MAX: usize = 8;

/// What the attributes need to know of a function, once it is known to fit.
pub(crate) struct Signature {
    pub(crate) parameters: Vec<Parameter>,
    /// What the caller gets: `T` of `Result<T>` or of `Result<Final<T, S>>`.
    pub(crate) value: Type,
    /// What is saved: `S` of `Result<Final<T, S>>`.
    pub(crate) saved: Option<Type>,
}

/// One parameter of the function.
pub(crate) struct Parameter {
    /// Its name in the calling function.
    pub(crate) name: Ident,
    pub(crate) ty: Type,
    /// What it is filled with, if no caller passes it.
    filled: Option<Filled>,
}

/// What the engine fills a parameter with.
enum Filled {
    /// `S` of a parameter `Previous<S>`.
    Previous(Box<Type>),
    /// `Context<C>`, `Dep<D>` or `Store`.
    Other,
}

impl Parameter {
    /// Whether the engine fills it, and no caller passes it.
    pub(crate) fn is_filled(&self) -> bool {
        self.filled.is_some()
    }

    fn previous(&self) -> Option<&Type> {
        match &self.filled {
            Some(Filled::Previous(saved)) => Some(&**saved),
            Some(Filled::Other) | None => None,
        }
    }
}

impl Filled {
    /// Tells by the name of a type what the engine fills it with.
    fn of(ty: &Type) -> Option<Self> {
        if let Some(&[saved, ..]) = arguments_of(ty, "Previous").as_deref() {
            return Some(Self::Previous(Box::new(saved.clone())));
        }
        let is_generic = |name| arguments_of(ty, name).is_some_and(|types| !types.is_empty());
        let is_other = is_generic("Context") || is_generic("Dep") || is_plain(ty, "Store");
        is_other.then_some(Self::Other)
    }
}

impl Signature {
    /// Checks a function that is to be a task.
    pub(crate) fn of_task(item: &ItemFn) -> syn::Result<Self> {
        let mut errors = Errors::default();
        let signature = Self::of_function(item, "task", &mut errors);
        if let Some(extra) = signature.inputs().nth(ARGUMENTS_MAX) {
            let message = format!(
                "a task takes at most {ARGUMENTS_MAX} arguments; put the values in a struct"
            );
            errors.add(&extra.ty, message);
        }
        for parameter in signature.parameters.iter().filter(|p| p.previous().is_some()) {
            let message = "only an entrypoint has a previous value; pass what the task needs of it";
            errors.add(&parameter.ty, message);
        }
        if signature.saved.is_some() {
            errors.add(&item.sig.output, "only an entrypoint returns `Final`; return its value");
        }
        errors.into_result(signature)
    }

    /// Checks a function that is to be an entrypoint.
    pub(crate) fn of_entrypoint(item: &ItemFn) -> syn::Result<Self> {
        let mut errors = Errors::default();
        let signature = Self::of_function(item, "entrypoint", &mut errors);
        let inputs: Vec<_> = signature.inputs().collect();
        match inputs.as_slice() {
            [_] => {}
            [] => {
                let message = "an entrypoint takes one input; take `_input: ()` if it needs none";
                errors.add(&item.sig.ident, message);
            }
            [_, second, ..] => {
                let message = format!(
                    "an entrypoint takes one input, this one has {}; put the values in a struct \
                     or tuple",
                    inputs.len()
                );
                errors.add(&second.ty, message);
            }
        }
        let previous = signature.parameters.iter().filter(|p| p.previous().is_some());
        for further in previous.skip(1) {
            errors.add(&further.ty, "there is one previous value; take it once");
        }
        errors.into_result(signature)
    }

    /// The parameters that a caller passes.
    pub(crate) fn inputs(&self) -> impl Iterator<Item = &Parameter> {
        self.parameters.iter().filter(|parameter| !parameter.is_filled())
    }

    /// All types that are recorded or read from a record.
    pub(crate) fn recorded_types(&self) -> impl Iterator<Item = &Type> {
        let taken = self.parameters.iter().filter_map(|parameter| match &parameter.filled {
            None => Some(&parameter.ty),
            Some(Filled::Previous(saved)) => Some(&**saved),
            Some(Filled::Other) => None,
        });
        taken.chain([&self.value]).chain(&self.saved)
    }

    fn of_function(item: &ItemFn, what: &'static str, errors: &mut Errors) -> Self {
        let sig = &item.sig;
        if sig.asyncness.is_none() {
            errors.add(sig.fn_token, format!("a body is async: write `async fn {}`", sig.ident));
        }
        if let Some(token) = &sig.unsafety {
            errors.add(token, "a body is safe to call: remove `unsafe`");
        }
        if let Some(abi) = &sig.abi {
            errors.add(abi, "a body is an ordinary function: remove `extern`");
        }
        let generics = &sig.generics;
        if !generics.params.is_empty() {
            let message = format!(
                "{} has no generics: it is recorded by name, and a name has one signature; write \
                 one function per type, with the shared part in a generic helper",
                a(what)
            );
            errors.add(&generics.params, message);
        } else if let Some(clause) = &generics.where_clause {
            errors.add(clause, format!("{} has no generics: remove `where`", a(what)));
        }
        let parameters = sig.inputs.iter().enumerate();
        let parameters = parameters.filter_map(|(n, input)| parameter(n, input, what, errors));
        let parameters = parameters.collect();
        let (value, saved) = returned(item, what, errors);
        Self { parameters, value, saved }
    }
}

/// What the function gives and what it saves.
fn returned(item: &ItemFn, what: &'static str, errors: &mut Errors) -> (Type, Option<Type>) {
    // Stands in for a type that is missing, next to the error that says so.
    let unit = || (syn::parse_quote!(()), None);
    let ReturnType::Type(_, returned) = &item.sig.output else {
        let message = format!("{} returns `Result<T>`: add `-> Result<()>`", a(what));
        errors.add(&item.sig.ident, message);
        return unit();
    };
    check_owned(returned, "result", errors);
    let Some(&value) = arguments_of(returned, "Result").as_deref().and_then(<[_]>::first) else {
        let message = format!(
            "{} returns `Result<T>`, spelled out, since failures are recorded too",
            a(what)
        );
        errors.add(returned, message);
        return unit();
    };
    match arguments_of(value, "Final").as_deref() {
        Some(&[value, saved]) => (value.clone(), Some(saved.clone())),
        _ => (value.clone(), None),
    }
}

fn parameter(
    nth: usize,
    input: &FnArg,
    what: &'static str,
    errors: &mut Errors,
) -> Option<Parameter> {
    let typed = match input {
        FnArg::Typed(typed) => typed,
        FnArg::Receiver(receiver) => {
            let message = format!(
                "{} is a free function: it may run in another process, without `self`",
                a(what)
            );
            errors.add(receiver, message);
            return None;
        }
    };
    check_owned(&typed.ty, "argument", errors);
    let name = match &*typed.pat {
        Pat::Ident(pat) => {
            let mut name = pat.ident.clone();
            name.set_span(Span::mixed_site().located_at(name.span()));
            name
        }
        _ => format_ident!("__arg{nth}", span = Span::mixed_site()),
    };
    let filled = Filled::of(&typed.ty);
    Some(Parameter { name, ty: (*typed.ty).clone(), filled })
}
