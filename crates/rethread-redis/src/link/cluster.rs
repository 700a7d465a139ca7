//! A cluster: which node has which slots, and commands that go to each.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use redis::{Cmd, ConnectionInfo, Value, cmd};
use rethread_storage::{Result, StorageError};
use tokio::time::Instant;

use super::address::{Settings, sibling};
use super::map::{Claim, Map, read_epochs};
use super::node::Node;
use super::slot::{SLOTS, key_of, slot_of};
use super::tail::{self, Tail, Written};
use super::{no_answer, pipeline};
use crate::error::{Effect, malformed};
use crate::reply;
use crate::script::Script;

/// How often a command is sent on; a slot moves once at a time.
const HOPS_MAX: usize = 5;
/// Shortest time between two looks at who has which slots, while that fails to help.
const LOOKS_APART: Duration = Duration::from_millis(100);

/// The nodes of a cluster.
#[derive(Debug)]
pub(super) struct Cluster {
    seeds: Vec<ConnectionInfo>,
    address: String,
    settings: Settings,
    // Nodes that were met, by address, so that their connections are kept.
    known: Mutex<HashMap<String, Arc<Node>>>,
    map: Mutex<Arc<Map<Node>>>,
    // Something was not where the map says.
    is_doubtful: AtomicBool,
    // Held while the map is made.
    looks: tokio::sync::Mutex<Option<Instant>>,
}

/// Where a node sent a command.
enum Elsewhere {
    Moved(String),
    // For this time only.
    Asked(String),
}

impl Cluster {
    pub(super) fn new(seeds: Vec<ConnectionInfo>, settings: &Settings) -> Result<Self> {
        let names: Vec<_> = seeds.iter().map(|seed| seed.addr().to_string()).collect();
        let address = format!("cluster {}", names.join(","));
        let mut known = HashMap::new();
        for seed in &seeds {
            let node = Node::of_cluster(seed.clone(), settings)?;
            known.insert(node.address().to_owned(), Arc::new(node));
        }
        Ok(Self::with(seeds, address, settings, known))
    }

    fn with(
        seeds: Vec<ConnectionInfo>,
        address: String,
        settings: &Settings,
        known: HashMap<String, Arc<Node>>,
    ) -> Self {
        Self {
            seeds,
            address,
            settings: settings.clone(),
            known: Mutex::new(known),
            map: Mutex::default(),
            is_doubtful: AtomicBool::new(true),
            looks: tokio::sync::Mutex::default(),
        }
    }

