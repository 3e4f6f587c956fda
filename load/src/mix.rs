//! The mix, open loop: 60 % home feed, 30 % a user's posts, 10 % post (256 characters, 0 to 5
//! mentions).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::audit;
use crate::client::Client;
use crate::people::{LoggedIn, log_in};
use crate::ports::at;
use crate::processes::{between, cpu_seconds};
use crate::report::{Latencies, Report, float};
use crate::truth::Truth;

/// How hard, how long.
#[derive(Debug, Args)]
pub struct MixArguments {
    /// Requests a second.
    #[arg(long, default_value_t = 100.0)]
    pub rate: f64,
    /// Seconds measured, after a warm-up of a quarter of that.
    #[arg(long, default_value_t = 20)]
    pub seconds: u64,
    /// People logged in.
    #[arg(long, default_value_t = 200)]
    pub people: usize,
    /// Seed of who does what when.
    #[arg(long, default_value_t = 1)]
    pub random_seed: u64,
    /// plaza's admin addresses, for the count of SQL statements: both servers' of this clone when left
    /// out.
    #[arg(long, value_delimiter = ',')]
    pub admin: Vec<String>,
    /// Where to write the figures, as JSON.
    #[arg(long, default_value = "target/load.json")]
    pub json: PathBuf,
    /// Leave the audit out.
    #[arg(long)]
    pub no_audit: bool,
}

const HOME: &str = "{ viewer { home(first: 20) { edges { node { text author { handle } likeCount comments(first: 3) {
  edges { node { text author { handle } } } } } } } } }";
const USER_POSTS: &str = "query($handle: String!) { user(handle: $handle) { displayName posts(first: 20) { edges { node { text likeCount } } } } }";
const POST: &str = "mutation($text: String!) { postCreate(input: {text: $text}) { post { id } userErrors { code message } } }";

#[derive(Debug, Clone, Copy)]
enum Operation {
    Home,
    UserPosts,
    Post,
}

impl Operation {
    fn name(self) -> &'static str {
        match self {
            Self::Home => "home",
            Self::UserPosts => "user posts",
            Self::Post => "post",
        }
    }
}

fn post_text(random: &mut StdRng, people: &[LoggedIn]) -> String {
    let mut text = String::new();
    for _ in 0..random.random_range(0..=5) {
        if let Some(person) = people.choose(random) {
            text.push('@');
            text.push_str(&person.person.handle);
            text.push(' ');
        }
    }
    while text.len() < 256 {
        text.push(char::from(random.random_range(b'a'..=b'z')));
    }
    text.truncate(256);
    text
}

async fn one(
    client: &Client,
    person: &LoggedIn,
    operation: Operation,
    argument: String,
) -> anyhow::Result<()> {
    let token = Some(person.token.as_str());
    let data = match operation {
        Operation::Home => client.send(token, HOME, json!({})).await?,
        Operation::UserPosts => {
            client.send(token, USER_POSTS, json!({ "handle": argument })).await?
        }
        Operation::Post => client.send(token, POST, json!({ "text": argument })).await?,
    };
    let found = match operation {
        Operation::Home => data.pointer("/viewer/home/edges").is_some(),
        Operation::UserPosts => data.pointer("/user/posts/edges").is_some(),
        Operation::Post => data.pointer("/postCreate/post/id").is_some(),
    };
    anyhow::ensure!(found, "{} answered {data}", operation.name());
    Ok(())
}

