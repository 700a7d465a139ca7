//! Lists of threads.
//!
//! The records are read first. What the engine knows is read of those that they leave over, and
//! only if the list is filtered or sorted by it; values are read last, of what is shown.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::Value;
use uuid::Uuid;

use super::known::find;
use super::look::Look;
use super::model::{Thread, ThreadCount, ThreadMember, ThreadSearch, ThreadSortBy, ThreadStatus};
use crate::caller::{Caller, Tenant};
use crate::error::{ApiError, ApiResult};
use crate::extract::Body;
use crate::json::{JsonPath, Listed, Object, Partial};
use crate::page::Page;
use crate::records::{ActiveRun, ThreadRecord};
use crate::shared::Shared;

/// How many threads are looked at at the same time.
const AT_ONCE: usize = 32;
/// Most paths of `extract`.
const PATHS_MAX: usize = 10;

pub(super) async fn search(
    State(shared): State<Shared>,
    Caller { tenant }: Caller,
    Body(search): Body<ThreadSearch>,
) -> ApiResult<(HeaderMap, Listed)> {
    let ThreadSearch { ids, filter, limit, offset, sort_by, sort_order, select, extract } = search;
    let extract = extract.unwrap_or_default();
    if extract.len() > PATHS_MAX {
        return Err(ApiError::invalid(format_args!("extract: at most {PATHS_MAX} paths")));
    }
    let source = Source { shared: &shared, tenant: &tenant };
    let records = source.records(ids.map(|ids| ids.0), &filter).await?;
    let order = |a: &ThreadRecord, b: &ThreadRecord, ascending| {
        sort_order.apply(ascending).then(a.thread_id.cmp(&b.thread_id))
    };
    let page = if filter.asks_the_engine() || sort_by.asks_the_engine() {
        let mut found = source.matching(records, &filter).await?;
        found.sort_by(|(a, _), (b, _)| {
            let ascending = match sort_by {
                ThreadSortBy::ThreadId => a.record.thread_id.cmp(&b.record.thread_id),
                ThreadSortBy::Status => a.status.cmp(&b.status),
                ThreadSortBy::CreatedAt => a.record.created_at.cmp(&b.record.created_at),
                ThreadSortBy::UpdatedAt => a.updated_at().cmp(&b.updated_at()),
                ThreadSortBy::StateUpdatedAt => a.state_updated_at().cmp(&b.state_updated_at()),
            };
            order(&a.record, &b.record, ascending)
        });
        Page::of(found, limit.get(), offset)
    } else {
        let mut records = records;
        records.sort_by(|a, b| {
            let ascending = match sort_by {
                ThreadSortBy::ThreadId => a.thread_id.cmp(&b.thread_id),
                _ => a.created_at.cmp(&b.created_at),
            };
            order(a, b, ascending)
        });
        let page = Page::of(records, limit.get(), offset);
        page.try_map(async |records| source.looks(records).await).await?
    };
    let headers = page.headers();
    let needs_values = select.as_ref().is_none_or(|it| it.contains(&ThreadMember::Values))
        || extract.values().any(|path| path.root() == "values");
    let shown = stream::iter(page.members).map(async |(look, values)| {
        let values = match values {
            Some(values) => values,
            None if needs_values => look.values(source.shared, source.tenant).await?,
            None => Value::Null,
        };
        part(&look.show(values), select.as_deref(), &extract)
    });
    let mut shown = Box::pin(shown.buffered(AT_ONCE));
    let mut list = Listed::plain(shared.options().answer_bytes_max);
    while let Some(part) = shown.next().await {
        list.push(&part?)?;
    }
    drop(shown);
    Ok((headers, list))
}

pub(super) async fn count(
    State(shared): State<Shared>,
    Caller { tenant }: Caller,
    Body(filter): Body<ThreadCount>,
) -> ApiResult<Json<usize>> {
    let source = Source { shared: &shared, tenant: &tenant };
    let records = source.records(None, &filter).await?;
    let count = match filter.asks_the_engine() {
        true => source.matching(records, &filter).await?.len(),
        false => records.len(),
    };
    Ok(Json(count))
}

