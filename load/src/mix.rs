//! The mix, open loop: 60 % home feed, 30 % a user's posts, 10 % post (256 characters, 0 to 5
//! mentions).

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::client::Client;
use crate::people::LoggedIn;
use crate::processes::{between, cpu_seconds};
use crate::report::{Latencies, Report, float, write_json};
use crate::session::Session;
use crate::{admin, audit};

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
    /// plaza's admin addresses, for the count of SQL statements: both servers' of this clone when
    /// left out.
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

/// One request's operation and what it asks for.
fn draw(random: &mut StdRng, people: &[LoggedIn]) -> (Operation, String) {
    match random.random_range(0..10) {
        0..6 => (Operation::Home, String::new()),
        6..9 => {
            let other = people.choose(random);
            let handle = other.map(|other| other.person.handle.clone());
            (Operation::UserPosts, handle.unwrap_or_default())
        }
        _ => (Operation::Post, post_text(random, people)),
    }
}

/// What became of one request.
type Outcome = (Operation, Duration, Option<String>);

/// Sends at the rate for so long; latencies by operation.
pub async fn drive(
    client: &Client,
    people: &Arc<Vec<LoggedIn>>,
    rate: f64,
    length: Duration,
    seed: u64,
) -> BTreeMap<&'static str, Latencies> {
    let mut random = StdRng::seed_from_u64(seed);
    let (results, done) = mpsc::channel::<Outcome>(4_096);
    let sent = async move {
        let start = Instant::now();
        let mut due = start;
        while due < start + length {
            due += Duration::from_secs_f64(-random.random::<f64>().max(1e-12).ln() / rate);
            let (operation, argument) = draw(&mut random, people);
            let Some(person) = people.choose(&mut random).cloned() else { return };
            tokio::time::sleep_until(due).await;
            let (client, results) = (client.clone(), results.clone());
            #[expect(
                clippy::disallowed_methods,
                reason = "open loop: nobody waits for a request before sending the next"
            )]
            tokio::spawn(async move {
                let outcome = one(&client, &person, operation, argument).await;
                let failure = outcome.err().map(|error| error.to_string());
                let _ = results.send((operation, due.elapsed(), failure)).await;
            });
        }
    };
    tokio::join!(sent, collect(done)).1
}

async fn collect(mut done: mpsc::Receiver<Outcome>) -> BTreeMap<&'static str, Latencies> {
    let mut latencies: BTreeMap<&'static str, Latencies> = BTreeMap::new();
    let mut shown = 0;
    while let Some((operation, taken, failure)) = done.recv().await {
        let entry = latencies.entry(operation.name()).or_default();
        let Some(failure) = failure else {
            entry.record(taken);
            continue;
        };
        entry.failed += 1;
        shown += 1;
        if shown <= 5 {
            let _ = writeln!(std::io::stderr(), "{}: {failure}", operation.name());
        }
    }
    latencies
}

/// All operations together.
pub fn together<'a>(latencies: impl IntoIterator<Item = &'a Latencies>) -> Latencies {
    let mut all = Latencies::default();
    latencies.into_iter().for_each(|one| all.add(one));
    all
}

/// SQL statements that the servers have sent so far.
async fn statements(servers: &[String]) -> Option<f64> {
    admin::sums(servers, [admin::STATEMENTS]).await.map(|[statements]| statements)
}

/// The verb.
///
/// # Errors
/// The servers'; a request that fails is counted, not an error.
pub async fn run(session: &Session, arguments: &MixArguments) -> anyhow::Result<bool> {
    let (client, seed) = (&session.client, arguments.random_seed);
    let people = Arc::new(session.logged_in(arguments.people, seed).await?);
    let length = Duration::from_secs(arguments.seconds);
    drive(client, &people, arguments.rate, length / 4, seed + 1).await;
    let mut report = measure(session, arguments, &people).await?;
    if !arguments.no_audit {
        session.truth.wait_until_sent().await?;
        let audited = audit::compare(client, &session.truth, &people).await?;
        (report.feeds_audited, report.feeds_wrong) = (audited.feeds, audited.wrong);
    }
    report.print()?;
    write_json(&arguments.json, &report)?;
    Ok(report.feeds_wrong == 0)
}

/// The mix at the rate that is asked for, with what it costs.
async fn measure(
    session: &Session,
    arguments: &MixArguments,
    people: &Arc<Vec<LoggedIn>>,
) -> anyhow::Result<Report> {
    let MixArguments { rate, random_seed, .. } = *arguments;
    let admin = admin::servers(&arguments.admin);
    let (cpu_before, sql_before) = (cpu_seconds(&session.run_dir), statements(&admin).await);
    let (started, length) = (Instant::now(), Duration::from_secs(arguments.seconds));
    let mut latencies = drive(&session.client, people, rate, length, random_seed).await;
    let seconds = started.elapsed().as_secs_f64();
    let cpu = between(&cpu_before, &cpu_seconds(&session.run_dir));
    let sql = sql_before.zip(statements(&admin).await).map(|(before, after)| after - before);
    let all = together(latencies.values());
    let requests = float(all.requests()).max(1.0);
    latencies.insert("all", all);
    let of_operation =
        |(name, latencies): (&&str, &Latencies)| ((*name).to_owned(), latencies.report(seconds));
    let of_group =
        |(group, seconds): (&&str, &f64)| ((*group).to_owned(), seconds * 1_000.0 / requests);
    Ok(Report {
        rate,
        seconds,
        operations: latencies.iter().map(of_operation).collect(),
        cpu_ms_per_request: cpu.iter().map(of_group).collect(),
        statements_per_request: sql.map(|statements| statements / requests),
        feeds_audited: 0,
        feeds_wrong: 0,
    })
}
