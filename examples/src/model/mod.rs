//! A chat model: what it is asked, what it replies, and two models that do.
//!
//! [`Llm`] is what the tasks of the examples use. Without settings it plays a script that the
//! example brings, so nothing leaves the machine; with `MODEL_URL` in the environment it asks any
//! server that speaks OpenAI's chat completions ([`OpenAi`]).

mod chat;
mod messages;
mod openai;
mod openai_stream;
mod scripted;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use rethread::prelude::*;

pub use chat::{Chat, Message, Reply, Tool, ToolCall};
pub use openai::OpenAi;
pub use scripted::Scripted;

/// Something that continues a conversation.
#[async_trait]
pub trait Model: fmt::Debug + Send + Sync {
    /// Its name, for people.
    fn name(&self) -> &str;

    /// The next message of the conversation. `on_token` gets each piece of its text as it comes.
    ///
    /// # Errors
    /// When the model cannot be reached or replies with what cannot be understood; the error says
    /// whether asking again may help.
    async fn reply(
        &self,
        chat: &Chat,
        on_token: &mut (dyn for<'a> FnMut(&'a str) + Send),
    ) -> Result<Reply>;
}

/// The model that tasks use: cheap to clone, and it streams what it says.
#[derive(Debug, Clone)]
pub struct Llm(Arc<dyn Model>);

impl Llm {
    /// Uses this model.
    pub fn new(model: impl Model + 'static) -> Self {
        Self(Arc::new(model))
    }

    /// The model that the environment names, or else this script.
    ///
    /// `MODEL_URL` is the address before `/chat/completions`, such as `http://localhost:11434/v1`;
    /// `MODEL_NAME` the model there, `MODEL_KEY` the key if it needs one.
    ///
    /// # Errors
    /// When `MODEL_URL` is set and the model cannot be used as the environment says.
    pub fn from_env(script: impl Fn(&Chat) -> Reply + Send + Sync + 'static) -> Result<Self> {
        Ok(match OpenAi::from_env()? {
            Some(model) => Self::new(model),
            None => Self::new(Scripted::new(script)),
        })
    }

    /// The next message of the conversation; called in a body, its text is streamed to readers
    /// of the run's messages as it comes.
    ///
    /// # Errors
    /// As [`Model::reply`].
    pub async fn reply(&self, chat: &Chat) -> Result<Reply> {
        let metadata = json!({ "model": self.0.name() });
        let mut on_token = |token: &str| {
            // Outside of a run nobody listens.
            let _ = emit_message(token, &metadata);
        };
        self.0.reply(chat, &mut on_token).await
    }
}
