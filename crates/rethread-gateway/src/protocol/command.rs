use axum::Json;
use axum::extract::State;
use rethread_client::{InterruptId, ThreadStatus};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::caller::{Caller, Tenant};
use crate::error::{ApiError, ApiResult};
use crate::extract::{Body, Path};
use crate::json::Object;
use crate::runs::{Place, RunCreate, Watch, create};
use crate::shared::Shared;

/// Something that a client asks for.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct Command {
    /// The answer has the same.
    id: u64,
    /// `run.start`, `input.respond` or `agent.getTree`.
    method: String,
    #[serde(default)]
    params: Object,
}

/// What came of it.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(super) enum CommandAnswer {
    Success { id: u64, result: Object, meta: Meta },
    Error { id: u64, error: ErrorCode, message: String },
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Meta {
    applied_through_seq: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(super) enum ErrorCode {
    InvalidArgument,
    UnknownCommand,
    UnknownError,
    NoSuchRun,
    NoSuchInterrupt,
    NotSupported,
}

/// A command that was not done.
struct Refused {
    code: ErrorCode,
    message: String,
}

impl Refused {
    fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    fn invalid(error: serde_json::Error) -> Self {
        Self::new(ErrorCode::InvalidArgument, error.to_string())
    }
}

impl From<ApiError> for Refused {
    fn from(error: ApiError) -> Self {
        let code = match error.status().is_client_error() {
            true => ErrorCode::InvalidArgument,
            false => ErrorCode::UnknownError,
        };
        Self::new(code, error.detail())
    }
}

pub(super) async fn handle(
    State(shared): State<Shared>,
    Caller { tenant }: Caller,
    Path(thread): Path<Uuid>,
    Body(body): Body<Value>,
) -> ApiResult<Json<CommandAnswer>> {
    let Command { id, method, params } =
        serde_json::from_value(body).map_err(ApiError::bad_request)?;
    let context = Context { shared, tenant, thread };
    let done = match method.as_str() {
        "run.start" => context.start(params).await,
        "input.respond" => context.respond(params).await,
        "agent.getTree" => context.tree().await,
        method if method.starts_with("subscription.") => Err(Refused::new(
            ErrorCode::NotSupported,
            "subscriptions are made with a POST of stream/events",
        )),
        method => Err(Refused::new(ErrorCode::UnknownCommand, format!("`{method}` is not known"))),
    };
    Ok(Json(match done {
        Ok(result) => CommandAnswer::Success { id, result, meta: Meta { applied_through_seq: 0 } },
        Err(Refused { code, message }) => CommandAnswer::Error { id, error: code, message },
    }))
}

struct Context {
    shared: Shared,
    tenant: Tenant,
    thread: Uuid,
}

/// The answer to one question. The id names it, wherever it is asked.
#[derive(Debug, Deserialize)]
struct Response {
    interrupt_id: String,
    #[serde(default)]
    response: Value,
}

impl Context {
    async fn start(&self, params: Object) -> Result<Object, Refused> {
        let run = self.run(params, &["assistant_id", "input", "config", "metadata"]).await?;
        Ok(Object::from_iter([("run_id".to_owned(), json!(run))]))
    }

    async fn respond(&self, params: Object) -> Result<Object, Refused> {
        let responses = match params.get("responses") {
            Some(list) => serde_json::from_value(list.clone()),
            None => serde_json::from_value(Value::Object(params.clone())).map(|one| vec![one]),
        };
        let responses: Vec<Response> = responses.map_err(Refused::invalid)?;
        if responses.is_empty() {
            let message = "responses: answer at least one question";
            return Err(Refused::new(ErrorCode::InvalidArgument, message));
        }
        let engine = self.tenant.thread(self.shared.client(), self.thread);
        let overview = engine.overview().await.map_err(ApiError::from)?;
        let open = overview.as_ref().map(|it| it.interrupts.as_slice()).unwrap_or_default();
        let mut answers = Object::new();
        for Response { interrupt_id, response } in responses {
            let id = interrupt_id.parse::<InterruptId>().ok();
            if !open.iter().any(|it| Some(it.id) == id) {
                let message = format!("no question `{interrupt_id}` is open");
                return Err(Refused::new(ErrorCode::NoSuchInterrupt, message));
            }
            answers.insert(interrupt_id, response);
        }
        let graph = overview.map(|it| it.entrypoint).unwrap_or_default();
        let known = self.shared.records().threads(&self.tenant).get(self.thread).await?;
        let assistant = known
            .and_then(|record| record.metadata.get("assistant_id").cloned())
            .unwrap_or_else(|| json!(graph));
        let command = json!({
            "resume": answers, "update": params.get("update"), "goto": params.get("goto"),
        });
        let mut run = Object::from_iter([
            ("assistant_id".to_owned(), assistant),
            ("command".to_owned(), command),
        ]);
        for name in ["config", "metadata"] {
            if let Some(value) = params.get(name) {
                run.insert(name.to_owned(), value.clone());
            }
        }
        self.run(run, &["assistant_id", "command", "config", "metadata"]).await?;
        Ok(Object::new())
    }

    /// Makes a run of the members that are taken.
    async fn run(&self, mut params: Object, taken: &[&str]) -> Result<Uuid, Refused> {
        params.retain(|name, value| taken.contains(&name.as_str()) && !value.is_null());
        for (name, value) in [
            ("if_not_exists", json!("create")),
            ("stream_resumable", json!(true)),
            ("multitask_strategy", json!("enqueue")),
        ] {
            params.insert(name.to_owned(), value);
        }
        let run: RunCreate =
            serde_json::from_value(Value::Object(params)).map_err(Refused::invalid)?;
        let made = create(&self.shared, &self.tenant, Place::Thread(self.thread), run).await?;
        Watch::leave(&self.shared, &made);
        Ok(made.name.run)
    }

    /// The entrypoint that runs or waits.
    async fn tree(&self) -> Result<Object, Refused> {
        let engine = self.tenant.thread(self.shared.client(), self.thread);
        let overview = engine.overview().await.map_err(ApiError::from)?;
        let bound = overview.and_then(|it| {
            let status = match it.status {
                ThreadStatus::Running => "running",
                ThreadStatus::Interrupted(_) => "interrupted",
                _ => return None,
            };
            Some((it.entrypoint, status))
        });
        let Some((graph, status)) = bound else {
            return Err(Refused::new(ErrorCode::NoSuchRun, "no run is in progress on the thread"));
        };
        let tree = json!({ "namespace": [], "status": status, "graph_name": graph });
        Ok(Object::from_iter([("tree".to_owned(), tree)]))
    }
}
