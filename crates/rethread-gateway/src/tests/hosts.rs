use reqwest::header::HOST;

use super::served::Served;
use crate::GatewayOptions;

#[tokio::test(flavor = "multi_thread")]
async fn without_tokens_only_names_of_this_machine_are_served() {
    let ask = async |served: &Served, host: &str| {
        let request = served.request("GET", "/info").header(HOST, host);
        request.send().await.expect("an answer").status().as_u16()
    };
    let strict = Served::start(GatewayOptions::default().only_local_names(true)).await;
    assert_eq!(strict.request("GET", "/ok").send().await.expect("an answer").status(), 200);
    assert_eq!(ask(&strict, "localhost:8123").await, 200);
    assert_eq!(ask(&strict, "evil.example.com").await, 403);
    assert_eq!(ask(&strict, "127.0.0.1.evil.example.com:8123").await, 403);
    let options = GatewayOptions::default().only_local_names(true);
    let named = Served::start(options.cors_origins(["https://chat.example.com"])).await;
    assert_eq!(ask(&named, "chat.example.com").await, 200);
    assert_eq!(ask(&named, "evil.example.com").await, 403);
    let open = Served::start(GatewayOptions::default()).await;
    assert_eq!(ask(&open, "api.example.com").await, 200);
}
