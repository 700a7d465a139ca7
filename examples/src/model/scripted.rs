use std::fmt;

use async_trait::async_trait;
use rethread::Result;

use super::{Chat, Model, Reply};

/// A model that plays a script: its reply depends on nothing but the conversation.
pub struct Scripted {
    script: Box<dyn Fn(&Chat) -> Reply + Send + Sync>,
}

impl Scripted {
    /// A model that replies as the script says.
    pub fn new(script: impl Fn(&Chat) -> Reply + Send + Sync + 'static) -> Self {
        Self { script: Box::new(script) }
    }
}

#[async_trait]
impl Model for Scripted {
    fn name(&self) -> &str {
        "scripted"
    }

    async fn reply(
        &self,
        chat: &Chat,
        on_token: &mut (dyn for<'a> FnMut(&'a str) + Send),
    ) -> Result<Reply> {
        let reply = (self.script)(chat);
        reply.text.split_inclusive(' ').for_each(on_token);
        Ok(reply)
    }
}

impl fmt::Debug for Scripted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scripted")
    }
}
