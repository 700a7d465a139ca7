//! A proxy between a process and Redis that delays, cuts, holds and swallows.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;

const CHUNK: usize = 64 * 1024;

/// What the proxy does with the bytes that pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Hands them on.
    Pass,
    /// Hands them on so much later, in either direction.
    Delay(Duration),
    /// Holds them, in both directions. They go on when the mode changes, as they would in a
    /// network that comes back.
    Hold,
    /// The same in one direction only; the other passes.
    HoldWay(Way),
    /// Hands on so many bytes a second, in either direction.
    Limit(u64),
    /// Takes everything and hands nothing on. Connections that lost something are cut when the
    /// mode changes.
    BlackHole,
    /// Hands on the first part of what comes next, then cuts the connection.
    CutMidFrame,
    /// Hands requests on and swallows the answers. Connections that lost an answer are cut when
    /// the mode changes.
    SwallowAnswers,
}

/// Which way the bytes of a pump go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// From the process to the server.
    Requests,
    /// From the server to the process.
    Answers,
}

impl Mode {
    /// Whether bytes of this direction wait until the mode changes.
    fn holds(self, way: Way) -> bool {
        self == Self::Hold || self == Self::HoldWay(way)
    }

    /// Whether bytes of this direction are lost.
    fn loses(self, way: Way) -> bool {
        self == Self::BlackHole || (self == Self::SwallowAnswers && way == Way::Answers)
    }
}

#[derive(Debug, Clone, Copy)]
struct State {
    mode: Mode,
    /// Counts cuts; a connection lives as long as the count it began with.
    cuts: u64,
}

/// A proxy for one process. Ends when dropped.
#[derive(Debug)]
pub(crate) struct Proxy {
    address: SocketAddr,
    state: watch::Sender<State>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    /// Listens on a free port of the loopback and connects to `upstream`.
    pub(crate) async fn start(upstream: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let (state, watched) = watch::channel(State { mode: Mode::Pass, cuts: 0 });
        let accepting = tokio::spawn(accept(listener, upstream, watched));
        Ok(Self { address, state, accepting })
    }

    /// Where the process connects.
    pub(crate) fn url(&self) -> String {
        format!("redis://{}/", self.address)
    }

    /// Changes what happens to bytes from now on.
    pub(crate) fn set(&self, mode: Mode) {
        self.state.send_modify(|state| state.mode = mode);
    }

    /// Closes all connections at once.
    pub(crate) fn cut(&self) {
        self.state.send_modify(|state| state.cuts += 1);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, upstream: SocketAddr, state: watch::Receiver<State>) {
    loop {
        match listener.accept().await {
            Ok((client, _)) => {
                tokio::spawn(serve(client, upstream, state.clone()));
            }
            // Out of descriptors, or a client that is gone already.
            Err(_) => sleep(Duration::from_millis(10)).await,
        }
    }
}

/// Serves one connection until either side closes it or it is cut.
async fn serve(client: TcpStream, upstream: SocketAddr, mut state: watch::Receiver<State>) {
    let cuts = state.borrow().cuts;
    let mut held = state.clone();
    let link = async {
        // A server behind a dead link cannot be connected to either.
        let is_open = |state: &State| !matches!(state.mode, Mode::Hold | Mode::BlackHole);
        if held.wait_for(is_open).await.is_err() {
            return;
        }
        let Ok(server) = TcpStream::connect(upstream).await else { return };
        // Without these the proxy would add delays of its own.
        if client.set_nodelay(true).is_err() || server.set_nodelay(true).is_err() {
            return;
        }
        let (client_reads, client_writes) = client.into_split();
        let (server_reads, server_writes) = server.into_split();
        tokio::select! {
            () = pump(client_reads, server_writes, Way::Requests, held.clone()) => {}
            () = pump(server_reads, client_writes, Way::Answers, held) => {}
        }
    };
    tokio::select! {
        () = link => {}
        _ = state.wait_for(|state| state.cuts != cuts) => {}
    }
}

async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    way: Way,
    mut state: watch::Receiver<State>,
) {
    let mut buffer = vec![0; CHUNK];
    let mut has_lost = false;
    loop {
        let count = tokio::select! {
            read = from.read(&mut buffer) => match read {
                Ok(0) | Err(_) => return,
                Ok(count) => count,
            },
            () = no_longer_lost(&mut state, way), if has_lost => return,
        };
        let mode = state.borrow().mode;
        if mode.loses(way) {
            has_lost = true;
            continue;
        }
        if mode.holds(way) && state.wait_for(|state| !state.mode.holds(way)).await.is_err() {
            return;
        }
        let written = match mode {
            Mode::Delay(time) => {
                sleep(time).await;
                to.write_all(&buffer[..count]).await
            }
            Mode::Limit(rate) => write_slowly(&mut to, &buffer[..count], rate).await,
            Mode::CutMidFrame => {
                // The connection ends whether or not this part still arrives.
                let _ = to.write_all(&buffer[..count / 2]).await;
                return;
            }
            _ => to.write_all(&buffer[..count]).await,
        };
        if written.is_err() {
            return;
        }
    }
}

/// Writes in slices of a tenth of what may pass in a second.
async fn write_slowly(to: &mut OwnedWriteHalf, bytes: &[u8], rate: u64) -> io::Result<()> {
    let slice = usize::try_from(rate / 10).unwrap_or(CHUNK).max(1);
    for bytes in bytes.chunks(slice) {
        to.write_all(bytes).await?;
        sleep(Duration::from_secs_f64(bytes.len() as f64 / rate.max(1) as f64)).await;
    }
    Ok(())
}

