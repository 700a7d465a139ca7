//! The programs of the example `platform`, through the typed client.

#[path = "../platform/programs/mod.rs"]
mod programs;

use std::future::Future;

use futures::StreamExt;
use programs::chat::{Conversation, From as Sender, Message};
use programs::{boom, cached, chat, essay, flaky, memory, numbers, questions, slow, totals};
use rethread::{ClientError, Embedded, Mode, Outcome, RunStream, StreamData, Thread};
use serde_json::{Value as Json, json};

type Tested = Result<(), Box<dyn std::error::Error>>;

/// Runs a test on an engine of its own.
fn on_thread<F: Future<Output = Tested>>(test: impl FnOnce(Thread) -> F) -> Tested {
    tokio::runtime::Runtime::new()?.block_on(async {
        let engine = Embedded::in_memory(programs::app()).await?;
        test(engine.client().new_thread()).await?;
        engine.shutdown().await?;
        Ok(())
    })
}

/// What bodies wrote for their watchers.
async fn custom<O>(mut events: RunStream<O>) -> Result<Vec<Json>, Box<dyn std::error::Error>> {
    let mut written = Vec::new();
    while let Some(event) = events.next().await {
        if let StreamData::Custom { value, .. } = event?.data {
            written.push(value.to_json()?);
        }
    }
    Ok(written)
}

#[test]
fn an_essay_is_approved_with_any_answer() -> Tested {
    on_thread(|thread| async move {
        for answer in [json!(true), json!(false), json!("yes"), json!({ "no": [1] })] {
            let outcome = thread.invoke(essay::essay::def(), "cat".into()).await?;
            let [question] = outcome.interrupts() else { panic!("one question") };
            let text = "An essay about topic: cat".to_owned();
            let shown = json!({ "essay": text, "action": "Please approve/reject the essay" });
            assert_eq!(question.value.to_json()?, shown);
            let outcome = thread.resume(answer.clone()).typed().await?;
            let review = essay::Review { essay: text, is_approved: answer };
            assert_eq!(outcome, Outcome::Done(review));
        }
        Ok(())
    })
}

#[test]
fn numbers_are_added_and_told_of() -> Tested {
    on_thread(|thread| async move {
        let outcome = thread.invoke(numbers::add_numbers::def(), vec![1, 2]).await?;
        assert_eq!(outcome, Outcome::Done(vec![4, 5]));
        let run = thread.invoke(numbers::add_numbers::def(), vec![1, 2]);
        let written = custom(run.stream([Mode::Custom]).await?).await?;
        let processing = |n: i64| json!({ "processing": n });
        assert_eq!(written, [json!("hello"), processing(1), processing(2), json!("world")]);
        let outcome = thread.invoke(numbers::parent::def(), 41).await?;
        assert_eq!(outcome, Outcome::Done(numbers::Parent { child: 42 }));
        Ok(())
    })
}

#[test]
fn a_flaw_is_overcome_by_the_third_attempt() -> Tested {
    on_thread(|thread| async move {
        let flaw = |key: &str, fail_times| flaky::Flaw { key: key.into(), fail_times };
        let run = thread.invoke(flaky::flaky::def(), flaw("a", 2));
        let attempts = |all: std::ops::RangeInclusive<u32>| -> Vec<Json> {
            all.map(|k| json!({ "attempt": k })).collect()
        };
        assert_eq!(custom(run.stream([Mode::Custom]).await?).await?, attempts(1..=3));
        let outcome = thread.invoke(flaky::flaky::def(), flaw("a", 2)).await?;
        let fourth = flaky::Attempts { attempts: 4 };
        assert_eq!(outcome, Outcome::Done(fourth), "counted over runs");
        match thread.invoke(flaky::flaky::def(), flaw("b", 3)).await {
            Err(ClientError::RunFailed(failure)) => assert_eq!(failure.message, "Failure 3"),
            other => panic!("{other:?}"),
        }
        Ok(())
    })
}

#[test]
fn equal_calls_run_once() -> Tested {
    on_thread(|thread| async move {
        for _ in 0..2 {
            let sum = cached::Sum { key: "a".into(), x: 1 };
            let outcome = thread.invoke(cached::cached::def(), sum).await?;
            let sums = cached::Sums { result1: 2, result2: 2, calls: 1 };
            assert_eq!(outcome, Outcome::Done(sums));
        }
        Ok(())
    })
}

