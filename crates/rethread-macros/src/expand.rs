use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Attribute, ItemFn, LitStr, Visibility};

use crate::attributes::{EntrypointAttributes, TaskAttributes, Timeout};
use crate::signature::{Parameter, Signature};

/// Expands `#[task]`.
pub(crate) fn task(
    attributes: &TaskAttributes,
    item: &ItemFn,
    signature: &Signature,
) -> TokenStream {
    let private = attributes.common.private();
    let types: Vec<_> = signature.inputs().map(|parameter| &parameter.ty).collect();
    let names: Vec<_> = signature.inputs().map(|parameter| &parameter.name).collect();
    let value = &signature.value;
    let body = body_ident(item);
    let name = name(attributes.common.name.as_ref(), item);
    let queue = attributes.queue.iter();
    let retry = attributes.retry.iter();
    let timeout = attributes.timeout.iter().map(|timeout| match timeout {
        Timeout::Ms(ms) => quote!(#private::Duration::from_millis(#ms)),
        Timeout::Expr(expr) => quote!(#expr),
    });
    let call = quote!(call((#(#names,)*)));
    let new = quote! {
        #private::Task::new(#name, #body)
            #(.queue(#queue))*
            #(.retry(#retry))*
            #(.timeout(#timeout))*
    };
    let def_type = quote!(#private::Task<(#(#types,)*), #value>);
    Parts { what: "task", private, def_type, new, call }.expand(item, signature)
}

/// Expands `#[entrypoint]`.
pub(crate) fn entrypoint(
    attributes: &EntrypointAttributes,
    item: &ItemFn,
    signature: &Signature,
) -> TokenStream {
    let private = attributes.common.private();
    let value = &signature.value;
    let body = body_ident(item);
    let name = name(attributes.common.name.as_ref(), item);
    let types: Vec<_> = signature.inputs().map(|parameter| &parameter.ty).collect();
    let names: Vec<_> = signature.inputs().map(|parameter| &parameter.name).collect();
    let previous = signature.parameters.iter().find_map(|parameter| parameter.previous.as_ref());
    let new = match previous {
        None => quote!(#private::Entrypoint::new(#name, #body)),
        Some(saved) => {
            let loaded = Ident::new("__previous", Span::mixed_site());
            let arguments = signature.parameters.iter().map(|parameter: &Parameter| {
                if parameter.previous.is_some() { &loaded } else { &parameter.name }
            });
            quote! {
                #private::Entrypoint::new(#name, |#(#names: #types),*| async move {
                    let #loaded = #private::load_previous::<#saved>()?;
                    #body(#(#arguments),*).await.map_err(#private::Error::from)
                })
            }
        }
    };
    let call = quote!(call(#(#names),*));
    let def_type = quote!(#private::Entrypoint<#(#types,)* #value>);
    Parts { what: "entrypoint", private, def_type, new, call }.expand(item, signature)
}

/// What differs between the two attributes.
struct Parts {
    what: &'static str,
    private: TokenStream,
    /// Type of the definition.
    def_type: TokenStream,
    /// Makes the definition.
    new: TokenStream,
    /// Calls it.
    call: TokenStream,
}

impl Parts {
    fn expand(self, item: &ItemFn, signature: &Signature) -> TokenStream {
        let Self { what, private, def_type, new, call } = self;
        let ItemFn { attrs, vis, sig, .. } = item;
        let ident = &sig.ident;
        let value = &signature.value;
        let types = signature.inputs().map(|parameter| &parameter.ty);
        let names = signature.inputs().map(|parameter| &parameter.name);
        let outer = attrs.iter().filter(|attribute| belongs_to_caller(attribute));
        let body = body(item);
        let asserts = asserts(&private, signature);
        let struct_doc = format!(" The {what} `{ident}`: [`Self::def`] is what to register.");
        let def_doc = format!(" The definition of the {what}.");
        quote! {
            #asserts

            #(#outer)*
            #[allow(clippy::too_many_arguments)]
            #vis fn #ident(#(#names: #types),*) -> #private::Call<#value> {
                #ident::def().#call
            }

            #[doc = #struct_doc]
            #[allow(non_camel_case_types)]
            #[derive(::core::fmt::Debug)]
            #vis struct #ident {}

            impl #ident {
                #[doc = #def_doc]
                #vis fn def() -> #def_type {
                    #body
                    static DEF: #private::OnceLock<#def_type> = #private::OnceLock::new();
                    // Registered is as good as called.
                    let _ = #ident;
                    ::core::clone::Clone::clone(DEF.get_or_init(|| #new))
                }
            }
        }
    }
}

/// The function as the user wrote it, under a name that its body cannot mean: a task that calls
/// itself makes a call.
fn body(item: &ItemFn) -> TokenStream {
    let mut body = item.clone();
    body.vis = Visibility::Inherited;
    body.sig.ident = body_ident(item);
    body.attrs.retain(|attribute| !is_for_caller_only(attribute));
    quote!(#body)
}

fn body_ident(item: &ItemFn) -> Ident {
    format_ident!("__body_of_{}", item.sig.ident, span = item.sig.ident.span())
}

/// Points at a type that cannot be recorded, where the user wrote it.
fn asserts(private: &TokenStream, signature: &Signature) -> TokenStream {
    let asserts = signature
        .recorded_types()
        .map(|ty| quote_spanned!(ty.span()=> const _: () = #private::assert_value::<#ty>();));
    asserts.collect()
}

fn name(given: Option<&LitStr>, item: &ItemFn) -> LitStr {
    let own = || {
        let ident = &item.sig.ident;
        let text = ident.to_string();
        LitStr::new(text.strip_prefix("r#").unwrap_or(&text), ident.span())
    };
    given.cloned().unwrap_or_else(own)
}

fn is_for_caller_only(attribute: &Attribute) -> bool {
    ["doc", "deprecated", "must_use"].iter().any(|name| attribute.path().is_ident(name))
}

fn belongs_to_caller(attribute: &Attribute) -> bool {
    let lints = ["allow", "warn", "deny"];
    is_for_caller_only(attribute) || lints.iter().any(|name| attribute.path().is_ident(name))
}
