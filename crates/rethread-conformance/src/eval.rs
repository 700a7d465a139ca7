//! Evaluates expressions.

use std::collections::HashMap;

use serde_json::{Map, Value};

use crate::data::{element, is_true, opaque, text};
use crate::expr::{Expr, Function};

/// What a variable holds: a value, or calls that a body has made, by their places among them.
#[derive(Debug, Clone)]
pub(crate) enum Held {
    Value(Value),
    Call(usize),
    Calls(Vec<usize>),
}

/// The variables of a body.
pub(crate) type Variables = HashMap<String, Held>;

/// Reads a side-effect counter.
pub(crate) trait ReadCounter {
    /// The counter's value.
    fn read(&self, name: &str) -> Result<u64, String>;
}

/// Evaluates expressions over variables and counters.
#[derive(Clone, Copy)]
pub(crate) struct Eval<'a> {
    pub(crate) variables: &'a Variables,
    pub(crate) counters: &'a dyn ReadCounter,
}

impl Eval<'_> {
    /// The value of an expression.
    ///
    /// # Errors
    /// When the program is ill typed, or a counter cannot be read.
    pub(crate) fn value(self, expr: &Expr) -> Result<Value, String> {
        Ok(match expr {
            Expr::Literal(value) => value.clone(),
            Expr::Array(items) => Value::Array(self.all(items)?),
            Expr::Object(pairs) => {
                let pairs = pairs.iter().map(|(key, value)| Ok((key.clone(), self.value(value)?)));
                Value::Object(pairs.collect::<Result<Map<_, _>, String>>()?)
            }
            Expr::Variable { name, path } => match self.variables.get(name) {
                Some(Held::Value(value)) => path
                    .iter()
                    .fold(value.clone(), |value, key| element(&value, &Value::from(key.as_str()))),
                _ => Value::Null,
            },
            Expr::Count(counter) => Value::from(self.counters.read(counter)?),
            Expr::Opaque => opaque(),
            Expr::If(parts) => {
                let [condition, then, otherwise] = &**parts;
                let chosen = if is_true(&self.value(condition)?) { then } else { otherwise };
                self.value(chosen)?
            }
            Expr::And(parts) => {
                for part in parts {
                    if !is_true(&self.value(part)?) {
                        return Ok(Value::Bool(false));
                    }
                }
                Value::Bool(true)
            }
            Expr::Or(parts) => {
                for part in parts {
                    if is_true(&self.value(part)?) {
                        return Ok(Value::Bool(true));
                    }
                }
                Value::Bool(false)
            }
            Expr::Else(parts) => {
                let [first, second] = &**parts;
                match self.value(first)? {
                    Value::Null => self.value(second)?,
                    value => value,
                }
            }
            Expr::Apply(function, argument) => apply(*function, self.value(argument)?)?,
        })
    }

    /// The values of several expressions.
    pub(crate) fn all(self, exprs: &[Expr]) -> Result<Vec<Value>, String> {
        exprs.iter().map(|expr| self.value(expr)).collect()
    }
}

fn apply(function: Function, argument: Value) -> Result<Value, String> {
    let ill_typed = || format!("{function:?} cannot be applied to {argument}");
    let found = match function {
        Function::Not => Some(Value::Bool(!is_true(&argument))),
        Function::Str => Some(Value::from(text(&argument))),
        Function::Len => match &argument {
            Value::Array(items) => Some(Value::from(items.len())),
            Value::Object(entries) => Some(Value::from(entries.len())),
            Value::String(text) => Some(Value::from(text.chars().count())),
            _ => None,
        },
        Function::Range => argument.as_u64().map(|end| (0..end).map(Value::from).collect()),
        Function::Cat => {
            argument.as_array().map(|items| Value::from(items.iter().map(text).collect::<String>()))
        }
        Function::Add => argument.as_array().and_then(|items| add(items)),
        _ => match argument.as_array().map(Vec::as_slice) {
            Some([a, b]) => binary(function, a, b),
            _ => None,
        },
    };
    found.ok_or_else(ill_typed)
}

