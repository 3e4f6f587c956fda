//! Who was shown which post in an hour, so that a view counts once in it.

use super::Redis;
use crate::StoreError;
use plaza_base::ids::{Id, PostId};

/// An hour and a little more: a set is needed until its hour is over on every server.
const KEPT_S: i64 = 3_900;

impl Redis {
    /// Notes that a viewer (a keyed hash) was shown posts in an hour (since 1970); for each of them
    /// whether that was the first time.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn first_views(
        &self,
        viewer: u64,
        hour: i64,
        posts: &[PostId],
    ) -> Result<Vec<bool>, StoreError> {
        let key = self.inner.keys.viewed(viewer, hour);
        let mut note = redis::pipe();
        for post in posts {
            note.sadd(&key, post.as_i64());
        }
        note.expire(&key, KEPT_S).ignore();
        self.inner
            .pool
            .run(async |connection| note.query_async::<Vec<bool>>(connection).await)
            .await
    }
}
