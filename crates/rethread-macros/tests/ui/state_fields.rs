use rethread_macros::State;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, State)]
struct Fields {
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

#[derive(Serialize, Deserialize, State)]
struct Generic<T> {
    value: T,
}

#[derive(Serialize, Deserialize, State)]
enum NoStruct {
    One,
}

fn main() {}
