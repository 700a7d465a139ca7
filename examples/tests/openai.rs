//! The model behind HTTP, against a server that plays one.

use std::sync::{Arc, Mutex};

use rethread_examples::model::{Chat, Message, Model, OpenAi, Reply, Tool};
use serde_json::{Value as Json, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// What one request said.
#[derive(Debug)]
struct Asked {
    path: String,
    key: Option<String>,
    body: Json,
}

/// A server that gives these answers, one per connection, and keeps what it was asked.
struct Server {
    address: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    async fn answering(answers: &[String]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = format!("http://{}/v1", listener.local_addr().expect("an address"));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (answers, heard) = (answers.to_vec(), Arc::clone(&asked));
        tokio::spawn(async move {
            for answer in answers {
                let (mut connection, _) = listener.accept().await.expect("a connection");
                let request = read(&mut connection).await;
                heard.lock().expect("not poisoned").push(request);
                connection.write_all(answer.as_bytes()).await.expect("written");
            }
        });
        Self { address, asked }
    }

    fn model(&self) -> OpenAi {
        OpenAi::new(&self.address, "small", Some("secret".to_owned())).expect("a client")
    }

    fn asked(&self) -> Asked {
        self.asked.lock().expect("not poisoned").pop().expect("a request")
    }
}

async fn read(connection: &mut TcpStream) -> Asked {
    let mut reader = BufReader::new(connection);
    let mut line = String::new();
    reader.read_line(&mut line).await.expect("a request");
    let path = line.split(' ').nth(1).expect("a path").to_owned();
    let (mut length, mut key) = (0, None);
    loop {
        line.clear();
        reader.read_line(&mut line).await.expect("a header");
        let Some((name, value)) = line.trim().split_once(": ") else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().expect("a length"),
            "authorization" => key = Some(value.to_owned()),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).await.expect("a body");
    Asked { path, key, body: serde_json::from_slice(&body).expect("JSON") }
}

fn answer(status: &str, kind: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\
         connection: close\r\n\r\n{body}"
    )
}

fn events(events: &[Json]) -> String {
    let mut body: String = events.iter().map(|event| format!("data: {event}\n\n")).collect();
    body += "data: [DONE]\n\n";
    answer("200 OK", "text/event-stream", &body)
}

fn delta(delta: Json) -> Json {
    json!({ "choices": [{ "index": 0, "delta": delta, "finish_reason": null }] })
}

async fn reply(model: &OpenAi, chat: &Chat) -> (rethread::Result<Reply>, Vec<String>) {
    let mut tokens = Vec::new();
    let reply = model.reply(chat, &mut |token: &str| tokens.push(token.to_owned())).await;
    (reply, tokens)
}

#[tokio::test]
async fn a_streamed_reply_is_given_token_by_token() {
    let pieces = ["Hel", "lo"].map(|text| delta(json!({ "content": text })));
    let server = Server::answering(&[events(&pieces)]).await;
    let chat = Chat::new([Message::system("be kind"), Message::user("hi")]);
    let (reply, tokens) = reply(&server.model(), &chat).await;
    assert_eq!(reply.expect("a reply"), Reply::text("Hello"));
    assert_eq!(tokens, ["Hel", "lo"]);
    let asked = server.asked();
    assert_eq!(asked.path, "/v1/chat/completions");
    assert_eq!(asked.key.as_deref(), Some("Bearer secret"));
    let messages = json!([
        { "role": "system", "content": "be kind" }, { "role": "user", "content": "hi" },
    ]);
    assert_eq!(asked.body, json!({ "model": "small", "stream": true, "messages": messages }));
}

#[tokio::test]
async fn tools_are_offered_called_and_answered() {
    let call = |arguments: &str| {
        let function = json!({ "name": "weather", "arguments": arguments });
        delta(json!({ "tool_calls": [{ "index": 0, "function": function }] }))
    };
    let mut first = call("{\"city\":");
    first["choices"][0]["delta"]["tool_calls"][0]["id"] = json!("c1");
    let mut second = call("\"Rome\"}");
    second["choices"][0]["delta"]["tool_calls"][0]["function"]["name"] = json!("");
    let server = Server::answering(&[events(&[first, second]), events(&[])]).await;
    let model = server.model();

    let tools = [Tool::of_texts("weather", "tells the weather", &["city"])];
    let chat = Chat::new([Message::user("weather in Rome?")]).tools(tools);
    let (reply_to_question, _) = reply(&model, &chat).await;
    let wish = reply_to_question.expect("a reply");
    assert_eq!(wish, Reply::call("c1", "weather", json!({ "city": "Rome" })));
    let function = &server.asked().body["tools"][0]["function"];
    assert_eq!(function["name"], "weather");
    assert_eq!(function["parameters"]["required"], json!(["city"]));

    let result = Message::tool(&wish.tool_calls[0], "sunny");
    let chat = Chat::new([Message::user("weather in Rome?"), wish.into(), result]);
    reply(&model, &chat).await.0.expect("an empty reply");
    let body = server.asked().body;
    let call = &body["messages"][1]["tool_calls"][0];
    assert_eq!((&call["id"], &call["type"]), (&json!("c1"), &json!("function")));
    assert_eq!(call["function"]["arguments"], "{\"city\":\"Rome\"}");
    let result = json!({ "role": "tool", "tool_call_id": "c1", "content": "sunny" });
    assert_eq!(body["messages"][2], result);
}

#[tokio::test]
async fn a_server_that_does_not_stream_is_understood() {
    let body = json!({ "choices": [{ "message": { "role": "assistant", "content": "Hello" } }] });
    let answer = answer("200 OK", "application/json; charset=utf-8", &body.to_string());
    let server = Server::answering(&[answer]).await;
    let (reply, tokens) = reply(&server.model(), &Chat::default()).await;
    assert_eq!(reply.expect("a reply"), Reply::text("Hello"));
    assert_eq!(tokens, ["Hello"]);
}

#[tokio::test]
async fn errors_say_whether_asking_again_may_help() {
    let page = "{\"error\": \"no\"}";
    let statuses = ["500 Oops", "429 Slow down", "401 Unauthorized"];
    let server =
        Server::answering(&statuses.map(|status| answer(status, "application/json", page))).await;
    for is_retryable in [true, true, false] {
        let error = reply(&server.model(), &Chat::default()).await.0.expect_err("an error page");
        assert_eq!(error.kind(), "HttpStatus");
        assert_eq!(error.is_retryable(), is_retryable, "{error}");
        assert!(error.message().contains(page), "{error}");
        assert!(!error.message().contains("secret"), "{error}");
    }
}

#[tokio::test]
async fn a_lost_connection_is_told_as_such() {
    let torn = answer("200 OK", "text/event-stream", "data: {\"choices\": []}\n\n");
    let server = Server::answering(&[torn]).await;
    let error = reply(&server.model(), &Chat::default()).await.0.expect_err("torn");
    assert_eq!((error.kind(), error.is_retryable()), ("ConnectionError", true));
    let nobody = OpenAi::new("http://127.0.0.1:1/v1", "small", None).expect("a client");
    let error = reply(&nobody, &Chat::default()).await.0.expect_err("nobody is there");
    assert_eq!(error.kind(), "ConnectionError");
}
