//! Redis against the local system's real server, each test under a prefix of its own.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use plaza::clock::Clock;
use plaza::config::RedisConfig;
use plaza::ids::{Id, PostId, SessionId, UserId};
use plaza::stores::StoreError;
use plaza::stores::postgres::session::ConsistencyToken;
use plaza::stores::redis::Redis;
use plaza::stores::redis::cache::{CachePolicy, Cached};
use plaza::stores::redis::keys::Keys;
use plaza::stores::redis::timelines::Timeline;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Row {
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
struct LocalRow(i64);

impl Cached for LocalRow {
    type Key = PostId;
    const KIND: &'static str = "local_row";
    const LOCAL: bool = true;
    fn version(&self) -> i64 {
        self.0
    }
}

/// The local system's, with its password.
fn server() -> String {
    crate::app::base_config().redis.url.expose_secret().to_owned()
}

/// The server's URL with a listener in its place, and the server's own `host:port`.
fn by_way_of(listener: &TcpListener) -> (String, String) {
    let url = server();
    // `redis://:password@host:port/db`
    let at = url.rsplit('@').next().unwrap().trim_start_matches("redis://");
    let at = at.split('/').next().unwrap().to_owned();
    (url.replace(&at, &listener.local_addr().unwrap().to_string()), at)
}

fn config(url: &str, pool: u32) -> RedisConfig {
    RedisConfig {
        url: url.into(),
        key_prefix: format!("test-{:016x}", rand::random::<u64>()),
        pool,
        timeout_ms: 1_000,
        servers: 1,
        cache_ttl_ms: 60_000,
        l1_ttl_ms: 60_000,
        trust_ms: 1_500,
        looks_at_once: 16,
    }
}

fn fresh() -> Redis {
    Redis::new(&config(&server(), 2), Clock::System).unwrap()
}

fn row(text: &str, version: i64) -> Row {
    Row { text: text.to_owned(), version }
}

/// The id of the one row.
fn row_id() -> PostId {
    PostId::from_i64(1)
}

/// Reads the row; `loaded` is what the shard would say.
async fn read(redis: &Redis, loaded: Option<Row>) -> Option<Row> {
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
/// load takes a tenth of a second.
async fn stampede(processes: &[Redis], readers: usize) -> usize {
    let loads = Arc::new(AtomicUsize::new(0));
    let mut reading = JoinSet::new();
    for redis in processes.iter().flat_map(|process| std::iter::repeat_n(process, readers)) {
        let (redis, loads) = (redis.clone(), Arc::clone(&loads));
        reading.spawn(async move {
            redis
                .get_many(CachePolicy::default(), &[row_id()], async |ids: &[PostId]| {
                    loads.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep(Duration::from_millis(100)).await;
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
    // A process looks so seldom that now is surely its last chance.
    let config =
        RedisConfig { cache_ttl_ms: 5_000, l1_ttl_ms: 10_000_000_000, ..config(&server(), 2) };
    let version = async |loaded: i64| {
        let process = Redis::new(&config, Clock::System).unwrap();
        let load =
            async |_: &[PostId]| Ok::<_, StoreError>(HashMap::from([(row_id(), LocalRow(loaded))]));
        process
            .get_many(CachePolicy::default(), &[row_id()], load)
            .await
            .unwrap()
            .get(&row_id())
            .map(|row| row.0)
    };
    assert_eq!(version(1).await, Some(1));
    assert_eq!(version(2).await, Some(1), "served from Redis, and loaded anew beside it");
    assert_eq!(version(3).await, Some(2));
    assert_eq!(version(1).await, Some(3), "a lagging replica's load puts nothing back");
    assert_eq!(version(3).await, Some(3));
}

#[tokio::test]
async fn another_process_forgets_what_it_held_in_memory() {
    let config = config(&server(), 2);
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
    let mut tries = 0;
    while version(2).await != Some(2) {
        tries += 1;
        assert!(tries < 100, "still the old one after a second");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    stop.cancel();
    tasks.join_next().await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn what_a_session_writes_at_the_same_moment_is_all_remembered() {
    let (redis, session) = (fresh(), SessionId::from_i64(1));
    let writes = (0..20_usize).map(|shard| {
        let token = ConsistencyToken {
            seen_at_ms: 1_700_000_000_000 - i64::try_from(shard).unwrap(),
            shards: [(shard, 1 << 40), (100, u64::try_from(shard).unwrap())].into(),
            written_at_ms: 1_700_000_000_000 + i64::try_from(shard).unwrap(),
            bypass_cache: shard == 7,
            ..ConsistencyToken::default()
        };
        let redis = &redis;
        async move { redis.remember_writes(session, &token).await }
    });
    futures_util::future::try_join_all(writes).await.unwrap();
    let all = redis.recent_writes(session).await.unwrap();
    assert_eq!(all.shards.len(), 21);
    assert_eq!(all.shards.get(&3), Some(&(1 << 40)));
    assert_eq!(all.shards.get(&100), Some(&19), "the latest position, whatever the order");
    assert_eq!(all.written_at_ms, 1_700_000_000_019);
    assert_eq!(all.seen_at_ms, 1_700_000_000_000);
    assert!(all.bypass_cache);
    assert_eq!(
        redis.recent_writes(SessionId::from_i64(2)).await.unwrap(),
        ConsistencyToken::default()
    );
}

/// Ids that a double cannot tell apart.
const BIG: i64 = 6_000_000_000_000_000_000;

fn posts(ids: impl IntoIterator<Item = i64>) -> Vec<PostId> {
    ids.into_iter().map(PostId::from_i64).collect()
}

async fn built(redis: &Redis, user: UserId, ids: impl IntoIterator<Item = i64>, horizon: i64) {
    let marker = redis.begin_rebuild(user).await.unwrap().expect("there is none yet");
    assert!(
        redis.finish_rebuild(&marker, &Timeline { posts: posts(ids), horizon }, 60).await.unwrap()
    );
}

#[tokio::test]
async fn posts_pushed_during_a_rebuild_are_kept_and_those_who_have_no_timeline_get_none() {
    let (redis, me, nobody) = (fresh(), UserId::from_i64(1), UserId::from_i64(2));
    let marker = redis.begin_rebuild(me).await.unwrap().unwrap();
    assert!(redis.begin_rebuild(me).await.unwrap().is_none(), "one at a time");
    assert_eq!(redis.push_to_timelines(&posts([BIG + 3]), &[me, nobody], 100).await.unwrap(), 1);
    assert_eq!(redis.timeline(me).await.unwrap(), None, "not before it is whole");
    redis
        .finish_rebuild(&marker, &Timeline { posts: posts([BIG + 2, BIG + 1]), horizon: BIG }, 60)
        .await
        .unwrap();
    // Pushed twice, as after a redelivery.
    redis.push_to_timelines(&posts([BIG + 3]), &[me], 100).await.unwrap();
    let expected = Timeline { posts: posts([BIG + 3, BIG + 2, BIG + 1]), horizon: BIG };
    assert_eq!(redis.timeline(me).await.unwrap(), Some(expected));
    assert_eq!(redis.timeline(nobody).await.unwrap(), None);
}

#[tokio::test]
async fn a_rebuild_that_was_overtaken_by_a_follow_stores_nothing() {
    let (redis, me) = (fresh(), UserId::from_i64(1));
    let first = redis.begin_rebuild(me).await.unwrap().unwrap();
    redis.forget_timelines(&[me]).await.unwrap();
    let second = redis.begin_rebuild(me).await.unwrap().unwrap();
    let outdated = Timeline { posts: posts([1]), horizon: 0 };
    assert!(!redis.finish_rebuild(&first, &outdated, 60).await.unwrap());
    let current = Timeline { posts: posts([2, 1]), horizon: 0 };
    assert!(redis.finish_rebuild(&second, &current, 60).await.unwrap());
    assert_eq!(redis.timeline(me).await.unwrap(), Some(current));
}

#[tokio::test]
async fn a_timeline_that_grew_too_long_keeps_the_newest_and_knows_what_it_lost() {
    let (redis, me) = (fresh(), UserId::from_i64(1));
    built(&redis, me, (BIG + 1..=BIG + 8).rev(), BIG).await;
    for id in [BIG + 10, BIG + 9, BIG + 11, BIG + 9] {
        redis.push_to_timelines(&posts([id]), &[me], 8).await.unwrap();
    }
    let timeline = redis.timeline(me).await.unwrap().unwrap();
    assert!(timeline.posts.len() <= 11);
    let must: Vec<PostId> = posts((timeline.horizon + 1..=BIG + 11).rev());
    let above: Vec<PostId> =
        timeline.posts.into_iter().filter(|post| post.as_i64() > timeline.horizon).collect();
    assert_eq!(above, must, "without a gap down to the horizon");
    assert!(timeline.horizon > BIG, "trimmed at least once");
}

#[tokio::test]
async fn a_raised_horizon_never_sinks_and_a_rebuild_is_left_alone() {
    let (redis, me, other) = (fresh(), UserId::from_i64(1), UserId::from_i64(2));
    built(&redis, me, [BIG + 9, BIG + 5, BIG + 2], 0).await;
    let marker = redis.begin_rebuild(other).await.unwrap().unwrap();
    redis.raise_horizons(&[me, other, UserId::from_i64(3)], 100, BIG + 4).await.unwrap();
    redis.raise_horizons(&[me], 100, BIG + 1).await.unwrap();
    assert_eq!(
        redis.timeline(me).await.unwrap(),
        Some(Timeline { posts: posts([BIG + 9, BIG + 5]), horizon: BIG + 4 })
    );
    assert!(
        redis
            .finish_rebuild(&marker, &Timeline { posts: Vec::new(), horizon: 0 }, 60)
            .await
            .unwrap()
    );
    assert_eq!(redis.timeline(UserId::from_i64(3)).await.unwrap(), None);
}

/// By default Redis allocates 4 KB for a stream's first entry: a hundred thousand watched homes
/// then push each other out of its memory.
#[tokio::test]
async fn a_watched_home_is_small() {
    let (config, me) = (config(&server(), 2), UserId::from_i64(1));
    let redis = Redis::new(&config, Clock::System).unwrap();
    redis.open_live(me).await.unwrap();
    for post in posts(BIG..BIG + 5) {
        assert_eq!(redis.push_live(post, &[me]).await.unwrap(), 1);
    }
    let mut connection =
        redis::Client::open(server()).unwrap().get_multiplexed_async_connection().await.unwrap();
    let key = format!("{}:live:1", config.key_prefix);
    let bytes: usize =
        redis::cmd("MEMORY").arg("USAGE").arg(&key).query_async(&mut connection).await.unwrap();
    assert!((500..1_500).contains(&bytes), "{bytes}");
    let memory = redis.memory().await.unwrap();
    assert!(memory.used_bytes > 0 && memory.max_bytes >= 512 << 20, "{memory:?}");
}

#[tokio::test]
async fn without_redis_everything_is_loaded_and_nothing_waits() {
    // A port that was free a moment ago: nobody listens.
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let redis =
        Redis::new(&config(&format!("redis://127.0.0.1:{port}/0"), 2), Clock::System).unwrap();
    assert!(matches!(redis.ping().await, Err(StoreError::Unavailable { .. })));
    let begun = tokio::time::Instant::now();
    for version in 1..=20 {
        assert_eq!(read(&redis, Some(row("a", version))).await, Some(row("a", version)));
    }
    assert!(
        begun.elapsed() < Duration::from_millis(400),
        "{:?}: the breaker is open",
        begun.elapsed()
    );
    assert!(matches!(
        redis.invalidate::<Row>(&[(row_id(), 1)]).await,
        Err(StoreError::Unavailable { .. })
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_connection_carries_many_commands_at_a_time_and_a_dead_one_is_replaced() {
    // A wire to the server that can be cut, and that takes 50 ms: one command after another would
    // take 5 s.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (url, address) = by_way_of(&listener);
    let cut = Arc::new(std::sync::Mutex::new(CancellationToken::new()));
    let (mut tasks, cutter) = (JoinSet::new(), Arc::clone(&cut));
    tasks.spawn(async move {
        let mut wires = JoinSet::new();
        loop {
            let (near, _) = listener.accept().await.unwrap();
            let far = TcpStream::connect(&address).await.unwrap();
            let cut = cutter.lock().unwrap().clone();
            wires.spawn(async move {
                let ((mut near_in, mut near_out), (mut far_in, mut far_out)) =
                    (near.into_split(), far.into_split());
                tokio::select! {
                    () = cut.cancelled() => {}
                    _ = tokio::io::copy(&mut near_in, &mut far_out) => {}
                    () = slowly(&mut far_in, &mut near_out) => {}
                }
            });
        }
    });
    let redis = Redis::new(&config(&url, 1), Clock::System).unwrap();
    redis.ping().await.unwrap();
    let begun = tokio::time::Instant::now();
    futures_util::future::try_join_all((0..100).map(|_| redis.ping())).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());

    std::mem::take(&mut *cut.lock().unwrap()).cancel();
    let mut failures = 0;
    while redis.ping().await.is_err() {
        failures += 1;
        assert!(failures < 30, "never came back");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(failures <= 7, "{failures} failures: one, and then half a second of standing off");
}

/// A slow answer concerns who asked for it; several in a row are an outage.
#[tokio::test(flavor = "multi_thread")]
async fn one_slow_answer_is_no_outage() {
    use std::sync::atomic::{AtomicU64, Ordering};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (url, address) = by_way_of(&listener);
    // So many answers are kept back for longer than anybody waits.
    let kept_back = Arc::new(AtomicU64::new(0));
    let (mut tasks, keeps) = (JoinSet::new(), Arc::clone(&kept_back));
    tasks.spawn(async move {
        let mut wires = JoinSet::new();
        loop {
            let (near, _) = listener.accept().await.unwrap();
            let far = TcpStream::connect(&address).await.unwrap();
            let keeps = Arc::clone(&keeps);
            wires.spawn(async move {
                let ((mut near_in, mut near_out), (mut far_in, mut far_out)) =
                    (near.into_split(), far.into_split());
                let back = async {
                    let mut bytes = vec![0; 4 * 1024];
                    while let Ok(read @ 1..) = far_in.read(&mut bytes).await {
                        let take = |left: u64| left.checked_sub(1);
                        let (set, got) = (Ordering::SeqCst, Ordering::SeqCst);
                        if keeps.fetch_update(set, got, take).is_ok() {
                            std::future::pending::<()>().await;
                        }
                        if near_out.write_all(&bytes[..read]).await.is_err() {
                            return;
                        }
                    }
                };
                tokio::select! {
                    _ = tokio::io::copy(&mut near_in, &mut far_out) => {}
                    () = back => {}
                }
            });
        }
    });
    let redis = Redis::new(&config(&url, 1), Clock::System).unwrap();
    redis.ping().await.unwrap();
    kept_back.store(1, Ordering::SeqCst);
    assert!(matches!(redis.ping().await, Err(StoreError::Unavailable { .. })));
    assert!(redis.state().0, "one answer was late");
    redis.ping().await.unwrap();
    kept_back.store(u64::MAX, Ordering::SeqCst);
    for _ in 0..3 {
        assert!(redis.ping().await.is_err());
    }
    assert!(!redis.state().0, "nobody is answered");
}

async fn slowly(
    from: &mut tokio::net::tcp::OwnedReadHalf,
    to: &mut tokio::net::tcp::OwnedWriteHalf,
) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut bytes = vec![0; 64 * 1024];
    while let Ok(read) = from.read(&mut bytes).await {
        if read == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        if to.write_all(bytes.get(..read).unwrap_or_default()).await.is_err() {
            return;
        }
    }
}
