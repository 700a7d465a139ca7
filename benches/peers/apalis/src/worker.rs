use apalis::prelude::*;
use apalis_redis::RedisStorage;
use redis::AsyncCommands;
use redis::aio::MultiplexedConnection;

use crate::{ENDS, Failure, Step, storage, url};

/// As many at a time as there are threads in flight: no job waits for a place.
const CONCURRENCY: usize = 64;

/// Runs steps until the process is ended.
pub(crate) async fn run(number: &str) -> Result<(), Failure> {
    let storage = storage().await?;
    let ends = redis::Client::open(url()?)?.get_multiplexed_async_connection().await?;
    let worker = WorkerBuilder::new(format!("worker-{number}"))
        .backend(storage.clone())
        .data(storage)
        .data(ends)
        .concurrency(CONCURRENCY)
        .build(step);
    Ok(worker.run().await?)
}

async fn step(
    step: Step,
    storage: Data<RedisStorage<Step>>,
    ends: Data<MultiplexedConnection>,
) -> Result<String, BoxDynError> {
    if step.left > 0 {
        let mut storage = (*storage).clone();
        storage.push(Step::new(step.thread, step.left - 1)).await?;
    } else {
        let mut ends = (*ends).clone();
        ends.publish::<_, _, ()>(ENDS, step.thread).await?;
    }
    Ok(step.text)
}
