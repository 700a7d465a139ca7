//! Attempts of tasks, as a worker runs them.

use std::task::Poll;

use rethread::prelude::*;
use rethread::{Args, kind};
use rethread_core::payload::Payload;
use rethread_core::replay::Ask;

use crate::driver::{attempt, info, pack};

#[task]
async fn join_words(left: String, right: String, times: u8) -> Result<String> {
    Ok(format!("{left}{right}").repeat(times.into()))
}

#[test]
fn arguments_go_in_and_a_result_comes_out() {
    let input = ("a".to_owned(), "b".to_owned(), 2u8).encode("join_words").expect("encodes");
    let attempt = attempt(join_words::def(), &input, Vec::new());
    assert_eq!(attempt.outcome, Poll::Ready(Ok(pack("abab"))));
}

#[test]
fn wrong_arguments_name_task_position_and_type() {
    let attempt = attempt(join_words::def(), &pack(("a", "b", "c")), Vec::new());
    let Poll::Ready(Err(failure)) = attempt.outcome else { panic!("decoded") };
    assert_eq!((failure.kind.as_str(), failure.retryable), (kind::SERIALIZATION, Some(false)));
    assert!(failure.message.contains("arguments of task `join_words`"), "{failure}");
    assert!(failure.message.contains("argument 3 (`u8`)"), "{failure}");
}

#[test]
fn a_result_that_cannot_be_encoded_names_the_task() {
    #[derive(serde::Deserialize)]
    struct Odd;
    impl serde::Serialize for Odd {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("odd"))
        }
    }
    #[task]
    async fn give() -> Result<Odd> {
        Ok(Odd)
    }
    let attempt = attempt(give::def(), &().encode("give").expect("encodes"), Vec::new());
    let Poll::Ready(Err(failure)) = attempt.outcome else { panic!("encoded") };
    assert!(failure.message.contains("result of task `give`"), "{failure}");
}

#[task]
async fn approve(essay: String) -> Result<String> {
    let name: String = interrupt(format!("{essay}: who are you?")).await?;
    let is_fine: bool = interrupt(format!("{essay}: fine?")).await?;
    Ok(format!("{name}: {is_fine}"))
}

#[test]
fn a_task_asks_one_question_after_the_other() {
    let input = ("e".to_owned(),).encode("approve").expect("encodes");
    let open = |answers: Vec<Payload>| {
        let attempt = attempt(approve::def(), &input, answers);
        assert!(attempt.outcome.is_pending());
        match attempt.asks.as_slice() {
            [Ask::Interrupt { index, value, .. }] => (*index, value.clone()),
            asks => panic!("asked {asks:?}"),
        }
    };
    assert_eq!(open(vec![]), (0, pack("e: who are you?")));
    assert_eq!(open(vec![pack("ann")]), (1, pack("e: fine?")));
    let last = attempt(approve::def(), &input, vec![pack("ann"), pack(true)]);
    assert_eq!(last.outcome, Poll::Ready(Ok(pack("ann: true"))));
}

#[test]
fn typed_errors_keep_their_name() {
    #[derive(Debug)]
    struct Declined;
    impl std::fmt::Display for Declined {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("card was declined")
        }
    }
    impl std::error::Error for Declined {}
    #[task]
    async fn charge(_cents: u64) -> Result<(), Declined> {
        Err(Declined)
    }
    let input = (5u64,).encode("charge").expect("encodes");
    let Poll::Ready(Err(failure)) = attempt(charge::def(), &input, Vec::new()).outcome else {
        panic!("did not fail")
    };
    assert_eq!(
        (failure.kind.as_str(), failure.message.as_str()),
        ("Declined", "card was declined")
    );
}

#[test]
fn a_task_reaches_its_scope() {
    #[task]
    async fn look() -> Result<(String, Option<u8>)> {
        emit("looking")?;
        approve("nested".into()).detach();
        Ok((idempotency_key()?, previous()?))
    }
    let attempt = attempt(look::def(), &().encode("look").expect("encodes"), Vec::new());
    let expected = (info("look").scope.to_string(), None::<u8>);
    assert_eq!(attempt.outcome, Poll::Ready(Ok(pack(expected))));
    assert!(matches!(attempt.asks.as_slice(), [Ask::Emit(_), Ask::Call { .. }]));
}
