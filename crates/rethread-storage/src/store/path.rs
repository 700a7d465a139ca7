//! Which parts of a value the index takes up.

use super::value::Value;

/// A way into a value: `$`, `title`, `author.name`, `chapters[*].text`, `chapters[0]`, `tags.*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Path(Vec<Step>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Entry(String),
    /// An element; negative numbers count from the end.
    Element(i64),
    Each,
}

impl Path {
    /// Reads a path. Every text is one: what has no form of a step is the name of an entry.
    pub(super) fn parse(path: &str) -> Self {
        if path.is_empty() || path == "$" {
            return Self(Vec::new());
        }
        let path = path.strip_prefix("$.").unwrap_or(path);
        Self(path.split('.').flat_map(steps).collect())
    }

    /// The texts at this place of a value.
    pub(super) fn texts(&self, value: &Value) -> Vec<String> {
        let mut texts = Vec::new();
        collect(value, &self.0, &mut texts);
        texts
    }
}

/// The steps of a part between dots: a name, `*`, and elements in brackets behind it.
fn steps(part: &str) -> Vec<Step> {
    let (name, brackets) = part.find('[').map_or((part, ""), |at| part.split_at(at));
    let Some(elements) = elements(brackets) else { return vec![Step::Entry(part.to_owned())] };
    let mut steps = Vec::new();
    match name {
        "" if !elements.is_empty() => {}
        "*" => steps.push(Step::Each),
        name => steps.push(Step::Entry(name.to_owned())),
    }
    steps.extend(elements);
    steps
}

fn elements(mut brackets: &str) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    while !brackets.is_empty() {
        let (element, rest) = brackets.strip_prefix('[')?.split_once(']')?;
        steps.push(match element {
            "*" => Step::Each,
            number => Step::Element(number.parse().ok()?),
        });
        brackets = rest;
    }
    Some(steps)
}

fn collect(value: &Value, steps: &[Step], texts: &mut Vec<String>) {
    let Some((step, rest)) = steps.split_first() else {
        texts.extend(value.text());
        return;
    };
    match (step, value) {
        (Step::Entry(key), _) => {
            if let Some(entry) = value.get(key) {
                collect(entry, rest, texts);
            }
        }
        (Step::Element(number), Value::List(values)) => {
            let from_end = || usize::try_from(number.unsigned_abs()).ok();
            let index = match *number {
                0.. => usize::try_from(*number).ok(),
                _ => from_end().and_then(|back| values.len().checked_sub(back)),
            };
            if let Some(element) = index.and_then(|index| values.get(index)) {
                collect(element, rest, texts);
            }
        }
        (Step::Each, Value::List(values)) => {
            values.iter().for_each(|element| collect(element, rest, texts));
        }
        (Step::Each, Value::Map(entries)) => {
            entries.iter().for_each(|(_, entry)| collect(entry, rest, texts));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rethread_core::payload::Payload;
    use serde_json::json;

    #[test]
    fn paths_lead_to_texts() {
        let value = json!({
            "title": "T", "pages": 3, "none": null, "author": {"name": "A"},
            "chapters": [{"text": "one"}, {"text": "two"}, {"other": "x"}],
            "grid": [["a", "b"], ["c"]], "odd[": "o",
        });
        let payload = Payload::encode(&value, "a test value").expect("encodes");
        let value = Value::decode(&payload).expect("decodes");
        let whole = value.text().expect("a map has a text");
        for (path, texts) in [
            ("$", &[whole.as_str()][..]),
            ("", &[whole.as_str()]),
            ("title", &["T"]),
            ("$.title", &["T"]),
            ("pages", &["3"]),
            ("none", &[]),
            ("absent", &[]),
            ("absent.name", &[]),
            ("title.name", &[]),
            ("author.name", &["A"]),
            ("author", &[r#"{"name":"A"}"#]),
            ("author.*", &["A"]),
            ("chapters[*].text", &["one", "two"]),
            ("chapters.*.text", &["one", "two"]),
            ("chapters[1].text", &["two"]),
            ("chapters[-3].text", &["one"]),
            ("chapters[-4].text", &[]),
            ("chapters[3].text", &[]),
            ("grid[*][0]", &["a", "c"]),
            ("grid[0][-1]", &["b"]),
            ("title[0]", &[]),
            ("odd[", &["o"]),
        ] {
            assert_eq!(Path::parse(path).texts(&value), texts, "{path}");
        }
    }
}
