//! Runs the effects of projections: invalidates caches a second time, forgets timelines once the
//! followee's shard has the follower, and wakes subscriptions.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::posts::ShareCounts;
use super::posts::{self, Post};
use super::products::Product;
use super::profile_counts::{FollowerCount, ProfileCounts};
use super::relations::Relations;
use super::threads::FirstComments;
use super::users::User;
use super::{Domain, DomainError, Operation, cache_trust, cached, products};
use plaza_base::ids::{PostId, ProductId, UserId};
use plaza_read_models::profile_counts::{self, VersionsRow};
use plaza_read_models::projection::{Effect, EffectHandler};
use plaza_stores::StoreError;
use plaza_stores::redis::live::Cause;

/// How long it may take to find out whom to wake.
const LOOK_UP: Duration = Duration::from_secs(2);

fn store_error(error: DomainError) -> StoreError {
    match error {
        DomainError::Store(error) => error,
        other => StoreError::Corrupt(other.to_string()),
    }
}

/// Effects of one kind are run together, so that a batch costs a round trip a kind.
#[derive(Default)]
struct ByKind {
    posts: Vec<(PostId, i64)>,
    deleted: Vec<(PostId, i64)>,
    commented: Vec<(PostId, i64)>,
    shares: Vec<(PostId, i64)>,
    shares_unknown: Vec<PostId>,
    profiles: BTreeSet<UserId>,
    follows: Vec<UserId>,
    users: Vec<(UserId, i64)>,
    products: Vec<(ProductId, i64)>,
    orders: Vec<UserId>,
    notified: BTreeSet<UserId>,
    authors_of: Vec<PostId>,
    sellers_of: Vec<ProductId>,
}

impl ByKind {
    fn of(effects: &[Effect]) -> Self {
        let mut kinds = Self::default();
        for effect in effects {
            kinds.add(*effect);
        }
        kinds
    }

    fn add(&mut self, effect: Effect) {
        match effect {
            Effect::PostChanged { post, version, deleted } => {
                self.posts.push((post, version));
                if deleted {
                    self.deleted.push((post, posts::DELETED));
                }
            }
            Effect::CommentsChanged { post, version } => self.commented.push((post, version)),
            Effect::SharesChanged { post, version: Some(version) } => {
                self.shares.push((post, version));
            }
            Effect::SharesChanged { post, version: None } => self.shares_unknown.push(post),
            Effect::ProfileChanged(user) => {
                self.profiles.insert(user);
            }
            Effect::FollowsChanged(user) => {
                self.profiles.insert(user);
                self.follows.push(user);
            }
            Effect::UserChanged { user, version } => self.users.push((user, version)),
            Effect::ProductChanged { product, version } => self.products.push((product, version)),
            Effect::OrdersChanged(buyer) => self.orders.push(buyer),
            Effect::Notified(user) => {
                self.notified.insert(user);
            }
            Effect::AuthorNotified(post) => self.authors_of.push(post),
            Effect::SellerNotified(product) => self.sellers_of.push(product),
        }
    }
}

/// Runs effects on what a domain caches and on whom it wakes.
#[derive(Debug, Clone)]
pub struct Effects(pub Arc<Domain>);

#[async_trait]
impl EffectHandler for Effects {
    async fn run(&self, effects: &[Effect]) -> Result<(), StoreError> {
        let kinds = ByKind::of(effects);
        let Self(domain) = self;
        domain.redis.invalidate::<posts::PostCounts>(&kinds.posts).await?;
        domain.redis.invalidate::<FirstComments>(&kinds.commented).await?;
        domain.redis.invalidate::<Post>(&kinds.deleted).await?;
        domain.redis.invalidate::<User>(&kinds.users).await?;
        domain.redis.invalidate::<Product>(&kinds.products).await?;
        domain.redis.invalidate::<ShareCounts>(&kinds.shares).await?;
        domain.invalidate_shares(&kinds.shares_unknown).await?;
        domain.invalidate_profiles(&kinds.profiles).await?;
        // Between a follow and this moment, a fan-out could not see the new follower; a timeline
        // built in between may lack its post.
        domain.redis.forget_timelines(&kinds.follows).await?;
        domain.redis.wake(&kinds.orders, Cause::Orders).await?;
        let notified = recipients(domain, &kinds).await?;
        domain.redis.wake(&notified, Cause::Notifications).await
    }

    async fn distrust_caches(&self) {
        cache_trust::raise_until_done(&self.0).await;
    }
}

impl Domain {
    /// What is cached of these users' counts and relations is older than their rows.
    async fn invalidate_profiles(&self, users: &BTreeSet<UserId>) -> Result<(), StoreError> {
        if users.is_empty() {
            return Ok(());
        }
        let session = self.primary();
        let users = users.iter().copied();
        let versions = self
            .cluster
            .scatter_ids(&session, users, async |connection, ids| {
                profile_counts::versions(connection, ids).await
            })
            .await
            .complete()?;
        let versions: Vec<VersionsRow> = versions.into_iter().flatten().collect();
        let of = |version: fn(&VersionsRow) -> i64| {
            versions.iter().map(|row| (row.user_id, version(row))).collect::<Vec<_>>()
        };
        self.redis.invalidate::<ProfileCounts>(&of(|row| row.activity)).await?;
        self.redis.invalidate::<Relations>(&of(|row| row.relations)).await?;
        self.redis.invalidate::<FollowerCount>(&of(|row| row.followers)).await
    }

    /// The same for counts of reposts and quotes whose versions are not known.
    async fn invalidate_shares(&self, posts: &[PostId]) -> Result<(), StoreError> {
        if posts.is_empty() {
            return Ok(());
        }
        let session = self.primary();
        let counts = cached::load::<ShareCounts>(self, &session, posts.iter().copied());
        let counts = counts.await.map_err(store_error)?;
        let versions: Vec<(PostId, i64)> =
            counts.into_iter().map(|(post, counts)| (post, counts.version)).collect();
        self.redis.invalidate::<ShareCounts>(&versions).await
    }
}

/// Users to wake for their notifications; the owners of posts and products are looked up.
async fn recipients(domain: &Arc<Domain>, kinds: &ByKind) -> Result<Vec<UserId>, StoreError> {
    let mut users = kinds.notified.clone();
    if !kinds.authors_of.is_empty() || !kinds.sellers_of.is_empty() {
        let op = Operation::internal(domain, LOOK_UP);
        users.extend(posts::authors_of(&op, &kinds.authors_of).await.map_err(store_error)?);
        users.extend(products::sellers_of(&op, &kinds.sellers_of).await.map_err(store_error)?);
    }
    Ok(users.into_iter().collect())
}
