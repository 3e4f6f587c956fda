//! Work that one process does at a time, while others stand by: the leader holds an advisory lock
//! on a shard's primary for as long as its connection lives and is not silent.

use std::sync::Arc;
use std::time::Duration;

use diesel::QueryableByName;
use diesel::sql_types::{Bool, Text};
use diesel_async::{RunQueryDsl, SimpleAsyncConnection};
use tokio_util::sync::CancellationToken;

use super::cluster::Cluster;
use super::pool::{Connection, PooledConnection};
use super::prepared::{prepared, sql};
use super::routing::ShardIndex;
use super::shard::Shard;
use crate::StoreError;
use plaza_base::clock::pause;

/// How soon another process may take over, and how long a failure is waited after.
const RETRY: Duration = Duration::from_secs(1);
/// How long a shard may take to answer.
const ANSWER: Duration = Duration::from_secs(2);
/// The longest silence of a leader, in seconds: the server ends the session of one that hangs,
/// whose connection its kernel keeps alive, and so gives the lock back.
const SILENCE_S: u32 = 4;

#[derive(QueryableByName)]
struct Locked {
    #[diesel(sql_type = Bool)]
    locked: bool,
}

/// Takes a lock that lives as long as the connection; false when somebody else has it.
///
/// # Errors
/// The server's.
pub async fn try_lock(connection: &mut Connection, name: &str) -> Result<bool, StoreError> {
    let row: Locked = prepared(
        sql("SELECT pg_try_advisory_lock(hashtextextended($1, 0)) AS locked").bind::<Text, _>(name),
    )
    .get_result(connection)
    .await?;
    Ok(row.locked)
}

/// The same for a lock that is given back when the connection was silent for four seconds: who has
/// it checks [`is_alive`] every second.
///
/// # Errors
/// The server's.
pub async fn try_lead(connection: &mut Connection, name: &str) -> Result<bool, StoreError> {
    connection.batch_execute(&format!("SET idle_session_timeout = '{SILENCE_S}s'")).await?;
    try_lock(connection, name).await
}

/// Gives a lock back.
///
/// # Errors
/// The server's.
pub async fn unlock(connection: &mut Connection, name: &str) -> Result<(), StoreError> {
    prepared(sql("SELECT pg_advisory_unlock(hashtextextended($1, 0))").bind::<Text, _>(name))
        .execute(connection)
        .await?;
    Ok(())
}

/// Whether the connection, and so its lock, is still alive.
///
/// # Errors
/// The server's.
pub async fn is_alive(connection: &mut Connection) -> Result<(), StoreError> {
    Ok(connection.batch_execute("SELECT 1").await?)
}

/// Does `work` whenever this process gets the advisory lock `name` on a shard, again after each
/// failure, until it is stopped. It is dropped when the lock's connection is lost; what it writes
/// must stand that another process has begun meanwhile.
pub async fn exclusively<F>(
    cluster: Arc<Cluster>,
    shard: ShardIndex,
    name: &str,
    stop: CancellationToken,
    work: impl Fn() -> F,
) where
    F: Future<Output = anyhow::Result<()>> + Send,
{
    let attempt = || with_lock(&cluster, shard, name, &work);
    until_stopped((Some(shard), name), &stop, attempt).await;
}

async fn with_lock<F>(
    cluster: &Cluster,
    shard: ShardIndex,
    name: &str,
    work: &impl Fn() -> F,
) -> anyhow::Result<()>
where
    F: Future<Output = anyhow::Result<()>> + Send,
{
    let lock = cluster.shard(shard)?.direct().await?;
    lead(lock, shard, name, work).await
}

/// Does `work` whenever this process gets the advisory lock `name` on the first shard that answers,
/// as [`exclusively`] does: for what no shard alone may hold up. While shards come and go, two
/// processes may work for some seconds.
pub async fn exclusively_anywhere<F>(
    cluster: Arc<Cluster>,
    name: &str,
    stop: CancellationToken,
    work: impl Fn() -> F,
) where
    F: Future<Output = anyhow::Result<()>> + Send,
{
    until_stopped((None, name), &stop, || with_first_lock(&cluster, name, &work)).await;
}

/// Makes attempts at a lock and its work, one after another, until it is stopped.
async fn until_stopped<F>(
    (shard, name): (Option<ShardIndex>, &str),
    stop: &CancellationToken,
    attempt: impl Fn() -> F,
) where
    F: Future<Output = anyhow::Result<()>>,
{
    while !stop.is_cancelled() {
        tokio::select! {
            result = attempt() => {
                if let Err(error) = result {
                    let shard = shard.map(|shard| shard.0);
                    tracing::warn!(shard, name, error = format!("{error:#}"), "begins again");
                }
            }
            () = stop.cancelled() => return,
        }
        pause(RETRY, stop).await;
    }
}

async fn with_first_lock<F>(
    cluster: &Cluster,
    name: &str,
    work: &impl Fn() -> F,
) -> anyhow::Result<()>
where
    F: Future<Output = anyhow::Result<()>> + Send,
{
    let mut away = Vec::new();
    for index in cluster.indexes() {
        let shard = cluster.shard(index)?;
        if let Some(lock) = reached(shard).await {
            return tokio::select! {
                result = lead(lock, index, name, work) => result,
                // The others look there first.
                () = one_is_back(&away) => Ok(()),
            };
        }
        away.push(shard);
    }
    anyhow::bail!("no shard can be reached")
}

/// Ends when one of these shards answers; never, when there are none.
async fn one_is_back(away: &[&Shard]) {
    loop {
        tokio::time::sleep(RETRY).await;
        for shard in away {
            if reached(shard).await.is_some() {
                return;
            }
        }
    }
}

async fn reached(shard: &Shard) -> Option<PooledConnection> {
    tokio::time::timeout(ANSWER, shard.direct()).await.ok()?.ok()
}

/// Does the work if the lock is free, for as long as it is held.
async fn lead<F>(
    mut lock: PooledConnection,
    shard: ShardIndex,
    name: &str,
    work: &impl Fn() -> F,
) -> anyhow::Result<()>
where
    F: Future<Output = anyhow::Result<()>> + Send,
{
    if !try_lead(&mut lock, name).await? {
        return Ok(());
    }
    tracing::info!(shard = shard.0, name, "begins");
    let alive = async {
        loop {
            tokio::time::timeout(ANSWER, is_alive(&mut lock)).await??;
            anyhow::ensure!(!lock.has_ended(), "the shard's primary is another server");
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    tokio::select! {
        result = alive => result,
        result = work() => result,
    }
}
