//! The cache: values in groups, and who makes a value that is not there.
//!
//! An entry that expires is a key of its own, which Redis removes when its time is over. It is
//! stamped with the generation of its group: clearing a group starts a new generation, and
//! entries of older ones are not found any more and go when they expire. Entries that do not
//! expire would never go in this way, so all those of a group are one hash, which a clear unlinks.
//! Clearing so takes one short script for each group, and no list of the entries has to be kept.
//!
//! Groups are few (one for each task): those that have had values are listed, and a clear of all
//! goes through the list.

use std::time::Duration;

use bytes::Bytes;
use redis::{Value, cmd};
use rethread_storage::names::PROGRESS_GROUP;
use rethread_storage::{CacheKey, CacheLookup, Result};

use crate::error::{Effect, malformed};
use crate::keys::GroupKeys;
use crate::lease::millis;
use crate::link::After;
use crate::{RedisStorage, reply, script};

impl RedisStorage {
    pub(crate) async fn look_up(
        &self,
        key: &CacheKey,
        holder: &str,
        hold: Duration,
    ) -> Result<CacheLookup> {
        key.check()?;
        let group = self.keys().cache(&key.group);
        let mut call = script::LOOK_UP_CACHE.call(&entry_keys(&group, key));
        call.arg(&key.entry[..]).arg(holder).arg(millis(hold).max(1));
        // Asking twice gives the same holder the same duty.
        match self.link.eval(&script::LOOK_UP_CACHE, &call, Effect::Read).await? {
            Value::Int(1) => Ok(CacheLookup::Vacant),
            Value::Int(0) => Ok(CacheLookup::Filling),
            value => Ok(CacheLookup::Hit(reply::bytes(value, "value of the cache")?)),
        }
    }

    pub(crate) async fn fill(
        &self,
        key: &CacheKey,
        value: &Bytes,
        ttl: Option<Duration>,
    ) -> Result<()> {
        key.check()?;
        if self.store_value(key, value, ttl, false).await? {
            return Ok(());
        }
        // Before its first value, so that a clear of all finds every group that has one.
        let mut list = cmd("SADD");
        list.arg(self.keys().cache_groups()).arg(&key.group);
        self.link.run(&list, Effect::Write).await?;
        self.store_value(key, value, ttl, true).await?;
        Ok(())
    }

    async fn store_value(
        &self,
        key: &CacheKey,
        value: &Bytes,
        ttl: Option<Duration>,
        is_listed: bool,
    ) -> Result<bool> {
        let group = self.keys().cache(&key.group);
        let keys = entry_keys(&group, key);
        let bytes = key.entry.len() + value.len() + 32;
        let mut call = script::FILL_CACHE.call_with_capacity(&keys, 4, bytes);
        call.arg(&key.entry[..]).arg(&value[..]);
        match ttl {
            // Of a value that is kept for no time, the server keeps none.
            Some(ttl) => call.arg(millis(ttl)),
            None => call.arg(""),
        };
        call.arg(u8::from(is_listed));
        match self.link.eval(&script::FILL_CACHE, &call, Effect::Write).await? {
            Value::Int(stored) => Ok(stored == 1),
            _ => Err(malformed("answer to a filled cache", "it is not a number")),
        }
    }

    pub(crate) async fn abandon(&self, key: &CacheKey, holder: &str) -> Result<()> {
        let mut call =
            script::ABANDON_CACHE.call(&[self.keys().cache(&key.group).holder(&key.entry)]);
        call.arg(holder);
        self.link.eval(&script::ABANDON_CACHE, &call, Effect::Write).await?;
        Ok(())
    }

    pub(crate) async fn clear(&self, group: Option<&str>) -> Result<()> {
        let clear = |group: &str| {
            let keys = self.keys().cache(group);
            script::CLEAR_CACHE.call(&[keys.generation, keys.lasting])
        };
        let calls = match group {
            Some(group) => vec![clear(group)],
            None => {
                let mut list = cmd("SMEMBERS");
                list.arg(self.keys().cache_groups());
                let answer = self.link.run(&list, Effect::Read).await?;
                let what = "groups of the cache";
                let mut calls = Vec::new();
                for group in reply::array(answer, what)? {
                    let group = reply::text(group, what)?;
                    if group != PROGRESS_GROUP {
                        calls.push(clear(&group));
                    }
                }
                calls
            }
        };
        let answers = self.link.write_all(&script::CLEAR_CACHE, calls, After::NOTHING).await?;
        answers.into_iter().try_for_each(|answer| answer?.done().map(drop))
    }
}

fn entry_keys(group: &GroupKeys, key: &CacheKey) -> [String; 4] {
    [
        group.generation.clone(),
        group.lasting.clone(),
        group.value(&key.entry),
        group.holder(&key.entry),
    ]
}
