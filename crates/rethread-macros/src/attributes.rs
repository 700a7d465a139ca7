use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::{Expr, ExprLit, Ident, Lit, LitStr, Path, Token, Type};

use crate::duration;

/// Longest accepted name, in bytes; the engine's own limit.
const NAME_BYTES_MAX: usize = 256;

/// The keys of `#[task(..)]`.
#[derive(Default)]
pub(crate) struct TaskAttributes {
    pub(crate) common: Common,
    pub(crate) queue: Option<LitStr>,
}

/// The keys of `#[entrypoint(..)]`.
#[derive(Default)]
pub(crate) struct EntrypointAttributes {
    pub(crate) common: Common,
    pub(crate) history: Option<Expr>,
    /// Where the schemas of input and result are asked for.
    pub(crate) schema: Option<Span>,
    /// What it asks people.
    pub(crate) interrupts: Option<Type>,
}

/// The keys that both attributes know.
#[derive(Default)]
pub(crate) struct Common {
    pub(crate) name: Option<LitStr>,
    retry: Option<Expr>,
    timeout: Option<Timeout>,
    idle_timeout: Option<Timeout>,
    cache: Option<Expr>,
    cache_key: Option<Expr>,
    version: Option<LitStr>,
    krate: Option<Path>,
}

enum Timeout {
    Ms(u64),
    Expr(Expr),
}

impl Common {
    /// Path of the module that expansions name.
    pub(crate) fn private(&self) -> TokenStream {
        match &self.krate {
            Some(path) => quote!(#path::__private),
            None => quote!(::rethread::__private),
        }
    }

    /// The calls of builder methods for the keys that are given.
    pub(crate) fn options(&self) -> TokenStream {
        let Self { retry, timeout, idle_timeout, cache, cache_key, version, .. } = self;
        let private = self.private();
        let duration = |timeout: &Option<Timeout>| {
            timeout.as_ref().map(|timeout| match timeout {
                Timeout::Ms(ms) => quote!(#private::Duration::from_millis(#ms)),
                Timeout::Expr(expr) => quote!(#expr),
            })
        };
        let options = [
            ("retry", retry.as_ref().map(|expr| quote!(#expr))),
            ("timeout", duration(timeout)),
            ("idle_timeout", duration(idle_timeout)),
            ("cache", cache.as_ref().map(|expr| quote!(#expr))),
            ("cache_key", cache_key.as_ref().map(|expr| quote!(#expr))),
            ("version", version.as_ref().map(|text| quote!(#text))),
        ];
        let given = options.into_iter().filter_map(|(method, value)| {
            let method = Ident::new(method, Span::call_site());
            value.map(|value| quote!(.#method(#value)))
        });
        given.collect()
    }

    /// Reads the value of a common key; says if it was one.
    fn parse_key(&mut self, key: &Ident, input: ParseStream<'_>) -> syn::Result<bool> {
        match key.to_string().as_str() {
            "name" => set(&mut self.name, key, name(input)?)?,
            "retry" => set(&mut self.retry, key, input.parse()?)?,
            "timeout" => set(&mut self.timeout, key, input.parse()?)?,
            "idle_timeout" => set(&mut self.idle_timeout, key, input.parse()?)?,
            "cache" => set(&mut self.cache, key, input.parse()?)?,
            "cache_key" => set(&mut self.cache_key, key, input.parse()?)?,
            "version" => set(&mut self.version, key, input.parse()?)?,
            "crate" => set(&mut self.krate, key, input.call(Path::parse_mod_style)?)?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl Parse for TaskAttributes {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut all = Self::default();
        each_key(input, &[], |key| {
            if all.common.parse_key(key, input)? {
                return Ok(());
            }
            if key == "queue" {
                return set(&mut all.queue, key, name(input)?);
            }
            let takes = "a task takes `name`, `queue`, `retry`, `timeout`, `idle_timeout`, \
                         `cache`, `cache_key` and `version`";
            Err(unknown(key, takes))
        })?;
        Ok(all)
    }
}

impl Parse for EntrypointAttributes {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut all = Self::default();
        each_key(input, &["schema"], |key| {
            if all.common.parse_key(key, input)? {
                return Ok(());
            }
            match key.to_string().as_str() {
                "history" => set(&mut all.history, key, input.parse()?),
                "schema" => set(&mut all.schema, key, key.span()),
                "interrupts" => set(&mut all.interrupts, key, input.parse()?),
                _ => {
                    let takes = "an entrypoint takes `name`, `retry`, `timeout`, `idle_timeout`, \
                                 `cache`, `cache_key`, `version`, `history`, `schema` and \
                                 `interrupts`";
                    Err(unknown(key, takes))
                }
            }
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

/// Reads `key = value, ..`; `value` reads what is behind the `=`. Flags have no value.
fn each_key(
    input: ParseStream<'_>,
    flags: &[&str],
    mut value: impl FnMut(&Ident) -> syn::Result<()>,
) -> syn::Result<()> {
    while !input.is_empty() {
        let key = input.call(Ident::parse_any)?;
        let is_flag = flags.iter().any(|flag| key == flag);
        if is_flag && input.peek(Token![=]) {
            let message = format!("`{key}` has no value: write it alone, or leave it out");
            return Err(syn::Error::new(key.span(), message));
        }
        if !is_flag {
            if !input.peek(Token![=]) {
                let message = format!("give `{key}` a value: `{key} = ..`");
                return Err(syn::Error::new(key.span(), message));
            }
            input.parse::<Token![=]>()?;
        }
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
    if literal.value().starts_with("__") {
        let message = "names that begin with `__` are the engine's";
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
