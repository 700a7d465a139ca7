use std::collections::BTreeMap;

use serde_json::json;

use super::bench::Bench;

#[tokio::test]
async fn values_that_json_cannot_say_are_shown_everywhere() {
    let bench = Bench::start().await;
    let thread = bench.thread().await;
    bench.run(thread, "odd", json!({})).await;
    let shown = json!([null, { "[1,2]": "pair" }]);
    let path = format!("/threads/{thread}");
    assert_eq!(bench.get(&path).await.expect(200)["values"], shown);
    assert_eq!(bench.get(&format!("{path}/state")).await.expect(200)["values"], shown);
    let history = bench.post(&format!("{path}/history"), json!({ "limit": 10 })).await.expect(200);
    assert_eq!(history[0]["values"], shown);
    let search = json!({ "values": [{ "[1,2]": "pair" }] });
    let found = bench.post("/threads/search", search).await.expect(200);
    assert_eq!(found[0]["values"], shown);

    let store = bench.client.store();
    let odd = BTreeMap::from([(7, f64::INFINITY), (8, 0.5)]);
    store.put(["numbers"], "odd", &odd).await.expect("stored");
    let item = bench.get("/store/items?namespace=numbers&key=odd").await.expect(200);
    assert_eq!(item["value"], json!({ "7": null, "8": 0.5 }));
    let search = json!({ "namespace_prefix": ["numbers"] });
    let found = bench.post("/store/items/search", search).await.expect(200);
    assert_eq!(found["items"][0]["value"], json!({ "7": null, "8": 0.5 }));
}
