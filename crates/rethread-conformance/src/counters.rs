//! Side-effect counters: what really happened in bodies, seen from outside of the engine.

use std::collections::{BTreeMap, HashMap};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

/// The counters of one case, shared by all its bodies. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Counters(Place);

#[derive(Debug, Clone)]
enum Place {
    Here(Arc<Mutex<Counts>>),
    /// Another process holds them.
    There(Arc<Mutex<BufReader<TcpStream>>>),
}

/// By how much each counter has grown.
pub(crate) type Totals = BTreeMap<String, u64>;

#[derive(Debug, Default)]
struct Counts {
    totals: Totals,
    /// What was given for a key before.
    given: HashMap<String, u64>,
}

impl Counts {
    fn once(&mut self, key: &str, act: impl FnOnce(&mut Totals) -> u64) -> u64 {
        if key.is_empty() {
            return act(&mut self.totals);
        }
        if let Some(given) = self.given.get(key) {
            return *given;
        }
        let value = act(&mut self.totals);
        self.given.insert(key.to_owned(), value);
        value
    }

    fn add(&mut self, name: &str, key: &str) -> u64 {
        self.once(key, |totals| {
            let total = totals.entry(name.to_owned()).or_default();
            *total += 1;
            *total
        })
    }

    fn read(&mut self, name: &str, key: &str) -> u64 {
        self.once(key, |totals| totals.get(name).copied().unwrap_or_default())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Default for Counters {
    fn default() -> Self {
        Self(Place::Here(Arc::default()))
    }
}

impl Counters {
    /// Those that [`Counters::serve`] offers at this address.
    ///
    /// # Errors
    /// When there is no connection to be had.
    pub(crate) fn connect(address: &str) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Self(Place::There(Arc::new(Mutex::new(BufReader::new(stream))))))
    }

    /// Offers them to other processes for as long as this one lives; gives the address.
    ///
    /// # Errors
    /// When no port is to be had.
    pub(crate) fn serve(&self) -> std::io::Result<String> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?.to_string();
        let counters = self.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let counters = counters.clone();
                // A client that goes away in the middle of a line was killed; nothing is lost.
                thread::spawn(move || drop(answer(stream, &counters)));
            }
        });
        Ok(address)
    }

    /// Adds one. With a key that was used before it changes nothing.
    ///
    /// # Errors
    /// When the process that holds them cannot be reached.
    pub(crate) fn add(&self, name: &str, key: &str) -> Result<(), String> {
        self.ask('+', name, key).map(drop)
    }

    /// Reads one. With a key that was used before it gives what it gave then.
    ///
    /// # Errors
    /// When the process that holds them cannot be reached.
    pub(crate) fn read(&self, name: &str, key: &str) -> Result<u64, String> {
        self.ask('?', name, key)
    }

    /// All of them, if they are held here.
    pub(crate) fn totals(&self) -> Totals {
        match &self.0 {
            Place::Here(counts) => lock(counts).totals.clone(),
            Place::There(_) => Totals::new(),
        }
    }

    fn ask(&self, verb: char, name: &str, key: &str) -> Result<u64, String> {
        match &self.0 {
            Place::Here(counts) if verb == '+' => Ok(lock(counts).add(name, key)),
            Place::Here(counts) => Ok(lock(counts).read(name, key)),
            Place::There(stream) => {
                let mut stream = lock(stream);
                let mut answer = String::new();
                let line = format!("{verb}{name}\t{key}\n");
                let spoken = stream
                    .get_mut()
                    .write_all(line.as_bytes())
                    .and_then(|()| stream.read_line(&mut answer));
                spoken.map_err(|error| format!("the counters cannot be reached: {error}"))?;
                answer.trim().parse().map_err(|_| format!("the counters answered `{answer}`"))
            }
        }
    }
}

fn answer(stream: TcpStream, counters: &Counters) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    while stream.read_line(&mut line)? > 0 {
        let (asked, key) = line.trim_end_matches('\n').split_once('\t').unwrap_or_default();
        let mut letters = asked.chars();
        let verb = letters.next().unwrap_or_default();
        let value = counters.ask(verb, letters.as_str(), key).unwrap_or_default();
        stream.get_mut().write_all(format!("{value}\n").as_bytes())?;
        line.clear();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(counters: &Counters) {
        counters.add("a b", "").expect("adds");
        counters.add("a b", "k").expect("adds");
        counters.add("a b", "k").expect("changes nothing");
        assert_eq!(counters.read("a b", "r"), Ok(2));
        counters.add("a b", "").expect("adds");
        assert_eq!(counters.read("a b", "r"), Ok(2), "as before");
        assert_eq!(counters.read("a b", ""), Ok(3));
        assert_eq!(counters.read("none", ""), Ok(0));
    }

    #[test]
    fn counts_here_and_from_elsewhere() {
        check(&Counters::default());
        let counters = Counters::default();
        let address = counters.serve().expect("an address");
        check(&Counters::connect(&address).expect("a connection"));
        assert_eq!(counters.totals(), Totals::from([("a b".to_owned(), 3)]));
    }
}
