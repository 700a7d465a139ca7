//! Searches: a scan of everything under a prefix.

use rethread_core::store::{Item, Search};

use super::filter::Filter;
use super::hidden;
use super::index::Query;
use super::place;
use super::record::StoredItem;
use super::{Found, StoreEngine, StoreFailure};
use crate::Storage;

/// Items that are read at once.
const PAGE: usize = 100;

/// Candidates that are kept beyond the ones that are wanted before the worst are dropped.
const SPARE: usize = 256;

impl StoreEngine {
    pub(super) async fn search(
        &self,
        storage: &dyn Storage,
        search: Search,
    ) -> Result<Vec<Item>, StoreFailure> {
        let Search { prefix, filter, query, limit, offset, refresh_ttl } = search;
        let filter = Filter::new(&filter)?;
        let query = match (query, &self.index) {
            (None, _) => None,
            (Some(_), None) => return Err(StoreFailure::NoIndex),
            (Some(text), Some(index)) => Some(index.query(text).await?),
        };
        let mut ranking = Ranking::new(query, offset, limit);
        let leaves_hidden_out = hidden::are_left_out(&prefix);
        let mut has_jumped = false;
        let mut after = None;
        while limit > 0 && !ranking.is_full() {
            let page = storage.scan_items(&prefix, after.as_ref(), PAGE).await?;
            let Some((last, _)) = page.last() else { break };
            after = Some(last.clone());
            for (name, item) in page {
                if leaves_hidden_out && hidden::is_hidden(&name.namespace) {
                    if has_jumped {
                        continue;
                    }
                    // Those behind it in the page are hidden too, or read again.
                    (after, has_jumped) = (Some(hidden::behind_all()), true);
                    break;
                }
                if name.key == place::KEY {
                    continue;
                }
                let stored = StoredItem::read(&name, &item.record)?;
                if filter.passes(&stored.value) {
                    ranking.add(Found { name, stored, expires_at: item.expires_at });
                }
            }
        }
        let mut items = Vec::new();
        for (score, found) in ranking.finish() {
            if refresh_ttl {
                self.refresh(storage, &found).await?;
            }
            items.push(found.into_item(score));
        }
        Ok(items)
    }
}

/// The best candidates so far.
struct Ranking {
    query: Option<Query>,
    /// How many of the best are left out in the end.
    offset: usize,
    /// How many of the next that come are left out at once: without a query nothing that comes
    /// later can stand before them.
    skipped: usize,
    wanted: usize,
    /// In the order in which they came; sorted now and then.
    scored: Vec<(f32, Found)>,
    /// Those without a score stand behind all that have one, in the order in which they came.
    unscored: Vec<Found>,
}

impl Ranking {
    fn new(query: Option<Query>, offset: usize, limit: usize) -> Self {
        let (offset, skipped) = if query.is_some() { (offset, 0) } else { (0, offset) };
        let wanted = offset.saturating_add(limit);
        Self { query, offset, skipped, wanted, scored: Vec::new(), unscored: Vec::new() }
    }

    /// Whether nothing that comes can change it.
    fn is_full(&self) -> bool {
        self.query.is_none() && self.unscored.len() >= self.wanted
    }

    fn add(&mut self, mut found: Found) {
        if self.skipped > 0 {
            self.skipped -= 1;
            return;
        }
        let vectors = std::mem::take(&mut found.stored.vectors);
        match self.query.as_ref().and_then(|query| query.score(&vectors)) {
            Some(score) => {
                self.scored.push((score, found));
                if self.scored.len() >= self.wanted.saturating_mul(2).saturating_add(SPARE) {
                    self.drop_worst();
                }
            }
            None if self.unscored.len() < self.wanted => self.unscored.push(found),
            None => {}
        }
    }

    /// Equal scores stay in the order of namespace and key: the sort is stable.
    fn drop_worst(&mut self) {
        self.scored.sort_by(|(a, _), (b, _)| b.total_cmp(a));
        self.scored.truncate(self.wanted);
    }

    fn finish(mut self) -> impl Iterator<Item = (Option<f32>, Found)> {
        self.drop_worst();
        let scored = self.scored.into_iter().map(|(score, found)| (Some(score), found));
        let unscored = self.unscored.into_iter().map(|found| (None, found));
        scored.chain(unscored).take(self.wanted).skip(self.offset)
    }
}
