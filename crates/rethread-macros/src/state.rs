//! `#[derive(State)]`: the fields of a graph's state, and the type of its updates.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::meta::ParseNestedMeta;
use syn::spanned::Spanned;
use syn::{Attribute, Data, DeriveInput, Field, Fields, LitStr, Path, Type};

use crate::errors::Errors;
use crate::serde_rules::{NOT_OF_FIELDS, NOT_OF_STATES, each_of_serde, refused, skip_value};
use crate::types::arguments_of;

/// Expands `#[derive(State)]`.
pub(crate) fn expand(input: &DeriveInput) -> syn::Result<TokenStream> {
    let mut errors = Errors::default();
    if !input.generics.params.is_empty() {
        errors.add(&input.generics, "a state has no type parameters, since it is recorded");
    }
    let container = Container::parse(&input.attrs, &mut errors);
    let fields: Vec<_> = named_fields(input, &mut errors)
        .into_iter()
        .filter_map(|field| StateField::parse(field, &mut errors))
        .collect();
    let expanded = State { input, private: container.private(), fields: &fields }.expand();
    errors.into_result(expanded)
}

fn named_fields<'a>(input: &'a DeriveInput, errors: &mut Errors) -> Vec<&'a Field> {
    match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => return fields.named.iter().collect(),
            Fields::Unit | Fields::Unnamed(_) => {}
        },
        Data::Enum(_) | Data::Union(_) => {}
    }
    errors.add(&input.ident, "a state is a struct with named fields");
    Vec::new()
}

#[derive(Default)]
struct Container {
    krate: Option<Path>,
}

impl Container {
    fn parse(attrs: &[Attribute], errors: &mut Errors) -> Self {
        let mut container = Self::default();
        each(attrs, "state", errors, |meta| {
            if meta.path.is_ident("crate") {
                container.krate = Some(meta.value()?.parse()?);
                return Ok(());
            }
            Err(meta.error("expected `crate = path`"))
        });
        each_of_serde(attrs, |meta| {
            if let Some(why) = refused(&meta, &NOT_OF_STATES) {
                errors.add(&meta.path, why);
            }
            skip_value(&meta)
        });
        container
    }

