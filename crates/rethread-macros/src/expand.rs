use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Attribute, ItemFn, LitStr, Visibility};

use crate::attributes::{EntrypointAttributes, TaskAttributes};
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
    let name = name(attributes.common.name.as_ref(), item);
    let queue = attributes.queue.iter();
    let options = attributes.common.options();
    let handler = handler(&private, item, signature);
    let new = quote!(#private::Task::new(#name, #handler) #(.queue(#queue))* #options);
    let arguments = quote!((#(#names,)*));
    let def_type = quote!(#private::Task<(#(#types,)*), #value>);
    Parts { what: "task", private, def_type, new, arguments }.expand(item, signature)
}

/// Expands `#[entrypoint]`.
pub(crate) fn entrypoint(
    attributes: &EntrypointAttributes,
    item: &ItemFn,
    signature: &Signature,
) -> TokenStream {
    let private = attributes.common.private();
    let value = &signature.value;
    let name = name(attributes.common.name.as_ref(), item);
    let types: Vec<_> = signature.inputs().map(|parameter| &parameter.ty).collect();
    let names: Vec<_> = signature.inputs().map(|parameter| &parameter.name).collect();
    let options = attributes.common.options();
    let history = attributes.history.iter();
    let handler = handler(&private, item, signature);
    let schema = attributes.schema.map(|span| quote_spanned!(span=> .schema()));
    let interrupts = attributes
        .interrupts
        .as_ref()
        .map(|asked| quote_spanned!(asked.span()=> .interrupt_schema::<#asked>()));
    let new = quote! {
        #private::Entrypoint::new(#name, #handler)
            #options #(.history(#history))* #schema #interrupts
    };
    let arguments = quote!(#(#names),*);
    let def_type = quote!(#private::Entrypoint<#(#types,)* #value>);
    Parts { what: "entrypoint", private, def_type, new, arguments }.expand(item, signature)
}

/// The function that the definition calls: that of the user, or one around it that fills the
/// parameters that no caller passes.
fn handler(private: &TokenStream, item: &ItemFn, signature: &Signature) -> TokenStream {
    let body = body_ident(item);
    if signature.inputs().count() == signature.parameters.len() {
        return quote!(#body);
    }
    let types = signature.inputs().map(|parameter| &parameter.ty);
    let names = signature.inputs().map(|parameter| &parameter.name);
    let arguments = signature.parameters.iter().map(|parameter: &Parameter| &parameter.name);
    let filled = signature.parameters.iter().filter(|parameter| parameter.is_filled());
    let fills = filled.map(|Parameter { name, ty, .. }| {
        let fill = quote_spanned!(ty.span()=> #private::inject::<#ty>());
        quote!(let #name = #fill?;)
    });
    quote! {
        |#(#names: #types),*| async move {
            #(#fills)*
            #body(#(#arguments),*).await.map_err(#private::Error::from)
        }
    }
}

/// What differs between the two attributes.
struct Parts {
    what: &'static str,
    private: TokenStream,
    /// Type of the definition.
    def_type: TokenStream,
    /// Makes the definition.
    new: TokenStream,
    /// What its `call` is given.
    arguments: TokenStream,
}

impl Parts {
    fn expand(self, item: &ItemFn, signature: &Signature) -> TokenStream {
        let Self { what, private, def_type, new, arguments } = self;
        let ItemFn { attrs, vis, sig, .. } = item;
        let ident = &sig.ident;
        let value = &signature.value;
        let types: Vec<_> = signature.inputs().map(|parameter| &parameter.ty).collect();
        let names: Vec<_> = signature.inputs().map(|parameter| &parameter.name).collect();
        let key = Ident::new("__key", Span::mixed_site());
        let outer = attrs.iter().filter(|attribute| belongs_to_caller(attribute));
        let body = body(item);
        let asserts = asserts(&private, signature);
        let struct_doc = format!(" The {what} `{ident}`: [`Self::def`] is what to register.");
        let def_doc = format!(" The definition of the {what}.");
        let keyed_doc = format!(
            " Calls the {what} under a name of its own, the key, instead of one made from what it \
             is given."
        );
        quote! {
            #asserts

            #(#outer)*
            #[allow(clippy::too_many_arguments)]
            #vis fn #ident(#(#names: #types),*) -> #private::Call<#value> {
                #ident::def().call(#arguments)
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

                #[doc = #keyed_doc]
                #[allow(dead_code, clippy::too_many_arguments)]
                #vis fn keyed(#key: &str, #(#names: #types),*) -> #private::Call<#value> {
                    Self::def().call_keyed(#key, #arguments)
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
