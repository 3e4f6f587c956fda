//! Rows that nobody needs any more are deleted in small statements, so that none holds its locks
//! for long.

use std::time::Duration;

use tokio::time::Instant;

use super::cluster::Cluster;
use crate::StoreError;
use crate::query::ReadQuery;

impl Cluster {
    /// Deletes rows on all shards at once, with `forget`, which deletes `at_once` at most and says
    /// how many, until it finds fewer; how many in all. A statement may take `deadline`. Any number
    /// of processes may do so at the same time.
    ///
    /// # Errors
    /// A shard that is unavailable: the others' rows are deleted.
    #[expect(
        clippy::manual_async_fn,
        reason = "the signature says that the future may move between threads"
    )]
    pub fn sweep<'a, F>(
        &'a self,
        deadline: Duration,
        at_once: usize,
        forget: F,
    ) -> impl Future<Output = Result<usize, StoreError>> + Send + 'a
    where
        F: ReadQuery<usize> + 'a,
    {
        async move {
            let forget = &forget;
            let mut swept = Vec::with_capacity(self.len());
            for shard in self.indexes() {
                swept.push(async move {
                    let mut count = 0;
                    loop {
                        let statement = async |connection: &mut super::pool::Connection| {
                            forget(connection).await
                        };
                        let deleted =
                            self.write_alone(shard, Instant::now() + deadline, statement).await?;
                        count += deleted;
                        if deleted < at_once {
                            return Ok::<usize, StoreError>(count);
                        }
                    }
                });
            }
            let swept = futures_util::future::join_all(swept).await;
            swept.into_iter().try_fold(0, |sum, count| Ok(sum + count?))
        }
    }
}
