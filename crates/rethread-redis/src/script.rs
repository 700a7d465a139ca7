//! The Lua scripts, one atomic operation each.

use std::sync::LazyLock;

use redis::Cmd;

/// A script and the hash under which the server knows it.
#[derive(Debug)]
pub(crate) struct Script {
    code: &'static str,
    hash: String,
}

macro_rules! scripts {
    ($($name:ident = $file:literal),* $(,)?) => {
        $(pub(crate) static $name: LazyLock<Script> =
            LazyLock::new(|| Script::new(include_str!(concat!("scripts/", $file))));)*

        /// All scripts, to be loaded with a new connection.
        pub(crate) fn all() -> Vec<&'static Script> {
            vec![$(&*$name),*]
        }
    };
}

scripts! {
    ANNOUNCE_NODE = "announce_node.lua",
    ACQUIRE = "acquire.lua",
    RENEW = "renew.lua",
    RELEASE = "release.lua",
    SUBMIT = "submit.lua",
    COMMIT = "commit.lua",
    LOAD_THREAD = "load_thread.lua",
    READ_CHECKPOINT = "read_checkpoint.lua",
    LIST_CHECKPOINTS = "list_checkpoints.lua",
    FETCH = "fetch.lua",
    HAND_IN = "hand_in.lua",
    HEARTBEAT = "heartbeat.lua",
    ALIVE = "alive.lua",
    DESCRIBE_WORKER = "describe_worker.lua",
    LIST_WORKERS = "list_workers.lua",
    PARTITION_STATUS = "partition_status.lua",
    LIST_ORDERS = "list_orders.lua",
    FIND_ORDERS = "find_orders.lua",
    LIST_DEAD_LETTERS = "list_dead_letters.lua",
    RECLAIM = "reclaim.lua",
    GIVE_BACK = "give_back.lua",
    LOOK_UP_CACHE = "look_up_cache.lua",
    FILL_CACHE = "fill_cache.lua",
    ABANDON_CACHE = "abandon_cache.lua",
    CLEAR_CACHE = "clear_cache.lua",
    PUT_ITEM = "put_item.lua",
    READ_ITEM = "read_item.lua",
    DELETE_ITEM = "delete_item.lua",
    TOUCH_ITEM = "touch_item.lua",
    SCAN_ITEMS = "scan_items.lua",
    SWEEP_ITEMS = "sweep_items.lua",
    ITEM_NAMESPACES = "item_namespaces.lua",
}

impl Script {
    fn new(code: &'static str) -> Self {
        Self { code, hash: redis::Script::new(code).get_hash().to_owned() }
    }

    /// The command that loads the script.
    pub(crate) fn load(&self) -> Cmd {
        let mut cmd = redis::cmd("SCRIPT");
        cmd.arg("LOAD").arg(self.code);
        cmd
    }

    /// A call with these keys; arguments are to be appended.
    pub(crate) fn call<K: AsRef<str>>(&self, keys: &[K]) -> Cmd {
        self.call_with_capacity(keys, 8, 256)
    }

    /// The same with room for `args` arguments of `bytes` bytes together.
    pub(crate) fn call_with_capacity<K: AsRef<str>>(
        &self,
        keys: &[K],
        args: usize,
        bytes: usize,
    ) -> Cmd {
        let key_bytes: usize = keys.iter().map(|key| key.as_ref().len()).sum();
        let mut cmd = Cmd::with_capacity(keys.len() + args + 3, key_bytes + bytes + 64);
        cmd.arg("EVALSHA").arg(&self.hash).arg(keys.len());
        for key in keys {
            cmd.arg(key.as_ref());
        }
        cmd
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_script_says_what_it_is() {
        for script in all() {
            assert!(script.code.starts_with("#!lua"), "{}", script.code);
            for word in ["-- Guarantees:", "-- KEYS ", "-- ARGV ", "-- Return "] {
                assert!(script.code.contains(word), "{word} in {}", script.code);
            }
        }
    }
}
