//! Case 1.2: every read on the primary, against reads on two replicas with the consistency token.
//!
//! Two servers of one executable, alike but for `postgres.shards`: one is not told of the replicas.
//! The mix of the load section: six home feeds and three people's pages to a post; one of the pages
//! is the author's own, right after it. Nothing is cached on either side: the cache is case 1.3's
//! mechanism, and it would hide from the databases the very reads whose place is measured here.

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
use tokio_postgres::NoTls;

use super::CaseArguments;
use super::open_loop::drive;
use super::outcome::{Figure, Outcome, Pair, machine, median, median_ratio, today};
use super::served::{Launch, Served};
use crate::client::Client;
use crate::people::{LoggedIn, log_in};
use crate::processes::{CpuSeconds, between, cpu_seconds};
use crate::report::float;
use crate::truth::Truth;

const READ: &str =
    "query($handle: String!) { user(handle: $handle) { displayName followerCount posts(first: 20) { edges { node { id text likeCount
  comments(first: 3) { edges { node { text author { handle } } } } } } } } }";
const HOME: &str = "{ viewer { home(first: 20) { edges { node { id text author { handle } likeCount
  comments(first: 3) { edges { node { text author { handle } } } } } } } } }";
const POST: &str = "mutation($text: String!) { postCreate(input: {text: $text}) { post { id } userErrors { code message } } }";

#[derive(Debug, Default)]
struct Seen {
    pairs: AtomicU64,
    stale: AtomicU64,
}

/// Someone's page; the ids on it.
async fn page(
    client: &Client,
    seen: &mut Option<String>,
    person: &LoggedIn,
    of: &str,
) -> anyhow::Result<Vec<String>> {
    let data = client.send_seeing(Some(&person.token), seen, READ, json!({ "handle": of })).await?;
    let edges = data
        .pointer("/user/posts/edges")
        .and_then(Value::as_array)
        .with_context(|| format!("no posts: {data}"))?;
    Ok(edges
        .iter()
        .filter_map(|edge| Some(edge.pointer("/node/id")?.as_str()?.to_owned()))
        .collect())
}

/// The person's own home feed.
async fn home(client: &Client, person: &LoggedIn) -> anyhow::Result<()> {
    let data = client.send(Some(&person.token), HOME, json!({})).await?;
    anyhow::ensure!(data.pointer("/viewer/home/edges").is_some(), "no home: {data}");
    Ok(())
}

/// Who looks at the author's page once the post is acknowledged.
#[derive(Debug, Clone, Copy)]
enum Reader {
    /// The author, with the token of the answer.
    Author,
    /// Somebody who has no token, and of whom the servers remember no write of now.
    Stranger,
    Nobody,
}

