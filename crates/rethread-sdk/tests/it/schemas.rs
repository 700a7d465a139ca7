//! What an entrypoint publishes of its types.

use rethread::prelude::*;
use rethread::{Registry, schemars};
use rethread_core::ids::Millis;
use serde::{Deserialize, Serialize};
use serde_json::Value;

#[derive(Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(crate = "rethread::schemars")]
struct Topic {
    /// What to write about.
    title: String,
    #[serde(default)]
    words: u32,
}

#[derive(Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(crate = "rethread::schemars")]
struct Review {
    essay: String,
}

#[entrypoint(schema, interrupts = Review, history = History::Thread)]
async fn described(topic: Topic) -> Result<Final<String, u32>> {
    Ok(Final::new(topic.title, topic.words))
}

#[entrypoint]
async fn plain(input: u32) -> Result<u32> {
    Ok(input)
}

fn published(name: &str) -> Value {
    let registry =
        Registry::builder().entrypoint(described::def()).entrypoint(plain::def()).build();
    let described = registry.expect("builds").describe(name, Millis(7)).expect("is known");
    described.expect("encodes").decode("a description").expect("decodes")
}

#[test]
fn an_entrypoint_that_is_asked_to_publishes_its_schemas() {
    let published = published("described");
    assert_eq!((&published["name"], &published["published_at"]), (&json!("described"), &json!(7)));
    let input = &published["input_schema"];
    assert_eq!(input["required"], json!(["title"]), "of what is read");
    assert_eq!(input["properties"]["title"]["description"], "What to write about.");
    assert_eq!(published["output_schema"]["type"], "string", "what the caller gets");
    assert_eq!(published["interrupt_schema"]["required"], json!(["essay"]));
}

#[test]
fn any_other_publishes_its_name() {
    let published = published("plain");
    assert_eq!(published["name"], "plain");
    for schema in ["input_schema", "output_schema", "interrupt_schema"] {
        assert!(published[schema].is_null());
    }
    assert!(Registry::default().describe("plain", Millis(7)).is_none());
}
