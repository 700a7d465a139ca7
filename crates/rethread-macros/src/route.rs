//! `#[derive(Route)]`: where a conditional edge may lead.

use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt;
use syn::{Data, DeriveInput, Fields, LitStr, Path, Variant};

use crate::errors::Errors;
use crate::state::each;

/// How the end of a graph is named.
const END: &str = "__end__";

/// Expands `#[derive(Route)]`.
pub(crate) fn expand(input: &DeriveInput) -> syn::Result<TokenStream> {
    let mut errors = Errors::default();
    let mut krate: Option<Path> = None;
    each(&input.attrs, "route", &mut errors, |meta| {
        if meta.path.is_ident("crate") {
            krate = Some(meta.value()?.parse()?);
            return Ok(());
        }
        Err(meta.error("expected `crate = path`"))
    });
    let private = match &krate {
        Some(path) => quote!(#path::__graph),
        None => quote!(::rethread::__graph),
    };
    let mut variants = Vec::new();
    match &input.data {
        Data::Enum(data) if !data.variants.is_empty() => variants.extend(&data.variants),
        _ => errors.add(&input.ident, "a route is an enum with a variant for each destination"),
    }
    let nodes: Vec<_> = variants.iter().map(|variant| node(variant, &mut errors)).collect();
    let idents = variants.iter().map(|variant| &variant.ident);
    let ident = &input.ident;
    let (generics, types, bounds) = input.generics.split_for_impl();
    let expanded = quote! {
        #[automatically_derived]
        impl #generics #private::Route for #ident #types #bounds {
            const DESTINATIONS: &'static [&'static str] = &[#(#nodes),*];

            fn destination(&self) -> &'static str {
                match self {
                    #(Self::#idents => #nodes),*
                }
            }
        }
    };
    errors.into_result(expanded)
}

/// The node of a variant: its name in the way functions are named, unless an attribute says it.
fn node(variant: &Variant, errors: &mut Errors) -> String {
    if !matches!(variant.fields, Fields::Unit) {
        let message = "a destination has no fields; a `Send` takes an input along";
        errors.add(&variant.fields, message);
    }
    let mut node = None;
    each(&variant.attrs, "route", errors, |meta| {
        if meta.path.is_ident("end") {
            node = Some(END.to_owned());
        } else if meta.path.is_ident("node") {
            node = Some(meta.value()?.parse::<LitStr>()?.value());
        } else {
            return Err(meta.error("expected `node = \"name\"` or `end`"));
        }
        Ok(())
    });
    node.unwrap_or_else(|| snake_case(&variant.ident.unraw().to_string()))
}

fn snake_case(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    let mut was_small = false;
    for c in name.chars() {
        if c.is_uppercase() && was_small {
            snake.push('_');
        }
        was_small = !c.is_uppercase();
        snake.extend(c.to_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variants_are_named_as_functions_are() {
        assert_eq!(snake_case("SearchAgain"), "search_again");
        assert_eq!(snake_case("A"), "a");
        assert_eq!(snake_case("AskLLM"), "ask_llm");
    }
}
