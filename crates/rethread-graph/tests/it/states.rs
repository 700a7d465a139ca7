use rethread_graph::{
    Field, Message, MessagesStateUpdate, Overwrite, Reducer, State, Update, Values,
};
use rethread_sdk::Error;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

#[derive(Debug, Default, Serialize, Deserialize, State)]
#[serde(default)]
struct Everything {
    plain: String,
    #[state(last)]
    optional: Option<u32>,
    #[state(append)]
    list: Vec<u8>,
    #[state(add)]
    sum: i64,
    #[state(merge)]
    map: std::collections::BTreeMap<String, u8>,
    #[state(messages)]
    messages: rethread_graph::Messages,
    #[state(reduce = longest)]
    longest: String,
    #[state(reduce = checked)]
    checked: Option<u8>,
    #[state(ephemeral)]
    ephemeral: bool,
    #[state(untracked)]
    untracked: bool,
    #[state(remaining_steps)]
    left: u32,
    #[serde(rename = "type")]
    kind: String,
    #[serde(skip)]
    own: Vec<u8>,
}

fn longest(old: String, new: String) -> String {
    if new.len() > old.len() { new } else { old }
}

fn checked(old: u8, new: u8) -> Result<u8, Error> {
    old.checked_add(new).ok_or_else(|| Error::msg("too much"))
}

fn json_of(update: impl Update) -> Value {
    let update = update.into_update().expect("encodes");
    update.decode("update").expect("is JSON")
}

#[test]
fn fields_have_their_names_and_reducers() {
    let fields = Everything::fields();
    let names: Vec<_> = fields.iter().map(Field::name).collect();
    let expected = [
        "plain",
        "optional",
        "list",
        "sum",
        "map",
        "messages",
        "longest",
        "checked",
        "ephemeral",
        "untracked",
        "left",
        "type",
    ];
    assert_eq!(names, expected);
    assert!(matches!(fields[1].reducer(), Reducer::Last));
    assert!(matches!(fields[6].reducer(), Reducer::Own(_)));
    assert!(matches!(fields[10].reducer(), Reducer::RemainingSteps));
}

#[test]
fn an_update_has_the_fields_that_were_set() {
    let update = EverythingUpdate::new()
        .plain("text")
        .optional(None)
        .list(Overwrite(vec![1]))
        .sum(2)
        .checked(3)
        .kind("k");
    let shown = format!("{update:?}");
    assert!(shown.contains("\"plain\"") && !shown.contains("text"), "{shown}");
    let expected = json!({
        "plain": "text", "optional": null, "list": { "__overwrite__": [1] }, "sum": 2,
        "checked": 3, "type": "k"
    });
    assert_eq!(json_of(update), expected);
    assert_eq!(json_of(EverythingUpdate::new()), json!({}));
}

#[test]
fn an_update_is_read_as_it_was_written() {
    let given = json!({ "optional": null, "list": { "__overwrite__": [1] }, "sum": 2 });
    let update: EverythingUpdate = serde_json::from_value(given.clone()).expect("an update");
    assert_eq!(json_of(update), given);
}

#[test]
fn messages_are_given_one_or_several_at_a_time() {
    let one = json_of(MessagesStateUpdate::new().messages("hello"));
    assert_eq!(one, json!({ "messages": [{ "type": "human", "content": "hello" }] }));
    let several = MessagesStateUpdate::new().messages([Message::remove_all(), Message::ai("hi")]);
    assert_eq!(json_of(several)["messages"][0]["id"], "__remove_all__");
}

#[test]
fn values_are_read_and_written_field_by_field() {
    let mut values = Values::new();
    values.write("n", &7_u64).expect("encodes");
    assert_eq!(values.read::<u64>("n"), Ok(Some(7)));
    assert_eq!(values.read::<u64>("absent"), Ok(None));
    assert!(values.read::<String>("n").is_err());
    assert_eq!(json_of(values), json!({ "n": 7 }));
}
