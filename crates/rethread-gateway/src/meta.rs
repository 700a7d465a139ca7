//! What is said about the server itself.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{ApiError, ApiResult};
use crate::extract::Query;
use crate::operation::{Operation, Routes};
use crate::shared::Shared;

const TAG: &str = "Meta";

pub(crate) fn routes() -> Routes {
    Routes::new()
        .add(
            Operation::get("/ok", "ok", TAG, "Whether the gateway serves requests.")
                .open()
                .query::<OkQuery>()
                .json::<Ok>(200, "It does."),
            ok,
        )
        .add(
            Operation::get("/", "root", TAG, "Whether the gateway serves requests.")
                .open()
                .json::<Ok>(200, "It does."),
            root,
        )
        .add(
            Operation::get("/info", "info", TAG, "What the gateway is and can do.")
                .json::<Info>(200, "Version and features."),
            info,
        )
        .add(
            Operation::get("/openapi.json", "openapi", TAG, "This document.")
                .json::<serde_json::Map<String, serde_json::Value>>(200, "OpenAPI 3.1."),
            document,
        )
}

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(inline)]
struct OkQuery {
    /// 1: looks whether the storage can be reached, too.
    #[serde(default)]
    #[schemars(range(max = 1))]
    check_db: CheckDb,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "u8")]
#[schemars(with = "u8")]
struct CheckDb(bool);

impl TryFrom<u8> for CheckDb {
    type Error = &'static str;

    fn try_from(number: u8) -> Result<Self, &'static str> {
        match number {
            0 => Result::Ok(Self(false)),
            1 => Result::Ok(Self(true)),
            _ => Err("must be 0 or 1"),
        }
    }
}

#[derive(Debug, Serialize, JsonSchema)]
struct Ok {
    ok: bool,
}

async fn ok(State(shared): State<Shared>, Query(query): Query<OkQuery>) -> ApiResult<Json<Ok>> {
    if query.check_db.0
        && let Err(error) = shared.client().storage().check_health().await
    {
        tracing::warn!(%error, "the storage is not healthy");
        let detail = "the storage cannot be reached or takes no writes";
        return Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, detail));
    }
    Result::Ok(Json(Ok { ok: true }))
}

async fn root() -> Json<Ok> {
    Json(Ok { ok: true })
}

#[derive(Debug, Serialize, JsonSchema)]
struct Info {
    /// The version of Rethread.
    version: &'static str,
    flags: Flags,
    host: Host,
}

/// Which features there are.
#[derive(Debug, Serialize, JsonSchema)]
struct Flags {
    assistants: bool,
    crons: bool,
    langsmith: bool,
    langsmith_tracing_replicas: bool,
}

/// Where it runs.
#[derive(Debug, Serialize, JsonSchema)]
struct Host {
    kind: &'static str,
}

async fn info() -> Json<Info> {
    Json(Info {
        version: env!("CARGO_PKG_VERSION"),
        flags: Flags {
            assistants: true,
            crons: false,
            langsmith: false,
            langsmith_tracing_replicas: false,
        },
        host: Host { kind: "self-hosted" },
    })
}

async fn document(State(shared): State<Shared>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], shared.document())
}
