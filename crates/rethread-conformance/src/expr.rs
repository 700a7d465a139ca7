//! Expressions: what a program computes.

use serde::Deserialize;
use serde_json::Value;

/// An expression, as the case spells it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "Value")]
pub(crate) enum Expr {
    /// A scalar, or what `$quote` keeps as it stands.
    Literal(Value),
    Array(Vec<Expr>),
    Object(Vec<(String, Expr)>),
    /// A variable, and what to look up in it.
    Variable {
        name: String,
        path: Vec<String>,
    },
    /// A side-effect counter, read when the expression is evaluated.
    Count(String),
    /// A value that no serializer takes.
    Opaque,
    If(Box<[Expr; 3]>),
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Else(Box<[Expr; 2]>),
    Apply(Function, Box<Expr>),
}

/// An operator whose arguments are all evaluated, before it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Function {
    Add,
    Sub,
    Mul,
    Mod,
    Eq,
    Lt,
    Not,
    Len,
    Str,
    Cat,
    Range,
    Get,
    Push,
    Merge,
}

const FUNCTIONS: [(&str, Function); 14] = [
    ("$add", Function::Add),
    ("$sub", Function::Sub),
    ("$mul", Function::Mul),
    ("$mod", Function::Mod),
    ("$eq", Function::Eq),
    ("$lt", Function::Lt),
    ("$not", Function::Not),
    ("$len", Function::Len),
    ("$str", Function::Str),
    ("$cat", Function::Cat),
    ("$range", Function::Range),
    ("$get", Function::Get),
    ("$push", Function::Push),
    ("$merge", Function::Merge),
];

impl Default for Expr {
    fn default() -> Self {
        Self::Literal(Value::Null)
    }
}

impl TryFrom<Value> for Expr {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        match value {
            Value::Array(items) => Ok(Self::Array(all(items)?)),
            Value::Object(entries) => {
                if entries.len() == 1
                    && let Some((name, argument)) = entries.iter().next()
                    && name.starts_with('$')
                {
                    return operator(name, argument.clone());
                }
                let pairs = entries.into_iter().map(|(key, value)| Ok((key, value.try_into()?)));
                Ok(Self::Object(pairs.collect::<Result<_, String>>()?))
            }
            scalar => Ok(Self::Literal(scalar)),
        }
    }
}

fn operator(name: &str, argument: Value) -> Result<Expr, String> {
    let wrong = |expected: &str| format!("operator `{name}` takes {expected}, not {argument}");
    match name {
        "$" => {
            let text = argument.as_str().ok_or_else(|| wrong("the name of a variable"))?;
            let mut path = text.split('.').map(str::to_owned);
            let name = path.next().unwrap_or_default();
            Ok(Expr::Variable { name, path: path.collect() })
        }
        "$quote" => Ok(Expr::Literal(argument)),
        "$count" => {
            let counter = argument.as_str().ok_or_else(|| wrong("the name of a counter"))?;
            Ok(Expr::Count(counter.to_owned()))
        }
        "$opaque" => Ok(Expr::Opaque),
        "$if" => Ok(Expr::If(Box::new(exactly(name, argument)?))),
        "$else" => Ok(Expr::Else(Box::new(exactly(name, argument)?))),
        "$and" => Ok(Expr::And(list(name, argument)?)),
        "$or" => Ok(Expr::Or(list(name, argument)?)),
        _ => match FUNCTIONS.iter().find(|(known, _)| *known == name) {
            Some((_, function)) => Ok(Expr::Apply(*function, Box::new(argument.try_into()?))),
            None => Err(format!("there is no operator `{name}`")),
        },
    }
}

fn all(items: Vec<Value>) -> Result<Vec<Expr>, String> {
    items.into_iter().map(Expr::try_from).collect()
}

fn list(name: &str, argument: Value) -> Result<Vec<Expr>, String> {
    match argument {
        Value::Array(items) => all(items),
        other => Err(format!("operator `{name}` takes a list, not {other}")),
    }
}

fn exactly<const N: usize>(name: &str, argument: Value) -> Result<[Expr; N], String> {
    let found = list(name, argument)?;
    let count = found.len();
    found.try_into().map_err(|_| format!("operator `{name}` takes {N} arguments, not {count}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn error(value: Value) -> String {
        Expr::try_from(value).expect_err("must be refused")
    }

    #[test]
    fn only_an_object_with_one_dollar_key_is_an_operator() {
        let plain = Expr::try_from(json!({"$add": [1], "b": 2})).expect("an object");
        assert!(matches!(plain, Expr::Object(pairs) if pairs.len() == 2));
        let quoted = Expr::try_from(json!({"$quote": {"$": "x"}})).expect("a literal");
        assert_eq!(quoted, Expr::Literal(json!({"$": "x"})));
    }

    #[test]
    fn a_path_is_split() {
        let found = Expr::try_from(json!({"$": "a.b.0"})).expect("a variable");
        let path = vec!["b".to_owned(), "0".to_owned()];
        assert_eq!(found, Expr::Variable { name: "a".into(), path });
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert!(error(json!([{"$plus": [1, 2]}])).contains("`$plus`"));
        assert!(error(json!({"$if": [true, 1]})).contains("3 arguments, not 2"));
        assert!(error(json!({"$": 7})).contains("the name of a variable, not 7"));
    }
}
