//! Posts by the most followed person: how soon in the last home, and what other people's requests
//! take before, meanwhile, and after.

use std::io::Write;
use std::path::PathBuf;
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
use crate::report::{OperationReport, write_json};
use crate::session::Session;
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

/// The ids of the posts in an answered home.
fn home_ids(data: &Value) -> Vec<i64> {
    let nodes = data.pointer("/viewer/home/nodes").and_then(Value::as_array);
    let id = |node: &Value| raw_id(node.get("id")?.as_str()?);
    nodes.into_iter().flatten().filter_map(id).collect()
}

async fn top_has(client: &Client, person: &LoggedIn, post: i64) -> anyhow::Result<bool> {
    Ok(home_ids(&patiently(client, person, TOP).await?).contains(&post))
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
    let latencies = drive(rate, length, seed, |number| {
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

/// Who takes part.
struct Cast {
    author: LoggedIn,
    /// How many follow the author.
    followers: usize,
    /// Followers whose homes are read, in the order in which the fan-out reaches them.
    homes: Vec<LoggedIn>,
    /// Users who do not follow the author.
    strangers: Arc<Vec<LoggedIn>>,
}

impl Cast {
    async fn choose(truth: &Truth, signer: &Signer, homes: usize) -> anyhow::Result<Self> {
        let (author, mut followers) = truth.most_followed().await?;
        // The fan-out walks followers by id.
        followers.sort_unstable();
        let everybody = truth.people().await?;
        let author = Person { id: author, handle: String::new() };
        let author = signer.log_in(&[author])?.pop().context("nobody")?;
        let follows = |person: &&Person| followers.binary_search(&person.id).is_ok();
        let (fans, strangers): (Vec<&Person>, Vec<&Person>) = everybody.iter().partition(follows);
        let wanted = if homes == 0 { fans.len() } else { homes.min(fans.len()) };
        // Evenly over all of them, the last among them.
        let chosen: Vec<Person> = (1..=wanted)
            .filter_map(|number| fans.get(number * fans.len() / wanted - 1))
            .map(|person| (*person).clone())
            .collect();
        let strangers: Vec<Person> = strangers
            .into_iter()
            .filter(|person| person.id != author.person.id)
            .take(500)
            .cloned()
            .collect();
        Ok(Self {
            author,
            followers: followers.len(),
            homes: signer.log_in(&chosen)?,
            strangers: Arc::new(signer.log_in(&strangers)?),
        })
    }

    /// Posts, spread over a length of time, each until it is in the last home.
    async fn post(
        &self,
        client: &Client,
        posts: u32,
        length: Duration,
    ) -> anyhow::Result<Vec<(i64, f64)>> {
        let last = self.homes.last().context("nobody follows anybody: seed first")?;
        let (mut posted, gap) = (Vec::new(), length / posts.max(1));
        for _ in 0..posts {
            let next = tokio::time::Instant::now() + gap;
            posted.push(one_post(client, &self.author, last).await?);
            tokio::time::sleep_until(next).await;
        }
        Ok(posted)
    }

    /// How many of the posts are missing in homes, all homes together.
    async fn missing(&self, client: &Client, posts: &[i64]) -> anyhow::Result<usize> {
        let missing = stream::iter(&self.homes).map(|person| async move {
            let query = "{ viewer { home(first: 50) { nodes { id } } } }";
            let ids = home_ids(&patiently(client, person, query).await?);
            anyhow::Ok(posts.iter().filter(|post| !ids.contains(post)).count())
        });
        let missing: Vec<usize> = missing.buffer_unordered(AT_ONCE).try_collect().await?;
        Ok(missing.into_iter().sum())
    }
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
    let cast = Cast::choose(truth, signer, arguments.homes).await?;
    // A home that somebody reads exists, and is pushed to.
    let made = stream::iter(&cast.homes).map(|person| patiently(client, person, TOP));
    made.buffer_unordered(AT_ONCE).try_collect::<Vec<_>>().await?;
    let length = Duration::from_secs(arguments.seconds);
    let load = |length, seed| others(client, &cast.strangers, arguments.rate, length, seed);
    load(length / 4, 1).await?;
    let before = load(length, 2).await?;
    let (meanwhile, posts) =
        tokio::join!(load(length, 3), cast.post(client, arguments.posts, length));
    let (meanwhile, posts) = (meanwhile?, posts?);
    let after = load(length, 4).await?;
    let (posts, last_home_s): (Vec<i64>, Vec<f64>) = posts.into_iter().unzip();
    Ok(Celebrated {
        followers: cast.followers,
        homes: cast.homes.len(),
        last_home_s,
        missing: cast.missing(client, &posts).await?,
        others: [before, meanwhile, after],
    })
}

/// The verb.
///
/// # Errors
/// The servers'.
pub async fn run(session: &Session, arguments: &CelebrityArguments) -> anyhow::Result<bool> {
    let found = measure(&session.client, &session.truth, &session.signer()?, arguments).await?;
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
    write_json(&arguments.json, &found)?;
    Ok(found.missing == 0)
}
