//! Redis against the local system's real server, each test under a prefix of its own.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};

use plaza::clock::Clock;
use plaza::config::RedisConfig;
use plaza::ids::{Id, PostId, SessionId};
use plaza::stores::StoreError;
use plaza::stores::postgres::position::position;
use plaza::stores::postgres::session::ConsistencyToken;
use plaza::stores::redis::Redis;
use plaza::stores::redis::admission::Asked;
use plaza::stores::redis::cache::{CachePolicy, Cached};
use plaza::stores::redis::keys::Keys;
use plaza::stores::redis::rate_limit::{Bucket, Standing};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::wait::until;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    text: String,
    version: i64,
}

impl Cached for Row {
    type Key = PostId;
    const KIND: &'static str = "row";
    const LOCAL: bool = false;
    fn version(&self) -> i64 {
        self.version
    }
}

/// The same, kept in process memory too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalRow(pub i64);

impl Cached for LocalRow {
    type Key = PostId;
    const KIND: &'static str = "local_row";
    const LOCAL: bool = true;
    fn version(&self) -> i64 {
        self.0
    }
}

/// The local system's, with its password.
pub fn server() -> String {
    crate::app::base_config().redis.url.expose_secret().to_owned()
}

pub fn config(url: &str, pool: u32) -> RedisConfig {
    RedisConfig {
        url: url.into(),
        key_prefix: format!("test-{:016x}", rand::random::<u64>()),
        pool,
        timeout_ms: 1_000,
        servers: 1,
        cache_ttl_ms: 60_000,
        l1_ttl_ms: 60_000,
        l1_max_bytes: 1_000_000,
        trust_ms: 1_500,
        looks_at_once: 16,
    }
}

pub fn fresh() -> Redis {
    Redis::new(&config(&server(), 2), Clock::System).unwrap()
}

pub fn row(text: &str, version: i64) -> Row {
    Row { text: text.to_owned(), version }
}

/// The id of the one row.
pub fn row_id() -> PostId {
    PostId::from_i64(1)
}

/// Reads the row; `loaded` is what the shard would say.
pub async fn read(redis: &Redis, loaded: Option<Row>) -> Option<Row> {
    let rows = redis
        .get_many(CachePolicy::default(), &[row_id()], async |ids: &[PostId]| {
            Ok::<_, StoreError>(
                ids.iter().filter_map(|id| Some((*id, loaded.clone()?))).collect::<HashMap<_, _>>(),
            )
        })
        .await
        .unwrap();
    rows.get(&row_id()).cloned()
}

#[tokio::test]
async fn without_a_time_to_live_nothing_is_held_but_others_are_told_of_changes() {
    let settings = config(&server(), 2);
    let caching = Redis::new(&settings, Clock::System).unwrap();
    let off = Redis::new(&RedisConfig { cache_ttl_ms: 0, ..settings }, Clock::System).unwrap();
    assert_eq!(read(&caching, Some(row("a", 1))).await, Some(row("a", 1)));
    assert_eq!(read(&off, Some(row("b", 2))).await, Some(row("b", 2)));
    assert_eq!(read(&off, Some(row("c", 3))).await, Some(row("c", 3)));
    assert_eq!(
        read(&caching, Some(row("not asked", 9))).await,
        Some(row("a", 1)),
        "what was read there is not in Redis"
    );
    off.invalidate::<Row>(&[(row_id(), 3)]).await.unwrap();
    assert_eq!(read(&caching, Some(row("c", 3))).await, Some(row("c", 3)));
}

#[tokio::test]
async fn what_was_loaded_once_is_held_and_so_is_absence() {
    let redis = fresh();
    assert_eq!(read(&redis, Some(row("a", 1))).await, Some(row("a", 1)));
    assert_eq!(read(&redis, Some(row("not asked", 9))).await, Some(row("a", 1)));
    let other = fresh();
    assert_eq!(read(&other, None).await, None);
    assert_eq!(read(&other, Some(row("not asked", 1))).await, None, "absence is remembered");
    other.invalidate::<Row>(&[(row_id(), 1)]).await.unwrap();
    assert_eq!(
        read(&other, Some(row("born", 1))).await,
        Some(row("born", 1)),
        "until the row is told of"
    );
}

#[tokio::test]
async fn a_lagging_replica_cannot_put_back_what_a_write_made_old() {
    let redis = fresh();
    read(&redis, Some(row("old", 1))).await;
    redis.invalidate::<Row>(&[(row_id(), 2)]).await.unwrap();
    assert_eq!(
        read(&redis, Some(row("old", 1))).await,
        Some(row("old", 1)),
        "given to the reader who asked that replica"
    );
    assert_eq!(read(&redis, Some(row("new", 2))).await, Some(row("new", 2)), "but not kept");
    redis.invalidate::<Row>(&[(row_id(), 1)]).await.unwrap();
    assert_eq!(
        read(&redis, None).await,
        Some(row("new", 2)),
        "a late message about an older version costs nothing"
    );
}

