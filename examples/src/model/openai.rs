use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::header::CONTENT_TYPE;
use rethread::prelude::*;
use serde_json::Value as Json;

use super::openai_stream::{Assembly, Lines};
use super::{Chat, Message, Model, Reply, ToolCall};

/// Longest silence of the server before a call is given up.
const SILENCE_MAX: Duration = Duration::from_secs(120);
/// A model on this machine is not asked by way of a proxy.
const LOCAL_HOSTS: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];
/// Most characters of an error page that a message quotes.
const QUOTE_CHARS_MAX: usize = 500;

/// A model behind OpenAI's chat completions, which most model servers offer.
///
/// Replies are asked for as a stream; a server that answers with one JSON object is understood
/// too.
pub struct OpenAi {
    client: reqwest::Client,
    url: String,
    model: String,
    key: Option<String>,
}

impl OpenAi {
    /// The model of this name at an address such as `http://localhost:11434/v1`, with a key if
    /// it needs one.
    ///
    /// # Errors
    /// When the address is none, and when the HTTP client cannot be made.
    pub fn new(address: &str, model: impl Into<String>, key: Option<String>) -> Result<Self> {
        let mut client = reqwest::Client::builder().read_timeout(SILENCE_MAX);
        let url = reqwest::Url::parse(address)
            .map_err(|error| Error::msg(format_args!("`{address}` is no address: {error}")))?;
        if url.host_str().is_some_and(|host| LOCAL_HOSTS.contains(&host)) {
            client = client.no_proxy();
        }
        Ok(Self {
            client: client.build()?,
            url: format!("{}/chat/completions", address.trim_end_matches('/')),
            model: model.into(),
            key,
        })
    }

    /// The model that `MODEL_URL`, `MODEL_NAME` and `MODEL_KEY` name; none without `MODEL_URL`.
    ///
    /// # Errors
    /// When `MODEL_URL` is set without `MODEL_NAME`.
    pub fn from_env() -> Result<Option<Self>> {
        let setting = |name| std::env::var(name).ok().filter(|text| !text.is_empty());
        let Some(address) = setting("MODEL_URL") else { return Ok(None) };
        let Some(model) = setting("MODEL_NAME") else {
            return Err(Error::msg("MODEL_URL is set: set MODEL_NAME to a model there as well"));
        };
        Self::new(&address, model, setting("MODEL_KEY")).map(Some)
    }

    async fn ask(&self, chat: &Chat) -> Result<reqwest::Response> {
        let mut request = self.client.post(&self.url).json(&body(&self.model, chat));
        if let Some(key) = &self.key {
            request = request.bearer_auth(key);
        }
        let response = request.send().await.map_err(|error| lost(&error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let page = response.text().await.unwrap_or_default();
        let quote: String = page.chars().take(QUOTE_CHARS_MAX).collect();
        let passes = status.is_server_error() || status.as_u16() == 429;
        let message = format!("the model answered {status}: {}", quote.trim());
        Err(Error::new("HttpStatus", message).retryable(passes))
    }
}

#[async_trait]
impl Model for OpenAi {
    fn name(&self) -> &str {
        &self.model
    }

    async fn reply(
        &self,
        chat: &Chat,
        on_token: &mut (dyn for<'a> FnMut(&'a str) + Send),
    ) -> Result<Reply> {
        let mut response = self.ask(chat).await?;
        let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        if kind.is_some_and(|kind| kind.starts_with("application/json")) {
            let whole: Json = response.json().await.map_err(|error| lost(&error))?;
            return Assembly::whole(&whole, on_token);
        }
        let (mut lines, mut assembly) = (Lines::default(), Assembly::default());
        while let Some(bytes) = response.chunk().await.map_err(|error| lost(&error))? {
            lines.push(&bytes);
            while let Some(line) = lines.next_line() {
                assembly.take(&line, on_token)?;
            }
        }
        assembly.finish()
    }
}

/// The connection failed: asking again may help.
fn lost(error: &reqwest::Error) -> Error {
    // The message of the outer error says where, that of the innermost one why.
    let mut reason: &dyn std::error::Error = error;
    while let Some(below) = reason.source() {
        reason = below;
    }
    Error::new("ConnectionError", format!("cannot ask the model: {error}: {reason}"))
}

fn body(model: &str, chat: &Chat) -> Json {
    let messages: Vec<Json> = chat.messages.iter().map(message).collect();
    let mut body = json!({ "model": model, "messages": messages, "stream": true });
    if !chat.tools.is_empty() {
        let tool = |tool| json!({ "type": "function", "function": tool });
        body["tools"] = chat.tools.iter().map(tool).collect();
    }
    body
}

fn message(message: &Message) -> Json {
    match message {
        Message::System(text) => json!({ "role": "system", "content": text }),
        Message::User(text) => json!({ "role": "user", "content": text }),
        Message::Tool { call, content } => {
            json!({ "role": "tool", "tool_call_id": call, "content": content })
        }
        Message::Assistant(reply) => {
            let mut message = json!({ "role": "assistant", "content": reply.text });
            if !reply.tool_calls.is_empty() {
                message["tool_calls"] = reply.tool_calls.iter().map(tool_call).collect();
            }
            message
        }
    }
}

fn tool_call(call: &ToolCall) -> Json {
    let function = json!({ "name": call.name, "arguments": call.arguments.to_string() });
    json!({ "id": call.id, "type": "function", "function": function })
}

/// Without the key.
impl fmt::Debug for OpenAi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenAi")
            .field("url", &self.url)
            .field("model", &self.model)
            .finish_non_exhaustive()
    }
}
