//! What a projection is.

use async_trait::async_trait;

use plaza_base::ids::{Bucket, PostId, ProductId, UserId};
use plaza_protocol::envelope::EventEnvelope;
use plaza_protocol::events::Aggregate;
use plaza_protocol::routing::Topic;
use plaza_stores::StoreError;
use plaza_stores::postgres::{ShardIndex, Transaction};

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

    /// Writes what the events mean, inside the transaction that moves the offset, and returns what
    /// must happen once it has committed. The events are new, in order, and all of this shard; what
    /// is written must not depend on how they are cut into batches.
    async fn commit(
        &self,
        transaction: &mut Transaction,
        shard: ShardIndex,
        events: &[EventEnvelope],
    ) -> Result<Vec<Effect>, StoreError>;

    /// The effects of events whose rows an earlier run has committed, from the events alone: that
    /// run may have died before its effects happened. They name at least what `commit` named.
    fn effects(&self, events: &[EventEnvelope]) -> Vec<Effect>;
}

/// What must happen outside a projection's tables once its rows are committed. Happens at least
/// once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// A post has changed, to this version: its counts are invalidated, and the post itself when
    /// it was deleted.
    PostChanged {
        /// Which.
        post: PostId,
        /// Its version now, at least.
        version: i64,
        /// Whether it was deleted.
        deleted: bool,
    },
    /// A post has new comments: its first page of them is invalidated.
    CommentsChanged {
        /// The post.
        post: PostId,
        /// The post's version now, at least.
        version: i64,
    },
    /// A post's counts of reposts and quotes have changed, to this version; `None`: not known,
    /// to be looked up.
    SharesChanged {
        /// The post.
        post: PostId,
        /// The counts' version now, at least.
        version: Option<i64>,
    },
    /// A user's counts, or whom they follow, have changed.
    ProfileChanged(UserId),
    /// Whom a user follows, or who blocks them, has changed, and the shards of both sides have it:
    /// their timeline is forgotten too.
    FollowsChanged(UserId),
    /// A user's row has changed, to this version.
    UserChanged {
        /// Who.
        user: UserId,
        /// The row's version now, at least.
        version: i64,
    },
    /// A product has changed, to this version.
    ProductChanged {
        /// Which.
        product: ProductId,
        /// Its version now, at least.
        version: i64,
    },
    /// An order of a user's has changed: their subscriptions are woken.
    OrdersChanged(UserId),
    /// A user has a new notification: their subscriptions are woken.
    Notified(UserId),
    /// The author of a post, to be looked up, has a new notification.
    AuthorNotified(PostId),
    /// The seller of a product, to be looked up, has a new notification.
    SellerNotified(ProductId),
}

/// Runs effects: given by whoever starts the projector, since caches belong to the domain.
#[async_trait]
pub trait EffectHandler: Send + Sync {
    /// Runs them all; a second time does no harm.
    ///
    /// # Errors
    /// A server that is unavailable: some may have happened.
    async fn run(&self, effects: &[Effect]) -> Result<(), StoreError>;

    /// Effects were given up, and what they were to invalidate may be cached still: waits until no
    /// process trusts what was cached before, however long that takes.
    async fn distrust_caches(&self);
}
