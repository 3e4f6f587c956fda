//! What projections cause outside their shards: caches are told again, and timelines forgotten again, after the followee's shard knows the follower.

use async_trait::async_trait;

use super::posts::{self, Post};
use super::products::Product;
use super::profile_counts::{FollowerCount, ProfileCounts};
use super::{Domain, DomainError, comments, follows};
use crate::ids::{Id, PostId, ProductId, UserId};
use crate::read_models::profile_counts;
use crate::read_models::projection::Effects;
use crate::stores::StoreError;
use crate::stores::postgres::{Connection, ReadSession};

fn store_error(error: DomainError) -> StoreError {
    match error {
        DomainError::Store(error) => error,
        other => StoreError::Corrupt(other.to_string()),
    }
}

#[async_trait]
impl Effects for Domain {
    async fn posts_changed(&self, changed: &[(PostId, i64, bool)], commented: &[(PostId, i64)]) -> Result<(), StoreError> {
        let versions: Vec<(i64, i64)> = changed.iter().map(|(post, version, _)| (post.as_i64(), *version)).collect();
        let deleted: Vec<(i64, i64)> =
            changed.iter().filter(|(_, _, deleted)| *deleted).map(|(post, _, _)| (post.as_i64(), posts::DELETED)).collect();
        self.redis.invalidate::<posts::PostCounts>(&versions).await?;
        comments::forget_cached(self, commented).await.map_err(store_error)?;
        self.redis.invalidate::<Post>(&deleted).await
    }

    async fn people_changed(&self, people: &[UserId]) -> Result<(), StoreError> {
        let session = ReadSession::primary(self.cluster.len());
        let versions = self
            .cluster
            .scatter_ids(&session, people.iter().copied(), async |connection: &mut Connection, ids: &[i64]| {
                profile_counts::versions(connection, ids).await
            })
            .await
            .complete()?;
        let versions: Vec<(i64, i64, i64)> = versions.into_iter().flatten().collect();
        let activity: Vec<(i64, i64)> = versions.iter().map(|(user, activity, _)| (*user, *activity)).collect();
        let followers: Vec<(i64, i64)> = versions.iter().map(|(user, _, followers)| (*user, *followers)).collect();
        self.redis.invalidate::<ProfileCounts>(&activity).await?;
        follows::forget_cached(self, &activity).await.map_err(store_error)?;
        self.redis.invalidate::<FollowerCount>(&followers).await
    }

    async fn follows_changed(&self, followers: &[UserId]) -> Result<(), StoreError> {
        // Between a follow and this moment, a fan-out could not see the new follower; a timeline built in between may lack its post.
        self.people_changed(followers).await?;
        self.redis.forget_timelines(followers).await
    }

    async fn products_changed(&self, products: &[(ProductId, i64)]) -> Result<(), StoreError> {
        let versions: Vec<(i64, i64)> = products.iter().map(|(product, version)| (product.as_i64(), *version)).collect();
        self.redis.invalidate::<Product>(&versions).await
    }
}
