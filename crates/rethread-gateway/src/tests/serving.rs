use super::served::Served;
use crate::GatewayOptions;

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_stops_cuts_streams_and_takes_no_further_connections() {
    let served = Served::start(GatewayOptions::default()).await;
    let thread = served.bench.thread().await;
    let path = format!("/threads/{thread}/stream");
    let mut stream = served.request("GET", &path).send().await.expect("an answer");
    assert_eq!(stream.status(), 200);
    let (http, address) = (served.http.clone(), served.address);
    let meters = served.gateway.meters();
    assert_eq!(meters.snapshot().streams, 1);
    served.stop().ended().await;
    // That the body does not end in order tells the client that there is more to come.
    let cut = loop {
        match stream.chunk().await {
            Ok(Some(_)) => {}
            ended => break ended,
        }
    };
    assert!(cut.is_err(), "{cut:?}");
    let snapshot = meters.snapshot();
    assert_eq!((snapshot.streams, snapshot.requests, snapshot.connections), (0, 0, 0));
    let refused = http.get(format!("http://{address}/ok")).send().await;
    assert!(refused.is_err_and(|error| error.is_connect()));
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_counted_and_kept_by_nobody() {
    let served = Served::start(GatewayOptions::default()).await;
    let missing = format!("/threads/{}", uuid::Uuid::now_v7());
    for (path, status) in [("/ok", 200), ("/ok", 200), (&missing, 404), ("/nowhere", 404)] {
        let answer = served.request("GET", path).send().await.expect("an answer");
        assert_eq!(answer.status(), status, "{path}");
        assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
        assert_eq!(answer.headers()["cache-control"], "no-store");
    }
    let operations = served.gateway.meters().snapshot().operations;
    let count = |name: &str, status: u16| {
        let operation = operations.iter().find(|it| it.operation == name).expect("asked for");
        operation.answers.get(&status).copied()
    };
    assert_eq!((count("ok", 200), count("get_thread", 404)), (Some(2), Some(1)));
    assert_eq!(operations.len(), 2);
}
