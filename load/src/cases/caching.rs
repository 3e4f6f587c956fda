//! Case 1.3: the shards alone, against cache-aside in process memory and Redis.
//!
//! Two servers alike but for `redis.cache_ttl_ms`, which is 0 before. Reads are of 20 posts each, chosen by Zipf's law; one request in
//! twenty changes a name and reads it back. The rate is the first at which the server without a cache has a p95 above 200 ms.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Mutex;
use tokio::time::sleep;

use super::CaseArguments;
use super::open_loop::drive;
use super::outcome::{Figure, Outcome, Pair, machine, median, today};
use super::served::{Launch, Served};
use super::zipf::Zipf;
use crate::client::{Client, global_id, raw_id};
use crate::faults::{kill, up};
use crate::people::{LoggedIn, log_in};
use crate::report::{Latencies, float};
use crate::truth::Truth;

const READ: &str = "query($ids: [ID!]!) { nodes(ids: $ids) { ... on Post { text likeCount commentCount author { handle displayName } } } }";
const RENAME: &str =
    "mutation($name: String!) { profileUpdate(input: {displayName: $name}) { user { displayName } userErrors { code message } } }";
const NAME: &str = "query($handle: String!) { user(handle: $handle) { displayName } }";
const ONE: &str = "query($id: ID!) { post(id: $id) { text } }";
/// Posts a read asks for.
const AT_ONCE: usize = 20;
/// Who wait for one expired key.
const WAITERS: usize = 1_000;
/// Above this p95, in milliseconds, the server without a cache counts as saturated.
const SATURATED_MS: f64 = 200.0;

/// What the requests need.
#[derive(Debug)]
struct Scene {
    posts: Vec<String>,
    zipf: Zipf,
    readers: Vec<LoggedIn>,
    /// One change of a name at a time, so that it is known what must be read back.
    writers: Vec<Mutex<LoggedIn>>,
    written: AtomicU64,
    stale: AtomicU64,
}

async fn request(client: Client, scene: Arc<Scene>, number: u64) -> anyhow::Result<()> {
    let mut random = StdRng::seed_from_u64(number);
    if random.random_range(0..20) == 0 {
        let writer = scene.writers.choose(&mut random).context("nobody writes")?.lock().await;
        let (token, mut seen) = (Some(writer.token.as_str()), None);
        let name = format!("case {number:x}");
        let data = client.send_seeing(token, &mut seen, RENAME, json!({ "name": name })).await?;
        anyhow::ensure!(data.pointer("/profileUpdate/user/displayName").is_some(), "answered {data}");
        let data = client.send_seeing(token, &mut seen, NAME, json!({ "handle": writer.person.handle })).await?;
        scene.written.fetch_add(1, Ordering::Relaxed);
        if data.pointer("/user/displayName").and_then(Value::as_str) != Some(name.as_str()) {
            scene.stale.fetch_add(1, Ordering::Relaxed);
        }
        return Ok(());
    }
    let reader = scene.readers.choose(&mut random).context("nobody reads")?;
    let mut ids: Vec<&str> = (0..AT_ONCE).filter_map(|_| scene.posts.get(scene.zipf.draw(&mut random)).map(String::as_str)).collect();
    ids.sort_unstable();
    ids.dedup();
    let data = client.send(Some(&reader.token), READ, json!({ "ids": ids })).await?;
    let found = data.pointer("/nodes").and_then(Value::as_array).map_or(0, Vec::len);
    anyhow::ensure!(found == ids.len(), "{found} of {} nodes", ids.len());
    Ok(())
}

/// Names that the server tells otherwise than the rows, of everybody who was renamed.
async fn stale_at_rest(client: &Client, truth: &Truth, scene: &Scene) -> anyhow::Result<u64> {
    let names = truth.display_names().await?;
    let mut stale = 0;
    for writer in &scene.writers {
        let writer = writer.lock().await;
        let data = client.send(None, NAME, json!({ "handle": writer.person.handle })).await?;
        let told = data.pointer("/user/displayName").and_then(Value::as_str).map(str::to_owned);
        stale += u64::from(told.as_ref() != names.get(&writer.person.id));
    }
    Ok(stale)
}

/// The cache's outcomes of one kind of value, or of all.
fn outcomes(metrics: &BTreeMap<String, f64>, kind: Option<&str>, outcome: &str) -> f64 {
    let of_kind = |name: &str| kind.is_none_or(|kind| name.contains(&format!("kind=\"{kind}\"")));
    let chosen = metrics
        .iter()
        .filter(|(name, _)| name.starts_with("plaza_cache_total{") && of_kind(name) && name.contains(&format!("\"{outcome}\"")));
    chosen.map(|(_, count)| count).sum()
}

