//! Reposts and quotes: who may share what, and how often a post was shared.
//!
//! A repost is a post of its own, so that it takes every way that posts take: the fan-out, the
//! timelines, the feed. It only names the original; likes, comments and counts are the original's.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

use super::create::created;
use super::delete::remove;
use super::{Post, get_many_surely, require_visible, subject_of};
use crate::batches::ReadForMany;
use crate::cached::{self, Load};
use crate::{Domain, DomainError, Mutation, Operation, UserErrorCode, mutate, mutate_from, users};
use plaza_base::ids::{Id, PostId, UserId};
use plaza_protocol::events::Event;
use plaza_read_models::shares;
use plaza_stores::StoreError;
use plaza_stores::postgres::{Connection, ShardIndex, posts as post_rows, reposts as store};
use plaza_stores::redis::cache::Cached;

/// How often a post is shared, counted by a projection that has versions of its own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShareCounts {
    /// Reposts.
    pub reposts: i64,
    /// Quotes.
    pub quotes: i64,
    /// Rises with each count.
    pub version: i64,
}

impl Cached for ShareCounts {
    type Key = PostId;
    const KIND: &'static str = "share_counts";
    const LOCAL: bool = true;
    fn version(&self) -> i64 {
        self.version
    }
}

impl Load for ShareCounts {
    async fn load(
        connection: &mut Connection,
        ids: &[PostId],
    ) -> Result<Vec<(PostId, Self)>, StoreError> {
        let rows = shares::load(connection, ids).await?.into_iter();
        let counts = rows.map(|row| {
            let (reposts, quotes, version) = (row.reposts, row.quotes, row.version);
            (row.post_id, Self { reposts, quotes, version })
        });
        Ok(counts.collect())
    }
}

/// The post that is meant when the viewer wants to share this one: of a repost, the original.
///
/// # Errors
/// `NOT_FOUND` when they may not see it, `NOT_ALLOWED` when its author is private: what private
/// users write stays with those they let follow them. A shard that is unavailable.
pub(super) async fn shareable(
    op: &Operation,
    field: &str,
    id: PostId,
) -> Result<Post, DomainError> {
    let viewer = op.require_viewer()?.user_id;
    let mut post = require_visible(op, field, id).await?;
    if let Some(original) = post.repost_of {
        post = require_visible(op, field, original).await?;
    }
    let author = post.author_id;
    if author != viewer
        && users::rows(op, &[author]).await?.get(&author).is_none_or(|author| author.is_private)
    {
        return Err(DomainError::rejected(
            UserErrorCode::NotAllowed,
            field,
            "posts of private people cannot be shared",
        ));
    }
    Ok(post)
}

/// What a repost came to.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Reposted {
    /// The post that was passed on.
    pub original: PostId,
    /// The viewer's repost of it.
    pub repost: PostId,
}

/// The viewer passes a post on to their followers; again is fine.
///
/// # Errors
/// Not there, or of somebody private; a shard that is unavailable.
pub async fn repost(op: &Operation, id: PostId) -> Result<Reposted, DomainError> {
    let viewer = op.require_viewer()?.user_id;
    mutate_from(
        op,
        Mutation {
            name: "postRepost",
            user: viewer,
            shard: op.domain.cluster.shard_of_id(viewer),
            input: &id,
        },
        shareable(op, "postId", id),
        async |connection, original| {
            let bucket = viewer.bucket();
            Ok((original.id, store::insert(connection, bucket, viewer, original.id).await?))
        },
        async |tx, (original, inserted)| {
            let user = viewer;
            let Some(repost) = inserted else {
                let found = store::find(tx, user, original).await?;
                // Made by somebody faster, and taken back in the same moment.
                let gone = || {
                    DomainError::rejected(
                        UserErrorCode::InvalidState,
                        "postId",
                        "it was taken back meanwhile: try again",
                    )
                };
                return Ok(Reposted { original, repost: found.ok_or_else(gone)? });
            };
            created(tx, repost, viewer);
            let event =
                Event::PostReposted { repost_id: repost, author_id: viewer, original_id: original };
            tx.emit(event, 1);
            Ok(Reposted { original, repost })
        },
    )
    .await
}

