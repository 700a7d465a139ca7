//! What the guide promises, where a snippet on its pages does not show it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rethread::client::Refusal;
use rethread::memory::MemoryStorage;
use rethread::prelude::*;
use rethread::{App, ClientError, Embedded, EmbeddedOptions, HistoryQuery, Outcome};
use tokio::sync::Notify;

type Tested = Result<(), Box<dyn std::error::Error>>;

/// How often something happened; each test has its own.
#[derive(Debug, Default)]
struct Count(AtomicU32);

impl Count {
    fn up(&self) -> u32 {
        self.0.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn get(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }
}

#[task]
async fn counted(n: i64, count: Dep<Count>) -> Result<i64> {
    count.up();
    Ok(n)
}

#[tokio::test]
async fn changed_code_is_parked_and_goes_on_once_it_fits() -> Tested {
    async fn old(n: i64) -> Result<i64> {
        let result = counted(n).await?;
        interrupt::<i64>("go on?").await?;
        Ok(result)
    }
    async fn new(n: i64) -> Result<i64> {
        counted(n + 1).await?;
        old(n).await
    }
    let count = Arc::new(Count::default());
    let storage = Arc::new(MemoryStorage::new(1));
    let start = |body: Entrypoint<i64, i64>| {
        let app = App::new().provide_shared(Arc::clone(&count)).entrypoint(body);
        let app = app.task(counted::def());
        Embedded::on_storage(app, storage.clone(), EmbeddedOptions::default())
    };
    let engine = start(Entrypoint::new("body", old)).await?;
    let outcome = engine.client().thread("t")?.invoke(Entrypoint::new("body", old), 1).await?;
    assert_eq!(outcome.interrupts().len(), 1);
    engine.shutdown().await?;

    let engine = start(Entrypoint::new("body", new)).await?;
    let parked = engine.client().thread("t")?.resume(7).await;
    assert!(matches!(parked, Err(ClientError::ReplayMismatch(_))), "{parked:?}");
    assert_eq!(count.get(), 1, "nothing was run");
    engine.shutdown().await?;

    let engine = start(Entrypoint::new("body", old)).await?;
    let outcome = engine.client().thread("t")?.retry().typed().await?;
    assert_eq!(outcome, Outcome::Done(1), "with the answer that was given");
    assert_eq!(count.get(), 1);
    engine.shutdown().await?;
    Ok(())
}

#[entrypoint]
async fn reading(_: (), store: Store) -> Result<(i64, i64)> {
    let before = store.get::<Noted>(["notes"], "n").await?.map_or(0, |item| item.value.n);
    interrupt::<()>("go on?").await?;
    let after = store.get::<Noted>(["notes"], "n").await?.map_or(0, |item| item.value.n);
    Ok((before, after))
}

#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Noted {
    n: i64,
}

#[tokio::test]
async fn what_a_body_read_from_the_store_does_not_change_under_it() -> Tested {
    let engine = Embedded::in_memory(App::new().entrypoint(reading::def())).await?;
    let store = engine.client().store();
    store.put(["notes"], "n", &Noted { n: 1 }).await?;
    let thread = engine.client().new_thread();
    assert_eq!(thread.invoke(reading::def(), ()).await?.interrupts().len(), 1);
    store.put(["notes"], "n", &Noted { n: 2 }).await?;
    assert_eq!(thread.resume(()).typed().await?, Outcome::Done((1, 2)));
    engine.shutdown().await?;
    Ok(())
}

#[task(retry = Retry::attempts(2).initial_interval(Duration::from_millis(1)).jitter(false))]
async fn calling(n: i64) -> Result<i64> {
    let result = counted(n).await?;
    if run_info()?.attempt == 1 {
        return Err(Error::msg("the first attempt fails"));
    }
    Ok(result)
}

#[entrypoint]
async fn keeping(n: i64) -> Result<i64> {
    calling(n).await
}

#[tokio::test]
async fn a_retried_task_keeps_what_it_called_and_finished() -> Tested {
    let count = Arc::new(Count::default());
    let app = App::new().provide_shared(Arc::clone(&count)).entrypoint(keeping::def());
    let engine = Embedded::in_memory(app.task(calling::def()).task(counted::def())).await?;
    let outcome = engine.client().new_thread().invoke(keeping::def(), 5).await?;
    assert_eq!((outcome, count.get()), (Outcome::Done(5), 1));
    engine.shutdown().await?;
    Ok(())
}

#[entrypoint(retry = Retry::attempts(2).initial_interval(Duration::from_millis(1)).jitter(false))]
async fn starting_over(n: i64) -> Result<i64> {
    let result = counted(n).await?;
    if run_info()?.attempt == 1 {
        return Err(Error::msg("the first attempt fails"));
    }
    Ok(result)
}