/// Sends at the rate for so long; latencies by operation.
pub async fn drive(
    client: &Client,
    people: &Arc<Vec<LoggedIn>>,
    rate: f64,
    length: Duration,
    seed: u64,
) -> BTreeMap<&'static str, Latencies> {
    let mut random = StdRng::seed_from_u64(seed);
    let (results, mut done) = mpsc::channel::<(Operation, Duration, Option<String>)>(4_096);
    let collected = async {
        let mut latencies: BTreeMap<&'static str, Latencies> = BTreeMap::new();
        let mut shown = 0;
        while let Some((operation, taken, failure)) = done.recv().await {
            let entry = latencies.entry(operation.name()).or_default();
            match failure {
                None => entry.taken.push(taken),
                Some(failure) => {
                    entry.failed += 1;
                    shown += 1;
                    if shown <= 5 {
                        let _ = std::io::Write::write_fmt(
                            &mut std::io::stderr(),
                            format_args!("{}: {failure}\n", operation.name()),
                        );
                    }
                }
            }
        }
        latencies
    };
    let sent = async move {
        let start = Instant::now();
        let mut due = start;
        while due < start + length {
            due += Duration::from_secs_f64(-random.random::<f64>().max(1e-12).ln() / rate);
            let operation = match random.random_range(0..10) {
                0..6 => Operation::Home,
                6..9 => Operation::UserPosts,
                _ => Operation::Post,
            };
            let Some(person) = people.choose(&mut random).cloned() else { return };
            let argument = match operation {
                Operation::Home => String::new(),
                Operation::UserPosts => people
                    .choose(&mut random)
                    .map(|other| other.person.handle.clone())
                    .unwrap_or_default(),
                Operation::Post => post_text(&mut random, people),
            };
            tokio::time::sleep_until(due).await;
            let (client, results) = (client.clone(), results.clone());
            #[expect(
                clippy::disallowed_methods,
                reason = "open loop: nobody waits for a request before sending the next"
            )]
            tokio::spawn(async move {
                let failure = one(&client, &person, operation, argument)
                    .await
                    .err()
                    .map(|error| error.to_string());
                let _ = results.send((operation, due.elapsed(), failure)).await;
            });
        }
    };
    tokio::join!(sent, collected).1
}

/// SQL statements that the servers have sent so far.
async fn statements(admin: &[String]) -> Option<f64> {
    let mut total = 0.0;
    for address in admin {
        let text =
            reqwest::get(format!("http://{address}/metrics")).await.ok()?.text().await.ok()?;
        total += text.lines().find_map(|line| {
            line.strip_prefix("plaza_sql_statements_total ")?.trim().parse::<f64>().ok()
        })?;
    }
    Some(total)
}

/// The verb.
///
/// # Errors
/// The servers'; a request that fails is counted, not an error.
pub async fn run(
    client: &Client,
    truth: &Truth,
    run_dir: &Path,
    password: &str,
    arguments: &MixArguments,
) -> anyhow::Result<bool> {
    let everybody = truth.people().await?;
    let chosen: Vec<_> = everybody
        .choose_multiple(&mut StdRng::seed_from_u64(arguments.random_seed), arguments.people)
        .cloned()
        .collect();
    let people = Arc::new(log_in(client, &chosen, password).await?);
    drive(
        client,
        &people,
        arguments.rate,
        Duration::from_secs(arguments.seconds) / 4,
        arguments.random_seed + 1,
    )
    .await;
    let admin = if arguments.admin.is_empty() {
        [4_201, 4_202].map(|port| format!("127.0.0.1:{}", at(port))).to_vec()
    } else {
        arguments.admin.clone()
    };
    let (cpu_before, sql_before) = (cpu_seconds(run_dir), statements(&admin).await);
    let started = Instant::now();
    let mut latencies = drive(
        client,
        &people,
        arguments.rate,
        Duration::from_secs(arguments.seconds),
        arguments.random_seed,
    )
    .await;
    let seconds = started.elapsed().as_secs_f64();
    let (cpu, sql_after) = (between(&cpu_before, &cpu_seconds(run_dir)), statements(&admin).await);
    let mut all = Latencies::default();
    for latencies in latencies.values() {
        all.taken.extend(&latencies.taken);
        all.failed += latencies.failed;
    }
    latencies.insert("all", all);
    let operations: BTreeMap<String, _> = latencies
        .iter_mut()
        .map(|(name, latencies)| ((*name).to_owned(), latencies.report(seconds)))
        .collect();
    let requests = operations.get("all").map_or(1.0, |all| float(all.requests)).max(1.0);
    let audited = if arguments.no_audit {
        audit::Audited { feeds: 0, wrong: 0 }
    } else {
        truth.wait_until_sent().await?;
        audit::compare(client, truth, &people).await?
    };
    let report = Report {
        rate: arguments.rate,
        seconds,
        operations,
        cpu_ms_per_request: cpu
            .iter()
            .map(|(group, seconds)| ((*group).to_owned(), seconds * 1_000.0 / requests))
            .collect(),
        statements_per_request: sql_before
            .zip(sql_after)
            .map(|(before, after)| (after - before) / requests),
        feeds_audited: audited.feeds,
        feeds_wrong: audited.wrong,
    };
    report.print()?;
    if let Some(folder) = arguments.json.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(&arguments.json, serde_json::to_vec_pretty(&report)?)?;
    Ok(audited.wrong == 0)
}
