use axum::body::Body;
use axum::http::Request;
use serde_json::json;

use super::bench::Bench;

#[tokio::test]
async fn the_gateway_tells_about_itself() {
    let bench = Bench::start().await;
    assert_eq!(bench.get("/ok").await.expect(200), json!({ "ok": true }));
    assert_eq!(bench.get("/ok?check_db=1").await.expect(200), json!({ "ok": true }));
    assert_eq!(bench.get("/").await.expect(200), json!({ "ok": true }));
    assert_eq!(bench.post("/runs/crons/search", json!({})).await.expect(200), json!([]));
    assert_eq!(bench.post("/runs/crons/count", json!({})).await.expect(200), 0);
    bench.get("/ok?check_db=x").await.expect(422);
    let info = bench.get("/info").await.expect(200);
    assert_eq!(info["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(info["flags"]["assistants"], true);
    assert_eq!(info["flags"]["crons"], false);
}

#[tokio::test]
async fn what_there_is_not_is_said_as_clients_expect() {
    let bench = Bench::start().await;
    assert_eq!(bench.get("/nothing").await.expect(404), json!({ "detail": "Not Found" }));
    assert_eq!(bench.delete("/info").await.expect(405), json!({ "detail": "Method Not Allowed" }));
    let broken = Request::post("/assistants/search").body(Body::from("{")).expect("a request");
    let expected = json!({ "detail": "Invalid JSON in request body" });
    assert_eq!(bench.send(broken).await.expect(422), expected);
    let empty = Request::post("/assistants/search").body(Body::empty()).expect("a request");
    assert_eq!(bench.send(empty).await.expect(422), expected);
    let large = Request::post("/threads").body(Body::from(vec![b' '; 6 << 20]));
    bench.send(large.expect("a request")).await.expect(413);
    let misfit = bench.post("/threads", json!({ "metadata": [] })).await.expect(422);
    assert!(misfit["detail"].as_str().expect("a text").starts_with("metadata: "), "{misfit}");
    bench.get("/threads/no-uuid").await.expect(422);
}
