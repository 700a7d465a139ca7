use std::fmt;

use quote::ToTokens;

/// The mistakes in one function, reported together.
#[derive(Default)]
pub(crate) struct Errors(Option<syn::Error>);

impl Errors {
    /// Adds one that points at `tokens`.
    pub(crate) fn add(&mut self, tokens: impl ToTokens, message: impl fmt::Display) {
        self.append(syn::Error::new_spanned(tokens, message));
    }

    /// Adds one that was found while parsing.
    pub(crate) fn append(&mut self, error: syn::Error) {
        match &mut self.0 {
            Some(errors) => errors.combine(error),
            None => self.0 = Some(error),
        }
    }

    /// The value, if there were no mistakes.
    pub(crate) fn into_result<T>(self, value: T) -> syn::Result<T> {
        match self.0 {
            Some(errors) => Err(errors),
            None => Ok(value),
        }
    }
}

/// `word` with its article: `a task`, `an entrypoint`.
pub(crate) fn a(word: &str) -> String {
    let article = if word.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("{article} {word}")
}