    fn private(&self) -> TokenStream {
        match &self.krate {
            Some(path) => quote!(#path::__graph),
            None => quote!(::rethread::__graph),
        }
    }
}

/// One field of a state.
struct StateField {
    ident: Ident,
    /// Its name in the recorded form.
    name: String,
    ty: Type,
    kind: Kind,
}

enum Kind {
    /// A variant of `Reducer` for fields that take one write in a step.
    Single(&'static str),
    /// A variant for fields that fold.
    Folding(&'static str),
    /// A function, and its name if it is given one.
    Own(Box<Path>, Option<LitStr>),
    Managed(&'static str),
}

const KINDS: &str = "expected `last`, `append`, `add`, `merge`, `messages`, `reduce = path`, \
                     `ephemeral`, `untracked`, `remaining_steps` or `is_last_step`";

const NEW: &str = "the type of updates has a function of this name: call the field something else, \
                   and record it as `#[serde(rename = \"new\")]`";

impl StateField {
    fn parse(field: &Field, errors: &mut Errors) -> Option<Self> {
        let ident = field.ident.clone()?;
        let mut kind = None;
        let mut reducer_name = None;
        each(&field.attrs, "state", errors, |meta| {
            if meta.path.is_ident("name") {
                reducer_name = Some((meta.path.clone(), meta.value()?.parse::<LitStr>()?));
                return Ok(());
            }
            let parsed = Kind::parse(&meta)?;
            if kind.replace(parsed).is_some() {
                return Err(meta.error("a field has one reducer"));
            }
            Ok(())
        });
        let mut name = ident.unraw().to_string();
        if name == "new" {
            errors.add(&ident, NEW);
        }
        let mut is_skipped = false;
        each_of_serde(&field.attrs, |meta| {
            is_skipped |= meta.path.is_ident("skip");
            if let Some(why) = refused(&meta, &NOT_OF_FIELDS) {
                errors.add(&meta.path, why);
            }
            if meta.path.is_ident("rename") {
                if meta.input.peek(syn::Token![=]) {
                    name = meta.value()?.parse::<LitStr>()?.value();
                    return Ok(());
                }
                errors.add(&meta.path, "a field of a state has one name: `rename = \"name\"`");
            }
            skip_value(&meta)
        });
        if is_skipped && kind.is_some() {
            errors
                .add(&ident, "a field that is skipped is no part of the state, and has no reducer");
        }
        let mut kind = kind.unwrap_or(Kind::Single("Last"));
        match (&mut kind, reducer_name) {
            (Kind::Own(_, named), Some((_, name))) => *named = Some(name),
            (_, Some((path, _))) => errors.add(path, "only a `reduce` function has a name"),
            (_, None) => {}
        }
        (!is_skipped).then(|| Self { ident, name, ty: field.ty.clone(), kind })
    }

    /// The field with its reducer and its type.
    fn field(&self, private: &TokenStream) -> TokenStream {
        let (name, reducer, ty) = (&self.name, self.reducer(private), self.update_type());
        let typed = match (&self.kind, arguments_of(ty, "Option").as_deref()) {
            (Kind::Managed(_), _) => quote!(),
            (Kind::Single(_), Some([inner])) => quote!(.of_optional_type::<#inner>()),
            _ => quote!(.of_type::<#ty>()),
        };
        quote!(#private::Field::new(#name, #reducer) #typed)
    }

    /// How the reducer is made.
    fn reducer(&self, private: &TokenStream) -> TokenStream {
        match &self.kind {
            Kind::Single(variant) | Kind::Folding(variant) | Kind::Managed(variant) => {
                let variant = Ident::new(variant, Span::call_site());
                quote!(#private::Reducer::#variant)
            }
            Kind::Own(path, name) => {
                let name = match name {
                    Some(name) => quote!(#name),
                    None => quote!(::core::concat!(
                        ::core::module_path!(),
                        "::",
                        ::core::stringify!(#path)
                    )),
                };
                let value = self.update_type();
                let reduce = quote_spanned! {path.span()=>
                    |old: #value, new: #value| #private::Reduced::<#value>::reduced(#path(old, new))
                };
                if self.is_optional() {
                    quote!(#private::Reducer::own_from_first::<#value>(#name, #reduce))
                } else {
                    let initial = quote!(<#value as ::core::default::Default>::default());
                    quote!(#private::Reducer::own::<#value, #value>(#name, #initial, #reduce))
                }
            }
        }
    }

    /// Whether the first update is the first value.
    fn is_optional(&self) -> bool {
        matches!(self.kind, Kind::Own(..)) && arguments_of(&self.ty, "Option").is_some()
    }

    /// The type of one update.
    fn update_type(&self) -> &Type {
        match arguments_of(&self.ty, "Option").as_deref() {
            Some([inner]) if self.is_optional() => inner,
            _ => &self.ty,
        }
    }

    /// The type in which an update keeps it; none for one that is not written.
    fn kept_type(&self, private: &TokenStream) -> Option<TokenStream> {
        let ty = self.update_type();
        match self.kind {
            Kind::Single(_) => Some(quote!(#ty)),
            Kind::Folding(_) | Kind::Own(..) => Some(quote!(#private::Change<#ty>)),
            Kind::Managed(_) => None,
        }
    }
}

impl Kind {
    fn parse(meta: &ParseNestedMeta<'_>) -> syn::Result<Self> {
        let Some(name) = meta.path.get_ident() else { return Err(meta.error(KINDS)) };
        Ok(match name.to_string().as_str() {
            "last" => Self::Single("Last"),
            "ephemeral" => Self::Single("Ephemeral"),
            "untracked" => Self::Single("Untracked"),
            "append" => Self::Folding("Append"),
            "add" => Self::Folding("Add"),
            "merge" => Self::Folding("Merge"),
            "messages" => Self::Folding("Messages"),
            "remaining_steps" => Self::Managed("RemainingSteps"),
            "is_last_step" => Self::Managed("IsLastStep"),
            "reduce" => Self::Own(Box::new(meta.value()?.parse()?), None),
            _ => return Err(meta.error(KINDS)),
        })
    }
}

/// What the derive expands to.
struct State<'a> {
    input: &'a DeriveInput,
    private: TokenStream,
    fields: &'a [StateField],
}

impl State<'_> {
    fn expand(&self) -> TokenStream {
        let Self { input, private, fields } = self;
        let ident = &input.ident;
        let update = format_ident!("{}Update", ident);
        let all = fields.iter().map(|field| field.field(private));
        let update_type = self.update(&update);
        quote! {
            #[automatically_derived]
            impl #private::State for #ident {
                type Update = #update;

                fn fields() -> ::std::vec::Vec<#private::Field> {
                    ::std::vec![#(#all),*]
                }
            }

            #update_type
        }
    }

    fn update(&self, update: &Ident) -> TokenStream {
        let Self { input, private, fields } = self;
        let vis = &input.vis;
        let serde = format!("{private}::serde").replace(' ', "");
        let some = format!("{private}::some").replace(' ', "");
        let written: Vec<_> = fields
            .iter()
            .filter_map(|field| field.kept_type(private).map(|kept| (field, kept)))
            .collect();
        let members = written.iter().map(|(StateField { ident, name, .. }, kept)| {
            quote! {
                #[serde(
                    rename = #name,
                    default,
                    skip_serializing_if = "::core::option::Option::is_none",
                    deserialize_with = #some
                )]
                #ident: ::core::option::Option<#kept>
            }
        });
        let setters = written.iter().map(|(StateField { ident, kind, .. }, kept)| {
            let doc = match kind {
                Kind::Single(_) => format!(" Writes the field `{ident}`."),
                _ => format!(" Updates the field `{ident}`, or overwrites it."),
            };
            quote! {
                #[doc = #doc]
                #[must_use]
                #[allow(dead_code)]
                #vis fn #ident(mut self, value: impl ::core::convert::Into<#kept>) -> Self {
                    self.#ident = ::core::option::Option::Some(value.into());
                    self
                }
            }
        });
        let fields_written = written.iter().map(|(field, _)| field.field(private));
        let shown = written.iter().map(|(StateField { ident, name, .. }, _)| {
            quote!(if self.#ident.is_some() { shown.entry(&#name); })
        });
        let doc = format!(
            " An update of [`{}`]: the fields that something writes. The others stay as they are.",
            input.ident
        );
        let new_doc = " An update that writes nothing yet.";
        quote! {
            #[doc = #doc]
            #[derive(#private::serde::Serialize, #private::serde::Deserialize)]
            #[serde(crate = #serde)]
            #[must_use = "an update has an effect where it is returned or given"]
            #vis struct #update {
                #(#members),*
            }

            impl #update {
                #[doc = #new_doc]
                #vis fn new() -> Self {
                    ::core::default::Default::default()
                }

                #(#setters)*
            }

            #[automatically_derived]
            impl #private::Update for #update {
                fn fields() -> ::core::option::Option<::std::vec::Vec<#private::Field>> {
                    ::core::option::Option::Some(::std::vec![#(#fields_written),*])
                }
            }
        }
        .into_iter()
        .chain(self.default_of(update, written.iter().map(|(field, _)| &field.ident)))
        .chain(quote! {
            /// Shows names only: values are the users' data.
            #[automatically_derived]
            impl ::core::fmt::Debug for #update {
                fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                    let mut shown = f.debug_set();
                    #(#shown)*
                    shown.finish()
                }
            }
        })
        .collect()
    }

    fn default_of<'a>(
        &self,
        update: &Ident,
        members: impl Iterator<Item = &'a Ident>,
    ) -> TokenStream {
        quote! {
            #[automatically_derived]
            impl ::core::default::Default for #update {
                fn default() -> Self {
                    Self { #(#members: ::core::option::Option::None),* }
                }
            }
        }
    }
}

/// Reads all attributes of a name.
pub(crate) fn each(
    attrs: &[Attribute],
    name: &str,
    errors: &mut Errors,
    mut read: impl FnMut(ParseNestedMeta<'_>) -> syn::Result<()>,
) {
    for attribute in attrs.iter().filter(|attribute| attribute.path().is_ident(name)) {
        if let Err(error) = attribute.parse_nested_meta(&mut read) {
            errors.append(error);
        }
    }
}
