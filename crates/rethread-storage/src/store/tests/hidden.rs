//! Namespaces for the engine's own use.

use super::*;

async fn found(bench: &Bench, prefix: &[&str], limit: usize) -> Vec<String> {
    let search = Search { limit, ..under(prefix) };
    match bench.try_do(StoreRequest::Search(Box::new(search))).await {
        Ok(StoreReply::Items(items)) => items.into_iter().map(|item| item.key).collect(),
        other => panic!("items: {other:?}"),
    }
}

async fn listed(bench: &Bench, prefix: &[&str]) -> Vec<String> {
    let prefix = prefix.iter().map(|label| (*label).to_owned()).collect();
    let query = NamespaceQuery { prefix, ..NamespaceQuery::default() };
    match bench.try_do(StoreRequest::ListNamespaces(Box::new(query))).await {
        Ok(StoreReply::Namespaces(found)) => found.iter().map(ToString::to_string).collect(),
        other => panic!("namespaces: {other:?}"),
    }
}

#[tokio::test]
async fn they_are_found_by_their_own_prefix_only() {
    let bench = bench();
    let behind_all = format!("@{}x", char::MAX);
    for (labels, key) in [
        (&["+"][..], "before"),
        (&["@http", "threads"], "own-1"),
        (&["@http", "threads"], "own-2"),
        (&[behind_all.as_str()], "own-3"),
        (&["users", "@ada"], "behind"),
    ] {
        bench.put(labels, key, json!({})).await;
    }
    assert_eq!(found(&bench, &[], 10).await, ["before", "behind"]);
    assert_eq!(found(&bench, &[], 2).await, ["before", "behind"]);
    assert_eq!(found(&bench, &["@http"], 10).await, ["own-1", "own-2"]);
    assert_eq!(found(&bench, &["users", "@ada"], 10).await, ["behind"]);
    assert_eq!(listed(&bench, &[]).await, ["+", "users.@ada"]);
    assert_eq!(listed(&bench, &["*"]).await, ["+", "users.@ada"]);
    assert_eq!(listed(&bench, &["@http"]).await, ["@http.threads"]);
}

#[tokio::test]
async fn many_of_them_hide_nothing_else() {
    let bench = bench();
    for number in 0..250 {
        bench.put(&["@http", "runs", &format!("{number:03}")], "own", json!({})).await;
    }
    bench.put(&["users"], "behind", json!({})).await;
    assert_eq!(found(&bench, &[], 10).await, ["behind"]);
    assert_eq!(found(&bench, &["@http"], usize::MAX).await.len(), 250);
}
