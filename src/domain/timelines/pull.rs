//! Authors with too many followers to push to.

use std::sync::{Arc, RwLock};

use crate::domain::{Domain, DomainError, Operation};
use crate::ids::{Id, UserId};
use crate::stores::postgres::session::ConsistencyToken;
use crate::stores::postgres::timelines as store;

/// The list, sorted; refreshed in the background from the shards.
#[derive(Debug, Clone, Default)]
pub struct PullAuthors(Arc<RwLock<Arc<Vec<UserId>>>>);

impl PullAuthors {
    /// Those of `authors` that are pulled.
    pub fn among(&self, authors: &[UserId]) -> Vec<UserId> {
        let pulled = Arc::clone(&self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner));
        // The list of pulled authors is the short one.
        pulled.iter().copied().filter(|author| authors.binary_search(author).is_ok()).collect()
    }

    /// Loads the list from all shards; called every second by the roles that serve or fan out. Fan-out goes on for ten seconds after
    /// an author's switch, so a list that is a second old costs no post.
    ///
    /// # Errors
    /// A shard that is away: the list stays as it was.
    pub async fn refresh(&self, domain: &Domain) -> Result<(), DomainError> {
        let timeout = std::time::Duration::from_secs(2);
        let op = Operation::request(domain.cluster.len(), None, &ConsistencyToken::default(), timeout);
        let answers = domain.cluster.scatter_all(&op.reads, async |connection| store::pull_authors(connection).await).await;
        let mut authors: Vec<UserId> = answers.complete()?.into_iter().flatten().map(UserId::from_i64).collect();
        authors.sort_unstable();
        *self.0.write().unwrap_or_else(std::sync::PoisonError::into_inner) = Arc::new(authors);
        Ok(())
    }
}
