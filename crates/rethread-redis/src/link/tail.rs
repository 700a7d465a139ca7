//! What follows writes on their connection: a ring of a bell, and a wait for replicas.

use std::time::Duration;

use redis::{Cmd, Value, cmd};
use rethread_storage::{Result, StorageError};

use super::node::Node;
use super::slot::key_of;
use super::{Link, is_unknown_script, pipeline};
use crate::error::Effect;
use crate::keys::last_beside;
use crate::lease::millis;
use crate::script::Script;

/// What a write needs besides.
#[derive(Debug, Clone, Copy)]
pub(crate) struct After<'a> {
    /// Channel on which those are woken who wait for it without a blocking read. Of no use, and
    /// so left out, on a single server.
    bell: Option<&'a str>,
    /// Whether it is acknowledged, so that it must last.
    is_acknowledged: bool,
}

impl<'a> After<'a> {
    /// Nothing: not acknowledged, or made good by others if it is lost.
    pub(crate) const NOTHING: Self = Self { bell: None, is_acknowledged: false };
    /// It must last.
    pub(crate) const ACKNOWLEDGED: Self = Self { bell: None, is_acknowledged: true };

    /// It must last, and wakes those who wait for it.
    pub(crate) fn ringing(bell: &'a str) -> Self {
        Self { bell: Some(bell), is_acknowledged: true }
    }

    pub(super) fn is_something(self, link: &Link) -> bool {
        self.is_acknowledged && link.0.replicas > 0 || self.bell.is_some() && link.is_cluster()
    }

    pub(super) fn tail(self, link: &Link) -> Tail {
        Tail {
            bell: self.bell.filter(|_| link.is_cluster()).map(ToOwned::to_owned),
            replicas: if self.is_acknowledged { link.0.replicas } else { 0 },
            patience: link.response_timeout(),
        }
    }
}

/// The answer to a write.
#[derive(Debug)]
pub(crate) struct Written {
    /// What the script returned.
    pub(crate) value: Value,
    /// Whether it lasts as long as it must. A refusal needs not.
    pub(crate) kept: Result<()>,
}

impl Written {
    pub(super) fn kept(value: Value) -> Self {
        Self { value, kept: Ok(()) }
    }

    /// The answer to a write that was done, not refused.
    pub(crate) fn done(self) -> Result<Value> {
        self.kept.map(|()| self.value)
    }
}

/// The commands behind a write.
#[derive(Debug)]
pub(super) struct Tail {
    bell: Option<String>,
    replicas: u16,
    patience: Duration,
}

impl Tail {
    pub(super) fn none() -> Self {
        Self { bell: None, replicas: 0, patience: Duration::ZERO }
    }

    /// The commands behind these.
    fn cmds(&self, calls: &[Cmd]) -> Vec<Cmd> {
        let mut cmds = Vec::new();
        if let Some(bell) = &self.bell {
            let mut publish = cmd("PUBLISH");
            publish.arg(bell).arg("");
            cmds.push(publish);
        }
        if self.replicas > 0 {
            // `WAIT` counts replicas that have all that the server had written up to the last
            // write of this connection; before 7.2, up to its last command. A write that is sent
            // again may change nothing, and must wait for what its first try wrote.
            if let Some(key) = calls.iter().find_map(key_of).and_then(last_beside) {
                let mut set = cmd("SET");
                set.arg(key).arg("").arg("PX").arg(1);
                cmds.push(set);
            }
            let mut wait = cmd("WAIT");
            wait.arg(self.replicas).arg(millis(self.patience).max(1));
            cmds.push(wait);
        }
        cmds
    }

    fn judge(&self, answers: &[Value], address: &str) -> Result<()> {
        if self.replicas == 0 {
            return Ok(());
        }
        let found = match answers.last() {
            Some(Value::Int(found)) => *found,
            _ => 0,
        };
        if found >= i64::from(self.replicas) {
            return Ok(());
        }
        Err(StorageError::Unknown {
            reason: format!(
                "{found} of {} replicas of Redis at {address} have the write: see that they are connected",
                self.replicas
            ),
        })
    }
}

/// Sends commands to one server with what follows them, and scripts that it did not know again.
pub(super) async fn send(
    node: &Node,
    script: Option<&Script>,
    cmds: Vec<Cmd>,
    effect: Effect,
    tail: &Tail,
) -> Result<Vec<Written>> {
    let count = cmds.len();
    let behind = tail.cmds(&cmds);
    let cmds = pipeline(cmds.into_iter().chain(behind.iter().cloned()).collect());
    let wait = (tail.replicas > 0).then_some(tail.patience);
    let (mut values, mut kept) = send_once(node, &cmds, count, effect, wait, tail).await?;
    let unknown: Vec<usize> =
        (0..count).filter(|index| is_unknown_script(&values[*index])).collect();
    if let Some(script) = script.filter(|_| !unknown.is_empty()) {
        let calls = cmds.cmd_iter().enumerate().filter(|(index, _)| unknown.contains(index));
        let again = std::iter::once(script.load()).chain(calls.map(|(_, call)| call.clone()));
        let again = pipeline(again.chain(behind).collect());
        let count = unknown.len() + 1;
        let (answers, kept_now) = send_once(node, &again, count, effect, wait, tail).await?;
        for (index, answer) in unknown.into_iter().zip(answers.into_iter().skip(1)) {
            values[index] = answer;
        }
        kept = kept_now;
    }
    Ok(values.into_iter().map(|value| Written { value, kept: kept.clone() }).collect())
}

async fn send_once(
    node: &Node,
    cmds: &redis::Pipeline,
    count: usize,
    effect: Effect,
    wait: Option<Duration>,
    tail: &Tail,
) -> Result<(Vec<Value>, Result<()>)> {
    let mut values = match wait {
        Some(wait) => node.send_confirmed(cmds, wait).await?,
        None => node.send_all(cmds, effect).await?,
    };
    let kept = tail.judge(&values.split_off(count), node.address());
    Ok((values, kept))
}
