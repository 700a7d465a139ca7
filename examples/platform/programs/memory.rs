//! What all threads know about a person.

use rethread::prelude::*;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Visit {
    pub user: String,
    /// What to remember of the person.
    #[serde(default)]
    pub remember: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Memory {
    text: String,
}

/// All that is remembered of the person, sorted.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Memories {
    pub memories: Vec<String>,
}

#[entrypoint]
pub(crate) async fn memory_store(visit: Visit, store: Store) -> Result<Memories> {
    let namespace = ["memories".to_owned(), visit.user];
    if let Some(text) = visit.remember {
        let key = random::<Uuid>()?.to_string();
        store.put(&namespace, key, &Memory { text }).await?;
    }
    let found = store.search(&namespace).limit(1000).items::<Memory>().await?;
    let mut memories: Vec<String> = found.into_iter().map(|item| item.value.text).collect();
    memories.sort();
    Ok(Memories { memories })
}