#[tokio::test]
async fn a_further_attempt_of_an_entrypoint_runs_its_tasks_again() -> Tested {
    let count = Arc::new(Count::default());
    let app = App::new().provide_shared(Arc::clone(&count)).entrypoint(starting_over::def());
    let engine = Embedded::in_memory(app.task(counted::def())).await?;
    let outcome = engine.client().new_thread().invoke(starting_over::def(), 5).await?;
    assert_eq!((outcome, count.get()), (Outcome::Done(5), 2));
    engine.shutdown().await?;
    Ok(())
}

#[entrypoint]
async fn asking(n: i64) -> Result<bool> {
    counted(n).await?;
    interrupt("yes or no?").await
}

#[tokio::test]
async fn answers_go_where_they_belong_or_nowhere() -> Tested {
    let count = Arc::new(Count::default());
    let app = App::new().provide_shared(Arc::clone(&count)).entrypoint(asking::def());
    let engine = Embedded::in_memory(app.task(counted::def())).await?;
    let thread = engine.client().new_thread();

    let refused = thread.resume(true).await;
    let nothing =
        |refusal| matches!(refusal, ClientError::Refused(Refusal::NothingToContinue { .. }));
    assert!(refused.is_err_and(nothing), "on a new thread");

    let outcome = thread.invoke(asking::def(), 1).await?;
    let first = outcome.interrupts()[0].id;
    let failed = thread.resume("perhaps").await;
    assert!(matches!(failed, Err(ClientError::RunFailed(_))), "{failed:?}");
    let outcome = thread.retry().typed::<bool>().await?;
    assert_eq!(outcome.interrupts()[0].id, first, "the same question again");
    assert_eq!(thread.resume(true).typed().await?, Outcome::Done(true));
    assert_eq!(count.get(), 1, "the task ran once");

    let refused = thread.resume_by_id([(first, false)]).await;
    assert!(refused.is_err_and(nothing), "on a thread that has completed");
    let lenient = thread.resume_by_id([(first, false)]).lenient().typed().await?;
    assert_eq!(lenient, Outcome::Done(true), "the value of the thread");
    assert_eq!(thread.retry().typed().await?, Outcome::Done(true));

    let outcome = thread.invoke(asking::def(), 2).await?;
    assert_ne!(outcome.interrupts()[0].id, first);
    let refused = thread.resume_by_id([(first, false)]).await;
    let unknown =
        |refusal| matches!(refusal, ClientError::Refused(Refusal::UnknownInterrupt { .. }));
    assert!(refused.is_err_and(unknown), "an id of an earlier run");
    engine.shutdown().await?;
    Ok(())
}

/// A task that goes on until the test lets it end.
#[task]
async fn held(gate: Dep<Notify>) -> Result<()> {
    gate.notified().await;
    Ok(())
}

#[entrypoint]
async fn busy(_: ()) -> Result<()> {
    held().await
}

#[tokio::test]
async fn a_thread_runs_one_thing_at_a_time() -> Tested {
    let gate = Arc::new(Notify::new());
    let app = App::new().provide_shared(Arc::clone(&gate)).entrypoint(busy::def());
    let engine = Embedded::in_memory(app.task(held::def())).await?;
    let thread = engine.client().new_thread();
    let run = thread.invoke(busy::def(), ()).start().await?;
    let refused = thread.invoke(busy::def(), ()).await;
    let expected = ClientError::Refused(Refusal::Busy { run: run.run_id() });
    assert_eq!(refused, Err(expected));
    gate.notify_one();
    assert_eq!(run.wait().await?, Outcome::Done(()));
    engine.shutdown().await?;
    Ok(())
}

#[entrypoint]
async fn twice(n: i64) -> Result<i64> {
    Ok(counted(n).await? * 2)
}

#[tokio::test]
async fn going_on_from_an_old_checkpoint_runs_its_step_again() -> Tested {
    let count = Arc::new(Count::default());
    let app = App::new().provide_shared(Arc::clone(&count)).entrypoint(twice::def());
    let engine = Embedded::in_memory(app.task(counted::def())).await?;
    let thread = engine.client().new_thread();
    for n in [1, 2] {
        assert_eq!(thread.invoke(twice::def(), n).await?, Outcome::Done(n * 2));
    }
    let history = thread.history(HistoryQuery::new()).await?;
    let first = history.last().expect("four checkpoints").checkpoint;
    assert_eq!(thread.retry().at(first).typed().await?, Outcome::Done(2));
    assert_eq!(count.get(), 3, "the task ran again");
    assert_eq!(thread.history(HistoryQuery::new()).await?.len(), 6, "a branch");

    let elsewhere = engine.client().new_thread().invoke(twice::def(), 1).at(first).await;
    assert!(matches!(elsewhere, Err(ClientError::CheckpointNotFound { .. })), "{elsewhere:?}");
    engine.shutdown().await?;
    Ok(())
}
