use std::sync::Arc;
use std::time::Duration;

use restate_sdk::prelude::*;
use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, mpsc};

/// A question that a handler asks: its number, and what answers it.
pub(crate) struct Question {
    pub(crate) number: u64,
    pub(crate) id: String,
}

/// How questions reach the client.
#[derive(Clone)]
pub(crate) struct Questions {
    ask: mpsc::UnboundedSender<Question>,
    asked: Arc<Mutex<mpsc::UnboundedReceiver<Question>>>,
}

impl Default for Questions {
    fn default() -> Self {
        let (ask, asked) = mpsc::unbounded_channel();
        Self { ask, asked: Arc::new(Mutex::new(asked)) }
    }
}

impl Questions {
    fn ask(&self, number: u64, id: String) {
        // The client ends last.
        let _ = self.ask.send(Question { number, id });
    }

    pub(crate) async fn next(&self) -> Option<Question> {
        self.asked.lock().await.recv().await
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Past {
    pub(crate) calls: u64,
    pub(crate) questions: u64,
}

pub(crate) struct Bench(Questions);

impl Bench {
    pub(crate) fn definition(questions: Questions) -> impl IntoServiceDefinition {
        // What waits leaves memory at once, except where it is to be kept.
        let leaves = || HandlerOptions::new().inactivity_timeout(Duration::ZERO);
        let options =
            ServiceOptions::new().handler("question", leaves()).handler("remember", leaves());
        Self(questions).into_service_definition().options(options)
    }
}

fn text(number: u64) -> String {
    format!("{number:0>96}")
}

#[service]
impl Bench {
    #[handler]
    async fn noop(&self, _ctx: Context<'_>, text: String) -> HandlerResult<String> {
        Ok(text)
    }

    #[handler]
    async fn sequence(&self, ctx: Context<'_>, steps: u64) -> HandlerResult<u64> {
        for step in 0..steps {
            ctx.run(move || async move { Ok(text(step)) }).await?;
        }
        Ok(steps)
    }

    #[handler]
    async fn fan_out(&self, ctx: Context<'_>, tasks: u64) -> HandlerResult<u64> {
        let calls: Vec<_> = (0..tasks)
            .map(|task| ctx.service_client::<BenchClient>().noop(text(task)).call())
            .collect();
        for call in calls {
            call.await?;
        }
        Ok(tasks)
    }

    #[handler]
    async fn question(&self, ctx: Context<'_>, number: u64) -> HandlerResult<String> {
        let (id, answer) = ctx.awakeable::<String>();
        self.0.ask(number, id);
        Ok(answer.await?)
    }

    #[handler]
    async fn kept(&self, ctx: Context<'_>, number: u64) -> HandlerResult<String> {
        let (id, answer) = ctx.awakeable::<String>();
        self.0.ask(number, id);
        Ok(answer.await?)
    }

    #[handler]
    async fn remember(&self, ctx: Context<'_>, past: Json<Past>) -> HandlerResult<u64> {
        let Json(Past { calls, questions }) = past;
        for call in 0..calls {
            ctx.run(move || async move { Ok(text(call)) }).await?;
        }
        for number in 0..questions {
            let (id, answer) = ctx.awakeable::<String>();
            self.0.ask(number, id);
            answer.await?;
        }
        Ok(calls)
    }
}
