//! Drawings of graphs.

use serde_json::{Value, json};

use super::{Observed, Session, Stop, object};
use crate::data::text;
use crate::operation::{Common, DrawingForm};

impl Session<'_> {
    pub(super) fn draw(&self, common: &Common, form: Option<DrawingForm>, xray: bool) -> Observed {
        let missing = || Stop::Trouble(format!("`{}` is no graph", self.entry(common)));
        let graph = self.graph(common).ok_or_else(missing)?;
        let drawing = if xray { graph.draw_xray() } else { graph.draw() };
        if form == Some(DrawingForm::Mermaid) {
            return Ok(object(json!({ "result": drawing.to_mermaid() })));
        }
        let mut nodes: Vec<_> = drawing.nodes.into_iter().map(|node| node.id).collect();
        nodes.sort_unstable();
        let edge = |edge: rethread_graph::DrawnEdge| {
            let mut row = json!({ "from": edge.source, "to": edge.target });
            if let Some(label) = edge.label {
                row["label"] = label.into();
            }
            if edge.conditional {
                row["conditional"] = true.into();
            }
            row
        };
        let mut edges: Vec<Value> = drawing.edges.into_iter().map(edge).collect();
        edges.sort_by_key(text);
        Ok(object(json!({ "result": { "nodes": nodes, "edges": edges } })))
    }
}
