//! Home timelines: one Redis list a user. Element 0 is a header, the others are post ids in the
//! order they came.
//!
//! The header is `h:<horizon>,<generation>`: the list holds every post with an id above the horizon
//! (0: every post there is), and is believed in that generation only (`trust.rs`); or `b:<token>`: somebody is rebuilding it. Pushes append only to lists that
//! exist (`RPUSHX`), a marked one included, so nobody's silence costs anything, and what is pushed
//! during a rebuild is not lost. A list was chosen over a sorted set for its tenth of the memory,
//! and because a sorted set's scores are doubles, which cannot hold an id.

use rand::Rng;

use super::Redis;
use super::trust::Generation;
use crate::StoreError;
use plaza_base::ids::{Id, PostId, UserId};

/// Commands in one pipeline.
const PIPELINE: usize = 512;
/// Timelines trimmed at the same time.
const TRIMS: usize = 64;
/// How long a rebuild may take, in seconds, before its marker expires.
const REBUILD_S: u64 = 30;

/// A timeline as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timeline {
    /// Post ids, newest first, each once.
    pub posts: Vec<PostId>,
    /// Every post above this id is among `posts`; 0: every post there is.
    pub horizon: i64,
}

/// The right to finish one rebuild.
#[derive(Debug, Clone)]
pub struct Rebuild {
    user: UserId,
    token: String,
    generation: Generation,
}

impl Redis {
    /// A user's timeline; `None` when there is none that may be believed, or it is being rebuilt.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn timeline(&self, user: UserId) -> Result<Option<Timeline>, StoreError> {
        let Some(generation) = self.generation() else { return Ok(None) };
        Ok(parse(&self.timeline_items(user).await?, &generation))
    }

    /// A user's timeline as it is held, for whoever compares it with the rows; `None` when readers
    /// would not believe it in this generation, or there is none.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn held_timeline(
        &self,
        user: UserId,
        generation: &str,
    ) -> Result<Option<Timeline>, StoreError> {
        Ok(parse(&self.timeline_items(user).await?, generation))
    }

    async fn timeline_items(&self, user: UserId) -> Result<Vec<String>, StoreError> {
        let key = self.inner.keys.timeline(user);
        self.inner
            .pool
            .run(async |connection| {
                redis::cmd("LRANGE").arg(&key).arg(0).arg(-1).query_async(connection).await
            })
            .await
    }

    /// Keeps a timeline that is read from expiring.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn keep_timeline(&self, user: UserId, idle_s: u64) -> Result<(), StoreError> {
        let key = self.inner.keys.timeline(user);
        self.inner
            .pool
            .run(async |connection| {
                redis::cmd("EXPIRE").arg(&key).arg(idle_s).query_async::<()>(connection).await
            })
            .await
    }

    /// Marks a user's timeline as being rebuilt; `None` when it exists or somebody else is at it.
    /// From here on pushes are kept.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn begin_rebuild(&self, user: UserId) -> Result<Option<Rebuild>, StoreError> {
        let Some(generation) = self.generation() else { return Ok(None) };
        let token = format!("{:016x}", rand::rng().random::<u64>());
        let mut script = self.inner.scripts.timeline_begin.prepare_invoke();
        script
            .key(self.inner.keys.timeline(user))
            .arg(format!("b:{token}"))
            .arg(REBUILD_S)
            .arg(generation.as_ref());
        let begun: i64 =
            self.inner.pool.run(async |connection| script.invoke_async(connection).await).await?;
        Ok((begun == 1).then_some(Rebuild { user, token, generation }))
    }

    /// Stores what was rebuilt, unless the timeline was forgotten meanwhile.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn finish_rebuild(
        &self,
        rebuild: &Rebuild,
        timeline: &Timeline,
        idle_s: u64,
    ) -> Result<bool, StoreError> {
        let mut script = self.inner.scripts.timeline_finish.prepare_invoke();
        script
            .key(self.inner.keys.timeline(rebuild.user))
            .arg(&rebuild.token)
            .arg(format!("{},{}", timeline.horizon, rebuild.generation))
            .arg(idle_s * 1_000);
        for post in timeline.posts.iter().rev() {
            script.arg(post.as_i64());
        }
        let stored: i64 =
            self.inner.pool.run(async |connection| script.invoke_async(connection).await).await?;
        Ok(stored == 1)
    }

    /// Appends posts (oldest first) to the timelines of those users who have one; a list that has
    /// grown past its length by a quarter is trimmed. Returns how many users have one.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: some may have been appended to; doing it again is harmless.
    pub async fn push_to_timelines(
        &self,
        posts: &[PostId],
        users: &[UserId],
        length: usize,
    ) -> Result<usize, StoreError> {
        let ids: Vec<i64> = posts.iter().map(|post| post.as_i64()).collect();
        if ids.is_empty() {
            return Ok(0);
        }
        let mut pushed = 0;
        for chunk in users.chunks(PIPELINE) {
            let mut pipeline = redis::pipe();
            for user in chunk {
                pipeline.cmd("RPUSHX").arg(self.inner.keys.timeline(*user)).arg(&ids);
            }
            let lengths: Result<Vec<usize>, StoreError> = self
                .inner
                .pool
                .run(async |connection| pipeline.query_async(connection).await)
                .await;
            // Who lacks a post must not be shown a timeline without it until it is pushed again.
            let lengths = lengths.inspect_err(|_| self.defer_timelines(chunk))?;
            pushed += lengths.iter().filter(|length| **length > 0).count();
            for (user, _) in
                chunk.iter().zip(&lengths).filter(|(_, held)| **held > length + length / 4)
            {
                self.trim_timeline(*user, length, 0).await?;
            }
        }
        Ok(pushed)
    }

    /// Raises the horizon of these users' timelines to at least `horizon`: below it they may lack
    /// posts from now on. Timelines that are being rebuilt are left alone, since a rebuild knows
    /// its own.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: some may have been raised; doing it again is harmless.
    pub async fn raise_horizons(
        &self,
        users: &[UserId],
        length: usize,
        horizon: i64,
    ) -> Result<(), StoreError> {
        for chunk in users.chunks(TRIMS) {
            futures_util::future::try_join_all(
                chunk.iter().map(|user| self.trim_timeline(*user, length, horizon)),
            )
            .await?;
        }
        Ok(())
    }

    async fn trim_timeline(
        &self,
        user: UserId,
        length: usize,
        horizon: i64,
    ) -> Result<(), StoreError> {
        let mut script = self.inner.scripts.timeline_trim.prepare_invoke();
        script.key(self.inner.keys.timeline(user)).arg(length).arg(horizon);
        self.inner.pool.run(async |connection| script.invoke_async::<()>(connection).await).await
    }

    /// Forgets timelines; the next read of each rebuilds it.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: they are forgotten later (`trust.rs`).
    pub async fn forget_timelines(&self, users: &[UserId]) -> Result<(), StoreError> {
        if users.is_empty() {
            return Ok(());
        }
        self.send_forget_timelines(users).await.inspect_err(|_| self.defer_timelines(users))
    }

    fn defer_timelines(&self, users: &[UserId]) {
        self.inner.trust.defer(|pending| pending.timelines.extend(users));
    }

    pub(super) async fn send_forget_timelines(&self, users: &[UserId]) -> Result<(), StoreError> {
        let keys: Vec<String> = users.iter().map(|user| self.inner.keys.timeline(*user)).collect();
        self.inner
            .pool
            .run(async |connection| {
                redis::cmd("DEL").arg(&keys).query_async::<()>(connection).await
            })
            .await
    }
}

