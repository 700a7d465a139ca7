//! The attributes [`macro@task`] and [`macro@entrypoint`]: sugar over `Task::new` and
//! `Entrypoint::new`.
//!
//! An attribute turns `async fn name(..) -> Result<T>` into two items of this name: a function
//! that makes the call and returns a `Call<T>`, and a type whose `def()` gives the definition
//! to register. What the function's own body says is not looked at.
//!
//! For graphs, the derives [`macro@State`] and [`macro@Route`].

mod attributes;
mod duration;
mod errors;
mod expand;
mod route;
mod serde_rules;
mod signature;
mod state;
mod types;

use proc_macro::TokenStream;
use quote::ToTokens;
use syn::{DeriveInput, ItemFn, parse_macro_input};

use crate::attributes::{EntrypointAttributes, TaskAttributes};
use crate::signature::Signature;

/// Makes a task of an async function: calling it schedules it and records its result.
///
/// The function takes up to eight owned serde values and returns `Result<T>`. Parameters of the
/// types `Context<C>`, `Dep<D>` and `Store` are no arguments: they are filled with the context
/// object of the run, with what the program provides, and with the store. It becomes
///
/// - a function of the same name and arguments that returns a `Call<T>`, and
/// - a type of the same name, whose `def()` gives the `Task` to register with a worker, and whose
///   `keyed(key, ..)` makes a call under a name of its own.
///
/// | Key | Meaning | Default |
/// |---|---|---|
/// | `name = "…"` | name under which calls are recorded | the function's name |
/// | `queue = "…"` | the queue its attempts are put in | the standard queue |
/// | `retry = …` | a `Retry`, or an array or vector of them | those of the entrypoint |
/// | `timeout = "30s"` | longest time of one attempt: `ms`, `s`, `m`, `h`, or a `Duration` | none |
/// | `idle_timeout = "5s"` | longest silence of one attempt: no event, call, news of a call or heartbeat | none |
/// | `cache = …` | a `Cache`: equal calls of all runs reuse results | none |
/// | `cache_key = …` | a function of `&(A, B, ..)`, a reference to the tuple of arguments, to the text that equal calls share | the arguments |
/// | `version = "…"` | part of what equal calls are: a new one forgets the results of the old code | none |
/// | `crate = path` | where the crate `rethread` is | `::rethread` |
///
/// ```
/// # extern crate rethread_sdk as rethread;
/// use rethread::prelude::*;
///
/// /// Charges a card.
/// #[task(retry = Retry::attempts(5), timeout = "10s", queue = "payments")]
/// async fn charge(card: String, cents: u64) -> Result<String> {
///     Ok(format!("{card} was charged {cents}"))
/// }
///
/// #[entrypoint]
/// async fn checkout(card: String) -> Result<String> {
///     charge(card, 1_999).await
/// }
///
/// assert_eq!(charge::def().name(), "charge");
/// ```
#[proc_macro_attribute]
pub fn task(attributes: TokenStream, item: TokenStream) -> TokenStream {
    let attributes = parse_macro_input!(attributes as TaskAttributes);
    let item = parse_macro_input!(item as ItemFn);
    let expanded =
        Signature::of_task(&item).map(|signature| expand::task(&attributes, &item, &signature));
    tokens(expanded, &item)
}

/// Makes an entrypoint of an async function: it is run again from its top to bring a thread back
/// to where it was, and finds the recorded results of its calls.
///
/// The function takes one owned serde value, its input, and returns `Result<T>` or
/// `Result<Final<T, S>>`. A parameter of type `Previous<S>`, before or behind the input, is
/// filled with what the last run on the thread saved; `Context<C>`, `Dep<D>` and `Store` are
/// filled as they are in a task. It becomes
///
/// - a function of the same name and input that calls it as a child and returns a `Call<T>`, and
/// - a type of the same name, whose `def()` gives the `Entrypoint` to register and to invoke, and
///   whose `keyed(key, ..)` makes a call under a name of its own.
///
/// | Key | Meaning | Default |
/// |---|---|---|
/// | `name = "…"` | name under which runs are recorded | the function's name |
/// | `retry = …` | a `Retry`, or an array or vector: for the body, and for tasks that have none | no retry |
/// | `timeout = "30s"` | longest time of one attempt of the body, waiting included | none |
/// | `idle_timeout = "5s"` | longest silence of one attempt: no event, call, news of a call or heartbeat | none |
/// | `cache = …` | a `Cache`: equal calls of all runs reuse results | none |
/// | `cache_key = …` | a function of `&I`, a reference to the input, to the text that equal calls share | the input |
/// | `version = "…"` | part of what equal calls are: a new one forgets the results of the old code | none |
/// | `history = …` | a `History`: what it keeps when another body calls it | `History::Inherit` |
/// | `schema` | publishes JSON Schemas of input and result; the types are `JsonSchema` (feature `schemas`) | none |
/// | `interrupts = …` | publishes the JSON Schema of this type: what it asks people | none |
/// | `crate = path` | where the crate `rethread` is | `::rethread` |
///
/// What the body does outside of tasks happens again on each replay: keep side effects, the
/// clock and randomness in tasks.
///
/// ```
/// # extern crate rethread_sdk as rethread;
/// use rethread::prelude::*;
///
/// #[entrypoint(name = "counter")]
/// async fn count(by: u64, previous: Previous<u64>) -> Result<u64> {
///     Ok(previous.unwrap_or(0) + by)
/// }
///
/// assert_eq!(count::def().name(), "counter");
/// ```
#[proc_macro_attribute]
pub fn entrypoint(attributes: TokenStream, item: TokenStream) -> TokenStream {
    let attributes = parse_macro_input!(attributes as EntrypointAttributes);
    let item = parse_macro_input!(item as ItemFn);
    let expanded = Signature::of_entrypoint(&item)
        .map(|signature| expand::entrypoint(&attributes, &item, &signature));
    tokens(expanded, &item)
}

/// Makes a struct the state of a graph, and makes the type of its updates: `Essay` gets
/// `EssayUpdate`, with a method for each field that sets it. See the trait of the same name for
/// the attributes of fields.
///
/// It stands beside serde's derives, and knows `#[serde(rename = "..")]` and `#[serde(skip)]` of
/// fields; attributes of serde that would give a state or a field another encoding are refused.
/// `#[state(crate = path)]` says where the crate `rethread` is.
#[proc_macro_derive(State, attributes(state))]
pub fn state(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    state::expand(&input).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Makes an enum the destinations of a conditional edge: each variant is the node of its name in
/// snake case, the one of `#[route(node = "name")]`, or the end with `#[route(end)]`.
#[proc_macro_derive(Route, attributes(route))]
pub fn route(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    route::expand(&input).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// What was expanded, or the errors and the function as it stood: with it in place, its callers
/// do not add errors of their own.
fn tokens(expanded: syn::Result<proc_macro2::TokenStream>, item: &ItemFn) -> TokenStream {
    expanded
        .unwrap_or_else(|error| {
            let mut tokens = error.into_compile_error();
            item.to_tokens(&mut tokens);
            tokens
        })
        .into()
}
