//! One question to several shards at once: grouped by shard, run concurrently, merged. A shard that fails is told apart from
//! one that had nothing: the caller gets both the answers and the failures.

use std::collections::BTreeMap;

use super::cluster::Cluster;
use super::pool::Connection;
use super::routing::ShardIndex;
use super::session::ReadSession;
use crate::ids::Id;
use crate::stores::StoreError;

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
}

impl Cluster {
    /// Asks every shard that holds one of the ids, each for its own ids (sorted, each once).
    pub async fn scatter_ids<I, T, F>(&self, session: &ReadSession, ids: impl IntoIterator<Item = I>, query: F) -> Gathered<T>
    where
        I: Id,
        F: AsyncFn(&mut Connection, &[i64]) -> Result<T, StoreError>,
    {
        self.scatter_groups(session, self.map.group(ids), query).await
    }

    /// Asks every shard.
    pub async fn scatter_all<T, F>(&self, session: &ReadSession, query: F) -> Gathered<T>
    where
        F: AsyncFn(&mut Connection) -> Result<T, StoreError>,
    {
        let groups = self.indexes().map(|index| (index, Vec::new())).collect();
        self.scatter_groups(session, groups, async |connection: &mut Connection, _: &[i64]| query(connection).await).await
    }

    async fn scatter_groups<T, F>(&self, session: &ReadSession, groups: BTreeMap<ShardIndex, Vec<i64>>, query: F) -> Gathered<T>
    where
        F: AsyncFn(&mut Connection, &[i64]) -> Result<T, StoreError>,
    {
        let query = &query;
        let asked = groups.iter().map(|(index, ids)| async move {
            (*index, self.read(session, *index, async |connection: &mut Connection| query(connection, ids).await).await)
        });
        let mut gathered = Gathered { answers: Vec::new(), failures: Vec::new() };
        for (index, answer) in futures_util::future::join_all(asked).await {
            match answer {
                Ok(answer) => gathered.answers.push((index, answer)),
                Err(error) => gathered.failures.push((index, error)),
            }
        }
        gathered
    }
}
