//! Serves the chat page. It is no part of the HTTP API: the page is on an origin of its own, as
//! that of any other client.

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;

const PAGE: &str = include_str!("chat/index.html");
const ADDRESS: &str = "127.0.0.1:8124";

/// Serves until the process ends; the argument is where.
pub(crate) fn serve(address: Option<String>) -> ExitCode {
    let served = tokio::runtime::Runtime::new()
        .map_err(Into::into)
        .and_then(|runtime| runtime.block_on(listen(address.as_deref().unwrap_or(ADDRESS))));
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn listen(address: &str) -> Result<(), Box<dyn Error>> {
    let script = script()?;
    let router = Router::new()
        .route("/chat/", get(async || Html(PAGE)))
        .route("/chat/chat.js", get(move || read(script.clone())));
    let listener = TcpListener::bind(address).await.map_err(|e| format!("{address}: {e}"))?;
    println!("http://{}/chat/?api=http://127.0.0.1:8123", listener.local_addr()?);
    axum::serve(listener, router).await?;
    Ok(())
}

/// The script of the page: `cargo xtask chat` puts it into the folder that this program is built
/// in, since it is made of packages of others.
fn script() -> Result<PathBuf, Box<dyn Error>> {
    let program = std::env::current_exe()?;
    // <target>/<profile>/examples/platform
    let target = program.ancestors().nth(3).ok_or("the program lies in no target folder")?;
    let script = target.join("chat").join("chat.js");
    if script.is_file() {
        return Ok(script);
    }
    Err(format!("{} is missing: run `cargo xtask chat`, once", script.display()).into())
}

async fn read(script: PathBuf) -> Response {
    match tokio::fs::read(&script).await {
        Ok(bytes) => ([(header::CONTENT_TYPE, "text/javascript")], bytes).into_response(),
        Err(error) => (StatusCode::NOT_FOUND, error.to_string()).into_response(),
    }
}