/// What is shown of a thread.
fn part(
    thread: &Thread,
    select: Option<&[ThreadMember]>,
    extract: &BTreeMap<String, JsonPath>,
) -> ApiResult<Partial<Thread>> {
    let mut part = Partial::select(thread, select)?;
    if !extract.is_empty() {
        let whole = serde_json::to_value(thread)?;
        let found = extract
            .iter()
            .map(|(alias, path)| (alias.clone(), path.find(&whole).cloned().unwrap_or_default()));
        part.insert("extracted", found.collect::<Object>());
    }
    Ok(part)
}

impl ThreadSortBy {
    fn asks_the_engine(self) -> bool {
        matches!(self, Self::Status | Self::UpdatedAt | Self::StateUpdatedAt)
    }
}

impl ThreadCount {
    fn asks_the_engine(&self) -> bool {
        self.status.is_some() || self.values.is_some()
    }

    fn admits_record(&self, record: &ThreadRecord) -> bool {
        self.metadata.is_met_by(&record.metadata)
    }

    fn admits_status(&self, status: ThreadStatus) -> bool {
        self.status.is_none_or(|wanted| wanted == status)
    }
}

/// Where the threads of a list come from.
#[derive(Clone, Copy)]
struct Source<'s> {
    shared: &'s Shared,
    tenant: &'s Tenant,
}

/// A thread, and its values if they had to be read.
type Found = (Look, Option<Value>);

impl Source<'_> {
    /// The records that a filter admits.
    async fn records(
        self,
        ids: Option<Vec<Uuid>>,
        filter: &ThreadCount,
    ) -> ApiResult<Vec<ThreadRecord>> {
        let mut records = match ids {
            None => self.shared.records().threads(self.tenant).list().await?,
            Some(mut ids) => {
                ids.sort_unstable();
                ids.dedup();
                let found = stream::iter(ids).map(|id| find(self.shared, self.tenant, id));
                let found: Vec<_> = found.buffered(AT_ONCE).try_collect().await?;
                found.into_iter().flatten().collect()
            }
        };
        records.retain(|record| filter.admits_record(record));
        Ok(records)
    }

    /// Those of them that the rest of a filter admits.
    async fn matching(
        self,
        records: Vec<ThreadRecord>,
        filter: &ThreadCount,
    ) -> ApiResult<Vec<Found>> {
        let mut found = self.looks(records).await?;
        found.retain(|(look, _)| filter.admits_status(look.status));
        let Some(wanted) = &filter.values else { return Ok(found) };
        let with_values = stream::iter(found).map(async |(look, _)| {
            let values = look.values(self.shared, self.tenant).await?;
            ApiResult::Ok((look, Some(values)))
        });
        let mut found: Vec<_> = with_values.buffered(AT_ONCE).try_collect().await?;
        found.retain(|(_, values)| values.as_ref().is_some_and(|it| wanted.is_met_by(it)));
        Ok(found)
    }

    /// How these threads stand.
    async fn looks(self, records: Vec<ThreadRecord>) -> ApiResult<Vec<Found>> {
        let mut marks = self.marks(records.len()).await?;
        let looks = stream::iter(records).map(|record| {
            let own = marks.as_mut().map(|all| all.remove(&record.thread_id).unwrap_or_default());
            async move {
                let look = match own {
                    Some(own) => Look::with_marks(self.shared, self.tenant, record, own).await?,
                    None => Look::at(self.shared, self.tenant, record).await?,
                };
                Ok((look, None))
            }
        });
        looks.buffered(AT_ONCE).try_collect().await
    }

    /// The runs in progress of all threads, by thread, if many threads are looked at.
    async fn marks(self, threads: usize) -> ApiResult<Option<BTreeMap<Uuid, Vec<ActiveRun>>>> {
        const FEW: usize = 3;
        if threads <= FEW {
            return Ok(None);
        }
        let mut by_thread = BTreeMap::<Uuid, Vec<ActiveRun>>::new();
        for mark in self.shared.records().all_active(self.tenant).list().await? {
            by_thread.entry(mark.thread_id).or_default().push(mark);
        }
        Ok(Some(by_thread))
    }
}
