//! Case 1.3: the shards alone, against cache-aside in process memory and Redis.
//!
//! Servers alike but for `redis.cache_ttl_ms`, which is 0 before. Reads are of 20 posts each,
//! chosen by Zipf's law; one request in twenty changes a name and reads it back, with a cache from
//! another process than the one that wrote. The rate is the first at which the server without a
//! cache has a p95 above 200 ms. A hot key is expired under waiters at three processes.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Mutex;
use tokio::time::sleep;

use super::CaseArguments;
use super::open_loop::{Search, drive};
use super::outcome::{Figure, Outcome, Pair, machine, median, say, today};
use super::served::{Launch, Served};
use super::zipf::Zipf;
use crate::client::{Client, global_id, raw_id};
use crate::faults::{kill, up};
use crate::people::{LoggedIn, log_in};
use crate::report::{OperationReport, float};
use crate::truth::Truth;

const READ: &str = "query($ids: [ID!]!) { nodes(ids: $ids) { ... on Post { text likeCount commentCount author { handle displayName } } } }";
const RENAME: &str = "mutation($name: String!) { profileUpdate(input: {displayName: $name}) { user { displayName } userErrors { code message } } }";
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
    /// One change of each name at a time, so that it is known what must be read back.
    writers: Vec<Mutex<LoggedIn>>,
    written: AtomicU64,
    stale: AtomicU64,
}