/// A post, then its author's page as somebody sees it.
async fn write_and_read(
    client: &Client,
    (person, other): (&LoggedIn, &LoggedIn),
    reader: Reader,
    text: String,
    found: &Seen,
) -> anyhow::Result<()> {
    let mut seen = None;
    let data =
        client.send_seeing(Some(&person.token), &mut seen, POST, json!({ "text": text })).await?;
    let id = data
        .pointer("/postCreate/post/id")
        .and_then(Value::as_str)
        .with_context(|| format!("no post: {data}"))?
        .to_owned();
    let own = match reader {
        Reader::Author => page(client, &mut seen, person, &person.person.handle).await?,
        Reader::Stranger => page(client, &mut None, other, &person.person.handle).await?,
        Reader::Nobody => return Ok(()),
    };
    found.pairs.fetch_add(1, Ordering::Relaxed);
    if !own.contains(&id) {
        found.stale.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

#[derive(Debug)]
struct Round {
    cpu: CpuSeconds,
    seconds: f64,
    p95_ms: f64,
    failed: usize,
}

impl Round {
    /// Percent of one core that the four primaries used together.
    fn percent(&self, group: &str) -> f64 {
        self.cpu.get(group).copied().unwrap_or_default() / self.seconds * 100.0
    }
}

async fn round(
    client: &Client,
    people: &Arc<Vec<LoggedIn>>,
    run_dir: &Path,
    load: (f64, Duration),
    seed: u64,
    found: &Arc<Seen>,
) -> anyhow::Result<Round> {
    let before = cpu_seconds(run_dir);
    let mut latencies = drive(load.0, load.1, seed, |number| {
        let (client, people, found) = (client.clone(), people.clone(), found.clone());
        async move {
            let mut random = StdRng::seed_from_u64(number);
            let (person, other) = people
                .choose(&mut random)
                .zip(people.choose(&mut random))
                .context("nobody is logged in")?;
            match random.random_range(0..9) {
                0 => {
                    write_and_read(
                        &client,
                        (person, other),
                        Reader::Author,
                        format!("case {number:x}"),
                        &found,
                    )
                    .await
                }
                1 | 2 => page(&client, &mut None, person, &other.person.handle).await.map(drop),
                _ => home(&client, person).await,
            }
        }
    })
    .await;
    let seconds = load.1.as_secs_f64();
    let report = latencies.measured(seconds)?;
    Ok(Round {
        cpu: between(&before, &cpu_seconds(run_dir)),
        seconds,
        p95_ms: report.p95_ms,
        failed: report.failed,
    })
}

/// Pauses the replay of one replica after the other, at random.
#[derive(Debug)]
struct Pauses {
    clients: Vec<tokio_postgres::Client>,
}

impl Pauses {
    async fn connect(urls: &[String]) -> anyhow::Result<Self> {
        let mut clients = Vec::new();
        for url in urls {
            let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
            #[expect(clippy::disallowed_methods, reason = "ends with its connection")]
            tokio::spawn(connection);
            clients.push(client);
        }
        Ok(Self { clients })
    }

    /// While `work` goes on: a replica at random stands still for 50 to 700 ms, then another.
    async fn during<T>(&self, seed: u64, work: impl Future<Output = T>) -> anyhow::Result<T> {
        let mut random = StdRng::seed_from_u64(seed);
        let disturb = async {
            loop {
                let client = self.clients.choose(&mut random).context("there are no replicas")?;
                client.batch_execute("SELECT pg_wal_replay_pause()").await?;
                tokio::time::sleep(Duration::from_millis(random.random_range(50..700))).await;
                client.batch_execute("SELECT pg_wal_replay_resume()").await?;
            }
        };
        let outcome: anyhow::Result<T> = tokio::select! {
            failed = disturb => failed,
            done = work => Ok(done),
        };
        for client in &self.clients {
            client.batch_execute("SELECT pg_wal_replay_resume()").await?;
        }
        outcome
    }
}

/// The posts of a round without any of its reads: what the primaries cannot be relieved of.
async fn writes_alone(
    client: &Client,
    people: &Arc<Vec<LoggedIn>>,
    run_dir: &Path,
    load: (f64, Duration),
) -> anyhow::Result<Round> {
    let found = Arc::new(Seen::default());
    let before = cpu_seconds(run_dir);
    let mut latencies = drive(load.0, load.1, 5, |number| {
        let (client, people, found) = (client.clone(), people.clone(), found.clone());
        async move {
            let person =
                people.choose(&mut StdRng::seed_from_u64(number)).context("nobody is logged in")?;
            write_and_read(
                &client,
                (person, person),
                Reader::Nobody,
                format!("alone {number:x}"),
                &found,
            )
            .await
        }
    })
    .await;
    let seconds = load.1.as_secs_f64();
    let report = latencies.measured(seconds)?;
    Ok(Round {
        cpu: between(&before, &cpu_seconds(run_dir)),
        seconds,
        p95_ms: report.p95_ms,
        failed: report.failed,
    })
}

/// Posts and looks at them while replay is paused at random: how many pairs, how many stale, how
/// many failed.
async fn posts_seen(
    client: &Client,
    people: &Arc<Vec<LoggedIn>>,
    pauses: &Pauses,
    length: Duration,
    reader: Reader,
) -> anyhow::Result<(u64, u64, usize)> {
    let found = Arc::new(Seen::default());
    let load = drive(40.0, length, 7, |number| {
        let (client, people, found) = (client.clone(), people.clone(), found.clone());
        async move {
            let mut random = StdRng::seed_from_u64(number);
            let mut two = people.choose_multiple(&mut random, 2);
            let pair = two.next().zip(two.next()).context("fewer than two are logged in")?;
            write_and_read(&client, pair, reader, format!("pause {number:x}"), &found).await
        }
    });
    let latencies = pauses.during(11, load).await?;
    Ok((found.pairs.load(Ordering::Relaxed), found.stale.load(Ordering::Relaxed), latencies.failed))
}

fn count(value: u64) -> f64 {
    float(usize::try_from(value).unwrap_or(usize::MAX))
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
    let (rounds, length, consistency) = if arguments.quick { (2, 6, 8) } else { (7, 12, 60) };
    let (length, consistency) = (Duration::from_secs(length), Duration::from_secs(consistency));
    let rate = arguments.rate.unwrap_or(160.0);
    let shards = plaza::config::Config::load(Some(&config.to_path_buf()))?.postgres.shards;
    let primaries: Vec<&str> = shards.iter().map(|shard| shard.primary.expose_secret()).collect();
    let replicas: Vec<String> = shards
        .iter()
        .flat_map(|shard| &shard.replicas)
        .map(|url| url.expose_secret().to_owned())
        .collect();
    let settings = [("PLAZA_REDIS__CACHE_TTL_MS", "0"), ("PLAZA_TELEMETRY__FILTER", "warn")];
    let mut launch = Launch {
        plaza: arguments.plaza.clone(),
        config: std::path::absolute(config)?,
        port: 4192,
        admin_port: 4292,
        settings: settings.iter().map(|(name, value)| (*name, (*value).to_owned())).collect(),
    };
    let with = Served::start(launch.clone()).await?;
    (launch.port, launch.admin_port) = (4191, 4291);
    launch.settings.push(("PLAZA_POSTGRES__SHARDS", primaries.join(",")));
    let without = Served::start(launch).await?;
    let chosen: Vec<_> = truth
        .people()
        .await?
        .choose_multiple(&mut StdRng::seed_from_u64(1), 100)
        .cloned()
        .collect();
    let people = Arc::new(log_in(client, &chosen, password).await?);

    let found = Arc::new(Seen::default());
    for (served, seed) in [(&without, 100), (&with, 101)] {
        round(&served.client, &people, run_dir, (rate, length / 3), seed, &found).await?;
    }
    let found = Arc::new(Seen::default());
    let mut measured = Vec::new();
    for number in 0..rounds {
        let mut both = [None, None];
        // A B, B A, A B ..: what changes with time hits both alike.
        for turn in [number % 2, 1 - number % 2] {
            let served = if turn == 0 { &without } else { &with };
            let figures =
                round(&served.client, &people, run_dir, (rate, length), number, &found).await?;
            if let Some(place) = both.get_mut(usize::try_from(turn)?) {
                *place = Some(figures);
            }
        }
        if let [Some(before), Some(after)] = both {
            measured.push((before, after));
        }
    }
    truth.wait_until_sent().await?;
    let pauses = Pauses::connect(&replicas).await?;
    let (pairs, stale, failed) =
        posts_seen(&with.client, &people, &pauses, consistency, Reader::Author).await?;
    let (bare_pairs, bare_stale, bare_failed) =
        posts_seen(&with.client, &people, &pauses, consistency, Reader::Stranger).await?;
    let writes = writes_alone(&with.client, &people, run_dir, (rate / 9.0, length)).await?;

    let of = |group: &str| -> Vec<Pair> {
        measured
            .iter()
            .map(|(before, after)| Pair {
                before: before.percent(group),
                after: after.percent(group),
            })
            .collect()
    };
    let primary = of("postgres primaries");
    let ratio = median_ratio(&primary);
    let failures =
        measured.iter().map(|(before, after)| before.failed + after.failed).sum::<usize>()
            + failed
            + bare_failed
            + writes.failed;
    let wrong = stale + found.stale.load(Ordering::Relaxed);
    let plain = |what: &str, pairs: &[Pair]| Figure {
        what: what.to_owned(),
        before: Some(median(pairs.iter().map(|pair| pair.before))),
        after: median(pairs.iter().map(|pair| pair.after)),
        target: None,
        met: None,
    };
    let p95: Vec<Pair> = measured
        .iter()
        .map(|(before, after)| Pair { before: before.p95_ms, after: after.p95_ms })
        .collect();
    let goal = 30.0 / 95.0;
    let figures = vec![
        plain("primaries' CPU, % of one core", &primary),
        Figure {
            what: "primaries' CPU against before, median of pairs".to_owned(),
            before: Some(1.0),
            after: ratio,
            target: Some("95 -> 30 %: at most 0.32".to_owned()),
            met: Some(ratio <= goal),
        },
        Figure {
            what: "primaries' CPU of the writes alone, one round, % of one core".to_owned(),
            before: None,
            after: writes.percent("postgres primaries"),
            target: None,
            met: None,
        },
        plain("replicas' CPU, % of one core", &of("postgres replicas")),
        plain("p95, ms", &p95),
        Figure {
            what: format!(
                "stale reads of one's own writes, replay paused at random, {pairs} posts"
            ),
            before: None,
            after: count(wrong),
            target: Some("0".to_owned()),
            met: Some(wrong == 0),
        }
        .of(count(pairs)),
        Figure {
            what: format!(
                "the same looked at by somebody else, who has no token, {bare_pairs} posts"
            ),
            before: None,
            after: count(bare_stale),
            target: None,
            met: None,
        },
        Figure {
            what: "requests that failed".to_owned(),
            before: None,
            after: float(failures),
            target: Some("0".to_owned()),
            met: Some(failures == 0),
        },
    ];
    Ok(Outcome {
        number: "1.2".to_owned(),
        name: "replication".to_owned(),
        date: today()?,
        machine: machine(),
        command: "make case-1.2".to_owned(),
        setting: format!(
            "{rate} arrivals/s, 6 home feeds and 3 people's pages to a post, {rounds} pairs of {} s in turns, {} people; 4 shards; no cache on either side; no CPU \
             budgets, so the ratio of the primaries' CPU decides, not its absolute.",
            length.as_secs(),
            people.len()
        ),
        missed_because: (ratio > goal).then(|| {
            format!(
                "the writes alone take {:.0} % of a core of the primaries (rows, the outbox and its relay, projections, fan-out, the log sent to two \
                 replicas), of {:.0} % with all reads there: that part no replica can take.",
                writes.percent("postgres primaries"),
                median(primary.iter().map(|pair| pair.before))
            )
        }),
        pairs_of: "1.2 replication: CPU of the four primaries, % of one core, by pair of rounds".to_owned(),
        pairs: primary,
        figures,
        correct: wrong == 0 && failures == 0,
    })
}