async fn no_longer_lost(state: &mut watch::Receiver<State>, way: Way) {
    // An error means that the proxy is gone, and with it this connection.
    let _ = state.wait_for(|state| !state.mode.loses(way)).await;
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);

    /// A server that answers each byte with its successor and counts what it saw.
    async fn server() -> (SocketAddr, watch::Receiver<u64>) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (count, counted) = watch::channel(0);
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let count = count.clone();
                tokio::spawn(async move {
                    while let Ok(byte) = client.read_u8().await {
                        count.send_modify(|count| *count += 1);
                        if client.write_u8(byte + 1).await.is_err() {
                            return;
                        }
                    }
                });
            }
        });
        (address, counted)
    }

    async fn client(proxy: &Proxy) -> TcpStream {
        TcpStream::connect(proxy.address).await.expect("the proxy listens")
    }

    async fn ask(stream: &mut TcpStream, byte: u8) -> io::Result<u8> {
        stream.write_u8(byte).await?;
        timeout(PATIENCE, stream.read_u8()).await.expect("an answer in time")
    }

    #[tokio::test]
    async fn passes_and_delays() {
        let (address, _) = server().await;
        let proxy = Proxy::start(address).await.expect("starts");
        let mut stream = client(&proxy).await;
        assert_eq!(ask(&mut stream, 1).await.expect("passes"), 2);
        proxy.set(Mode::Delay(Duration::from_millis(5)));
        assert_eq!(ask(&mut stream, 2).await.expect("passes later"), 3);
    }

    #[tokio::test]
    async fn a_cut_ends_connections_and_takes_new_ones() {
        let (address, _) = server().await;
        let proxy = Proxy::start(address).await.expect("starts");
        let mut stream = client(&proxy).await;
        ask(&mut stream, 1).await.expect("passes");
        proxy.cut();
        let end = timeout(PATIENCE, stream.read_u8()).await.expect("ends in time");
        assert!(end.is_err());
        assert_eq!(ask(&mut client(&proxy).await, 1).await.expect("passes again"), 2);
    }

    #[tokio::test]
    async fn what_is_held_goes_on_afterwards() {
        let (address, counted) = server().await;
        let proxy = Proxy::start(address).await.expect("starts");
        let mut stream = client(&proxy).await;
        ask(&mut stream, 1).await.expect("passes");
        proxy.set(Mode::Hold);
        stream.write_u8(7).await.expect("the proxy takes it");
        assert_eq!(*counted.borrow(), 1);
        proxy.set(Mode::Pass);
        let answer = timeout(PATIENCE, stream.read_u8()).await.expect("in time");
        assert_eq!(answer.expect("goes on"), 8);
    }

    #[tokio::test]
    async fn a_swallowed_answer_leaves_its_effect_and_a_cut_connection() {
        let (address, mut counted) = server().await;
        let proxy = Proxy::start(address).await.expect("starts");
        let mut stream = client(&proxy).await;
        ask(&mut stream, 1).await.expect("passes");
        proxy.set(Mode::SwallowAnswers);
        stream.write_u8(7).await.expect("the proxy takes it");
        timeout(PATIENCE, counted.wait_for(|count| *count == 2))
            .await
            .expect("in time")
            .expect("open");
        // Whether the answer was swallowed before or is cut off now: it does not arrive.
        proxy.cut();
        let end = timeout(PATIENCE, stream.read_u8()).await.expect("ends in time");
        assert!(end.is_err());
    }

    #[tokio::test]
    async fn one_way_may_be_held_alone() {
        let (address, mut counted) = server().await;
        let proxy = Proxy::start(address).await.expect("starts");
        let mut stream = client(&proxy).await;
        ask(&mut stream, 1).await.expect("passes");
        proxy.set(Mode::HoldWay(Way::Answers));
        stream.write_u8(7).await.expect("the proxy takes it");
        let seen = timeout(PATIENCE, counted.wait_for(|count| *count == 2)).await;
        seen.expect("in time").expect("open");
        proxy.set(Mode::Limit(1_000));
        let answer = timeout(PATIENCE, stream.read_u8()).await.expect("in time");
        assert_eq!(answer.expect("goes on"), 8);
        assert_eq!(ask(&mut stream, 3).await.expect("passes slowly"), 4);
    }

    #[tokio::test]
    async fn a_black_hole_takes_all_and_ends_with_a_cut() {
        let (address, counted) = server().await;
        let proxy = Proxy::start(address).await.expect("starts");
        let mut stream = client(&proxy).await;
        ask(&mut stream, 1).await.expect("passes");
        proxy.set(Mode::BlackHole);
        stream.write_u8(7).await.expect("the proxy takes it");
        proxy.cut();
        proxy.set(Mode::Pass);
        let end = timeout(PATIENCE, stream.read_u8()).await.expect("ends in time");
        assert!(end.is_err());
        assert_eq!(*counted.borrow(), 1);
        assert_eq!(ask(&mut client(&proxy).await, 1).await.expect("passes again"), 2);
    }

    #[tokio::test]
    async fn a_cut_in_the_middle_hands_on_a_part() {
        let (address, mut counted) = server().await;
        let proxy = Proxy::start(address).await.expect("starts");
        let mut stream = client(&proxy).await;
        ask(&mut stream, 1).await.expect("passes");
        proxy.set(Mode::CutMidFrame);
        stream.write_all(&[5; 8]).await.expect("the proxy takes it");
        let seen = timeout(PATIENCE, counted.wait_for(|count| *count > 1)).await;
        seen.expect("in time").expect("open");
        let mut rest = Vec::new();
        // An error is an end too.
        let _ = timeout(PATIENCE, stream.read_to_end(&mut rest)).await.expect("ends in time");
        assert!(*counted.borrow() < 9, "{} arrived", *counted.borrow());
    }
}
