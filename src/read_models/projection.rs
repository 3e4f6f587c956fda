//! What a projection is.

use async_trait::async_trait;

use crate::ids::{Bucket, PostId, ProductId, UserId};
use crate::protocol::envelope::EventEnvelope;
use crate::protocol::events::Aggregate;
use crate::protocol::routing::Topic;
use crate::stores::StoreError;
use crate::stores::postgres::{ShardIndex, Transaction};

/// Fills a table from events. All events of an aggregate have one target, so that one shard sees
/// all its versions.
#[async_trait]
pub trait Projection: Send + Sync {
    /// Its name in `projection_offsets` and `projection_versions`; never changed.
    fn name(&self) -> &'static str;

    /// The topics it reads.
    fn topics(&self) -> &'static [Topic];

    /// The bucket whose shard an aggregate's rows are on; `None` for aggregates of topics that this
    /// projection does not read. The match names every aggregate, so a new
    /// one is placed when it is made, and a new event of a known one is checked where the others
    /// of it are.
    fn target(&self, aggregate: Aggregate) -> Option<Bucket>;

    /// Writes what the events mean, inside the transaction that moves the offset. The events are
    /// new, in order, and all of this shard; what is written must not depend on how they are cut
    /// into batches.
    async fn commit(
        &self,
        transaction: &mut Transaction,
        shard: ShardIndex,
        events: &[EventEnvelope],
    ) -> Result<(), StoreError>;

    /// Tells others what has changed. Happens after the commit, at least once.
    async fn after_commit(
        &self,
        effects: &dyn Effects,
        events: &[EventEnvelope],
    ) -> Result<(), StoreError>;
}

/// What a projection may cause outside its shard: given by whoever starts the projector, since
/// caches belong to the domain.
#[async_trait]
pub trait Effects: Send + Sync {
    /// Posts have changed, to these versions; the flag: the post is deleted. Those of them that got
    /// comments are told a second time.
    async fn posts_changed(
        &self,
        posts: &[(PostId, i64, bool)],
        commented: &[(PostId, i64)],
    ) -> Result<(), StoreError>;
    /// These people's counts, or whom they follow, have changed.
    async fn people_changed(&self, people: &[UserId]) -> Result<(), StoreError>;
    /// Whom these people follow, or who blocks them, has changed, and the shards of both sides know
    /// it now.
    async fn follows_changed(&self, followers: &[UserId]) -> Result<(), StoreError>;
    /// Products have changed, to these versions.
    async fn products_changed(&self, products: &[(ProductId, i64)]) -> Result<(), StoreError>;
    /// These people have been told of something, and so have the authors of these posts and the
    /// sellers of these products.
    async fn notified(
        &self,
        people: &[UserId],
        posts: &[PostId],
        products: &[ProductId],
    ) -> Result<(), StoreError>;
    /// These posts are passed on or quoted more or less often than before.
    async fn shares_changed(&self, posts: &[PostId]) -> Result<(), StoreError>;
    /// The rows of these users have changed, to these versions.
    async fn users_changed(&self, users: &[(UserId, i64)]) -> Result<(), StoreError>;
    /// What an effect was to invalidate may be cached still, and it is given up: waits until nobody
    /// trusts what was cached before, however long that takes.
    async fn distrust_caches(&self);
    /// Orders of these people have changed.
    async fn orders_changed(&self, buyers: &[UserId]) -> Result<(), StoreError>;
}