#[test]
fn totals_and_memories_last() -> Tested {
    on_thread(|thread| async move {
        for (n, total) in [(5, 0), (7, 5), (1, 12)] {
            let outcome = thread.invoke(totals::accumulate::def(), n).await?;
            assert_eq!(outcome, Outcome::Done(total));
        }
        let visit = |remember: Option<&str>| memory::Visit {
            user: "ada".into(),
            remember: remember.map(str::to_owned),
        };
        for (remember, known) in [(Some("bees"), 1), (Some("owls"), 2), (None, 2)] {
            let outcome = thread.invoke(memory::memory_store::def(), visit(remember)).await?;
            let memories = outcome.done().map(|known| known.memories).unwrap_or_default();
            assert_eq!(memories, &["bees", "owls"].map(str::to_owned)[..known]);
        }
        Ok(())
    })
}

#[test]
fn slow_ticks_and_knows_the_tag_before() -> Tested {
    on_thread(|thread| async move {
        for (tag, previous) in [("x", None), ("y", Some("x"))] {
            let ticks = slow::Ticks { ticks: 2, tag: Some(tag.into()) };
            let outcome = thread.invoke(slow::slow::def(), ticks).await?;
            let previous = previous.map(str::to_owned);
            let done = slow::Done { done: 2, tag: Some(tag.into()), previous };
            assert_eq!(outcome, Outcome::Done(done));
        }
        Ok(())
    })
}

#[test]
fn questions_are_asked_at_once_and_answered_one_by_one() -> Tested {
    on_thread(|thread| async move {
        let questions = vec!["a".to_owned(), "b".to_owned()];
        let outcome = thread.invoke(questions::parallel_interrupts::def(), questions).await?;
        let open = outcome.interrupts();
        assert_eq!(open.len(), 2);
        let mut answers = Vec::new();
        for question in open {
            let name = question.value.to_json()?["question"].clone();
            answers.push((question.id, format!("{}!", name.as_str().unwrap_or_default())));
        }
        let outcome = thread.resume_by_id(answers).typed::<Vec<String>>().await?;
        assert_eq!(outcome.done(), Some(vec!["a=a!".to_owned(), "b=b!".to_owned()]));
        Ok(())
    })
}

#[test]
fn boom_fails_with_its_message() -> Tested {
    on_thread(|thread| async move {
        match thread.invoke(boom::boom::def(), "x".into()).await {
            Err(ClientError::RunFailed(failure)) => {
                assert_eq!((failure.kind.as_str(), failure.message.as_str()), ("ValueError", "x"));
            }
            other => panic!("{other:?}"),
        }
        Ok(())
    })
}

fn said(text: &str) -> Conversation {
    let message = Message { from: Sender::Human, content: text.into(), id: None };
    Conversation { messages: vec![message] }
}

#[test]
fn chat_writes_word_by_word() -> Tested {
    on_thread(|thread| async move {
        let run = thread.invoke(chat::chat::def(), said("hello"));
        let mut events = run.stream([Mode::Messages]).await?;
        let mut text = String::new();
        let mut words = 0;
        while let Some(event) = events.next().await {
            if let StreamData::Message { value, .. } = event?.data {
                text.push_str(value.to_json()?.as_str().unwrap_or_default());
                words += 1;
            }
        }
        assert!(text.starts_with("You said: hello.") && words > 20, "{words}: {text}");
        let state = thread.state().await?.ok_or("the thread has a state")?;
        let messages = state.values.to_json()?;
        assert_eq!(messages["messages"][1]["content"], text, "what was streamed is what is kept");
        Ok(())
    })
}

#[test]
fn chat_asks_before_it_acts() -> Tested {
    on_thread(|thread| async move {
        for (approved, reply) in [(true, "Done: send it"), (false, "I leave it: send it")] {
            let outcome = thread.invoke(chat::chat::def(), said("Send it")).await?;
            let [question] = outcome.interrupts() else { panic!("one question") };
            assert_eq!(question.value.to_json()?["action"], "send it");
            let outcome = thread.resume(approved).typed::<Conversation>().await?;
            let conversation = outcome.done().expect("done");
            assert_eq!(conversation.messages.last().map(|last| &last.content), Some(&reply.into()));
        }
        Ok(())
    })
}
