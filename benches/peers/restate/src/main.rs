//! The workloads of the benchmarks on Restate.
//!
//! ```text
//! rethread-peer-restate SERVER PARTITIONS|default steps|fan-out|latency|resume|replay SIZE
//! ```
//!
//! `SERVER` is the program `restate-server`, which runs as another process with an empty
//! directory. Services and client are this process: results of steps need not travel between
//! processes, which is to Restate's advantage. A step is a journaled action (`run`); many at once
//! are calls of another handler, since actions are to be awaited one by one.

mod client;
mod server;
mod service;

use std::error::Error;

use restate_sdk::prelude::*;
use serde_json::json;
use tokio::net::TcpListener;

use client::Client;
use server::Server;
use service::{Bench, Questions};

type Failure = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [program, partitions, workload, size] = arguments.as_slice() else {
        return Err("arguments: SERVER PARTITIONS WORKLOAD SIZE".into());
    };
    let size: u64 = size.parse()?;
    let partitions: Option<u32> = partitions.parse().ok();
    let questions = Questions::default();
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let services = listener.local_addr()?;
    let endpoint = Endpoint::builder().bind(Bench::definition(questions.clone())).build();
    tokio::spawn(HttpServer::new(endpoint).serve(listener));
    let server = Server::start(program, partitions).await?;
    server.register(&format!("http://{services}")).await?;

    let client = Client::new(server.ingress().to_owned(), questions);
    let measured = match workload.as_str() {
        "steps" => vec![client.steps(size).await?],
        "fan-out" => vec![client.fan_out(size).await?],
        "latency" => vec![client.latency(size).await?],
        "resume" => {
            vec![client.resume(size, "question").await?, client.resume(size, "kept").await?]
        }
        "replay" => vec![client.replay(size).await?],
        other => return Err(format!("there is no workload `{other}`").into()),
    };
    let engine = match partitions {
        Some(_) => "restate-tuned",
        None => "restate",
    };
    for (parameters, figures) in measured {
        let line = json!({
            "workload": workload, "parameters": parameters, "engine": engine, "figures": figures
        });
        println!("{line}");
    }
    Ok(())
}