/// Redis, asked for one thing: to forget a key.
async fn forget(redis: &str, key: &str) -> anyhow::Result<()> {
    let url = reqwest::Url::parse(redis)?;
    let address = (url.host_str().context("no host")?, url.port().unwrap_or(6_379));
    let mut connection = tokio::net::TcpStream::connect(address).await?;
    connection.write_all(format!("DEL {key}\r\n").as_bytes()).await?;
    let mut answer = [0_u8; 64];
    let length = connection.read(&mut answer).await?;
    anyhow::ensure!(answer.starts_with(b":"), "Redis answered {:?}", answer.get(..length));
    Ok(())
}

/// The hottest post, asked for by all waiters at once after its key is gone from Redis and from memory: loads and SQL statements, a time.
async fn stampedes(served: &Served, scene: &Scene, redis: (&str, &str), times: u32) -> anyhow::Result<(f64, f64)> {
    let post = scene.posts.first().context("there are no posts")?;
    let key = format!("{}:c:post:{}", redis.1, raw_id(post).context("not an id")?);
    let (mut loads, mut statements) = (0.0, 0.0);
    for _ in 0..times {
        // Longer than process memory holds a value.
        sleep(Duration::from_millis(1_200)).await;
        forget(redis.0, &key).await?;
        let before = served.metrics().await?;
        let asked = (0..WAITERS).map(|_| served.client.send(None, ONE, json!({ "id": post })));
        for answer in futures_util::future::join_all(asked).await {
            anyhow::ensure!(answer?.pointer("/post/text").is_some(), "a waiter was not told the post");
        }
        let after = served.metrics().await?;
        let loaded = |metrics: &BTreeMap<String, f64>| outcomes(metrics, Some("post"), "miss") - outcomes(metrics, Some("post"), "shared");
        let sent = |metrics: &BTreeMap<String, f64>| metrics.get("plaza_sql_statements_total").copied().unwrap_or_default();
        loads += loaded(&after) - loaded(&before);
        statements += sent(&after) - sent(&before);
    }
    Ok((loads / f64::from(times), statements / f64::from(times)))
}

async fn round(served: &Served, scene: &Arc<Scene>, load: (f64, Duration), seed: u64) -> Latencies {
    drive(load.0, load.1, seed, |number| request(served.client.clone(), scene.clone(), number)).await
}

/// The first rate, each a quarter more than the last, at which this server's p95 is above [`SATURATED_MS`].
async fn saturating_rate(served: &Served, scene: &Arc<Scene>) -> f64 {
    let (mut rate, step) = (60.0, Duration::from_secs(5));
    loop {
        let report = round(served, scene, (rate, step), 3).await.report(step.as_secs_f64());
        if report.p95_ms > SATURATED_MS || report.failed > 0 || rate > 5_000.0 {
            return rate;
        }
        rate = (rate * 1.25_f64).round();
    }
}

async fn scene(client: &Client, truth: &Truth, password: &str) -> anyhow::Result<Scene> {
    let posts: Vec<String> = truth.newest_posts(5_000).await?.into_iter().map(|id| global_id("Post", id)).collect();
    let chosen: Vec<_> = truth.people().await?.choose_multiple(&mut StdRng::seed_from_u64(3), 120).cloned().collect();
    let mut readers = log_in(client, &chosen, password).await?;
    let writers = readers.split_off(readers.len().min(80)).into_iter().map(Mutex::new).collect();
    let zipf = Zipf::new(posts.len());
    Ok(Scene { posts, zipf, readers, writers, written: AtomicU64::new(0), stale: AtomicU64::new(0) })
}

