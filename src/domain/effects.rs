//! What projections cause outside their shards: caches are told again, and timelines forgotten
//! again, after the followee's shard knows the follower.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::posts::ShareCounts;
use super::posts::{self, Post};
use super::products::Product;
use super::profile_counts::{FollowerCount, ProfileCounts};
use super::relations::Relations;
use super::users::User;
use super::{Domain, DomainError, Operation, cache_trust, comments, products};
use crate::ids::{PostId, ProductId, UserId};
use crate::read_models::profile_counts::{self, VersionsRow};
use crate::read_models::projection::Effects;
use crate::read_models::shares;
use crate::stores::StoreError;
use crate::stores::postgres::Connection;
use crate::stores::redis::live::Cause;

/// How long it may take to find out whom to wake.
const LOOK_UP: Duration = Duration::from_secs(2);

fn store_error(error: DomainError) -> StoreError {
    match error {
        DomainError::Store(error) => error,
        other => StoreError::Corrupt(other.to_string()),
    }
}

#[async_trait]
impl Effects for Arc<Domain> {
    async fn posts_changed(
        &self,
        changed: &[(PostId, i64, bool)],
        commented: &[(PostId, i64)],
    ) -> Result<(), StoreError> {
        let versions: Vec<(PostId, i64)> =
            changed.iter().map(|(post, version, _)| (*post, *version)).collect();
        let deleted: Vec<(PostId, i64)> = changed
            .iter()
            .filter(|(_, _, deleted)| *deleted)
            .map(|(post, _, _)| (*post, posts::DELETED))
            .collect();
        self.redis.invalidate::<posts::PostCounts>(&versions).await?;
        comments::forget_cached(self, commented).await.map_err(store_error)?;
        self.redis.invalidate::<Post>(&deleted).await
    }

    async fn people_changed(&self, people: &[UserId]) -> Result<(), StoreError> {
        let session = self.primary();
        let versions = self
            .cluster
            .scatter_ids(
                &session,
                people.iter().copied(),
                async |connection: &mut Connection, ids: &[_]| {
                    profile_counts::versions(connection, ids).await
                },
            )
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

    async fn follows_changed(&self, followers: &[UserId]) -> Result<(), StoreError> {
        // Between a follow and this moment, a fan-out could not see the new follower; a timeline
        // built in between may lack its post.
        self.people_changed(followers).await?;
        self.redis.forget_timelines(followers).await
    }

    async fn notified(
        &self,
        people: &[UserId],
        posts: &[PostId],
        products: &[ProductId],
    ) -> Result<(), StoreError> {
        let op = Operation::internal(self, LOOK_UP);
        let mut people: BTreeSet<UserId> = people.iter().copied().collect();
        people.extend(posts::authors_of(&op, posts).await.map_err(store_error)?);
        people.extend(products::sellers_of(&op, products).await.map_err(store_error)?);
        self.redis.wake(&people.into_iter().collect::<Vec<_>>(), Cause::Notifications).await
    }

    async fn shares_changed(&self, posts: &[PostId]) -> Result<(), StoreError> {
        let session = self.primary();
        let counts = self
            .cluster
            .scatter_ids(
                &session,
                posts.iter().copied(),
                async |connection: &mut Connection, ids: &[_]| shares::load(connection, ids).await,
            )
            .await
            .complete()?;
        let versions: Vec<(PostId, i64)> =
            counts.into_iter().flatten().map(|row| (row.post_id, row.version)).collect();
        self.redis.invalidate::<ShareCounts>(&versions).await
    }

    async fn users_changed(&self, users: &[(UserId, i64)]) -> Result<(), StoreError> {
        self.redis.invalidate::<User>(users).await
    }

    async fn distrust_caches(&self) {
        cache_trust::raise_until_done(self).await;
    }

    async fn orders_changed(&self, buyers: &[UserId]) -> Result<(), StoreError> {
        self.redis.wake(buyers, Cause::Orders).await
    }

    async fn products_changed(&self, products: &[(ProductId, i64)]) -> Result<(), StoreError> {
        self.redis.invalidate::<Product>(products).await
    }
}