/// So many readers of row 1 at once in each of these processes, and how often they loaded it; a
/// load takes until all of them have asked.
async fn stampede(processes: &[Redis], readers: usize) -> usize {
    let loads = Arc::new(AtomicUsize::new(0));
    let asked = Arc::new(watch::Sender::new(0));
    let all = processes.len() * readers;
    let mut reading = JoinSet::new();
    for redis in processes.iter().flat_map(|process| std::iter::repeat_n(process, readers)) {
        let (redis, loads, asked) = (redis.clone(), Arc::clone(&loads), Arc::clone(&asked));
        reading.spawn(async move {
            asked.send_modify(|asked| *asked += 1);
            redis
                .get_many(CachePolicy::default(), &[row_id()], async |ids: &[PostId]| {
                    loads.fetch_add(1, Ordering::Relaxed);
                    asked.subscribe().wait_for(|asked| *asked == all).await.unwrap();
                    Ok::<_, StoreError>(ids.iter().map(|id| (*id, row("a", 1))).collect())
                })
                .await
                .unwrap()
        });
    }
    while let Some(rows) = reading.join_next().await {
        assert_eq!(rows.unwrap().get(&row_id()), Some(&row("a", 1)));
    }
    loads.load(Ordering::Relaxed)
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_of_one_missing_row_load_it_once_in_all_processes_together() {
    let config = config(&server(), 2);
    let processes: Vec<Redis> =
        (0..3).map(|_| Redis::new(&config, Clock::System).unwrap()).collect();
    assert_eq!(stampede(processes.get(..1).unwrap(), 50).await, 1, "within a process");
    processes.first().unwrap().invalidate::<Row>(&[(row_id(), 1)]).await.unwrap();
    assert_eq!(stampede(&processes, 20).await, 1, "across processes");
}

#[tokio::test]
async fn a_load_that_fails_or_is_left_keeps_nobody_from_loading() {
    let config = config(&server(), 2);
    let (one, other) =
        (Redis::new(&config, Clock::System).unwrap(), Redis::new(&config, Clock::System).unwrap());
    let failed = one
        .get_many(CachePolicy::default(), &[row_id()], async |_: &[PostId]| {
            Err::<HashMap<PostId, Row>, _>(StoreError::Corrupt("on purpose".to_owned()))
        })
        .await;
    assert!(failed.is_err());
    assert_eq!(
        read(&other, Some(row("a", 1))).await,
        Some(row("a", 1)),
        "its lease was given back"
    );

    other.invalidate::<Row>(&[(row_id(), 2)]).await.unwrap();
    let (began, begun) = tokio::sync::oneshot::channel();
    let began = std::sync::Mutex::new(Some(began));
    let ids = [row_id()];
    let never = one.get_many(CachePolicy::default(), &ids, async |_: &[PostId]| {
        if let Some(began) = began.lock().unwrap().take() {
            began.send(()).unwrap();
        }
        std::future::pending::<Result<HashMap<PostId, Row>, StoreError>>().await
    });
    tokio::select! {
        _ = never => unreachable!("nothing is ever loaded"),
        begun = begun => begun.unwrap(),
    }
    assert_eq!(
        read(&other, Some(row("b", 2))).await,
        Some(row("b", 2)),
        "its lease ended by itself"
    );
}

#[tokio::test]
async fn what_is_about_to_expire_is_loaded_anew_while_it_is_served() {
    let config = RedisConfig { cache_ttl_ms: 2_000, ..config(&server(), 2) };
    let row = AtomicI64::new(1);
    // Of each read: the version that it found, and whether it loaded the row.
    let read = async || {
        let process = Redis::new(&config, Clock::System).unwrap();
        let loaded = AtomicBool::new(false);
        let load = async |_: &[PostId]| {
            loaded.store(true, Ordering::SeqCst);
            Ok::<_, StoreError>(HashMap::from([(row_id(), LocalRow(row.load(Ordering::SeqCst)))]))
        };
        let rows = process.get_many(CachePolicy::default(), &[row_id()], load).await.unwrap();
        (rows.get(&row_id()).unwrap().0, loaded.load(Ordering::SeqCst))
    };
    until("it is loaded anew before it expires, and served meanwhile", async || {
        let newest = row.fetch_add(1, Ordering::SeqCst) + 1;
        let (found, loaded) = read().await;
        loaded && found < newest
    })
    .await;
    let newest = row.load(Ordering::SeqCst);
    assert_eq!(read().await.0, newest, "what was loaded early is served");
    row.store(1, Ordering::SeqCst);
    assert!(read().await.0 >= newest, "a lagging replica's load puts nothing back");
}

#[tokio::test]
async fn another_process_forgets_what_it_held_in_memory() {
    // Nothing is forgotten because it is old.
    let hour_ms = 3_600_000;
    let config = RedisConfig { l1_ttl_ms: hour_ms, cache_ttl_ms: hour_ms, ..config(&server(), 2) };
    let (writer, reader) =
        (Redis::new(&config, Clock::System).unwrap(), Redis::new(&config, Clock::System).unwrap());
    let version = async |expected: i64| {
        let rows = reader
            .get_many(CachePolicy::default(), &[row_id()], async |_: &[PostId]| {
                Ok::<_, StoreError>(HashMap::from([(row_id(), LocalRow(expected))]))
            })
            .await
            .unwrap();
        rows.get(&row_id()).map(|row| row.0)
    };
    let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
    let (listener, stopping) = (reader.clone(), stop.clone());
    tasks.spawn(async move { listener.listen(stopping).await });
    let channel = Keys::new(&config.key_prefix).invalidations();
    let mut server =
        redis::Client::open(server()).unwrap().get_multiplexed_async_connection().await.unwrap();
    let mut listeners = 0;
    while listeners == 0 {
        (_, listeners) = redis::cmd("PUBSUB")
            .arg("NUMSUB")
            .arg(&channel)
            .query_async::<(String, u32)>(&mut server)
            .await
            .unwrap();
    }
    version(1).await;
    version(1).await;
    writer.invalidate::<LocalRow>(&[(row_id(), 2)]).await.unwrap();
    until("the other process has forgotten it", async || version(2).await == Some(2)).await;
    stop.cancel();
    tasks.join_next().await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn what_a_session_writes_at_the_same_moment_is_all_remembered() {
    let (redis, session) = (fresh(), SessionId::from_i64(1));
    let writes = (0..20_usize).map(|shard| {
        let token = ConsistencyToken {
            seen_at_ms: 1_700_000_000_000 - i64::try_from(shard).unwrap(),
            // The last ones differ by a byte of log on a late timeline.
            shards: [
                (shard, 1 << 40),
                (100, u64::try_from(shard).unwrap()),
                (101, position(900, u64::try_from(shard).unwrap())),
            ]
            .into(),
            written_at_ms: 1_700_000_000_000 + i64::try_from(shard).unwrap(),
            bypass_cache: shard == 7,
            ..ConsistencyToken::default()
        };
        let redis = &redis;
        async move { redis.remember_writes(session, &token).await }
    });
    futures_util::future::try_join_all(writes).await.unwrap();
    let all = redis.recent_writes(session).await.unwrap();
    assert_eq!(all.shards.len(), 22);
    assert_eq!(all.shards.get(&3), Some(&(1 << 40)));
    assert_eq!(all.shards.get(&100), Some(&19), "the latest position, whatever the order");
    assert_eq!(all.shards.get(&101), Some(&position(900, 19)));
    assert_eq!(all.written_at_ms, 1_700_000_000_019);
    assert_eq!(all.seen_at_ms, 1_700_000_000_000);
    assert!(all.bypass_cache);
    assert_eq!(
        redis.recent_writes(SessionId::from_i64(2)).await.unwrap(),
        ConsistencyToken::default()
    );
}

#[tokio::test]
async fn what_a_request_begins_with_is_asked_at_once() {
    let (redis, session) = (fresh(), SessionId::from_i64(1));
    let wrote = ConsistencyToken { written_at_ms: 1_700_000_000_000, ..Default::default() };
    redis.remember_writes(session, &wrote).await.unwrap();
    let asked = Asked {
        who: "somebody",
        bucket: Bucket { capacity: 10, per_second: 1 },
        cost: 6,
        back: 0,
        session: Some(session),
        request: Some("0123"),
    };
    let (trips, first) = (redis.trips(), redis.admit(asked).await);
    // A server that has not seen the script yet is sent it.
    assert!(redis.trips() - trips <= 2);
    assert_eq!(first.standing, Standing { taken: true, left: 4 });
    assert_eq!(first.written, Some(wrote));
    assert_eq!(first.was_here, Some(false));
    let (trips, second) = (redis.trips(), redis.admit(asked).await);
    assert_eq!(redis.trips() - trips, 1);
    assert!(!second.standing.taken, "{second:?}");
    assert_eq!(second.was_here, Some(true));
    let nobody = Asked { who: "nobody", session: None, request: None, ..asked };
    let nobody = redis.admit(nobody).await;
    assert_eq!((nobody.written, nobody.was_here), (Some(ConsistencyToken::default()), None));
}
