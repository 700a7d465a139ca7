//! A proxy between the adapter and the server, which can lose answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

/// Ends with the runtime of its test.
pub(crate) struct Proxy {
    port: u16,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    // The next answer to a script is lost, after the server has run it, and the connection with it.
    drops_answer: AtomicBool,
    // The next answer arrives in part, and its connection ends.
    cuts_answer: AtomicBool,
    dropped: AtomicU64,
}

impl Proxy {
    pub(crate) async fn before(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let port = listener.local_addr().expect("has an address").port();
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(upstream) = TcpStream::connect(("127.0.0.1", server)).await else {
                    continue;
                };
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = upstream.into_split();
                let armed = Arc::new(AtomicBool::new(false));
                tokio::spawn(requests(from_client, to_server, Arc::clone(&shared), armed.clone()));
                tokio::spawn(answers(from_server, to_client, Arc::clone(&shared), armed));
            }
        });
        Self { port, state }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    /// Loses the answer to the next script, and cuts its connection.
    pub(crate) fn drop_next_answer(&self) {
        self.state.drops_answer.store(true, Ordering::SeqCst);
    }

    /// Cuts the connection of the next answer in the middle of it.
    pub(crate) fn cut_next_answer(&self) {
        self.state.cuts_answer.store(true, Ordering::SeqCst);
    }

    pub(crate) fn dropped(&self) -> u64 {
        self.state.dropped.load(Ordering::SeqCst)
    }
}

async fn requests(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    state: Arc<State>,
    armed: Arc<AtomicBool>,
) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        let is_script = buffer[..count].windows(7).any(|window| window == b"EVALSHA");
        if is_script && state.drops_answer.swap(false, Ordering::SeqCst) {
            armed.store(true, Ordering::SeqCst);
        }
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}

async fn answers(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    state: Arc<State>,
    armed: Arc<AtomicBool>,
) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        if armed.load(Ordering::SeqCst) {
            // The server has run it: this is its answer.
            state.dropped.fetch_add(1, Ordering::SeqCst);
            return;
        }
        if state.cuts_answer.swap(false, Ordering::SeqCst) {
            state.dropped.fetch_add(1, Ordering::SeqCst);
            // Whether the part arrives makes no difference to the connection.
            let _ = to.write_all(&buffer[..count / 2]).await;
            return;
        }
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}
