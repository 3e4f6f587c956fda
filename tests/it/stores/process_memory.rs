//! What a process keeps in its memory while it does not hear what others change.

use std::collections::HashMap;

use plaza::clock::Clock;
use plaza::ids::PostId;
use plaza::stores::StoreError;
use plaza::stores::redis::Redis;
use plaza::stores::redis::cache::CachePolicy;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::own_redis::OwnRedis;
use super::redis::{LocalRow, config, row_id};
use crate::wait::until;

/// Reads the row; `loaded` is the version that the shard has.
async fn version(redis: &Redis, loaded: i64) -> Option<i64> {
    let load =
        async |_: &[PostId]| Ok::<_, StoreError>(HashMap::from([(row_id(), LocalRow(loaded))]));
    let rows = redis.get_many(CachePolicy::default(), &[row_id()], load).await.unwrap();
    rows.get(&row_id()).map(|row| row.0)
}

/// Waits until memory answers what only Redis could correct.
async fn until_memory_answers(reader: &Redis, redis: &OwnRedis, held: i64) {
    until("the row is in memory", async || {
        redis.flush().await;
        // Memory is filled from Redis only.
        version(reader, held).await;
        version(reader, held).await;
        redis.flush().await;
        version(reader, held + 100).await == Some(held)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_is_not_read_while_invalidations_do_not_arrive() {
    let redis = OwnRedis::start().await;
    let wire = redis.wire().await;
    let reader = Redis::new(&config(&wire.url, 2), Clock::System).unwrap();
    let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
    let (listener, stopping) = (reader.clone(), stop.clone());
    tasks.spawn(async move { listener.listen(stopping).await });
    until_memory_answers(&reader, &redis, 1).await;
    // Nothing says that the wire hangs; what others change meanwhile is not heard.
    wire.hang(true);
    until("the row is asked for again", async || version(&reader, 2).await == Some(2)).await;
    wire.hang(false);
    until_memory_answers(&reader, &redis, 3).await;
    stop.cancel();
    tasks.join_next().await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn a_process_that_does_not_listen_keeps_nothing() {
    let redis = OwnRedis::start().await;
    let process = Redis::new(&config(&redis.url(), 2), Clock::System).unwrap();
    assert_eq!(version(&process, 1).await, Some(1));
    assert_eq!(version(&process, 2).await, Some(1), "from Redis");
    redis.flush().await;
    assert_eq!(version(&process, 3).await, Some(3));
}
