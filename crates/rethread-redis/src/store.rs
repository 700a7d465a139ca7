//! The store: records under names, read in the order of the names.
//!
//! The names are one sorted set, in their sortable form, so a scan begins where its prefix does and
//! goes on behind any name, and a listing of namespaces jumps from one to the next. Records and
//! times of expiry stand beside it, by name.
//!
//! What has expired is never answered. It is removed by puts, some with each, and after a
//! scan or a listing that came upon it.

use redis::{Cmd, Value};
use rethread_core::ids::Millis;
use rethread_core::store::Namespace;
use rethread_storage::{ItemName, ItemRecord, Result};

use crate::error::{Effect, malformed};
use crate::link::After;
use crate::script::Script;
use crate::{RedisStorage, reply, script};

/// Most names that one script looks at: it holds up all others of the server meanwhile.
const PAGE: usize = 1000;
/// Size of an answer after which a scan stops; the last record may exceed it.
const PAGE_BYTES: usize = 8 << 20;

impl RedisStorage {
    pub(crate) async fn put(&self, name: &ItemName, record: &ItemRecord) -> Result<()> {
        name.check()?;
        let name = name.to_sortable();
        let bytes = name.len() + record.record.len() + 32;
        let mut call = script::PUT_ITEM.call_with_capacity(&self.all_store_keys(), 3, bytes);
        call.arg(name).arg(&record.record[..]);
        match record.expires_at {
            Some(Millis(at)) => call.arg(at),
            None => call.arg(""),
        };
        self.link.write(&script::PUT_ITEM, &call, After::ACKNOWLEDGED).await?.done()?;
        Ok(())
    }

    pub(crate) async fn get(&self, name: &ItemName) -> Result<Option<ItemRecord>> {
        let keys = self.keys().store();
        let mut call = script::READ_ITEM.call(&[&keys.records, &keys.expiries]);
        call.arg(name.to_sortable());
        let answer = self.link.eval(&script::READ_ITEM, &call, Effect::Read).await?;
        let mut parts = reply::array(answer, ITEM)?.into_iter();
        match (parts.next(), parts.next()) {
            (Some(record), expiry) => Ok(Some(item(record, expiry.unwrap_or_default())?)),
            (None, _) => Ok(None),
        }
    }

    pub(crate) async fn delete(&self, name: &ItemName) -> Result<()> {
        let mut call = script::DELETE_ITEM.call(&self.all_store_keys());
        call.arg(name.to_sortable());
        self.link.write(&script::DELETE_ITEM, &call, After::ACKNOWLEDGED).await?.done()?;
        Ok(())
    }

    pub(crate) async fn touch(&self, name: &ItemName, Millis(expires_at): Millis) -> Result<()> {
        let keys = self.keys().store();
        let mut call = script::TOUCH_ITEM.call(&[&keys.records, &keys.expiries]);
        call.arg(name.to_sortable()).arg(expires_at);
        self.link.eval(&script::TOUCH_ITEM, &call, Effect::Write).await?;
        Ok(())
    }

    pub(crate) async fn scan(
        &self,
        prefix: &[String],
        after: Option<&ItemName>,
        max: usize,
    ) -> Result<Vec<(ItemName, ItemRecord)>> {
        let mut items = Vec::new();
        let Some((mut from, to)) = bounds(prefix) else { return Ok(items) };
        if let Some(after) = after.map(ItemName::to_sortable)
            && after[..] >= from[1..]
        {
            from = behind(&after);
        }
        while items.len() < max {
            let mut call = script::SCAN_ITEMS.call(&self.all_store_keys());
            call.arg(&from).arg(&to).arg(PAGE.min(max - items.len())).arg(PAGE_BYTES);
            let mut page = self.page(&script::SCAN_ITEMS, &call).await?;
            let mut bytes = 0;
            while let Some(name) = page.found.next() {
                let mut next = || page.found.next().unwrap_or_default();
                let name = reply::bytes(name, ITEM)?;
                let record = item(next(), next())?;
                bytes += name.len() + record.record.len();
                items.push((item_name(&name)?, record));
            }
            match page.position {
                Some(last) if bytes < PAGE_BYTES => from = behind(&last),
                _ => break,
            }
        }
        Ok(items)
    }

    pub(crate) async fn namespaces(&self, prefix: &[String]) -> Result<Vec<Namespace>> {
        let mut namespaces = Vec::new();
        let Some((mut from, to)) = bounds(prefix) else { return Ok(namespaces) };
        let keys = self.keys().store();
        loop {
            let mut call = script::ITEM_NAMESPACES.call(&[&keys.names, &keys.expiries]);
            call.arg(&from).arg(&to).arg(PAGE);
            let page = self.page(&script::ITEM_NAMESPACES, &call).await?;
            for name in page.found {
                namespaces.push(item_name(&reply::bytes(name, ITEM)?)?.namespace);
            }
            match page.position {
                Some(next) => from = next.into(),
                None => return Ok(namespaces),
            }
        }
    }

    /// Reads one page, and removes what was found to have expired.
    async fn page(&self, script: &Script, call: &Cmd) -> Result<Page> {
        let answer = self.link.eval(script, call, Effect::Read).await?;
        let mut found = reply::array(answer, ITEM)?.into_iter();
        let position = reply::optional_bytes(found.next().unwrap_or_default(), ITEM)?;
        let expired = reply::number(found.next().unwrap_or_default(), ITEM)?;
        if expired > 0 {
            let mut sweep = script::SWEEP_ITEMS.call(&self.all_store_keys());
            sweep.arg(PAGE);
            // The read has succeeded; what could not be removed is removed later.
            if let Err(error) = self.link.eval(&script::SWEEP_ITEMS, &sweep, Effect::Read).await {
                tracing::debug!(%error, "expired items of the store are still there");
            }
        }
        Ok(Page { position, found })
    }

    fn all_store_keys(&self) -> [&str; 3] {
        let keys = self.keys().store();
        [&keys.names, &keys.records, &keys.expiries]
    }
}

const ITEM: &str = "item of the store";

/// A part of what is read in order.
struct Page {
    /// From where to go on; none at the end.
    position: Option<bytes::Bytes>,
    found: std::vec::IntoIter<Value>,
}

/// Bounds of the names under a prefix, as `ZRANGE BYLEX` takes them; none if no namespace can
/// begin with it.
fn bounds(prefix: &[String]) -> Option<(Vec<u8>, Vec<u8>)> {
    // An empty label would read as the end of the labels.
    if prefix.iter().any(String::is_empty) {
        return None;
    }
    let prefix = ItemName::sortable_prefix(prefix);
    // What goes on behind a label is UTF-8 or an end, and neither begins with this byte.
    Some(([b"[", &prefix[..]].concat(), [b"(", &prefix[..], b"\xff"].concat()))
}

/// The bound behind a name.
fn behind(name: &[u8]) -> Vec<u8> {
    [b"(", name].concat()
}

fn item_name(bytes: &[u8]) -> Result<ItemName> {
    ItemName::from_sortable(bytes)
        .ok_or_else(|| malformed(ITEM, format!("`{}` is not a name", bytes.escape_ascii())))
}

fn item(record: Value, expiry: Value) -> Result<ItemRecord> {
    let expires_at = match expiry {
        Value::Nil => None,
        expiry => Some(Millis(reply::number(expiry, ITEM)?)),
    };
    Ok(ItemRecord { record: reply::bytes(record, ITEM)?, expires_at })
}
