//! Searches by text.

use rethread_core::failure::{Failure, kind};
use rethread_core::store::{Comparison, Search};
use serde_json::json;

use super::*;

/// A store with an index of these fields.
fn indexed(fields: &[&str]) -> Bench {
    let Bench { storage, engine, time } = bench();
    let engine = engine.with_index(StoreIndex::new(Letters).fields(fields));
    Bench { storage, engine, time }
}

/// Counts the letters a, b and c.
struct Letters;

impl Embed for Letters {
    type Error = Failure;

    fn dimensions(&self) -> usize {
        3
    }

    async fn embed(&self, texts: Vec<String>) -> Result<Vec<Vec<f32>>, Failure> {
        let count = |text: &String, letter: char| text.matches(letter).count() as f32;
        let vector = |text: &String| ['a', 'b', 'c'].map(|letter| count(text, letter)).to_vec();
        match texts.iter().any(|text| text == "fails") {
            true => Err(Failure::new("Overloaded", "the model is busy")),
            false => Ok(texts.iter().map(vector).collect()),
        }
    }
}

/// Gives vectors that nobody asked for.
struct Wrong(usize, usize);

impl Embed for Wrong {
    type Error = Failure;

    fn dimensions(&self) -> usize {
        3
    }

    async fn embed(&self, texts: Vec<String>) -> Result<Vec<Vec<f32>>, Failure> {
        Ok(vec![vec![1.0; self.1]; texts.len() + self.0])
    }
}

#[tokio::test]
async fn queries_rank_by_the_best_field() {
    let bench = indexed(&["title", "tags[*]"]);
    bench.put(&["n"], "a", json!({"title": "aaa", "tags": []})).await;
    bench.put(&["n"], "b", json!({"title": "bbb", "tags": ["cc", "a"]})).await;
    bench.put(&["n"], "ab", json!({"title": "ab"})).await;
    bench.put(&["n"], "c", json!({"title": "c"})).await;
    bench.put(&["n"], "none", json!({"other": "a"})).await;
    let unindexed = StoreRequest::Put {
        namespace: namespace(&["n"]),
        key: "unindexed".into(),
        value: payload(&json!({"title": "a"})),
        ttl_ms: None,
        is_indexed: false,
    };
    assert_eq!(bench.try_do(unindexed).await, Ok(StoreReply::Done));
    let query = |limit, offset| Search { query: Some("a".into()), limit, offset, ..under(&["n"]) };
    let found = bench.search(query(10, 0)).await;
    assert_eq!(keys(&found), ["a", "b", "ab", "c", "none", "unindexed"]);
    let scores: Vec<_> = found.iter().map(|item| item.score).collect();
    assert_eq!(
        (scores[0], scores[1], scores[3], scores[4]),
        (Some(1.0), Some(1.0), Some(0.0), None)
    );
    assert!(scores[2].is_some_and(|score| (score - 0.5_f32.sqrt()).abs() < 1e-6), "{scores:?}");
    assert_eq!(keys(&bench.search(query(2, 1)).await), ["b", "ab"]);
    assert_eq!(keys(&bench.search(query(2, 3)).await), ["c", "none"]);
    let filter = vec![condition("title", Comparison::Ne, &json!("aaa"))];
    let found = bench.search(Search { filter, ..query(2, 0) }).await;
    assert_eq!(keys(&found), ["b", "ab"]);
    bench.put(&["n"], "a", json!({"title": "ccc"})).await;
    assert_eq!(keys(&bench.search(query(1, 0)).await), ["b"], "vectors go with their value");
}

#[tokio::test]
async fn the_best_of_many_are_found() {
    let bench = indexed(&["text"]);
    for n in 0..900_usize {
        // Spread, so that the best come neither first nor last.
        let (a, b) = ((n * 7) % 900, 900 - (n * 7) % 900);
        let text = "a".repeat(a) + &"b".repeat(b);
        bench.put(&["n"], &format!("{a:03}"), json!({"text": text})).await;
    }
    let search = Search { query: Some("a".into()), limit: 5, offset: 2, ..under(&[]) };
    assert_eq!(keys(&bench.search(search).await), ["897", "896", "895", "894", "893"]);
}

#[tokio::test]
async fn what_the_index_cannot_do_is_said() {
    let plain = bench();
    let search = Search { query: Some("a".into()), ..under(&[]) };
    let search = StoreRequest::Search(Box::new(search));
    let refused = plain.try_do(search.clone()).await.expect_err("there is no index");
    assert_eq!(refused, StoreFailure::NoIndex);
    assert_eq!(Failure::from(refused).kind, kind::STORE);

    let bench = indexed(&["text"]);
    let failed = bench.try_do(put(&["n"], "k", &json!({"text": "fails"}))).await;
    let failed = Failure::from(failed.expect_err("the embedder fails"));
    assert_eq!((failed.kind.as_str(), failed.retryable), ("Overloaded", None), "{failed}");
    assert_eq!(bench.get(&["n"], "k", true).await, None, "nothing was put");

    for wrong in [Wrong(1, 3), Wrong(0, 2)] {
        let Bench { storage, engine, time } = super::bench();
        let bench = Bench { storage, engine: engine.with_index(StoreIndex::new(wrong)), time };
        let failed = bench.try_do(put(&["n"], "k", &json!({"text": "a"}))).await;
        assert!(matches!(failed, Err(StoreFailure::Vectors { .. })), "{failed:?}");
    }
}

#[tokio::test]
async fn a_closure_may_be_the_index() {
    let Bench { storage, engine, time } = bench();
    let lengths = |texts: Vec<String>| async move {
        match texts.iter().any(String::is_empty) {
            true => Err(Failure::new("Empty", "there is no text")),
            false => Ok(texts.iter().map(|text| vec![text.len() as f32, 1.0]).collect()),
        }
    };
    let engine = engine.with_index(StoreIndex::from_fn(2, lengths).fields(["text"]));
    let bench = Bench { storage, engine, time };
    bench.put(&["n"], "long", json!({"text": "a very long text"})).await;
    bench.put(&["n"], "short", json!({"text": "a"})).await;
    let search = Search { query: Some("b".into()), ..under(&[]) };
    assert_eq!(keys(&bench.search(search).await), ["short", "long"]);
    let failed = bench.try_do(put(&["n"], "k", &json!({"text": ""}))).await;
    assert_eq!(Failure::from(failed.expect_err("the closure fails")).kind, "Empty");
}
