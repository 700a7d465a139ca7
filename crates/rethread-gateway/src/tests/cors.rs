use reqwest::{Method, RequestBuilder, Response};

use super::served::Served;
use crate::{Auth, GatewayOptions};

async fn send(request: RequestBuilder) -> Response {
    request.send().await.expect("an answer")
}

fn header<'r>(response: &'r Response, name: &str) -> Option<&'r str> {
    response.headers().get(name).map(|value| value.to_str().expect("a text"))
}

fn question(served: &Served, path: &str) -> RequestBuilder {
    served
        .request(Method::OPTIONS.as_str(), path)
        .header("origin", "https://chat.example.com")
        .header("access-control-request-method", "POST")
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_all_origins_may_use_it_by_default() {
    let served = Served::start(GatewayOptions::default().auth(Auth::Tokens)).await;
    let asked = question(&served, "/threads")
        .header("access-control-request-headers", "x-api-key,x-mine")
        .header("access-control-request-private-network", "true");
    let answer = send(asked).await;
    assert_eq!(answer.status(), 200, "a browser has no token when it asks");
    assert_eq!(header(&answer, "access-control-allow-origin"), Some("*"));
    assert_eq!(header(&answer, "access-control-allow-headers"), Some("x-api-key,x-mine"));
    assert_eq!(header(&answer, "access-control-allow-private-network"), Some("true"));
    let methods = header(&answer, "access-control-allow-methods").expect("methods");
    assert!(methods.contains("PATCH") && methods.contains("DELETE"), "{methods}");
    let answer = send(served.request("GET", "/info").header("origin", "http://x")).await;
    assert_eq!(answer.status(), 401);
    assert_eq!(header(&answer, "access-control-allow-origin"), Some("*"), "the page reads why");
    let exposed = header(&answer, "access-control-expose-headers").expect("exposed headers");
    for name in ["content-location", "location", "x-pagination-total", "x-pagination-next"] {
        assert!(exposed.split(", ").any(|it| it == name), "{exposed}");
    }
    let answer = send(question(&served, "/no/such/path")).await;
    assert_eq!(answer.status(), 200);
    let answer = send(served.request("OPTIONS", "/threads")).await;
    assert_eq!(answer.status(), 405, "not a browser's question");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_other_origins_cause_nothing() {
    let options = GatewayOptions::default().cors_origins(["https://Chat.example.com"]);
    let served = Served::start(options).await;
    let answer = send(question(&served, "/threads")).await;
    assert_eq!(answer.status(), 200);
    let allowed = header(&answer, "access-control-allow-origin");
    assert_eq!(allowed, Some("https://chat.example.com"));
    assert!(answer.headers().get_all("vary").iter().any(|vary| vary == "origin"));
    let create = |origin: &str| served.request("POST", "/threads").header("origin", origin);
    for origin in ["https://evil.example.com", "https://chat.example.com.evil.org", "null"] {
        let answer = send(create(origin)).await;
        assert_eq!(answer.status(), 403, "{origin}");
        assert_eq!(header(&answer, "access-control-allow-origin"), None);
    }
    let count = send(served.request("POST", "/threads/count").body("{}")).await;
    assert_eq!(count.text().await.expect("a body"), "0", "no thread was made");
    assert_eq!(send(create("https://chat.example.com")).await.status(), 200);
    let own = format!("http://{}", served.address);
    assert_eq!(send(create(&own)).await.status(), 200, "a page that came from here");
}
