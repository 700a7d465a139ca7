//! What an entrypoint body reaches of its run.

use std::time::{Duration, SystemTime};

use futures::channel::oneshot;
use futures::future::{join, select};
use rethread::prelude::*;
use rethread::{Registry, kind};
use rethread_core::failure::Failure;
use rethread_core::ids::Millis;
use rethread_core::message::Emission;
use rethread_core::payload::Payload;
use rethread_core::replay::ScopeInfo;
use serde::{Deserialize, Serialize};

use crate::driver::{Driver, info, pack, play, unpack};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Review {
    essay: String,
    is_approved: bool,
}

#[task]
async fn write_essay(topic: String) -> Result<String> {
    Ok(format!("An essay about topic: {topic}"))
}

#[entrypoint]
async fn workflow(topic: String) -> Result<Review> {
    let essay = write_essay(topic).await?;
    let is_approved: bool = interrupt(json!({ "essay": essay })).await?;
    Ok(Review { essay, is_approved })
}

#[test]
fn an_essay_is_written_and_approved() {
    let registry = Registry::builder().task(write_essay::def()).build().expect("valid");
    let mut driver = Driver::start(workflow::def(), "cat".into());
    assert_eq!(play(&mut driver, &registry), ["write_essay"]);
    assert!(driver.is_waiting());
    let question: serde_json::Value = unpack(&driver.questions[0].1);
    assert_eq!(question, json!({ "essay": "An essay about topic: cat" }));
    driver.answer(0, true);
    let essay = "An essay about topic: cat".to_owned();
    assert_eq!(driver.value::<Review>(), Review { essay, is_approved: true });
}

#[entrypoint]
async fn two_questions(_input: ()) -> Result<(u8, u8)> {
    let first = interrupt("first?").await?;
    let second = interrupt("second?").await?;
    Ok((first, second))
}

#[test]
fn known_answers_are_there_at_once() {
    let info = ScopeInfo { answers: vec![pack(1)], ..info("two_questions") };
    let mut driver = Driver::start_with(two_questions::def(), (), info);
    assert_eq!(driver.questions.len(), 1);
    assert_eq!(unpack::<String>(&driver.questions[0].1), "second?");
    driver.answer(0, 2);
    assert_eq!(driver.value::<(u8, u8)>(), (1, 2));
}

#[test]
fn several_questions_may_be_open() {
    #[entrypoint]
    async fn body(_input: ()) -> Result<(String, String)> {
        let (a, b) = join(interrupt("a?"), interrupt("b?")).await;
        Ok((a?, b?))
    }
    let mut driver = Driver::start(body::def(), ());
    assert_eq!(driver.questions.len(), 2);
    driver.answer(1, "b");
    assert!(driver.is_waiting());
    driver.answer(0, "a");
    assert_eq!(driver.value::<(String, String)>(), ("a".into(), "b".into()));
}

#[test]
fn an_answer_of_another_type_is_an_error_that_says_so() {
    let mut driver = Driver::start(two_questions::def(), ());
    driver.answer(0, "many");
    assert_eq!(driver.failure().kind, kind::SERIALIZATION);
    assert!(
        driver.failure().message.contains("answer to `interrupt` as `u8`"),
        "{}",
        driver.failure()
    );
}

#[test]
fn a_question_can_be_given_up() {
    #[entrypoint]
    async fn body(_input: ()) -> Result<String> {
        let question = interrupt::<String>("name?");
        let timer = sleep(Duration::from_secs(60));
        drop(select(timer, question).await);
        Ok("nobody".into())
    }
    let mut driver = Driver::start(body::def(), ());
    driver.complete(0, ());
    assert_eq!(driver.value::<String>(), "nobody");
    assert_eq!(driver.withdrawn, 1, "the engine is told that nobody waits for an answer");
}

#[test]
fn events_keep_their_order() {
    #[entrypoint]
    async fn body(_input: ()) -> Result<()> {
        emit(1)?;
        emit("two")?;
        emit(json!({ "n": 3 }))
    }
    let driver = Driver::start(body::def(), ());
    let values = [pack(1), pack("two"), pack(json!({ "n": 3 }))];
    assert_eq!(driver.emitted, values.map(Emission::Custom));
}