/// What is to be no longer passed on.
struct Unshared {
    original: PostId,
    /// Whether the viewer may see what they named.
    is_visible: bool,
    /// Whether they may see the original.
    is_shown: bool,
}

/// The viewer takes a repost back; `id` is the original, or a repost of it. What the viewer may no
/// longer see they can still take back: it is their own. Never reposted is fine for a post that
/// they may see, and again is for any. Returns the original, if the viewer may see it.
///
/// # Errors
/// A post that the viewer has never reposted and may not see; a shard that is unavailable.
pub async fn unrepost(op: &Operation, id: PostId) -> Result<Option<PostId>, DomainError> {
    let viewer = op.require_viewer()?.user_id;
    mutate(
        op,
        Mutation {
            name: "postUnrepost",
            user: viewer,
            shard: op.domain.cluster.shard_of_id(viewer),
            input: &id,
        },
        async {
            let original = subject_of(op, "postId", id).await?;
            let found = get_many_surely(op, &[id, original]).await?;
            let (is_visible, is_shown) = (found.contains_key(&id), found.contains_key(&original));
            Ok(Unshared { original, is_visible, is_shown })
        },
        async |tx, Unshared { original, is_visible, is_shown }: Unshared| {
            let shown = is_shown.then_some(original);
            let found = store::find(tx, viewer, original).await?;
            let row = match found {
                Some(repost) => post_rows::lock(tx, repost).await?,
                None => None,
            };
            // Of two at once the second finds it deleted.
            let (Some(repost), Some(row)) = (found, row.filter(|row| !row.deleted)) else {
                let is_theirs =
                    found.is_some() || store::has_taken_back(tx, viewer, original).await?;
                // Whether a post they may not see is still there is not disclosed.
                return match is_visible || is_theirs {
                    true => Ok(shown),
                    false => Err(DomainError::rejected(
                        UserErrorCode::NotFound,
                        "postId",
                        "there is no such post",
                    )),
                };
            };
            remove(tx, repost, &row).await?;
            Ok(shown)
        },
    )
    .await
}

/// Those of `ids` the viewer reposts; none when anonymous.
///
/// # Errors
/// The viewer's shard is unavailable.
pub async fn viewer_reposts(
    op: &Operation,
    ids: &[PostId],
) -> Result<HashSet<PostId>, DomainError> {
    let Some(viewer) = op.viewer else { return Ok(HashSet::new()) };
    let user = viewer.user_id;
    let reposted = op
        .domain
        .cluster
        .read(&op.reads, op.domain.cluster.shard_of_id(user), async |connection| {
            store::among(connection, user, ids).await
        })
        .await?;
    Ok(reposted.into_iter().collect())
}

/// Whether a viewer reposts a post, for many viewers at once.
#[derive(Debug)]
pub enum IsReposted {}

impl ReadForMany for IsReposted {
    type Key = (UserId, PostId);
    type Value = bool;
    const NAME: &'static str = "reposts";

    fn shard_of(domain: &Domain, (viewer, _): Self::Key) -> ShardIndex {
        domain.cluster.shard_of_id(viewer)
    }

    async fn read(
        op: &Operation,
        keys: &[Self::Key],
    ) -> Result<HashMap<Self::Key, bool>, DomainError> {
        let Some(&(first, _)) = keys.first() else { return Ok(HashMap::new()) };
        let (viewers, posts): (Vec<UserId>, Vec<PostId>) = keys.iter().copied().unzip();
        let shard = op.domain.cluster.shard_of_id(first);
        let found = op
            .domain
            .cluster
            .read(&op.reads, shard, async |connection| {
                store::among_many(connection, &viewers, &posts).await
            })
            .await?;
        Ok(found.into_iter().map(|repost| (repost, true)).collect())
    }
}

/// Counts by post, through the cache; an entry for every id.
///
/// # Errors
/// A shard that is unavailable.
pub async fn share_counts_many(
    op: &Operation,
    ids: &[PostId],
) -> Result<HashMap<PostId, ShareCounts>, DomainError> {
    cached::get(op, ids).await
}
