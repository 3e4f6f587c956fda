//! Live updates. A user who is watched over a socket has a stream of the posts that have come to
//! their home, in the order they came, and a channel on which their watchers are woken. The stream
//! outlives the socket for a while: a client that comes back goes on where it was.

use redis::streams::{StreamId as Entry, StreamRangeReply};

use super::Redis;
use crate::StoreError;
use plaza_base::ids::{Id, PostId, UserId};

/// Entries a stream keeps, about.
const MOST: usize = 500;
/// How long a stream lives after it was last opened, in seconds.
pub const KEPT_S: u64 = 900;
/// Streams appended to in one script: Redis does nothing else meanwhile, 12 µs for each.
const CHUNK: usize = 32;

/// A place in a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Position {
    /// Unix milliseconds by Redis's clock.
    pub ms: u64,
    /// Number within the millisecond.
    pub number: u64,
}

impl Position {
    /// `ms-number`.
    pub fn parse(text: &str) -> Option<Self> {
        let (ms, number) = text.split_once('-')?;
        Some(Self { ms: ms.parse().ok()?, number: number.parse().ok()? })
    }
}

impl std::fmt::Display for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.ms, self.number)
    }
}

/// A stream as found.
#[derive(Debug, Clone, Copy)]
pub struct Opened {
    /// It was not there: what came before now is not in it.
    pub made: bool,
    /// Its first entry.
    pub first: Position,
    /// Its last entry.
    pub last: Position,
}

/// The newest entry of a stream, and the one it follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Newest {
    /// The place before it.
    pub before: Position,
    /// Its own place.
    pub at: Position,
    /// The post.
    pub post: PostId,
}

/// What a watcher is woken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wake {
    /// A post came to the user's home.
    Home(Newest),
    /// One of the user's orders has changed.
    Orders,
    /// A notification came.
    Notifications,
    /// A post came to the user's home, and there is no stream that holds it.
    Lost,
}

impl Wake {
    /// What a message on the channel means.
    pub fn parse(message: &[u8]) -> Option<Self> {
        let mut words = std::str::from_utf8(message).ok()?.split(' ');
        match words.next()? {
            "h" => {
                let Some(before) = words.next() else { return Some(Self::Lost) };
                let (before, at) = (Position::parse(before)?, Position::parse(words.next()?)?);
                Some(Self::Home(Newest {
                    before,
                    at,
                    post: PostId::from_i64(words.next()?.parse().ok()?),
                }))
            }
            "o" => Some(Self::Orders),
            "n" => Some(Self::Notifications),
            _ => None,
        }
    }
}

/// What users can be woken for beside a post, which its script publishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// One of the user's orders has changed.
    Orders,
    /// A notification came.
    Notifications,
}

impl Cause {
    fn message(self) -> &'static str {
        match self {
            Self::Orders => "o",
            Self::Notifications => "n",
        }
    }
}

impl Redis {
    /// Makes sure that a user's stream is there, and that it stays for a while.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn open_live(&self, user: UserId) -> Result<Opened, StoreError> {
        let mut script = self.inner.scripts.live_open.prepare_invoke();
        script.key(self.inner.keys.live(user)).arg(KEPT_S);
        let (made, first, last): (i64, String, String) =
            self.inner.pool.run(async |connection| script.invoke_async(connection).await).await?;
        let position = |text: &str| {
            Position::parse(text)
                .ok_or_else(|| StoreError::Corrupt(format!("{text:?} is no stream entry")))
        };
        Ok(Opened { made: made == 1, first: position(&first)?, last: position(&last)? })
    }

    /// The posts that came after a place, oldest first; `None` when the stream does not hold that
    /// place: it is another one, was trimmed beyond it, or is not there.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn live_after(
        &self,
        user: UserId,
        position: Position,
    ) -> Result<Option<Vec<(Position, PostId)>>, StoreError> {
        let (key, from) = (self.inner.keys.live(user), position.to_string());
        let reply: StreamRangeReply = self
            .inner
            .pool
            .run(async |connection| {
                redis::cmd("XRANGE")
                    .arg(&key)
                    .arg(&from)
                    .arg("+")
                    .arg("COUNT")
                    .arg(101)
                    .query_async(connection)
                    .await
            })
            .await?;
        Ok(reply
            .ids
            .split_first()
            .filter(|(first, _)| first.id == from)
            .map(|(_, later)| later.iter().filter_map(post_of).collect()))
    }

    /// The last posts that had come by a place, at most 100.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn live_before(
        &self,
        user: UserId,
        position: Position,
    ) -> Result<Vec<PostId>, StoreError> {
        let (key, to) = (self.inner.keys.live(user), position.to_string());
        let reply: StreamRangeReply = self
            .inner
            .pool
            .run(async |connection| {
                redis::cmd("XREVRANGE")
                    .arg(&key)
                    .arg(&to)
                    .arg("-")
                    .arg("COUNT")
                    .arg(100)
                    .query_async(connection)
                    .await
            })
            .await?;
        Ok(reply.ids.iter().filter_map(post_of).map(|(_, post)| post).collect())
    }

    /// Adds a post to the streams of those of these users who have one, and wakes their watchers.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: some may have been woken; waking them again is harmless.
    pub async fn push_live(&self, post: PostId, users: &[UserId]) -> Result<usize, StoreError> {
        let mut published = 0;
        for chunk in users.chunks(CHUNK) {
            let mut script = self.inner.scripts.live_push.prepare_invoke();
            for user in chunk {
                script.key(self.inner.keys.live(*user));
            }
            script.arg(post.as_i64()).arg(MOST);
            let count: usize = self
                .inner
                .pool
                .run(async |connection| script.invoke_async(connection).await)
                .await?;
            published += count;
        }
        Ok(published)
    }

    /// Wakes the watchers of these users.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: some may have been woken; waking them again is harmless.
    pub async fn wake(&self, users: &[UserId], what: Cause) -> Result<(), StoreError> {
        if users.is_empty() {
            return Ok(());
        }
        let mut pipeline = redis::pipe();
        for user in users {
            pipeline.cmd("PUBLISH").arg(self.inner.keys.live(*user)).arg(what.message()).ignore();
        }
        self.inner.pool.run(async |connection| pipeline.query_async::<()>(connection).await).await
    }
}

fn post_of(entry: &Entry) -> Option<(Position, PostId)> {
    let post: i64 = entry.get("p")?;
    Some((Position::parse(&entry.id)?, PostId::from_i64(post)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_says_what_it_is_for() {
        let (before, at) = (Position { ms: 5, number: 0 }, Position { ms: 6, number: 1 });
        let newest = Newest { before, at, post: PostId::from_i64(7) };
        assert_eq!(Wake::parse(b"h 5-0 6-1 7"), Some(Wake::Home(newest)));
        assert_eq!(Wake::parse(Cause::Orders.message().as_bytes()), Some(Wake::Orders));
        assert_eq!(
            Wake::parse(Cause::Notifications.message().as_bytes()),
            Some(Wake::Notifications)
        );
        assert_eq!(Wake::parse(b"h"), Some(Wake::Lost));
        for bad in ["", "h ", "h 5-0 6-1", "h 5-0 6-1 x", "x"] {
            assert_eq!(Wake::parse(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn places_are_ordered_as_redis_orders_them() {
        let at = |text: &str| Position::parse(text).unwrap();
        assert!(at("9-10") > at("9-9") && at("10-0") > at("9-10"));
        assert_eq!(at("5-6").to_string(), "5-6");
        for bad in ["", "5", "5-", "-", "5-x", "-5-5"] {
            assert_eq!(Position::parse(bad), None, "{bad}");
        }
    }
}
