//! Work that one process does at a time, while others stand by: the leader holds an advisory lock
//! on a shard's primary for as long as its connection lives and is not silent. What a leader writes
//! that has lost its lock without noticing is refused by its epoch (`leases.rs`).

use std::sync::Arc;
use std::time::Duration;

use diesel::QueryableByName;
use diesel::sql_types::{Bool, Text};
use diesel_async::{RunQueryDsl, SimpleAsyncConnection};
use parking_lot::Mutex;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::cluster::Cluster;
use super::leases;
use super::outbox::disable_sync_commit;
use super::pool::{Connection, PooledConnection};
use super::prepared::{prepared, sql};
use super::routing::ShardIndex;
use super::shard::Shard;
use crate::StoreError;
use plaza_base::clock::pause;

/// Within what time somebody else goes on with the work of a process that hangs, whatever that
/// holds: a lock, rows in a transaction, jobs of RabbitMQ.
pub const REPLACED: Duration = Duration::from_secs(5);
/// How long a failure is waited after.
const RETRY: Duration = Duration::from_secs(1);
/// How long a shard may take to answer.
const ANSWER: Duration = Duration::from_secs(2);
/// The longest silence of a leader: the server ends the session of one that hangs, whose connection
/// its kernel keeps alive, and so gives the lock back.
const SILENCE: Duration = Duration::from_secs(3);
/// How often a leader says that it is there.
const BEAT: Duration = Duration::from_millis(500);
/// How soon whoever stands by sees that a lock is free.
const LOOK: Duration = Duration::from_millis(500);

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

/// Waits for a lock that is given back when the connection was silent for three seconds: who has it
/// is heard by `beat`.
///
/// # Errors
/// The server's; the connection has ended meanwhile.
async fn wait_for(lock: &mut PooledConnection, name: &str) -> Result<(), StoreError> {
    let silence = format!("SET idle_session_timeout = {}", SILENCE.as_millis());
    lock.batch_execute(&silence).await?;
    while !in_time(try_lock(lock, name)).await? {
        is_there(lock)?;
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

async fn in_time<T>(answer: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    let late = |_| StoreError::Deadline("the connection of a lock".to_owned());
    tokio::time::timeout(ANSWER, answer).await.map_err(late)?
}

fn is_there(lock: &PooledConnection) -> Result<(), StoreError> {
    if lock.has_ended() {
        return Err(StoreError::unavailable("postgres", "the primary is another server"));
    }
    Ok(())
}

/// Says that the leader is there, and hears whether the lock is.
async fn beat(lock: &mut PooledConnection) -> Result<(), StoreError> {
    in_time(is_alive(lock)).await?;
    is_there(lock)
}

/// A lock with an epoch, for as long as it is renewed.
#[derive(Debug)]
pub struct Lease {
    name: &'static str,
    /// What is written under it names this.
    pub epoch: i64,
    heard: Mutex<Instant>,
}

impl Lease {
    /// Waits until the lock is free, and begins an epoch, which no replica is waited for: whoever
    /// finds another one later has lost the lease.
    ///
    /// # Errors
    /// The server's.
    pub async fn take(lock: &mut PooledConnection, name: &'static str) -> Result<Self, StoreError> {
        disable_sync_commit(lock).await?;
        wait_for(lock, name).await?;
        let epoch = in_time(leases::begin(lock, name)).await?;
        Ok(Self { name, epoch, heard: Mutex::new(Instant::now()) })
    }

    /// Renews it until the lock is lost; never ends otherwise.
    ///
    /// # Errors
    /// Always: the server's, or that the primary is another server.
    pub async fn keep(&self, lock: &mut PooledConnection) -> Result<(), StoreError> {
        loop {
            beat(lock).await?;
            *self.heard.lock() = Instant::now();
            tokio::time::sleep(BEAT).await;
        }
    }

    /// Whether it was renewed lately, as far as this process can know: to be asked before what
    /// cannot be taken back, since this process may have hung until now.
    ///
    /// # Errors
    /// [`StoreError::Fenced`]: another process may have begun.
    pub fn check(&self) -> Result<(), StoreError> {
        if self.heard.lock().elapsed() < SILENCE {
            return Ok(());
        }
        Err(StoreError::Fenced(self.name.to_owned()))
    }
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
async fn is_alive(connection: &mut Connection) -> Result<(), StoreError> {
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

/// Does the work once the lock is free, for as long as it is held.
async fn lead<F>(
    mut lock: PooledConnection,
    shard: ShardIndex,
    name: &str,
    work: &impl Fn() -> F,
) -> anyhow::Result<()>
where
    F: Future<Output = anyhow::Result<()>> + Send,
{
    wait_for(&mut lock, name).await?;
    tracing::info!(shard = shard.0, name, "begins");
    let alive = async {
        loop {
            beat(&mut lock).await?;
            tokio::time::sleep(BEAT).await;
        }
    };
    tokio::select! {
        result = alive => result,
        result = work() => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postgres::connector::IDLE_IN_TRANSACTION;
    use crate::rabbitmq::WORKERS_HEARTBEAT_S;

    /// What it takes until a process that hangs is given up, whatever it holds, and how much is
    /// left for its successor to begin.
    #[test]
    fn whoever_hangs_is_given_up_in_time_for_another_to_go_on() {
        let begin = Duration::from_secs(1);
        assert!(SILENCE + LOOK + begin <= REPLACED);
        // A successor finds rows locked for as long as this at most.
        assert!(IDLE_IN_TRANSACTION + LOOK <= REPLACED);
        // RabbitMQ looks once an interval, and gives up whoever was silent at two looks.
        let given_up = Duration::from_secs(WORKERS_HEARTBEAT_S.into()) * 3;
        assert!(given_up + begin <= REPLACED);
        // And whoever is only slow is not given up.
        assert!(BEAT + ANSWER < SILENCE);
    }
}
