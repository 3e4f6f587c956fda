//! Posts by the most followed person: how soon in the last home, and what other people's requests
//! take before, meanwhile, and after.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use futures_util::{StreamExt, TryStreamExt, stream};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use serde::Serialize;
use serde_json::{Value, json};

use crate::cases::open_loop::drive;
use crate::client::{Client, raw_id};
use crate::patience::again;
use crate::people::{LoggedIn, Signer};
use crate::report::OperationReport;
use crate::truth::{Person, Truth};
use crate::watching::{POST, posted};

const TOP: &str = "{ viewer { home(first: 5) { nodes { id } } } }";
const HOME: &str =
    "{ viewer { home(first: 20) { edges { node { text author { handle } likeCount } } } } }";
const USER_POSTS: &str = "query($handle: String!) { user(handle: $handle) { displayName posts(first: 20) { edges { node { text likeCount } } } } }";
/// Homes read at a time when all of them are read.
const AT_ONCE: usize = 16;
/// How long a post may take to the last home.
const PATIENCE: Duration = Duration::from_secs(300);

/// How many homes, which load.
#[derive(Debug, Args)]
pub struct CelebrityArguments {
    /// Homes of followers that are made before and looked at after each post: those the fan-out
    /// reaches last among them. 0: every follower's.
    #[arg(long, default_value_t = 2_000)]
    pub homes: usize,
    /// Other people's requests a second: home feeds and people's posts.
    #[arg(long, default_value_t = 50.0)]
    pub rate: f64,
    /// Seconds of each of the three parts.
    #[arg(long, default_value_t = 20)]
    pub seconds: u64,
    /// Posts, spread over the middle part.
    #[arg(long, default_value_t = 3)]
    pub posts: u32,
    /// Where to write the figures, as JSON.
    #[arg(long, default_value = "bench-results/celebrity.json")]
    pub json: PathBuf,
}

/// What was found.
#[derive(Debug, Serialize)]
pub struct Celebrated {
    /// Followers.
    pub followers: usize,
    /// Homes looked at.
    pub homes: usize,
    /// Seconds from each post's sending to its being in the last follower's home.
    pub last_home_s: Vec<f64>,
    /// Homes that lacked a post, all posts together.
    pub missing: usize,
    /// Other people's latencies before, meanwhile and after.
    pub others: [OperationReport; 3],
}

/// Asks up to five times: while thousands of homes are made, one may be late.
async fn patiently(client: &Client, person: &LoggedIn, query: &str) -> anyhow::Result<Value> {
    again(5, || client.send(Some(&person.token), query, Value::Null), |_| Duration::ZERO).await
}

async fn top_has(client: &Client, person: &LoggedIn, post: i64) -> anyhow::Result<bool> {
    let data = patiently(client, person, TOP).await?;
    let nodes = data
        .pointer("/viewer/home/nodes")
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default();
    Ok(nodes
        .iter()
        .any(|node| node.get("id").and_then(Value::as_str).and_then(raw_id) == Some(post)))
}

