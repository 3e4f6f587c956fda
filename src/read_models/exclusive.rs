//! Work that one process does at a time, while others stand by.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::clock::pause;
use crate::stores::postgres::{Cluster, ShardIndex, outbox};

/// How soon another process may take over, and how long a failure is waited after.
const RETRY: Duration = Duration::from_secs(1);

/// Does `work` whenever this process gets the advisory lock `name` on shard 0, again after each
/// failure, until told to stop. It is dropped when the lock's connection is lost; what it writes
/// must stand that another process has begun meanwhile.
pub async fn exclusively<F>(
    cluster: Arc<Cluster>,
    name: &str,
    stop: CancellationToken,
    work: impl Fn() -> F,
) where
    F: Future<Output = anyhow::Result<()>> + Send,
{
    while !stop.is_cancelled() {
        tokio::select! {
            result = with_lock(&cluster, name, &work) => {
                if let Err(error) = result {
                    tracing::warn!(name, error = format!("{error:#}"), "begins again");
                }
            }
            () = stop.cancelled() => return,
        }
        pause(RETRY, &stop).await;
    }
}

async fn with_lock<F>(cluster: &Cluster, name: &str, work: &impl Fn() -> F) -> anyhow::Result<()>
where
    F: Future<Output = anyhow::Result<()>> + Send,
{
    let mut lock = cluster.shard(ShardIndex(0))?.direct().await?;
    if !outbox::try_lock(&mut lock, name).await? {
        return Ok(());
    }
    tracing::info!(name, "begins");
    let alive = async {
        loop {
            tokio::time::timeout(Duration::from_secs(2), outbox::is_alive(&mut lock)).await??;
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    tokio::select! {
        result = alive => result,
        result = work() => result,
    }
}
