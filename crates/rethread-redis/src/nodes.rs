//! Coordinators that live.

use std::time::Duration;

use redis::cmd;
use rethread_core::ids::NodeId;
use rethread_storage::Result;

use crate::error::{Effect, malformed};
use crate::lease::millis;
use crate::{RedisStorage, reply, script};

impl RedisStorage {
    pub(crate) async fn announce(&self, node: &NodeId, ttl: Duration) -> Result<Vec<NodeId>> {
        let mut call = script::ANNOUNCE_NODE.call(&[self.keys().nodes()]);
        call.arg(node.as_str()).arg(millis(ttl));
        // Repeating it changes nothing that matters.
        let answer = self.link.eval(&script::ANNOUNCE_NODE, &call, Effect::Read).await?;
        let what = "list of coordinators";
        let read = |name| {
            NodeId::new(reply::text(name, what)?)
                .map_err(|error| malformed(what, error.to_string()))
        };
        let mut nodes =
            reply::array(answer, what)?.into_iter().map(read).collect::<Result<Vec<_>>>()?;
        nodes.sort_unstable();
        Ok(nodes)
    }

    pub(crate) async fn withdraw(&self, node: &NodeId) -> Result<()> {
        let mut forget = cmd("ZREM");
        forget.arg(self.keys().nodes()).arg(node.as_str());
        self.link.run(&forget, Effect::Read).await?;
        Ok(())
    }
}
