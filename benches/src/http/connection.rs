//! A connection to the gateway, as light as it can be.

use std::error::Error;
use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use socket2::SockRef;
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;

/// What goes wrong; it may pass between tasks.
pub(super) type Failure = Box<dyn Error + Send + Sync>;

/// How much the system keeps for a reader that does not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Buffers {
    /// As much as it likes: some MiB on both sides, where both are on one machine.
    Standard,
    /// Little, as for a reader who is far away.
    Small,
}

/// One request after the other.
pub(super) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    address: SocketAddr,
    /// Moves what is sent and received; ends with the connection.
    driver: JoinSet<()>,
}

/// An answer that is still coming.
pub(super) struct Coming {
    body: Incoming,
    _driver: JoinSet<()>,
}

impl Connection {
    pub(super) async fn open(address: SocketAddr, buffers: Buffers) -> Result<Self, Failure> {
        let stream = connect(address, buffers).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        let mut driver = JoinSet::new();
        driver.spawn(async move {
            // Whoever waits for an answer is told.
            let _ = connection.await;
        });
        Ok(Self { sender, address, driver })
    }

    /// Sends this value; gives the answer.
    pub(super) async fn post(&mut self, path: &str, value: &Value) -> Result<Value, Failure> {
        let request = Request::post(path)
            .header("host", self.address.to_string())
            .header("content-type", "application/json")
            .body(Full::from(value.to_string()))?;
        // The answer before this one may have been read before the connection has seen its end.
        self.sender.ready().await?;
        let response = self.sender.send_request(request).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        match status.is_success() {
            true => Ok(serde_json::from_slice(&body)?),
            false => Err(refused(path, status, &body)),
        }
    }

    /// Asks for all events of a run.
    pub(super) async fn events(mut self, path: &str) -> Result<Coming, Failure> {
        let request = Request::get(path)
            .header("host", self.address.to_string())
            .header("accept", "text/event-stream")
            .header("last-event-id", "-1")
            .body(Full::default())?;
        let response: Response<Incoming> = self.sender.send_request(request).await?;
        let status = response.status();
        let body = response.into_body();
        match status.is_success() {
            true => Ok(Coming { body, _driver: self.driver }),
            false => Err(refused(path, status, &body.collect().await?.to_bytes())),
        }
    }
}

impl Coming {
    /// What comes next; none at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        while let Some(frame) = self.body.frame().await {
            if let Ok(data) = frame?.into_data() {
                return Ok(Some(data));
            }
        }
        Ok(None)
    }
}

async fn connect(address: SocketAddr, buffers: Buffers) -> std::io::Result<TcpStream> {
    /// Bytes that are received and not read.
    const RECEIVED_MAX: u32 = 4 << 10;
    /// Bytes of a segment on an Ethernet. By it the system chooses how much the other side may
    /// send ahead; on the loopback a segment is 64 KiB, and that some MiB.
    const SEGMENT: u32 = 1_460;
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    if buffers == Buffers::Small {
        socket.set_recv_buffer_size(RECEIVED_MAX)?;
        SockRef::from(&socket).set_tcp_mss(SEGMENT)?;
    }
    socket.connect(address).await
}

fn refused(path: &str, status: hyper::StatusCode, body: &[u8]) -> Failure {
    format!("{path} was answered with {status}: {}", String::from_utf8_lossy(body)).into()
}