/// Changes a name and reads it back.
async fn write(served: Clients, scene: Arc<Scene>, number: u64) -> anyhow::Result<()> {
    let writer = scene
        .writers
        .choose(&mut StdRng::seed_from_u64(number))
        .context("nobody writes")?
        .lock()
        .await;
    let (token, mut seen) = (Some(writer.token.as_str()), None);
    let name = format!("case {number:x}");
    let data = served.loaded.send_seeing(token, &mut seen, RENAME, json!({ "name": name })).await?;
    anyhow::ensure!(data.pointer("/profileUpdate/user/displayName").is_some(), "answered {data}");
    let data = served
        .read_back
        .send_seeing(token, &mut seen, NAME, json!({ "handle": writer.person.handle }))
        .await?;
    scene.written.fetch_add(1, Ordering::Relaxed);
    if data.pointer("/user/displayName").and_then(Value::as_str) != Some(name.as_str()) {
        scene.stale.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

async fn read(served: Clients, scene: Arc<Scene>, number: u64) -> anyhow::Result<()> {
    let mut random = StdRng::seed_from_u64(number);
    let reader = scene.readers.choose(&mut random).context("nobody reads")?;
    let mut ids: Vec<&str> = (0..AT_ONCE)
        .filter_map(|_| scene.posts.get(scene.zipf.draw(&mut random)).map(String::as_str))
        .collect();
    ids.sort_unstable();
    ids.dedup();
    let data = served.loaded.send(Some(&reader.token), READ, json!({ "ids": ids })).await?;
    let found = data.pointer("/nodes").and_then(Value::as_array).map_or(0, Vec::len);
    anyhow::ensure!(found == ids.len(), "{found} of {} nodes", ids.len());
    Ok(())
}

/// Who is asked.
#[derive(Debug, Clone)]
struct Clients {
    /// Everything but
    loaded: Client,
    /// what was just written, which another process may have in its memory.
    read_back: Client,
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

/// The cache's outcomes of all kinds of values.
fn outcomes(metrics: &BTreeMap<String, f64>, outcome: &str) -> f64 {
    let chosen = metrics.iter().filter(|(name, _)| {
        name.starts_with("plaza_cache_total{") && name.contains(&format!("outcome=\"{outcome}\""))
    });
    chosen.map(|(_, count)| count).sum()
}

/// Redis, asked for one thing: to forget a key.
async fn forget(redis: &str, key: &str) -> anyhow::Result<()> {
    let url = reqwest::Url::parse(redis)?;
    let address = (url.host_str().context("no host")?, url.port().unwrap_or(6_379));
    let mut connection = tokio::net::TcpStream::connect(address).await?;
    if let Some(password) = url.password() {
        connection.write_all(format!("AUTH {password}\r\n").as_bytes()).await?;
        let mut said = [0_u8; 64];
        let length = connection.read(&mut said).await?;
        anyhow::ensure!(said.starts_with(b"+OK"), "Redis answered {:?}", said.get(..length));
    }
    connection.write_all(format!("DEL {key}\r\n").as_bytes()).await?;
    let mut answer = [0_u8; 64];
    let length = connection.read(&mut answer).await?;
    anyhow::ensure!(answer.starts_with(b":"), "Redis answered {:?}", answer.get(..length));
    Ok(())
}

/// What it cost that a key was gone while all waiters wanted it, a time.
#[derive(Debug, Default, Clone, Copy)]
struct Stampede {
    loads: f64,
    statements: f64,
    failed: f64,
}

/// The hottest post, asked for by all waiters at once, a part of them at each process, after its
/// key is gone from Redis and from memory.
async fn stampedes(
    processes: &[&Served],
    scene: &Scene,
    redis: (&str, &str),
    times: u32,
) -> anyhow::Result<Stampede> {
    let post = scene.posts.first().context("there are no posts")?;
    let key = format!("{}:c:post:{}", redis.1, raw_id(post).context("not an id")?);
    let mut all = Stampede::default();
    for _ in 0..times {
        // Longer than process memory holds a value.
        sleep(Duration::from_millis(1_200)).await;
        forget(redis.0, &key).await?;
        let before = loads_and_statements(processes).await?;
        let asked = processes
            .iter()
            .cycle()
            .take(WAITERS)
            .map(|served| served.client.send(None, ONE, json!({ "id": post })));
        let answers = futures_util::future::join_all(asked).await;
        let told = |answer: &anyhow::Result<Value>| {
            answer.as_ref().is_ok_and(|data| data.pointer("/post/text").is_some())
        };
        all.failed +=
            float(answers.iter().filter(|answer| !told(answer)).count()) / f64::from(times);
        let after = loads_and_statements(processes).await?;
        all.loads += (after.0 - before.0) / f64::from(times);
        all.statements += (after.1 - before.1) / f64::from(times);
    }
    Ok(all)
}

async fn loads_and_statements(processes: &[&Served]) -> anyhow::Result<(f64, f64)> {
    let (mut loads, mut statements) = (0.0, 0.0);
    for served in processes {
        let metrics = served.metrics().await?;
        let of = |name: &str| metrics.get(name).copied().unwrap_or_default();
        loads += of("plaza_cache_loads_total{kind=\"post\"}");
        statements += of("plaza_sql_statements_total");
    }
    Ok((loads, statements))
}

/// What a round's reads and its writes took.
#[derive(Debug)]
struct Round {
    reads: OperationReport,
    writes: OperationReport,
}

impl Round {
    fn failed(&self) -> usize {
        self.reads.failed + self.writes.failed
    }
}

/// One request in twenty writes.
async fn round(
    served: &Clients,
    scene: &Arc<Scene>,
    (rate, length): (f64, Duration),
    seed: u64,
) -> anyhow::Result<Round> {
    let reads =
        drive(rate * 0.95, length, seed, |number| read(served.clone(), scene.clone(), number));
    let writes = drive(rate * 0.05, length, seed + 1_000, |number| {
        write(served.clone(), scene.clone(), number)
    });
    let (mut reads, mut writes) = tokio::join!(reads, writes);
    Ok(Round {
        reads: reads.measured(length.as_secs_f64())?,
        writes: writes.measured(length.as_secs_f64())?,
    })
}

async fn scene(client: &Client, truth: &Truth, password: &str) -> anyhow::Result<Scene> {
    let posts: Vec<String> =
        truth.newest_posts(5_000).await?.into_iter().map(|id| global_id("Post", id)).collect();
    let chosen: Vec<_> = truth
        .people()
        .await?
        .choose_multiple(&mut StdRng::seed_from_u64(3), 120)
        .cloned()
        .collect();
    let mut readers = log_in(client, &chosen, password).await?;
    let writers = readers.split_off(readers.len().min(80)).into_iter().map(Mutex::new).collect();
    let zipf = Zipf::new(posts.len());
    Ok(Scene {
        posts,
        zipf,
        readers,
        writers,
        written: AtomicU64::new(0),
        stale: AtomicU64::new(0),
    })
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
    let launch = |port: u16, more: &[(&'static str, &str)]| {
        // Room for all waiters of an expiry, on both sides.
        let both = [("PLAZA_TELEMETRY__FILTER", "error"), ("PLAZA_SERVER__MAX_IN_FLIGHT", "2000")];
        let settings =
            both.iter().chain(more).map(|(name, value)| (*name, (*value).to_owned())).collect();
        Ok::<_, anyhow::Error>(Launch {
            plaza: arguments.plaza.clone(),
            config: std::path::absolute(config)?,
            port,
            admin_port: port + 100,
            settings,
        })
    };
    let without = Served::start(launch(4191, &[("PLAZA_REDIS__CACHE_TTL_MS", "0")])?).await?;
    let with = Served::start(launch(4192, &[])?).await?;
    let others =
        (Served::start(launch(4193, &[])?).await?, Served::start(launch(4194, &[])?).await?);
    let before_clients =
        Clients { loaded: without.client.clone(), read_back: without.client.clone() };
    let after_clients = Clients { loaded: with.client.clone(), read_back: others.0.client.clone() };
    let scene = Arc::new(scene(client, truth, password).await?);

    round(&after_clients, &scene, (arguments.rate.unwrap_or(60.0).min(60.0), length / 2), 100)
        .await?;
    let rate = match arguments.rate {
        Some(rate) => rate,
        None => {
            let search = Search {
                what: "looking for the rate without a cache",
                from: 60.0,
                factor: 1.25,
                above_ms: SATURATED_MS,
            };
            search
                .rate(async |rate| {
                    round(&before_clients, &scene, (rate, Duration::from_secs(5)), 3)
                        .await
                        .map(|round| round.reads)
                })
                .await?
        }
    };
    sleep(Duration::from_secs(3)).await;
    let mut pairs = Vec::new();
    let (mut failed_before, mut failed_after, mut hits, mut asked) = (0, 0, 0.0, 0.0);
    let mut writes = Vec::new();
    for number in 0..rounds {
        let (mut pair, mut of_writes) =
            (Pair { before: 0.0, after: 0.0 }, Pair { before: 0.0, after: 0.0 });
        for turn in [number % 2, 1 - number % 2] {
            if turn == 0 {
                let done = round(&before_clients, &scene, (rate, length), number).await?;
                (pair.before, of_writes.before) = (done.reads.p95_ms, done.writes.p95_ms);
                failed_before += done.failed();
            } else {
                let counted = with.metrics().await?;
                let done = round(&after_clients, &scene, (rate, length), number).await?;
                let now = with.metrics().await?;
                let of = |outcome: &str| outcomes(&now, outcome) - outcomes(&counted, outcome);
                hits += of("local") + of("hit");
                asked += of("local") + of("hit") + of("miss");
                (pair.after, of_writes.after) = (done.reads.p95_ms, done.writes.p95_ms);
                failed_after += done.failed();
            }
            sleep(Duration::from_secs(1)).await;
        }
        pair.tell("p95 of reads, ms", number + 1, rounds)?;
        pairs.push(pair);
        writes.push(of_writes);
    }
    say(&format!("expiring a key under {WAITERS} waiters, {expiries} times"))?;
    let waiting = (redis.url.expose_secret(), redis.key_prefix.as_str());
    let expired_before = stampedes(&[&without], &scene, waiting, 5).await?;
    let expired = stampedes(&[&with, &others.0, &others.1], &scene, waiting, expiries).await?;
    let stale_names = stale_at_rest(&with.client, truth, &scene).await?;

    say("killing Redis")?;
    // What the shards can serve alone, with room for what piles up.
    let calm = (rate / 4.0).clamp(5.0, 60.0);
    let killed = async {
        sleep(length / 4).await;
        kill(run_dir, "redis")?;
        sleep(Duration::from_secs(3)).await;
        up("redis").await
    };
    let (without_redis, killed) = tokio::join!(
        round(&after_clients, &scene, (calm, length.max(Duration::from_secs(10))), 9),
        killed
    );
    killed?;
    let without_redis = without_redis?;

    let before = median(pairs.iter().map(|pair| pair.before));
    let after = median(pairs.iter().map(|pair| pair.after));
    let hit_rate = hits / asked * 100.0;
    let (written, stale) =
        (scene.written.load(Ordering::Relaxed), scene.stale.load(Ordering::Relaxed));
    let stale_counts = float(usize::try_from(stale + stale_names)?);
    let figures = vec![
        Figure::aimed(
            "p95 of reads, ms, median of rounds".to_owned(),
            Some(before),
            after,
            "200 -> 20",
            after <= 20.0,
        ),
        Figure::plain(
            "p95 of a write and reading it back, ms".to_owned(),
            Some(median(writes.iter().map(|pair| pair.before))),
            median(writes.iter().map(|pair| pair.after)),
        ),
        Figure::aimed(
            "reads of the cache that it held, %".to_owned(),
            None,
            hit_rate,
            "above 90",
            hit_rate > 90.0,
        ),
        Figure::aimed(
            format!(
                "loads per expiry of a key, {WAITERS} waiters at 3 processes, {expiries} times"
            ),
            None,
            expired.loads,
            "at most 1.02",
            expired.loads <= 1.02,
        ),
        Figure::plain(
            format!("SQL statements of those {WAITERS} requests"),
            Some(expired_before.statements),
            expired.statements,
        ),
        Figure::plain(
            format!("of those {WAITERS} requests, failed"),
            Some(expired_before.failed),
            expired.failed,
        ),
        Figure::aimed(
            format!(
                "names read stale after the acknowledgement, of {written}, or at rest, of {}",
                scene.writers.len()
            ),
            None,
            stale_counts,
            "0",
            stale + stale_names == 0,
        )
        .of(f64::from(u32::try_from(written)?)),
        Figure::plain(
            "requests that failed".to_owned(),
            Some(float(failed_before)),
            float(failed_after),
        ),
        Figure::aimed(
            format!(
                "Redis killed for 3 s at {calm:.0}/s: failed of {}",
                without_redis.reads.requests + without_redis.writes.requests
            ),
            None,
            float(without_redis.failed()),
            "0",
            without_redis.failed() == 0,
        ),
        Figure::plain(
            "Redis killed: p95 of reads, ms".to_owned(),
            None,
            without_redis.reads.p95_ms,
        ),
    ];
    Ok(Outcome {
        number: "1.3".to_owned(),
        name: "caching".to_owned(),
        date: today()?,
        machine: machine(),
        command: "make case-1.3".to_owned(),
        setting: format!(
            "{rate} arrivals/s, {}; each reads {AT_ONCE} of {} posts by \
             Zipf's law, one in twenty changes a name; {rounds} pairs of {} s in turns.",
            match arguments.rate {
                Some(_) => "as asked for".to_owned(),
                None => format!("the first rate at which the server without a cache has a p95 above {SATURATED_MS} ms"),
            },
            scene.posts.len(),
            length.as_secs()
        ),
        missed_because: Some(
            "both sides share the machine's cores with everything else, the generator too: the figure is what they are left with."
                .to_owned(),
        ),
        pairs_of: "1.3 caching: p95 of reads, ms, by pair of rounds".to_owned(),
        pairs,
        figures,
        correct: stale + stale_names == 0 && without_redis.failed() == 0,
    })
}
