//! Search by meaning: texts become vectors when items are put, and vectors are compared when they
//! are searched for.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use rethread_core::failure::Failure;
use rethread_core::payload::Payload;

use super::StoreFailure;
use super::path::Path;
use super::value::Value;

/// Turns texts into vectors whose directions tell how near their meanings are.
///
/// [`Embed::embed`] is written as an `async fn`; [`StoreIndex::from_fn`] takes a closure instead.
pub trait Embed: Send + Sync + 'static {
    /// What may go wrong: `rethread::Error`, or another error that is recorded as a [`Failure`].
    type Error: Into<Failure>;

    /// The length of its vectors.
    fn dimensions(&self) -> usize;

    /// One vector for each text, in their order.
    ///
    /// # Errors
    /// What the put or the search shall fail with.
    ///
    /// # Cancel safety
    /// The future may be dropped at any time, when nobody waits for its vectors any more.
    fn embed(
        &self,
        texts: Vec<String>,
    ) -> impl Future<Output = Result<Vec<Vec<f32>>, Self::Error>> + Send;
}

/// [`Embed`] without its types.
trait Embedder: Send + Sync {
    fn dimensions(&self) -> usize;

    fn embed(&self, texts: Vec<String>) -> BoxFuture<'_, Result<Vec<Vec<f32>>, Failure>>;
}

impl<E: Embed> Embedder for E {
    fn dimensions(&self) -> usize {
        Embed::dimensions(self)
    }

    fn embed(&self, texts: Vec<String>) -> BoxFuture<'_, Result<Vec<Vec<f32>>, Failure>> {
        Box::pin(async move { Embed::embed(self, texts).await.map_err(Into::into) })
    }
}

/// A closure that makes vectors of this length.
struct FromFn<F> {
    dimensions: usize,
    embed: F,
}

impl<F, Fut, E> Embed for FromFn<F>
where
    F: Fn(Vec<String>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Vec<Vec<f32>>, E>> + Send,
    E: Into<Failure>,
{
    type Error = E;

    fn dimensions(&self) -> usize {
        self.dimensions
    }

    fn embed(&self, texts: Vec<String>) -> impl Future<Output = Result<Vec<Vec<f32>>, E>> + Send {
        (self.embed)(texts)
    }
}

type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// How a store is indexed.
///
/// The vectors of an item are stored with it. Items that were put without this index, or with one
/// of other dimensions, have no score until they are put again.
#[derive(Clone)]
pub struct StoreIndex {
    embedder: Arc<dyn Embedder>,
    fields: Vec<Path>,
}

impl StoreIndex {
    /// Indexes whole values.
    pub fn new(embedder: impl Embed) -> Self {
        Self { embedder: Arc::new(embedder), fields: vec![Path::parse("$")] }
    }

    /// Indexes whole values by what an async closure makes of texts: for each one a vector of this
    /// length, in their order. As [`StoreIndex::new`] with an [`Embed`] that keeps nothing else.
    pub fn from_fn<F, Fut, E>(dimensions: usize, embed: F) -> Self
    where
        F: Fn(Vec<String>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Vec<Vec<f32>>, E>> + Send + 'static,
        E: Into<Failure> + 'static,
    {
        Self::new(FromFn { dimensions, embed })
    }

    /// Indexes these parts of values instead, each on its own; the best one counts.
    ///
    /// `$` is the whole value, `author.name` an entry of an entry, `chapters[*].text` an entry of
    /// each element of a list, `chapters[-1]` the last element, `tags.*` every entry. Parts that
    /// a value does not have are left out.
    #[must_use]
    pub fn fields<F: AsRef<str>>(mut self, fields: impl IntoIterator<Item = F>) -> Self {
        self.fields = fields.into_iter().map(|field| Path::parse(field.as_ref())).collect();
        self
    }

    /// The vectors of a value, in the form in which they are stored.
    pub(super) async fn vectors_of(&self, value: &Payload) -> Result<Vec<Bytes>, StoreFailure> {
        // The value is known to be a map; a part that cannot be read is left out like one that is
        // not there.
        let Ok(value) = Value::decode(value) else { return Ok(Vec::new()) };
        let texts: Vec<_> = self.fields.iter().flat_map(|field| field.texts(&value)).collect();
        let vectors = self.embed(texts).await?;
        Ok(vectors.iter().map(|vector| to_bytes(vector)).collect())
    }

    /// What candidates are compared with.
    pub(super) async fn query(&self, text: String) -> Result<Query, StoreFailure> {
        let vectors = self.embed(vec![text]).await?;
        let vector = vectors.into_iter().next().unwrap_or_default();
        Ok(Query { norm: norm(vector.iter().copied()), vector })
    }

    async fn embed(&self, texts: Vec<String>) -> Result<Vec<Vec<f32>>, StoreFailure> {
        if texts.is_empty() {
            return Ok(Vec::new());
        }
        let count = texts.len();
        let vectors = self.embedder.embed(texts).await.map_err(StoreFailure::Embedding)?;
        if vectors.len() != count {
            return Err(StoreFailure::Vectors {
                found: format!("{} vectors", vectors.len()),
                expected: count.to_string(),
            });
        }
        let dimensions = self.embedder.dimensions();
        match vectors.iter().find(|vector| vector.len() != dimensions) {
            None => Ok(vectors),
            Some(odd) => Err(StoreFailure::Vectors {
                found: format!("a vector of {} dimensions", odd.len()),
                expected: dimensions.to_string(),
            }),
        }
    }
}

impl fmt::Debug for StoreIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dimensions = self.embedder.dimensions();
        f.debug_struct("StoreIndex")
            .field("dimensions", &dimensions)
            .field("fields", &self.fields)
            .finish_non_exhaustive()
    }
}

