//! One question to several shards at once: grouped by shard, run concurrently, merged. A shard that
//! fails is distinguished from one that had nothing: the caller gets both the answers and the
//! failures.

use std::collections::BTreeMap;

use super::cluster::Cluster;
use super::routing::ShardIndex;
use super::session::ReadSession;
use crate::StoreError;
use crate::query::{ReadIdsQuery, ReadQuery};
use plaza_base::ids::Id;

/// The answers of the shards that answered, and what the others said.
#[derive(Debug)]
pub struct Gathered<T> {
    /// One entry a shard that answered.
    pub answers: Vec<(ShardIndex, T)>,
    /// One entry a shard that did not.
    pub failures: Vec<(ShardIndex, StoreError)>,
}

impl<T> Gathered<T> {
    /// All answers, when no shard failed; else the first failure.
    ///
    /// # Errors
    /// The first shard's failure.
    pub fn complete(self) -> Result<Vec<T>, StoreError> {
        match self.failures.into_iter().next() {
            Some((_, error)) => Err(error),
            None => Ok(self.answers.into_iter().map(|(_, answer)| answer).collect()),
        }
    }

    /// What the shards answered that did, and the numbers of those that did not.
    ///
    /// # Errors
    /// The first shard's failure, when none answered.
    pub fn answered(self) -> Result<(Vec<T>, Vec<usize>), StoreError> {
        let missing = self.failures.iter().map(|(shard, _)| shard.0).collect();
        if self.answers.is_empty() {
            return Ok((self.complete()?, missing));
        }
        Ok((self.answers.into_iter().map(|(_, answer)| answer).collect(), missing))
    }
}

impl Cluster {
    /// Asks every shard that holds one of the ids, each for its own ids (sorted, each once).
    pub fn scatter_ids<'a, I, T, F>(
        &'a self,
        session: &'a ReadSession,
        ids: impl IntoIterator<Item = I>,
        query: F,
    ) -> impl Future<Output = Gathered<T>> + Send + 'a
    where
        I: Id,
        T: Send + 'a,
        F: ReadIdsQuery<I, T> + 'a,
    {
        self.scatter_groups(session, self.map.group(ids), query)
    }

    /// Asks every shard.
    #[expect(
        clippy::manual_async_fn,
        reason = "the signature says that the future may move between threads"
    )]
    pub fn scatter_all<'a, T, F>(
        &'a self,
        session: &'a ReadSession,
        query: F,
    ) -> impl Future<Output = Gathered<T>> + Send + 'a
    where
        T: Send + 'a,
        F: ReadQuery<T> + 'a,
    {
        async move {
            let query = &query;
            let mut asked = Vec::with_capacity(self.len());
            for index in self.indexes() {
                asked.push(async move {
                    (
                        index,
                        self.read(session, index, async |connection| query(connection).await).await,
                    )
                });
            }
            gather(futures_util::future::join_all(asked).await)
        }
    }

    #[expect(
        clippy::manual_async_fn,
        reason = "the signature says that the future may move between threads"
    )]
    fn scatter_groups<'a, I, T, F>(
        &'a self,
        session: &'a ReadSession,
        groups: BTreeMap<ShardIndex, Vec<I>>,
        query: F,
    ) -> impl Future<Output = Gathered<T>> + Send + 'a
    where
        I: Id,
        T: Send + 'a,
        F: ReadIdsQuery<I, T> + 'a,
    {
        async move {
            let query = &query;
            let mut asked = Vec::with_capacity(groups.len());
            for (index, ids) in &groups {
                asked.push(async move {
                    (
                        *index,
                        self.read(session, *index, async |connection| query(connection, ids).await)
                            .await,
                    )
                });
            }
            gather(futures_util::future::join_all(asked).await)
        }
    }
}

fn gather<T>(asked: Vec<(ShardIndex, Result<T, StoreError>)>) -> Gathered<T> {
    let mut gathered = Gathered { answers: Vec::new(), failures: Vec::new() };
    for (index, answer) in asked {
        match answer {
            Ok(answer) => gathered.answers.push((index, answer)),
            Err(error) => gathered.failures.push((index, error)),
        }
    }
    gathered
}