    /// The same cluster with connections of its own.
    pub(super) fn another(&self, settings: &Settings) -> Self {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = |(address, node): (&String, &Arc<Node>)| {
            (address.clone(), Arc::new(node.another(settings)))
        };
        let known = known.iter().map(fresh).collect();
        Self::with(self.seeds.clone(), self.address.clone(), settings, known)
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// The node that has the slot of this key, or any.
    pub(super) async fn node_of(&self, key: Option<&[u8]>) -> Result<Arc<Node>> {
        let map = self.map().await?;
        let slot = key.map_or(0, slot_of);
        map.node_of(slot).ok_or_else(|| StorageError::Unavailable {
            reason: format!("no node of the {} has slot {slot}", self.address),
        })
    }

    /// The nodes that have slots, each once.
    pub(super) async fn nodes(&self) -> Result<Vec<Arc<Node>>> {
        let map = self.map().await?;
        let by_address: BTreeMap<_, _> = map.nodes().map(|node| (node.address(), node)).collect();
        Ok(by_address.into_values().map(Arc::clone).collect())
    }

    /// The node that has the slot of this key; another if it does not answer.
    pub(super) async fn node_that_answers(&self, key: &[u8]) -> Result<Arc<Node>> {
        let mut failure = no_answer();
        let first = self.node_of(Some(key)).await?;
        for node in std::iter::once(first).chain(self.nodes().await?) {
            match node.send(&cmd("PING"), Effect::Read).await {
                Ok(_) => return Ok(node),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    /// Runs one command where this key is; the answer may be an error of the server.
    pub(super) async fn run(&self, key: Option<&[u8]>, cmd: &Cmd, effect: Effect) -> Result<Value> {
        let node = self.node_of(key).await?;
        let sent = node.send(cmd, effect).await;
        self.note(&sent);
        let value = match sent {
            // It was not run there, or is read anew: the slot may have another node by now.
            Err(StorageError::Unavailable { .. }) if effect == Effect::Read => {
                self.node_of(key).await?.send(cmd, effect).await?
            }
            sent => sent?,
        };
        match elsewhere(&value, node.address()) {
            None => Ok(value),
            Some(to) => {
                let tail = Tail::none();
                Ok(self.send_on(None, cmd, effect, &tail, to).await?.value)
            }
        }
    }

    /// Runs commands in one round trip for each node, each on its own.
    pub(super) async fn batch(
        &self,
        script: Option<&Script>,
        cmds: Vec<Cmd>,
        effect: Effect,
        tail: &Tail,
    ) -> Vec<Result<Written>> {
        let mut parts: BTreeMap<String, (Arc<Node>, Vec<usize>)> = BTreeMap::new();
        let mut answers: Vec<Option<Result<Written>>> = Vec::with_capacity(cmds.len());
        for (index, cmd) in cmds.iter().enumerate() {
            answers.push(match self.node_of(key_of(cmd)).await {
                Ok(node) => {
                    let part = parts.entry(node.address().to_owned());
                    part.or_insert_with(|| (node, Vec::new())).1.push(index);
                    None
                }
                Err(error) => Some(Err(error)),
            });
        }
        let sent = parts.values().map(|(node, indices)| {
            let cmds = indices.iter().map(|index| cmds[*index].clone()).collect();
            tail::send(node, script, cmds, effect, tail)
        });
        let sent = futures::future::join_all(sent).await;
        for ((node, indices), written) in parts.into_values().zip(sent) {
            self.note(&written);
            match written {
                Ok(written) => {
                    for (index, written) in indices.into_iter().zip(written) {
                        let to = elsewhere(&written.value, node.address());
                        answers[index] = Some(match to {
                            None => Ok(written),
                            Some(to) => self.send_on(script, &cmds[index], effect, tail, to).await,
                        });
                    }
                }
                Err(error) => {
                    for index in indices {
                        answers[index] = Some(Err(error.clone()));
                    }
                }
            }
        }
        answers.into_iter().map(|answer| answer.unwrap_or_else(|| Err(no_answer()))).collect()
    }

    /// Follows a command to where its slot is now. It was not run where it was sent to.
    async fn send_on(
        &self,
        script: Option<&Script>,
        call: &Cmd,
        effect: Effect,
        tail: &Tail,
        mut to: Elsewhere,
    ) -> Result<Written> {
        for _ in 0..HOPS_MAX {
            let (node, mut cmds) = match &to {
                Elsewhere::Moved(address) => {
                    self.is_doubtful.store(true, Ordering::Release);
                    (self.meet(address)?, Vec::new())
                }
                Elsewhere::Asked(address) => (self.meet(address)?, vec![cmd("ASKING")]),
            };
            if !cmds.is_empty()
                && let Some(script) = script
            {
                // `ASKING` holds for one command, so the script must be known by then.
                node.send(&script.load(), Effect::Read).await?;
            }
            cmds.push(call.clone());
            let written = tail::send(&node, script, cmds, effect, tail).await?.pop();
            let written = written.ok_or_else(no_answer)?;
            match elsewhere(&written.value, node.address()) {
                None => return Ok(written),
                Some(next) => to = next,
            }
        }
        Err(StorageError::Unavailable {
            reason: format!("the {} moves slots; try again", self.address),
        })
    }

    /// After trouble the slots of a node may be with another.
    fn note<T>(&self, outcome: &Result<T>) {
        let is_trouble =
            matches!(outcome, Err(StorageError::Unavailable { .. } | StorageError::Unknown { .. }));
        if is_trouble {
            self.is_doubtful.store(true, Ordering::Release);
        }
    }

    fn meet(&self, address: &str) -> Result<Arc<Node>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(node) = known.get(address) {
            return Ok(Arc::clone(node));
        }
        let what = "address of a node of the cluster";
        let (host, port) = address
            .rsplit_once(':')
            .and_then(|(host, port)| Some((host, port.parse().ok()?)))
            .ok_or_else(|| malformed(what, "it is not host:port"))?;
        let seed = self.seeds.first().ok_or_else(|| malformed(what, "no seed is known"))?;
        let node = Arc::new(Node::of_cluster(sibling(seed, host, port), &self.settings)?);
        known.insert(address.to_owned(), Arc::clone(&node));
        Ok(node)
    }

    fn current(&self) -> Arc<Map<Node>> {
        Arc::clone(&self.map.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn map(&self) -> Result<Arc<Map<Node>>> {
        if !self.is_doubtful.load(Ordering::Acquire) {
            return Ok(self.current());
        }
        let mut looks = self.looks.lock().await;
        let is_recent = looks.is_some_and(|at| at.elapsed() < LOOKS_APART);
        let current = self.current();
        if !self.is_doubtful.load(Ordering::Acquire) || is_recent && !current.is_empty() {
            return Ok(current);
        }
        *looks = Some(Instant::now());
        self.is_doubtful.store(false, Ordering::Release);
        match self.look().await {
            Ok(map) => {
                let map = Arc::new(map);
                *self.map.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&map);
                Ok(map)
            }
            Err(error) => {
                self.is_doubtful.store(true, Ordering::Release);
                // What was known may still hold for other slots.
                if current.is_empty() { Err(error) } else { Ok(current) }
            }
        }
    }

    /// Asks all nodes that are known. When they disagree, the latest claim to each slot counts.
    async fn look(&self) -> Result<Map<Node>> {
        let nodes: Vec<_> = {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.values().map(Arc::clone).collect()
        };
        let mut asks = pipeline(Vec::new());
        asks.cmd("CLUSTER").arg("SLOTS").cmd("CLUSTER").arg("NODES");
        let asked = nodes.iter().map(|node| node.send_all(&asks, Effect::Read));
        let answers = futures::future::join_all(asked).await;
        let mut failure = no_answer();
        let mut views = Vec::new();
        for (node, answer) in nodes.iter().zip(answers) {
            match answer.and_then(|answer| self.read_claims(answer, node)) {
                Ok(claims) => views.push(claims),
                Err(error) => failure = error,
            }
        }
        // A node that is cut off from the others may know of fewer slots. That decides where
        // epochs do not.
        views.sort_by_key(Vec::len);
        let map = Map::of(views.into_iter().flatten().collect());
        if map.is_empty() { Err(failure) } else { Ok(map) }
    }

    /// Who has which slots, as one node sees it.
    fn read_claims(&self, answer: Vec<Value>, asked: &Node) -> Result<Vec<Claim<Node>>> {
        let what = "slots of the cluster";
        let mut answer = answer.into_iter();
        let ranges = asked.checked(answer.next().ok_or_else(no_answer)?)?;
        let nodes = asked.checked(answer.next().ok_or_else(no_answer)?)?;
        let nodes = reply::text(nodes, what)?;
        let epochs = read_epochs(&nodes);
        let mut claims = Vec::new();
        for range in reply::array(ranges, what)? {
            let mut parts = reply::array(range, what)?.into_iter();
            let mut next = || parts.next().unwrap_or_default();
            let mut slot = || -> Result<u16> {
                let slot = u16::try_from(reply::number(next(), what)?).ok();
                slot.filter(|slot| *slot < SLOTS).ok_or_else(|| malformed(what, "no such slot"))
            };
            let (first, last) = (slot()?, slot()?);
            let mut primary = reply::array(next(), what)?.into_iter();
            let mut next = || primary.next().unwrap_or_default();
            let host = reply::optional_bytes(next(), what)?.unwrap_or_default();
            let port = reply::number(next(), what)?;
            let id = reply::text(next(), what)?;
            let host = match String::from_utf8_lossy(&host) {
                // It does not know its own name, or does not tell.
                host if host.is_empty() || host == "?" => host_of(asked.address()).to_owned(),
                host => host.into_owned(),
            };
            let node = self.meet(&format!("{host}:{port}"))?;
            let epoch = epochs.get(&*id).copied().unwrap_or_default();
            claims.push(Claim { first, last, epoch, node });
        }
        Ok(claims)
    }
}

fn host_of(address: &str) -> &str {
    address.rsplit_once(':').map_or(address, |(host, _)| host)
}

/// Whether a node sent the command elsewhere: `MOVED 3999 host:port`, the host may be missing.
fn elsewhere(value: &Value, asked: &str) -> Option<Elsewhere> {
    let Value::ServerError(error) = value else { return None };
    let is_moved = match error.code() {
        "MOVED" => true,
        "ASK" => false,
        _ => return None,
    };
    let address = error.details()?.split(' ').nth(1)?;
    let address = match address.strip_prefix(':') {
        Some(port) => format!("{}:{port}", host_of(asked)),
        None => address.to_owned(),
    };
    Some(if is_moved { Elsewhere::Moved(address) } else { Elsewhere::Asked(address) })
}