fn binary(function: Function, a: &Value, b: &Value) -> Option<Value> {
    match function {
        Function::Sub => Some(number(integer(a)?.checked_sub(integer(b)?)?)),
        Function::Mul => Some(number(integer(a)?.checked_mul(integer(b)?)?)),
        Function::Mod => Some(number(integer(a)?.checked_rem_euclid(integer(b)?)?)),
        Function::Eq => Some(Value::Bool(match (integer(a), integer(b)) {
            (Some(a), Some(b)) => a == b,
            _ => a == b,
        })),
        Function::Lt => Some(Value::Bool(a.as_f64()? < b.as_f64()?)),
        Function::Get => Some(element(a, b)),
        Function::Push => {
            let mut items = a.as_array()?.clone();
            items.push(b.clone());
            Some(Value::Array(items))
        }
        Function::Merge => {
            let mut entries = a.as_object()?.clone();
            entries.extend(b.as_object()?.clone());
            Some(Value::Object(entries))
        }
        _ => None,
    }
}

fn add(items: &[Value]) -> Option<Value> {
    match items.first()? {
        Value::String(_) => {
            let texts = items.iter().map(Value::as_str);
            Some(Value::from(texts.collect::<Option<String>>()?))
        }
        Value::Array(_) => {
            let mut all = Vec::new();
            for item in items {
                all.extend_from_slice(item.as_array()?);
            }
            Some(Value::Array(all))
        }
        _ => items.iter().try_fold(0i128, |sum, item| sum.checked_add(integer(item)?)).map(number),
    }
}

fn integer(value: &Value) -> Option<i128> {
    value.as_i64().map(i128::from).or_else(|| value.as_u64().map(i128::from))
}

/// A number; one that takes more than 64 bits cannot be serialized.
fn number(value: i128) -> Value {
    i64::try_from(value)
        .map(Value::from)
        .or_else(|_| u64::try_from(value).map(Value::from))
        .unwrap_or_else(|_| opaque())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    struct Seven;

    impl ReadCounter for Seven {
        fn read(&self, _: &str) -> Result<u64, String> {
            Ok(7)
        }
    }

    fn eval(expr: Value) -> Result<Value, String> {
        let mut variables = Variables::new();
        variables.insert("x".into(), Held::Value(json!({"a": [10, 20]})));
        variables.insert("f".into(), Held::Call(0));
        Eval { variables: &variables, counters: &Seven }.value(&Expr::try_from(expr)?)
    }

    fn gives(expr: Value, value: Value) {
        assert_eq!(eval(expr.clone()), Ok(value), "{expr}");
    }

    #[test]
    fn variables_and_counters() {
        gives(json!({"$": "x.a.1"}), json!(20));
        gives(json!([{"$": "x.b.c"}, {"$": "nobody"}, {"$": "f"}]), json!([null, null, null]));
        gives(json!({"$count": "c"}), json!(7));
    }

    #[test]
    fn arithmetic_and_lists() {
        gives(json!({"$add": [1, 2, 3]}), json!(6));
        gives(json!({"$add": ["a", "b"]}), json!("ab"));
        gives(json!({"$add": [[1], [2, 3]]}), json!([1, 2, 3]));
        gives(json!({"$mod": [-1, 3]}), json!(2));
        gives(json!({"$mul": [i64::MAX, 4]}), opaque());
        gives(json!({"$range": 3}), json!([0, 1, 2]));
        gives(json!({"$push": [[1], 2]}), json!([1, 2]));
        gives(json!({"$merge": [{"a": 1}, {"a": 2, "b": 3}]}), json!({"a": 2, "b": 3}));
        gives(json!({"$cat": ["n=", 1, [true]]}), json!("n=1[true]"));
        gives(json!({"$len": "né"}), json!(2));
    }

    #[test]
    fn choices_evaluate_only_what_they_need() {
        let wrong = json!({"$sub": ["a", 1]});
        gives(json!({"$if": [0, wrong, 2]}), json!(2));
        gives(json!({"$and": [false, wrong]}), json!(false));
        gives(json!({"$or": [1, wrong]}), json!(true));
        gives(json!({"$else": [false, wrong]}), json!(false));
        assert!(eval(wrong).expect_err("ill typed").contains("Sub"));
    }
}