fn parse(items: &[String], generation: &str) -> Option<Timeline> {
    let (header, ids) = items.split_first()?;
    let (horizon, made_in) = header.strip_prefix("h:")?.split_once(',')?;
    let horizon = horizon.parse().ok().filter(|_| made_in == generation)?;
    let mut posts: Vec<PostId> =
        ids.iter().filter_map(|id| id.parse().ok()).map(PostId::from_i64).collect();
    posts.sort_unstable_by(|a, b| b.cmp(a));
    posts.dedup();
    Some(Timeline { posts, horizon })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(items: &[&str]) -> Vec<String> {
        items.iter().map(|item| (*item).to_owned()).collect()
    }

    #[test]
    fn a_timeline_is_sorted_and_each_post_is_there_once() {
        let timeline = parse(&items(&["h:5,g", "7", "9", "8", "9"]), "g").unwrap();
        assert_eq!(timeline.posts, [9, 8, 7].map(PostId::from_i64));
        assert_eq!(timeline.horizon, 5);
    }

    #[test]
    fn a_marked_timeline_is_none() {
        assert_eq!(parse(&items(&["b:abc", "7"]), "abc"), None);
        assert_eq!(parse(&items(&["h:5,g", "7"]), "another"), None);
        assert_eq!(parse(&items(&["h:5", "7"]), ""), None);
        assert_eq!(parse(&[], "g"), None);
    }
}
