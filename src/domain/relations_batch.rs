//! The relations of many viewers at once.

use std::collections::HashMap;
use std::sync::Arc;

use super::batches::ReadForMany;
use super::relations::{self, Relations};
use super::{Domain, DomainError, Operation};
use plaza_base::ids::UserId;
use plaza_stores::postgres::ShardIndex;

/// Relations as they are now.
#[derive(Debug)]
pub enum RelationsNow {}

impl ReadForMany for RelationsNow {
    type Key = UserId;
    type Value = Arc<Relations>;
    const NAME: &'static str = "relations";

    fn shard_of(domain: &Domain, user: UserId) -> ShardIndex {
        domain.cluster.shard_of_id(user)
    }

    async fn read(
        op: &Operation,
        users: &[UserId],
    ) -> Result<HashMap<UserId, Arc<Relations>>, DomainError> {
        let found = relations::of_many(op, users).await?;
        Ok(found.into_iter().map(|(user, relations)| (user, Arc::new(relations))).collect())
    }
}
