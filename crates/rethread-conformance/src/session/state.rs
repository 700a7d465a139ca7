//! States of threads, and edits of them.

use rethread::client::{CheckpointId, HistoryQuery, UpdateRequest};
use serde_json::{Value, json};

use super::{Observed, Session, Stop, object, trace};
use crate::case::{Checkpointer, Object};
use crate::graph::GraphSpec;
use crate::operation::{At, Common, UpdateSpec, scalar};

impl Session<'_> {
    pub(super) async fn state(&mut self, common: &Common, subgraphs: bool) -> Observed {
        let thread = self.kept_thread(common)?;
        let state = match &common.at {
            None => thread.state().subgraphs(subgraphs).within(&common.path).await?,
            Some(at) => thread.state_at(self.checkpoint(common, at).await?).await?,
        };
        let Some(state) = state else {
            return Ok(object(json!({ "state": { "checkpoint": null } })));
        };
        self.report(common, &state.interrupts)?;
        let mut row = trace::state(&state)?;
        let graph = self.world.case.graph(self.entry(common)).filter(|_| subgraphs);
        if let Some(graph) = graph.filter(|_| common.path.is_empty()) {
            self.show_unbegun(&mut row, graph);
        }
        Ok(object(json!({ "state": row })))
    }

    /// Tasks that are graphs and have not begun have a state without a checkpoint, unless nothing
    /// is kept of them.
    fn show_unbegun(&self, state: &mut Value, graph: &GraphSpec) {
        for task in state["tasks"].as_array_mut().into_iter().flatten() {
            let node = task["name"].as_str().and_then(|name| graph.nodes.get(name));
            let name = node.and_then(|node| node.graph.as_deref());
            let kept = name.filter(|name| self.world.case.checkpointer(name) != Checkpointer::Off);
            let within = kept.and_then(|name| self.world.case.graph(name));
            match (within, task.get_mut("state")) {
                (Some(within), Some(state)) => self.show_unbegun(state, within),
                (Some(_), None) => task["state"] = json!({ "checkpoint": null }),
                (None, _) => {}
            }
        }
    }

    pub(super) async fn history(
        &mut self,
        common: &Common,
        limit: Option<usize>,
        filter: Option<&Object>,
        before: Option<&At>,
    ) -> Observed {
        let thread = self.kept_thread(common)?;
        let mut query = HistoryQuery::new();
        if let Some(limit) = limit {
            query = query.limit(limit);
        }
        if let Some(before) = before {
            query = query.before(self.checkpoint(common, before).await?);
        }
        if let Some(at) = &common.at {
            query = query.at(self.checkpoint(common, at).await?);
        }
        for (key, value) in filter.into_iter().flatten() {
            let wrong = || Stop::Trouble(format!("filter `{key}` takes a scalar, not {value}"));
            query = query.filter(key, scalar(value).ok_or_else(wrong)?);
        }
        query = query.within(&common.path);
        let states = thread.history(query).await?;
        let states: Vec<Value> = states.iter().map(trace::state).collect::<Result<_, _>>()?;
        Ok(object(json!({ "history": states })))
    }

    /// The checkpoint that an operation names, as the history of the thread is now.
    pub(super) async fn checkpoint(&self, common: &Common, at: &At) -> Result<CheckpointId, Stop> {
        match at {
            At::Place(place) => {
                let history = self.kept_thread(common)?.history(HistoryQuery::new()).await?;
                let missing = || Stop::Trouble(format!("the history has no entry {place}"));
                history.get(*place).map(|state| state.checkpoint).ok_or_else(missing)
            }
            At::Id(id) => id.parse().map_err(|_| Stop::engine("CheckpointNotFound")),
        }
    }

    pub(super) async fn update(
        &mut self,
        common: &Common,
        values: &Value,
        node: Option<&str>,
    ) -> Observed {
        let update = self.kept_thread(common)?.update_state(values);
        let update = match node {
            Some(node) => update.as_node(node),
            None => update,
        };
        self.send(common, update).await
    }

    /// Several updates, in steps.
    pub(super) async fn update_steps(
        &mut self,
        common: &Common,
        steps: &[Vec<UpdateSpec>],
    ) -> Observed {
        let mut observed = Object::new();
        for step in steps {
            let Some((first, more)) = step.split_first() else { continue };
            let mut update = self.kept_thread(common)?.update_state(&first.values);
            if let Some(node) = &first.node {
                update = update.as_node(node);
            }
            for UpdateSpec { values, node } in more {
                let node = node.as_deref();
                let node = node.ok_or_else(|| Stop::Trouble("an update without a node".into()))?;
                update = update.and(values, node);
            }
            observed = self.send(common, update).await?;
        }
        Ok(observed)
    }

    async fn send(&self, common: &Common, update: UpdateRequest) -> Observed {
        let mut update = update.entrypoint(self.entry(common)).within(&common.path);
        if let Some(at) = &common.at {
            update = update.at(self.checkpoint(common, at).await?);
        }
        for (key, value) in &common.metadata {
            if let Some(value) = scalar(value) {
                update = update.metadata(key, value);
            }
        }
        for (key, value) in &common.configurable {
            update = update.configurable(key, value);
        }
        Ok(object(json!({ "checkpoint": update.await?.to_string() })))
    }

    pub(super) async fn delete_thread(&mut self, common: &Common) -> Observed {
        self.kept_thread(common)?.delete().await?;
        Ok(Object::new())
    }
}
