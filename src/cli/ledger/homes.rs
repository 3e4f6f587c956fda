//! Home timelines against the rows: of a sample of people, and of those to whom new posts belong.
//! What lacks a post while no job waits to put it there was lost between the outbox and Redis.

use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use super::check::Check;
use super::scope::{Scope, Stores, id_of};
use plaza_base::ids::{Id, PostId, UserId};
use plaza_stores::StoreError;
use plaza_stores::postgres::ledger::homes as rows;
use plaza_stores::postgres::{ReadSession, timelines};
use plaza_stores::redis::timelines::Timeline;

/// How old a post is at most that is looked for in the homes it belongs to.
const NEW: Duration = Duration::from_secs(3_600);
/// Such posts of each shard, and followers of each author.
const POSTS: i64 = 50;
const FOLLOWERS: i64 = 20;
/// Before somebody's home is compared again: a follow or a rebuild may have come in between.
const AGAIN: Duration = Duration::from_secs(1);

/// The law; `busy`: whether jobs wait that put posts into homes.
pub(super) async fn homes(stores: &Stores, scope: &Scope, busy: bool) -> anyhow::Result<Check> {
    let mut check = Check::of("homes", "homes hold the posts of whom people follow");
    let Some(generation) = stores.redis.stored_generation().await? else { return Ok(check) };
    let reads = ReadSession::primary(stores.cluster.len());
    let pulled = stores
        .cluster
        .scatter_all(&reads, async |shard| timelines::pull_authors(shard).await)
        .await
        .complete()?;
    let comparison = Comparison {
        stores,
        generation,
        pulled: pulled.into_iter().flatten().collect(),
        before: scope.unsettled_from(&stores.clock),
    };
    let mut broken = Vec::new();
    for user in people(stores, scope, &comparison).await? {
        match comparison.compare(user).await? {
            None => {}
            Some(None) => check.checked += 1,
            Some(Some(_)) => {
                check.checked += 1;
                broken.push(user);
            }
        }
    }
    if !broken.is_empty() {
        tokio::time::sleep(AGAIN).await;
    }
    for user in broken {
        match comparison.compare(user).await? {
            Some(Some(why)) if busy => check.suspect(why),
            Some(Some(why)) => check.wrong(|| why),
            _ => {}
        }
    }
    if busy {
        // A queue that is long is no proof of anything.
        check.suspects.clear();
    }
    Ok(check)
}

/// Whose homes are compared.
async fn people(
    stores: &Stores,
    scope: &Scope,
    comparison: &Comparison<'_>,
) -> Result<BTreeSet<UserId>, StoreError> {
    let reads = ReadSession::primary(stores.cluster.len());
    let since = id_of(&stores.clock, NEW.max(scope.settled * 2));
    let (after, sample) = (scope.sample_from(&stores.clock), scope.sample);
    let span = (since, comparison.before);
    let found = stores
        .cluster
        .scatter_all(&reads, async |shard| {
            let mut users = rows::users_after(shard, after, sample).await?;
            users.extend(rows::audience_of_new_posts(shard, span, POSTS, FOLLOWERS).await?);
            Ok(users)
        })
        .await
        .complete()?;
    Ok(found.into_iter().flatten().collect())
}

struct Comparison<'a> {
    stores: &'a Stores,
    /// What servers believe.
    generation: String,
    /// Authors whose posts are in no timeline.
    pulled: HashSet<UserId>,
    /// Posts from this id on may be on their way.
    before: i64,
}

impl Comparison<'_> {
    /// What is wrong with somebody's home; `None`: they have none that is believed.
    async fn compare(&self, user: UserId) -> Result<Option<Option<String>>, StoreError> {
        let held = self.stores.redis.held_timeline(user, &self.generation).await?;
        let Some(held) = held else { return Ok(None) };
        let expected = self.expected(user).await?;
        let known: HashSet<PostId> = held.posts.iter().copied().collect();
        let missing = expected
            .iter()
            .find(|post| post.as_i64() > held.horizon && !known.contains(post))
            .map(|post| format!("post {post} is not in the home of user {user}"));
        if missing.is_some() {
            return Ok(Some(missing));
        }
        Ok(Some(self.invented(user, &held).await?))
    }

    /// The newest posts that belong to somebody's home and have had the time to arrive.
    async fn expected(&self, user: UserId) -> Result<Vec<PostId>, StoreError> {
        let cluster = &self.stores.cluster;
        let reads = ReadSession::primary(cluster.len());
        let followees = cluster
            .read(&reads, cluster.shard_of_id(user), async |shard| {
                rows::followees(shard, user).await
            })
            .await?;
        let authors = followees.into_iter().chain([user]);
        let authors: BTreeSet<UserId> =
            authors.filter(|author| !self.pulled.contains(author)).collect();
        let length = self.stores.config.feed.timeline_length;
        let (before, limit) = (self.before, i64::try_from(length).unwrap_or(i64::MAX));
        let found = cluster
            .scatter_ids(&reads, authors, async |shard, authors| {
                timelines::newest_posts(shard, authors, before, limit).await
            })
            .await
            .complete()?;
        let mut posts: Vec<PostId> = found.into_iter().flatten().collect();
        posts.sort_unstable_by(|one, other| other.cmp(one));
        posts.truncate(length);
        Ok(posts)
    }

    /// A post in somebody's home that no shard has.
    async fn invented(&self, user: UserId, held: &Timeline) -> Result<Option<String>, StoreError> {
        let reads = ReadSession::primary(self.stores.cluster.len());
        let found = self
            .stores
            .cluster
            .scatter_ids(&reads, held.posts.iter().copied(), async |shard, posts| {
                rows::existing_posts(shard, posts).await
            })
            .await
            .complete()?;
        let existing: HashSet<PostId> = found.into_iter().flatten().collect();
        let invented = held.posts.iter().find(|post| !existing.contains(post));
        Ok(invented.map(|post| format!("post {post} of the home of user {user} is on no shard")))
    }
}
