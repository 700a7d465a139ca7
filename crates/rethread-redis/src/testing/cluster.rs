//! A private Redis Cluster for tests.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use super::RedisServer;

const NODES: u16 = 3;
const SLOTS: u16 = 16_384;
const FORM_LIMIT: Duration = Duration::from_secs(60);

/// A cluster of three nodes without replicas, with their data in directories of their own. They
/// are killed, and the data removed, when the value is dropped.
///
/// All methods panic, with what to do, when the cluster cannot be made: tests need it.
#[derive(Debug)]
pub struct RedisCluster {
    nodes: Vec<RedisServer>,
}

static SHARED: Mutex<Weak<RedisCluster>> = Mutex::new(Weak::new());

impl RedisCluster {
    /// Starts the nodes and waits until each serves its slots. Their logs are always synced.
    pub fn start() -> Self {
        let arguments = [
            "--cluster-enabled",
            "yes",
            "--cluster-node-timeout",
            "5000",
            "--appendfsync",
            "always",
        ];
        let nodes: Vec<_> = (0..NODES).map(|_| RedisServer::start_with(&arguments)).collect();
        let share = SLOTS.div_ceil(NODES);
        for (index, node) in (0..NODES).zip(&nodes) {
            let (first, last) = (index * share, (index * share + share).min(SLOTS) - 1);
            ask(node, &format!("CLUSTER SET-CONFIG-EPOCH {}", index + 1));
            ask(node, &format!("CLUSTER ADDSLOTSRANGE {first} {last}"));
        }
        for node in &nodes[1..] {
            ask(&nodes[0], &format!("CLUSTER MEET 127.0.0.1 {}", node.port()));
        }
        let deadline = Instant::now() + FORM_LIMIT;
        let all = format!("cluster_known_nodes:{NODES}");
        for node in &nodes {
            loop {
                let info = ask(node, "CLUSTER INFO");
                if info.contains("cluster_state:ok") && info.contains(&all) {
                    break;
                }
                assert!(Instant::now() < deadline, "the cluster was not formed: {info}");
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        Self { nodes }
    }

    /// The cluster that the tests of a process share; it ends with the last of them.
    pub fn shared() -> Arc<Self> {
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(cluster) = shared.upgrade() {
            return cluster;
        }
        let cluster = Arc::new(Self::start());
        *shared = Arc::downgrade(&cluster);
        cluster
    }

    /// Where clients begin: two of the nodes.
    pub fn url(&self) -> String {
        let [first, second, ..] = self.nodes.as_slice() else { unreachable!("three nodes") };
        format!("redis+cluster://127.0.0.1:{},127.0.0.1:{}", first.port(), second.port())
    }

    /// The nodes.
    pub fn nodes(&self) -> &[RedisServer] {
        &self.nodes
    }
}

/// The answer of a server to a command in one line; all lines of a text.
fn ask(server: &RedisServer, command: &str) -> String {
    let attempt = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", server.port()))?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        stream.write_all(format!("{command}\r\n").as_bytes())?;
        let mut lines = BufReader::new(stream);
        let mut line = String::new();
        lines.read_line(&mut line)?;
        if let Some(length) = line.strip_prefix('$') {
            let mut left = length.trim().parse().unwrap_or(0_usize);
            line.clear();
            while left > 0 {
                let read = lines.read_line(&mut line)?;
                if read == 0 {
                    break;
                }
                left = left.saturating_sub(read);
            }
        }
        Ok(line)
    };
    let answer = attempt().unwrap_or_else(|error| panic!("{command} was not answered: {error}"));
    assert!(!answer.starts_with('-'), "{command}: {answer}");
    answer
}
