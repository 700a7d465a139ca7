use quote::quote;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::{Expr, ExprLit, Ident, Lit, LitStr, Path, Token};

use crate::duration;

/// Longest accepted name, in bytes; the engine's own limit.
const NAME_BYTES_MAX: usize = 256;

/// The keys of `#[task(..)]`.
#[derive(Default)]
pub(crate) struct TaskAttributes {
    pub(crate) common: Common,
    pub(crate) queue: Option<LitStr>,
    pub(crate) retry: Option<Expr>,
    pub(crate) timeout: Option<Timeout>,
}

/// The keys of `#[entrypoint(..)]`.
#[derive(Default)]
pub(crate) struct EntrypointAttributes {
    pub(crate) common: Common,
}

/// The keys that both attributes know.
#[derive(Default)]
pub(crate) struct Common {
    pub(crate) name: Option<LitStr>,
    krate: Option<Path>,
}

pub(crate) enum Timeout {
    Ms(u64),
    Expr(Expr),
}

impl Common {
    /// Path of the module that expansions name.
    pub(crate) fn private(&self) -> proc_macro2::TokenStream {
        match &self.krate {
            Some(path) => quote!(#path::__private),
            None => quote!(::rethread::__private),
        }
    }

    /// Reads the value of a common key; says if it was one.
    fn parse_key(&mut self, key: &Ident, input: ParseStream<'_>) -> syn::Result<bool> {
        if key == "name" {
            set(&mut self.name, key, name(input)?)?;
        } else if key == "crate" {
            set(&mut self.krate, key, input.call(Path::parse_mod_style)?)?;
        } else {
            return Ok(false);
        }
        Ok(true)
    }
}

impl Parse for TaskAttributes {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut all = Self::default();
        each_key(input, |key| {
            if all.common.parse_key(key, input)? {
                return Ok(());
            }
            match key.to_string().as_str() {
                "queue" => set(&mut all.queue, key, name(input)?),
                "retry" => set(&mut all.retry, key, input.parse()?),
                "timeout" => set(&mut all.timeout, key, input.parse()?),
                _ => Err(unknown(key, "a task takes `name`, `queue`, `retry` and `timeout`")),
            }
        })?;
        Ok(all)
    }
}

impl Parse for EntrypointAttributes {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut all = Self::default();
        each_key(input, |key| {
            if all.common.parse_key(key, input)? {
                return Ok(());
            }
            Err(unknown(key, "an entrypoint takes `name`; the others belong to its tasks"))
        })?;
        Ok(all)
    }
}

impl Parse for Timeout {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let expr: Expr = input.parse()?;
        if let Expr::Lit(ExprLit { lit, .. }) = &expr {
            let Lit::Str(text) = lit else {
                let message = "give the timeout a unit, such as \"30s\"";
                return Err(syn::Error::new_spanned(lit, message));
            };
            return Ok(Self::Ms(duration::parse_ms(text)?));
        }
        Ok(Self::Expr(expr))
    }
}

/// Reads `key = value, ..`; `value` reads what is behind the `=`.
fn each_key(
    input: ParseStream<'_>,
    mut value: impl FnMut(&Ident) -> syn::Result<()>,
) -> syn::Result<()> {
    while !input.is_empty() {
        let key = input.call(Ident::parse_any)?;
        if !input.peek(Token![=]) {
            let message = format!("give `{key}` a value: `{key} = ..`");
            return Err(syn::Error::new(key.span(), message));
        }
        input.parse::<Token![=]>()?;
        value(&key)?;
        if input.is_empty() {
            break;
        }
        input.parse::<Token![,]>()?;
    }
    Ok(())
}

fn name(input: ParseStream<'_>) -> syn::Result<LitStr> {
    let literal: LitStr = input.parse()?;
    let len = literal.value().len();
    if len == 0 || len > NAME_BYTES_MAX {
        let message = format!("a name has 1 to {NAME_BYTES_MAX} bytes, this one has {len}");
        return Err(syn::Error::new(literal.span(), message));
    }
    Ok(literal)
}

fn set<T>(place: &mut Option<T>, key: &Ident, value: T) -> syn::Result<()> {
    if place.replace(value).is_some() {
        return Err(syn::Error::new(key.span(), format!("`{key}` is given twice")));
    }
    Ok(())
}

fn unknown(key: &Ident, takes: &str) -> syn::Error {
    syn::Error::new(key.span(), format!("unknown key `{key}`: {takes}"))
}