#[entrypoint]
async fn accumulate(previous: Previous<i64>, amount: i64) -> Result<Final<i64, i64>> {
    let total = previous.unwrap_or_default();
    Ok(Final::new(total, total + amount))
}

#[test]
fn previous_and_final() {
    let driver = Driver::start(accumulate::def(), 5);
    assert_eq!((driver.value::<i64>(), &driver.output().save), (0, &Some(pack(5))));
    let info = ScopeInfo { previous: driver.output().save.clone(), ..info("accumulate") };
    let driver = Driver::start_with(accumulate::def(), 7, info);
    assert_eq!((driver.value::<i64>(), &driver.output().save), (5, &Some(pack(12))));
}

#[test]
fn a_plain_result_saves_itself() {
    let driver = Driver::start(workflow::def(), "x".into());
    assert!(driver.is_waiting());
    #[entrypoint]
    async fn body(n: u8) -> Result<u8> {
        Ok(n)
    }
    assert_eq!(Driver::start(body::def(), 3).output().save, None);
}

#[test]
fn nothing_saved_is_no_previous_value() {
    let info = ScopeInfo { previous: Some(Payload::NULL), ..info("accumulate") };
    assert_eq!(Driver::start_with(accumulate::def(), 1, info).value::<i64>(), 0);
}

#[test]
fn a_previous_value_of_another_type_is_named() {
    let info = ScopeInfo { previous: Some(pack("text")), ..info("accumulate") };
    let driver = Driver::start_with(accumulate::def(), 1, info);
    let message = &driver.failure().message;
    assert!(message.contains("previous value of entrypoint `accumulate` as `i64`"), "{message}");
}

#[test]
fn the_run_is_known() {
    #[entrypoint(name = "told")]
    async fn body(_input: ()) -> Result<(String, String, u32, String)> {
        let info = run_info()?;
        assert_eq!(now()?, SystemTime::UNIX_EPOCH);
        let key = idempotency_key()?;
        Ok((info.thread.to_string(), info.name, info.attempt, key))
    }
    let driver = Driver::start(body::def(), ());
    let (thread, name, attempt, key) = driver.value::<(String, String, u32, String)>();
    assert_eq!((thread.as_str(), name.as_str(), attempt), ("thread-1", "told", 1));
    assert_eq!(key, info("").scope.to_string());
}

#[test]
fn time_follows_the_deliveries() {
    #[entrypoint]
    async fn body(_input: ()) -> Result<u64> {
        sleep(Duration::from_secs(1)).await?;
        let since = now()?.duration_since(SystemTime::UNIX_EPOCH)?;
        Ok(since.as_secs())
    }
    let mut driver = Driver::start(body::def(), ());
    driver.body.scope().set_now(Millis(5_000));
    driver.complete(0, ());
    assert_eq!(driver.value::<u64>(), 5);
}

#[test]
fn local_counts_until_it_ends_or_is_dropped() {
    let (send, receive) = oneshot::channel::<u8>();
    let receive = std::sync::Mutex::new(Some(receive));
    let body = Entrypoint::new("body", move |(): ()| {
        let receive = receive.lock().ok().and_then(|mut receive| receive.take());
        async move {
            let never = Box::pin(local(futures::future::pending::<()>()));
            drop(select(never, sleep(Duration::from_secs(1))).await);
            Ok::<_, Error>(local(receive.expect("one run")).await?)
        }
    });
    let mut driver = Driver::start(body, ());
    assert_eq!(driver.body.scope().locals(), 1);
    driver.complete(0, ());
    assert_eq!(driver.body.scope().locals(), 1, "the second one");
    send.send(7).expect("is awaited");
    driver.run_woken();
    assert_eq!(driver.body.scope().locals(), 0);
    assert_eq!(driver.value::<u8>(), 7);
}

#[test]
fn foreign_errors_end_a_body() {
    #[entrypoint]
    async fn body(text: String) -> Result<u8> {
        Ok(text.parse()?)
    }
    let driver = Driver::start(body::def(), "x".into());
    assert_eq!(driver.failure(), &Failure::new("ParseIntError", "invalid digit found in string"));
}
