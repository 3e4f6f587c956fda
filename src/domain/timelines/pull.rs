//! Authors with too many followers to push to.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::RwLock;

use crate::{Domain, DomainError, Operation};
use plaza_base::ids::UserId;
use plaza_stores::StoreError;
use plaza_stores::postgres::session::ConsistencyToken;
use plaza_stores::postgres::{ShardIndex, timelines as store};

/// The list, a part for each shard; refreshed in the background from the shards.
#[derive(Debug, Clone, Default)]
pub struct PullAuthors(Arc<RwLock<BTreeMap<ShardIndex, Vec<UserId>>>>);

impl PullAuthors {
    /// Those of `authors` (sorted) that are pulled. `None` while a shard has never been heard of,
    /// as in a process that has just started: a timeline alone may then lack posts.
    pub fn among(&self, authors: &[UserId], shards: usize) -> Option<Vec<UserId>> {
        let parts = self.0.read();
        if parts.len() < shards {
            return None;
        }
        // The list of pulled authors is the short one.
        Some(
            parts
                .values()
                .flatten()
                .copied()
                .filter(|author| authors.binary_search(author).is_ok())
                .collect(),
        )
    }

    /// Loads the list from all shards; called every second by the roles that serve or fan out.
    /// Fan-out goes on for ten seconds after an author's switch, so a list that is a second old
    /// costs no post.
    ///
    /// # Errors
    /// A shard that is unavailable: its part of the list stays as it was, the others are new.
    pub async fn refresh(&self, domain: &Arc<Domain>) -> Result<(), DomainError> {
        let timeout = std::time::Duration::from_secs(2);
        let op = Operation::request(domain, None, &ConsistencyToken::default(), timeout);
        let gathered = domain
            .cluster
            .scatter_all(&op.reads, async |connection| store::pull_authors(connection).await)
            .await;
        Ok(self.take(gathered.answers, gathered.failures)?)
    }

    fn take(
        &self,
        answers: Vec<(ShardIndex, Vec<UserId>)>,
        failures: Vec<(ShardIndex, StoreError)>,
    ) -> Result<(), StoreError> {
        let mut parts = self.0.write();
        for (shard, authors) in answers {
            parts.insert(shard, authors.into_iter().collect());
        }
        failures.into_iter().next().map_or(Ok(()), |(_, error)| Err(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plaza_base::ids::Id;

    #[test]
    fn nothing_is_known_before_every_shard_has_spoken_and_a_shard_that_is_away_keeps_its_part() {
        let (list, me) = (
            PullAuthors::default(),
            [UserId::from_i64(1), UserId::from_i64(2), UserId::from_i64(3)],
        );
        let unavailable =
            || vec![(ShardIndex(1), StoreError::unavailable("shard 1 primary", "test"))];
        assert!(
            list.take(vec![(ShardIndex(0), vec![UserId::from_i64(1)])], unavailable()).is_err()
        );
        assert_eq!(list.among(&me, 2), None);
        assert!(
            list.take(
                vec![(ShardIndex(1), vec![UserId::from_i64(2), UserId::from_i64(9)])],
                Vec::new()
            )
            .is_ok()
        );
        assert_eq!(list.among(&me, 2), Some(vec![UserId::from_i64(1), UserId::from_i64(2)]));
        assert!(
            list.take(vec![(ShardIndex(0), vec![UserId::from_i64(3)])], unavailable()).is_err()
        );
        assert_eq!(list.among(&me, 2), Some(vec![UserId::from_i64(3), UserId::from_i64(2)]));
    }
}
