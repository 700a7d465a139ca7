use std::collections::BTreeMap;

use rethread_macros::State;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, State)]
#[serde(rename_all = "camelCase", tag = "kind")]
struct Container {
    topic: String,
}

#[derive(Serialize, Deserialize, State)]
struct Encodings {
    #[serde(with = "as_text")]
    number: u64,
    #[serde(rename(serialize = "a", deserialize = "b"))]
    renamed: String,
    #[serde(skip_serializing)]
    half: String,
    #[serde(alias = "other")]
    aliased: String,
    #[serde(flatten)]
    rest: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    is_fine: Option<u8>,
}

mod as_text {
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(number: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(number)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

fn main() {}
