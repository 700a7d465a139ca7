extern crate rethread_sdk as rethread;

use rethread_macros::State;

#[derive(State)]
#[serde(rename_all = "camelCase")]
#[serde(tag = "kind")]
struct Container {
    topic: String,
}

#[derive(State)]
struct Encodings {
    #[serde(with = "hex")]
    bytes: Vec<u8>,
    #[serde(rename(serialize = "a", deserialize = "b"))]
    renamed: String,
    #[serde(skip_serializing)]
    half: String,
    #[serde(default, alias = "other")]
    aliased: String,
    #[serde(flatten)]
    rest: Vec<u8>,
}

#[derive(State)]
struct Names {
    new: bool,
    #[state(append, add)]
    two: Vec<u8>,
    #[state(sum)]
    unknown: u8,
    #[state(append, name = "joined")]
    named: Vec<u8>,
    #[serde(skip)]
    #[state(append)]
    skipped: Vec<u8>,
}

#[derive(State)]
struct Generic<T> {
    value: T,
}

#[derive(State)]
enum NoStruct {}

fn main() {}
