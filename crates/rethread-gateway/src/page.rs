//! Lists in parts.

use std::borrow::Cow;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use crate::json::Whole;

/// How many there are in all, as far as is known.
const TOTAL: HeaderName = HeaderName::from_static("x-pagination-total");
/// The offset of the next part, if there is one.
const NEXT: HeaderName = HeaderName::from_static("x-pagination-next");

/// Most members of a part: 1 to 1,000, by default `DEFAULT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Whole")]
pub(crate) struct Limit<const DEFAULT: usize = 10>(usize);

/// The highest limit.
const LIMIT_MAX: usize = 1_000;

impl<const DEFAULT: usize> Limit<DEFAULT> {
    pub(crate) fn get(self) -> usize {
        self.0
    }
}

impl<const DEFAULT: usize> Default for Limit<DEFAULT> {
    fn default() -> Self {
        Self(DEFAULT)
    }
}

impl<const DEFAULT: usize> TryFrom<Whole> for Limit<DEFAULT> {
    type Error = String;

    fn try_from(Whole(limit): Whole) -> Result<Self, String> {
        let limit = usize::try_from(limit).ok().filter(|it| (1..=LIMIT_MAX).contains(it));
        limit.map(Self).ok_or_else(|| format!("must be from 1 to {LIMIT_MAX}"))
    }
}

impl<const DEFAULT: usize> JsonSchema for Limit<DEFAULT> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Limit".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "integer", "minimum": 1, "maximum": LIMIT_MAX, "default": DEFAULT,
            "description": "Most members of the answer.",
        })
    }
}

/// How many of the first are left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(try_from = "Whole")]
pub(crate) struct Offset(usize);

/// The highest offset: what a JavaScript number can say.
const OFFSET_MAX: u64 = (1 << 53) - 1;

impl Offset {
    pub(crate) fn get(self) -> usize {
        self.0
    }
}

impl TryFrom<Whole> for Offset {
    type Error = String;

    fn try_from(Whole(offset): Whole) -> Result<Self, String> {
        let offset = usize::try_from(offset).ok().filter(|_| offset <= OFFSET_MAX);
        offset.map(Self).ok_or_else(|| format!("must be from 0 to {OFFSET_MAX}"))
    }
}

impl JsonSchema for Offset {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Offset".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "integer", "minimum": 0, "maximum": OFFSET_MAX, "default": 0,
            "description": "How many of the first are left out.",
        })
    }
}

/// In which direction a list is sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(crate) enum SortOrder {
    Asc,
    #[default]
    Desc,
}

impl SortOrder {
    /// The order of two members in a list that is sorted so.
    pub(crate) fn apply(self, ascending: std::cmp::Ordering) -> std::cmp::Ordering {
        match self {
            Self::Asc => ascending,
            Self::Desc => ascending.reverse(),
        }
    }
}

/// A part of a list, with what is said about the rest of it.
#[derive(Debug)]
pub(crate) struct Page<T> {
    pub(crate) members: Vec<T>,
    total: usize,
    next: Option<usize>,
}

impl<T> Page<T> {
    /// The part of a list that is asked for.
    pub(crate) fn of(all: Vec<T>, limit: usize, Offset(offset): Offset) -> Self {
        let total = all.len();
        let members: Vec<T> = all.into_iter().skip(offset).take(limit).collect();
        let end = offset.saturating_add(members.len());
        Self { members, total, next: (end < total).then_some(end) }
    }

    /// The same part with other members, that are made of these.
    ///
    /// # Errors
    /// Those of `make`.
    pub(crate) async fn try_map<U, E>(
        self,
        make: impl AsyncFnOnce(Vec<T>) -> Result<Vec<U>, E>,
    ) -> Result<Page<U>, E> {
        let Self { members, total, next } = self;
        Ok(Page { members: make(members).await?, total, next })
    }

    /// The headers that tell about the rest.
    pub(crate) fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(TOTAL, HeaderValue::from(self.total));
        if let Some(next) = self.next {
            headers.insert(NEXT, HeaderValue::from(next));
        }
        headers
    }
}