/// Posts, and waits until the last follower's home has it.
async fn one_post(
    client: &Client,
    author: &LoggedIn,
    last: &LoggedIn,
) -> anyhow::Result<(i64, f64)> {
    let started = Instant::now();
    let data = client
        .send(Some(&author.token), POST, json!({ "text": "To everyone who follows me" }))
        .await?;
    let post = posted(&data).with_context(|| format!("no post: {data}"))?;
    while !top_has(client, last, post).await? {
        anyhow::ensure!(
            started.elapsed() < PATIENCE,
            "not in the last follower's home after {} s",
            PATIENCE.as_secs()
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok((post, started.elapsed().as_secs_f64()))
}

/// Other people's requests for so long.
async fn others(
    client: &Client,
    people: &Arc<Vec<LoggedIn>>,
    rate: f64,
    length: Duration,
    seed: u64,
) -> anyhow::Result<OperationReport> {
    let mut latencies = drive(rate, length, seed, |number| {
        let (client, people) = (client.clone(), people.clone());
        async move {
            let mut random = StdRng::seed_from_u64(number);
            let (person, other) = people
                .choose(&mut random)
                .zip(people.choose(&mut random))
                .context("there is nobody else")?;
            let token = Some(person.token.as_str());
            match random.random_range(0..3) {
                0 => client.send(token, USER_POSTS, json!({ "handle": other.person.handle })).await,
                _ => client.send(token, HOME, json!({})).await,
            }
            .map(drop)
        }
    })
    .await;
    latencies.measured(length.as_secs_f64())
}

/// Measures.
///
/// # Errors
/// The servers'; a post that does not arrive.
pub async fn measure(
    client: &Client,
    truth: &Truth,
    signer: &Signer,
    arguments: &CelebrityArguments,
) -> anyhow::Result<Celebrated> {
    let (author, mut followers) = truth.most_followed().await?;
    // The fan-out walks followers by id.
    followers.sort_unstable();
    let everybody = truth.people().await?;
    let author = Person { id: author, handle: String::new() };
    let author = signer.log_in(&[author])?.pop().context("nobody")?;
    let follows = |person: &&Person| followers.binary_search(&person.id).is_ok();
    let (fans, strangers): (Vec<&Person>, Vec<&Person>) = everybody.iter().partition(follows);
    let wanted = if arguments.homes == 0 { fans.len() } else { arguments.homes.min(fans.len()) };
    // Evenly over all of them, the last among them.
    let chosen: Vec<Person> = (1..=wanted)
        .filter_map(|number| fans.get(number * fans.len() / wanted - 1))
        .map(|person| (*person).clone())
        .collect();
    let homes = signer.log_in(&chosen)?;
    let last = homes.last().context("nobody follows anybody: seed first")?;
    let strangers: Vec<Person> = strangers
        .into_iter()
        .filter(|person| person.id != author.person.id)
        .take(500)
        .cloned()
        .collect();
    let strangers = Arc::new(signer.log_in(&strangers)?);
    // A home that somebody reads exists, and is pushed to.
    let made =
        stream::iter(&homes).map(|person| patiently(client, person, TOP)).buffer_unordered(AT_ONCE);
    made.try_collect::<Vec<_>>().await?;
    let length = Duration::from_secs(arguments.seconds);
    others(client, &strangers, arguments.rate, length / 4, 1).await?;
    let before = others(client, &strangers, arguments.rate, length, 2).await?;
    let posting = async {
        let mut posts = Vec::new();
        let gap = length / arguments.posts.max(1);
        for _ in 0..arguments.posts {
            let next = tokio::time::Instant::now() + gap;
            posts.push(one_post(client, &author, last).await?);
            tokio::time::sleep_until(next).await;
        }
        anyhow::Ok(posts)
    };
    let (meanwhile, posts) =
        tokio::join!(others(client, &strangers, arguments.rate, length, 3), posting);
    let (meanwhile, posts) = (meanwhile?, posts?);
    let after = others(client, &strangers, arguments.rate, length, 4).await?;
    let wanted: Vec<i64> = posts.iter().map(|(post, _)| *post).collect();
    let wanted = &wanted;
    let lacking = stream::iter(&homes)
        .map(|person| async move {
            let data = patiently(client, person, "{ viewer { home(first: 50) { nodes { id } } } }")
                .await?;
            let nodes = data
                .pointer("/viewer/home/nodes")
                .and_then(Value::as_array)
                .map(Vec::as_slice)
                .unwrap_or_default();
            let ids: Vec<i64> =
                nodes.iter().filter_map(|node| raw_id(node.get("id")?.as_str()?)).collect();
            anyhow::Ok(wanted.iter().filter(|post| !ids.contains(post)).count())
        })
        .buffer_unordered(AT_ONCE)
        .try_collect::<Vec<usize>>()
        .await?;
    Ok(Celebrated {
        followers: followers.len(),
        homes: homes.len(),
        last_home_s: posts.iter().map(|(_, seconds)| *seconds).collect(),
        missing: lacking.into_iter().sum(),
        others: [before, meanwhile, after],
    })
}

/// The verb.
///
/// # Errors
/// The servers'.
pub async fn run(
    client: &Client,
    truth: &Truth,
    config: &Path,
    arguments: &CelebrityArguments,
) -> anyhow::Result<bool> {
    let found = measure(client, truth, &Signer::new(config)?, arguments).await?;
    let mut out = std::io::stdout();
    writeln!(
        out,
        "followers: {}, homes looked at: {}, posts missing in them: {}",
        found.followers, found.homes, found.missing
    )?;
    let seconds: Vec<String> =
        found.last_home_s.iter().map(|seconds| format!("{seconds:.3}")).collect();
    writeln!(out, "seconds until a post was in the last home: {}", seconds.join(", "))?;
    for (part, report) in ["before", "meanwhile", "after"].iter().zip(&found.others) {
        writeln!(
            out,
            "others {part:<10} {:>7} requests, {} failed; p50 {:.1}, p95 {:.1}, p99 {:.1} ms",
            report.requests, report.failed, report.p50_ms, report.p95_ms, report.p99_ms
        )?;
    }
    if let Some(folder) = arguments.json.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(&arguments.json, serde_json::to_vec_pretty(&found)?)?;
    Ok(found.missing == 0)
}
