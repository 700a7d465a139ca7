//! Runs by a timetable, of which there are none: what a user interface asks before it shows any.
//! `GET /info` says that there are none, too.

use axum::Json;
use schemars::JsonSchema;
use serde::Deserialize;
use uuid::Uuid;

use crate::extract::OptionalBody;
use crate::json::Object;
use crate::operation::{Operation, Routes};

const TAG: &str = "Crons";

pub(crate) fn routes() -> Routes {
    Routes::new()
        .add(
            Operation::post("/runs/crons/search", "search_crons", TAG, "Lists timetables.")
                .reads()
                .optional_body::<CronFilter>()
                .json::<[Object; 0]>(200, "None: there are no timetables."),
            search,
        )
        .add(
            Operation::post("/runs/crons/count", "count_crons", TAG, "Counts timetables.")
                .reads()
                .optional_body::<CronFilter>()
                .json::<usize>(200, "Zero."),
            count,
        )
}

/// Which timetables are meant.
#[derive(Debug, Deserialize, JsonSchema)]
struct CronFilter {
    #[expect(dead_code, reason = "there are none")]
    assistant_id: Option<Uuid>,
    #[expect(dead_code, reason = "there are none")]
    thread_id: Option<Uuid>,
}

async fn search(OptionalBody(_): OptionalBody<CronFilter>) -> Json<[Object; 0]> {
    Json([])
}

async fn count(OptionalBody(_): OptionalBody<CronFilter>) -> Json<usize> {
    Json(0)
}
