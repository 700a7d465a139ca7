//! Statements: what a program does.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::expr::Expr;

/// The statements of a body, in order.
pub(crate) type Block = Vec<Statement>;

/// One statement, as the case spells it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "Value")]
pub(crate) enum Statement {
    Let(Let),
    Do(Do),
    Spawn(Spawn),
    Await(Await),
    Sub(Sub),
    Interrupt(Interrupt),
    Write(Write),
    If(If),
    For(For),
    While(While),
    Raise(Raise),
    Try(Try),
    Put(Put),
    Delete(Delete),
    Get(Get),
    Search(Search),
    Namespaces(Namespaces),
    SleepMs(SleepMs),
    Count(Count),
    Return(Return),
    Final(Final),
    Command(Command),
}

impl Statement {
    /// Whether it only computes: it asks the engine for nothing, and no time passes.
    pub(crate) fn is_pure(&self) -> bool {
        let all = |block: &Block| block.iter().all(Self::is_pure);
        match self {
            Self::Let(_) | Self::Raise(_) | Self::Count(_) | Self::Return(_) | Self::Command(_) => {
                true
            }
            Self::If(s) => all(&s.then) && all(&s.otherwise),
            Self::For(s) => all(&s.body),
            Self::While(s) => all(&s.body),
            Self::Try(s) => all(&s.block) && all(&s.catch),
            _ => false,
        }
    }
}