/// The case.
///
/// # Errors
/// The servers'.
pub async fn run(
    client: &Client,
    truth: &Truth,
    config: &Path,
    run_dir: &Path,
    password: &str,
    arguments: &CaseArguments,
) -> anyhow::Result<Outcome> {
    let (rounds, length, expiries) = if arguments.quick { (2, 6, 5) } else { (7, 12, 50) };
    let length = Duration::from_secs(length);
    let redis = plaza::config::Config::load(Some(&config.to_path_buf()))?.redis;
    let mut launch = Launch {
        plaza: arguments.plaza.clone(),
        config: std::path::absolute(config)?,
        port: 4192,
        admin_port: 4292,
        // Room for all waiters of an expiry, on both sides.
        settings: vec![("PLAZA_TELEMETRY__FILTER", "error".to_owned()), ("PLAZA_SERVER__MAX_IN_FLIGHT", "2000".to_owned())],
    };
    let with = Served::start(launch.clone()).await?;
    (launch.port, launch.admin_port) = (4191, 4291);
    launch.settings.push(("PLAZA_REDIS__CACHE_TTL_MS", "0".to_owned()));
    let without = Served::start(launch).await?;
    let scene = Arc::new(scene(client, truth, password).await?);

    round(&with, &scene, (60.0, length / 2), 100).await;
    let rate = match arguments.rate {
        Some(rate) => rate,
        None => saturating_rate(&without, &scene).await,
    };
    sleep(Duration::from_secs(3)).await;
    let mut pairs = Vec::new();
    let (mut all_before, mut all_after, mut hits, mut asked) = (Latencies::default(), Latencies::default(), 0.0, 0.0);
    for number in 0..rounds {
        let mut pair = Pair { before: 0.0, after: 0.0 };
        for turn in [number % 2, 1 - number % 2] {
            if turn == 0 {
                let mut latencies = round(&without, &scene, (rate, length), number).await;
                pair.before = latencies.report(length.as_secs_f64()).p95_ms;
                all_before.failed += latencies.failed;
            } else {
                let counted = with.metrics().await?;
                let mut latencies = round(&with, &scene, (rate, length), number).await;
                let now = with.metrics().await?;
                let of = |outcome: &str| outcomes(&now, None, outcome) - outcomes(&counted, None, outcome);
                hits += of("local") + of("hit");
                asked += of("local") + of("hit") + of("miss");
                pair.after = latencies.report(length.as_secs_f64()).p95_ms;
                all_after.failed += latencies.failed;
            }
            sleep(Duration::from_secs(1)).await;
        }
        pairs.push(pair);
    }
    let waiting = (redis.url.expose_secret(), redis.key_prefix.as_str());
    let (_, statements_before) = stampedes(&without, &scene, waiting, expiries).await?;
    let (loads, statements_after) = stampedes(&with, &scene, waiting, expiries).await?;
    let stale_names = stale_at_rest(&with.client, truth, &scene).await?;

    let killed = async {
        sleep(length / 4).await;
        kill(run_dir, "redis")?;
        sleep(Duration::from_secs(3)).await;
        up("redis").await
    };
    let (mut without_redis, killed) = tokio::join!(round(&with, &scene, (60.0, length.max(Duration::from_secs(10))), 9), killed);
    killed?;
    let redis_killed = without_redis.report(1.0);

    let before = median(pairs.iter().map(|pair| pair.before));
    let after = median(pairs.iter().map(|pair| pair.after));
    let hit_rate = hits / asked * 100.0;
    let (written, stale) = (scene.written.load(Ordering::Relaxed), scene.stale.load(Ordering::Relaxed));
    let target = |what: String, before: Option<f64>, after: f64, target: &str, met: bool| Figure {
        what,
        before,
        after,
        target: Some(target.to_owned()),
        met: Some(met),
    };
    let plain = |what: String, before: Option<f64>, after: f64| Figure { what, before, after, target: None, met: None };
    let stale_counts = float(usize::try_from(stale + stale_names)?);
    let figures = vec![
        target("p95, ms, median of rounds".to_owned(), Some(before), after, "200 -> 20", after <= 20.0),
        target("reads of the cache that it held, %".to_owned(), None, hit_rate, "above 90", hit_rate > 90.0),
        target(format!("loads per expiry of a key with {WAITERS} waiters, {expiries} times"), None, loads, "at most 1.02", loads <= 1.02),
        plain(format!("SQL statements of those {WAITERS} requests"), Some(statements_before), statements_after),
        target(
            format!("names read stale after the acknowledgement, of {written}, or at rest, of {}", scene.writers.len()),
            None,
            stale_counts,
            "0",
            stale + stale_names == 0,
        ),
        plain("requests that failed".to_owned(), Some(float(all_before.failed)), float(all_after.failed)),
        target(
            format!("Redis killed for 3 s at 60/s: failed of {}", redis_killed.requests),
            None,
            float(redis_killed.failed),
            "0",
            redis_killed.failed == 0,
        ),
        plain("Redis killed: p95, ms".to_owned(), None, redis_killed.p95_ms),
    ];
    all_before.taken.clear();
    Ok(Outcome {
        number: "1.3".to_owned(),
        name: "caching".to_owned(),
        date: today()?,
        machine: machine(),
        command: "make case-1.3".to_owned(),
        setting: format!(
            "{rate} arrivals/s, the first rate at which the server without a cache has a p95 above {SATURATED_MS} ms; each reads {AT_ONCE} of {} posts by \
             Zipf's law, one in twenty changes a name; {rounds} pairs of {} s in turns.",
            scene.posts.len(),
            length.as_secs()
        ),
        missed_because: None,
        pairs_of: "1.3 caching: p95, ms, by pair of rounds".to_owned(),
        pairs,
        figures,
        correct: stale + stale_names == 0,
    })
}
