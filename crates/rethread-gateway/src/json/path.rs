use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::Value;

/// A way into a value: names of members and, in brackets, numbers of elements, of which negative
/// ones count from the end: `messages[-1].content`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct JsonPath(Vec<Step>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Member(String),
    Element(i64),
}

impl JsonPath {
    /// Reads a path; none if the text is not one.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut steps = Vec::new();
        for part in text.split('.') {
            let (name, brackets) = part.find('[').map_or((part, ""), |at| part.split_at(at));
            if name.is_empty() {
                return None;
            }
            steps.push(Step::Member(name.to_owned()));
            let mut rest = brackets;
            while !rest.is_empty() {
                let (number, behind) = rest.strip_prefix('[')?.split_once(']')?;
                steps.push(Step::Element(number.parse().ok()?));
                rest = behind;
            }
        }
        Some(Self(steps))
    }

    /// The name of the member that it begins with.
    pub(crate) fn root(&self) -> &str {
        match self.0.first() {
            Some(Step::Member(name)) => name,
            _ => "",
        }
    }

    /// What is there, if anything is.
    pub(crate) fn find<'v>(&self, value: &'v Value) -> Option<&'v Value> {
        self.0.iter().try_fold(value, |value, step| match step {
            Step::Member(name) => value.get(name),
            Step::Element(number) => {
                let elements = value.as_array()?;
                let place = usize::try_from(number.unsigned_abs()).ok()?;
                match number {
                    0.. => elements.get(place),
                    _ => elements.get(elements.len().checked_sub(place)?),
                }
            }
        })
    }
}

impl TryFrom<String> for JsonPath {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no path; write it like values.messages[-1].content");
        Self::parse(&text).ok_or_else(wrong)
    }
}

impl JsonSchema for JsonPath {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "JsonPath".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        const STEP: &str = r"[^.\[]+(\[-?[0-9]{1,9}\])*";
        json_schema!({ "type": "string", "pattern": format!(r"^{STEP}(\.{STEP})*$") })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_lead_into_values() {
        let value = json!({"values": {"messages": [{"content": "a"}, {"content": "b"}], "n": 1}});
        for (path, found) in [
            ("values.n", Some(json!(1))),
            ("values.messages[0].content", Some(json!("a"))),
            ("values.messages[-1].content", Some(json!("b"))),
            ("values.messages[-3].content", None),
            ("values.messages[2]", None),
            ("values.messages.content", None),
            ("values[0]", None),
            ("values.x", None),
        ] {
            let path = JsonPath::parse(path).expect("a path");
            assert_eq!(path.find(&value), found.as_ref(), "{path:?}");
            assert_eq!(path.root(), "values");
        }
        for text in ["", ".a", "a.", "a[", "a[x]", "a[0", "[0]", "a]"] {
            let is_name = text == "a]";
            assert_eq!(JsonPath::parse(text).is_some(), is_name, "{text}");
        }
    }
}