/// The vector of the text of a search.
#[derive(Debug)]
pub(super) struct Query {
    vector: Vec<f32>,
    norm: f32,
}

impl Query {
    /// The cosine of the angle to the nearest of these vectors; none if there is nothing to
    /// compare.
    pub(super) fn score(&self, vectors: &[Bytes]) -> Option<f32> {
        let scores = vectors.iter().filter_map(|vector| self.cosine(vector));
        scores.max_by(f32::total_cmp)
    }

    fn cosine(&self, stored: &[u8]) -> Option<f32> {
        if stored.len() != size_of_val(&self.vector[..]) {
            return None;
        }
        let dot: f32 = from_bytes(stored).zip(&self.vector).map(|(a, b)| a * b).sum();
        let norms = self.norm * norm(from_bytes(stored));
        Some(if norms > 0.0 { dot / norms } else { 0.0 })
    }
}

fn norm(vector: impl Iterator<Item = f32>) -> f32 {
    vector.map(|value| value * value).sum::<f32>().sqrt()
}

fn to_bytes(vector: &[f32]) -> Bytes {
    vector.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn from_bytes(bytes: &[u8]) -> impl Iterator<Item = f32> {
    bytes.as_chunks::<4>().0.iter().map(|value| f32::from_le_bytes(*value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(vector: &[f32]) -> Query {
        Query { norm: norm(vector.iter().copied()), vector: vector.to_vec() }
    }

    #[test]
    fn scores_are_cosines() {
        let east = query(&[2.0, 0.0]);
        for (vector, cosine) in [
            ([5.0, 0.0], 1.0),
            ([0.0, 3.0], 0.0),
            ([-1.0, 0.0], -1.0),
            ([1.0, 1.0], 0.5_f32.sqrt()),
            ([0.0, 0.0], 0.0),
        ] {
            let score = east.score(&[to_bytes(&vector)]).expect("it fits");
            assert!((score - cosine).abs() < 1e-6, "{vector:?}: {score}");
        }
        assert_eq!(query(&[0.0, 0.0]).score(&[to_bytes(&[1.0, 0.0])]), Some(0.0));
    }

    #[test]
    fn the_best_vector_counts_and_others_that_do_not_fit_do_not() {
        let east = query(&[1.0, 0.0]);
        let vectors = [to_bytes(&[0.0, 1.0]), to_bytes(&[1.0, 0.0]), to_bytes(&[1.0; 3])];
        assert_eq!(east.score(&vectors), Some(1.0));
        assert_eq!(east.score(&vectors[2..]), None);
        assert_eq!(east.score(&[]), None);
    }
}
