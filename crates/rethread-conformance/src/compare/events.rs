//! The events of a stream: in the expected order, or in one that the expected precedences allow.

use std::collections::HashSet;

use serde_json::Value;

use super::ids::{Ids, Mark};
use super::{list, object, shown};

pub(super) fn compare(wanted: &[Value], given: &[Value], ids: &mut Ids, path: &str) -> Vec<String> {
    if wanted.iter().any(|event| event.get("after").is_some()) {
        return Search::new(wanted, given, ids).run(path);
    }
    in_order(wanted, given, ids, path)
}

/// Stops at the first difference: what follows is only out of step.
fn in_order(wanted: &[Value], given: &[Value], ids: &mut Ids, path: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (place, (wanted, given)) in wanted.iter().zip(given).enumerate() {
        object(wanted, given, &format!("{path}[{place}]"), ids, &mut found);
        if !found.is_empty() {
            return found;
        }
    }
    let place = wanted.len().min(given.len());
    if let Some(event) = wanted.get(place) {
        found.push(format!("{path}[{place}]: missing {}", shown(event)));
    } else if let Some(event) = given.get(place) {
        found.push(format!("{path}[{place}]: unexpected {}", shown(event)));
    }
    found
}

/// Which expected events were used, and the ids that were found to correspond on the way.
type Situation = (Vec<bool>, Vec<(String, String)>);

/// Looks for a place among the expected events for each given one.
struct Search<'a> {
    wanted: &'a [Value],
    /// For each expected event, those that precede it.
    after: Vec<Vec<usize>>,
    given: &'a [Value],
    ids: &'a mut Ids,
    start: Mark,
    is_used: Vec<bool>,
    /// Situations from which there is no way to the end.
    dead: HashSet<Situation>,
    /// The longest way so far: how many events, and which expected ones were used.
    best: (usize, Vec<bool>),
}

impl<'a> Search<'a> {
    fn new(wanted: &'a [Value], given: &'a [Value], ids: &'a mut Ids) -> Self {
        let number = |value: &Value| value.as_u64().and_then(|place| usize::try_from(place).ok());
        let after = wanted.iter().map(|event| list(event, "after").iter().filter_map(number));
        let is_used = vec![false; wanted.len()];
        Self {
            wanted,
            after: after.map(Iterator::collect).collect(),
            given,
            start: ids.mark(),
            ids,
            best: (0, is_used.clone()),
            is_used,
            dead: HashSet::new(),
        }
    }

    fn run(mut self, path: &str) -> Vec<String> {
        if self.place(0) {
            return Vec::new();
        }
        let (place, is_used) = std::mem::take(&mut self.best);
        self.is_used = is_used;
        let possible: Vec<Value> = (0..self.wanted.len())
            .filter(|event| self.is_possible(*event))
            .map(|event| self.wanted[event].clone())
            .collect();
        let possible = shown(&Value::from(possible));
        vec![match self.given.get(place) {
            None => format!("{path}: missing {possible}"),
            Some(event) => {
                format!("{path}[{place}]: {} cannot come here; could: {possible}", shown(event))
            }
        }]
    }

    fn is_possible(&self, event: usize) -> bool {
        !self.is_used[event]
            && self.after[event].iter().all(|before| self.is_used.get(*before) != Some(&false))
    }

    /// Finds places for the given events from the `next` one on.
    fn place(&mut self, next: usize) -> bool {
        if next > self.best.0 {
            self.best = (next, self.is_used.clone());
        }
        let Some(event) = self.given.get(next) else {
            return self.is_used.iter().all(|is_used| *is_used);
        };
        let situation = (self.is_used.clone(), self.ids.since(self.start));
        if self.dead.contains(&situation) {
            return false;
        }
        for candidate in 0..self.wanted.len() {
            if !self.is_possible(candidate) {
                continue;
            }
            let mark = self.ids.mark();
            let mut found = Vec::new();
            object(&self.wanted[candidate], event, "", self.ids, &mut found);
            if found.is_empty() {
                self.is_used[candidate] = true;
                if self.place(next + 1) {
                    return true;
                }
                self.is_used[candidate] = false;
            }
            self.ids.undo(mark);
        }
        self.dead.insert(situation);
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn compared(wanted: Value, given: Value) -> Vec<String> {
        let list = |value: Value| value.as_array().cloned().unwrap_or_default();
        compare(&list(wanted), &list(given), &mut Ids::default(), "events")
    }

    fn start(id: &str, after: &[usize]) -> Value {
        json!({"mode": "tasks", "event": "start", "id": id, "name": "t", "after": after})
    }

    fn finish(id: &str, result: i64, after: &[usize]) -> Value {
        json!({"mode": "tasks", "event": "finish", "id": id, "result": result, "after": after})
    }

    #[test]
    fn a_total_order_is_kept() {
        let two = json!([{"mode": "custom", "value": 1}, {"mode": "custom", "value": 2}]);
        assert!(compared(two.clone(), two.clone()).is_empty());
        let turned = json!([{"mode": "custom", "value": 2}, {"mode": "custom", "value": 1}]);
        assert_eq!(compared(two.clone(), turned).len(), 1);
        assert!(compared(two, json!([{"mode": "custom", "value": 1}]))[0].contains("missing"));
    }

    #[test]
    fn what_is_not_ordered_may_come_in_any_order() {
        let wanted = json!([
            start("t1", &[]),
            start("t2", &[0]),
            finish("t1", 1, &[0]),
            finish("t2", 2, &[1])
        ]);
        let given =
            json!([start("a", &[]), start("b", &[]), finish("b", 2, &[]), finish("a", 1, &[])]);
        assert!(compared(wanted.clone(), given).is_empty());
        let given =
            json!([start("a", &[]), finish("b", 2, &[]), start("b", &[]), finish("a", 1, &[])]);
        assert_eq!(compared(wanted, given).len(), 1);
    }

    #[test]
    fn ids_found_on_the_way_are_forgotten_where_it_ends() {
        // The first finish fits either start; only one of them leads to the end.
        let wanted = json!([
            start("t1", &[]),
            start("t2", &[]),
            finish("t2", 1, &[0, 1]),
            finish("t1", 2, &[2])
        ]);
        let given =
            json!([start("a", &[]), start("b", &[]), finish("a", 1, &[]), finish("b", 2, &[])]);
        assert!(compared(wanted, given).is_empty());
    }
}