/// Declares the form of a statement: its keys and what they hold.
macro_rules! form {
    ($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(crate) struct $name {
            $($(#[$field_meta])* pub(crate) $field: $type,)*
        }
    };
}

form!(
    /// Assigns a variable.
    Let {
        #[serde(rename = "let")]
        name: String,
        be: Expr,
    }
);
form!(
    /// Calls a task and waits for its result.
    Do {
        #[serde(rename = "do")]
        task: String,
        #[serde(default)]
        args: Vec<Expr>,
        to: Option<String>,
    }
);
form!(
    /// Calls a task; the variable `to`, or the list `push`, gets the future.
    Spawn {
        #[serde(rename = "spawn")]
        task: String,
        #[serde(default)]
        args: Vec<Expr>,
        to: Option<String>,
        push: Option<String>,
    }
);
form!(
    /// Waits for a future, or for a list of them in its order.
    Await {
        #[serde(rename = "await")]
        future: String,
        to: Option<String>,
    }
);
form!(
    /// Calls an entrypoint and waits for its result.
    Sub {
        #[serde(rename = "sub")]
        entrypoint: String,
        #[serde(default)]
        input: Expr,
        to: Option<String>,
    }
);
form!(
    /// Asks a person.
    Interrupt {
        #[serde(rename = "interrupt")]
        value: Expr,
        to: Option<String>,
    }
);
form!(
    /// Writes to the custom stream.
    Write {
        #[serde(rename = "write")]
        value: Expr,
    }
);
form!(
    /// Runs one of two blocks.
    If {
        #[serde(rename = "if")]
        condition: Expr,
        then: Block,
        #[serde(default, rename = "else")]
        otherwise: Block,
    }
);
form!(
    /// Runs a block for each item.
    For {
        #[serde(rename = "for")]
        name: String,
        #[serde(rename = "in")]
        items: Expr,
        body: Block,
    }
);
form!(
    /// Runs a block as long as a condition holds.
    While {
        #[serde(rename = "while")]
        condition: Expr,
        body: Block,
    }
);
form!(
    /// Raises an error.
    Raise {
        #[serde(rename = "raise")]
        kind: String,
        message: Option<Expr>,
    }
);
form!(
    /// Runs a block, and another one if that fails.
    Try {
        #[serde(rename = "try")]
        block: Block,
        catch: Block,
        error: Option<String>,
    }
);
form!(
    /// Stores a value: namespace, key, value.
    Put {
        put: Expr,
    }
);
form!(
    /// Removes a value from the store: namespace, key.
    Delete {
        delete: Expr,
    }
);
form!(
    /// Reads a value of the store: namespace, key.
    Get {
        get: Expr,
        to: Option<String>,
    }
);
form!(
    /// Finds values under a namespace prefix.
    Search {
        search: Expr,
        filter: Option<Expr>,
        to: Option<String>,
    }
);
form!(
    /// Lists namespaces.
    Namespaces {
        namespaces: Expr,
        to: Option<String>,
    }
);
form!(
    /// Waits.
    SleepMs {
        #[serde(rename = "sleep_ms")]
        ms: u64,
    }
);
form!(
    /// Adds one to a side-effect counter.
    Count {
        #[serde(rename = "count")]
        counter: String,
    }
);
form!(
    /// Ends the body.
    Return {
        #[serde(rename = "return")]
        value: Expr,
    }
);
form!(
    /// Ends an entrypoint: the value for the caller, and the one to save.
    Final {
        #[serde(rename = "final")]
        parts: [Expr; 2],
    }
);

form!(
    /// Ends a node with one command or several.
    Command {
        command: Expr,
    }
);

/// The key that tells which statement it is; no other key of any statement has such a name.
const KEYWORDS: [&str; 22] = [
    "let",
    "do",
    "spawn",
    "await",
    "sub",
    "interrupt",
    "write",
    "if",
    "for",
    "while",
    "raise",
    "try",
    "put",
    "delete",
    "get",
    "search",
    "namespaces",
    "sleep_ms",
    "count",
    "return",
    "final",
    "command",
];

impl TryFrom<Value> for Statement {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        let keyword = KEYWORDS.into_iter().find(|keyword| value.get(keyword).is_some());
        let Some(keyword) = keyword else {
            return Err(format!("not a statement: {value}"));
        };
        Ok(match keyword {
            "let" => Self::Let(read(keyword, value)?),
            "do" => Self::Do(read(keyword, value)?),
            "spawn" => Self::Spawn(read(keyword, value)?),
            "await" => Self::Await(read(keyword, value)?),
            "sub" => Self::Sub(read(keyword, value)?),
            "interrupt" => Self::Interrupt(read(keyword, value)?),
            "write" => Self::Write(read(keyword, value)?),
            "if" => Self::If(read(keyword, value)?),
            "for" => Self::For(read(keyword, value)?),
            "while" => Self::While(read(keyword, value)?),
            "raise" => Self::Raise(read(keyword, value)?),
            "try" => Self::Try(read(keyword, value)?),
            "put" => Self::Put(read(keyword, value)?),
            "delete" => Self::Delete(read(keyword, value)?),
            "get" => Self::Get(read(keyword, value)?),
            "search" => Self::Search(read(keyword, value)?),
            "namespaces" => Self::Namespaces(read(keyword, value)?),
            "sleep_ms" => Self::SleepMs(read(keyword, value)?),
            "count" => Self::Count(read(keyword, value)?),
            "return" => Self::Return(read(keyword, value)?),
            "final" => Self::Final(read(keyword, value)?),
            _ => Self::Command(read(keyword, value)?),
        })
    }
}

fn read<T: DeserializeOwned>(keyword: &str, value: Value) -> Result<T, String> {
    serde_json::from_value(value).map_err(|error| format!("in a statement `{keyword}`: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn error(value: Value) -> String {
        Statement::try_from(value).expect_err("must be refused")
    }

    #[test]
    fn each_statement_is_told_by_its_keyword() {
        let found = Statement::try_from(json!({"do": "t", "args": [1], "to": "x"}));
        assert!(matches!(found, Ok(Statement::Do(Do { task, .. })) if task == "t"));
        let found = Statement::try_from(json!({"final": [1, {"$": "x"}]}));
        assert!(matches!(found, Ok(Statement::Final(_))));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_statement() {
        assert!(error(json!({"print": 1})).contains("not a statement: {\"print\":1}"));
        let inner = json!({"if": true, "then": [{"do": "t", "argument": 1}]});
        let text = error(inner);
        assert!(text.contains("`if`") && text.contains("`do`") && text.contains("`argument`"));
        assert!(error(json!({"let": "x"})).contains("missing field `be`"));
    }
}
