//! Case 1.1: all rows on one server, against a quarter of them on each of four; every server with
//! the same budget of processor.
//!
//! The same executable with the same schema, indexes and settings on both sides: one shard is a
//! number in `postgres.shards`. Nothing is cached on either side. Three loads, each at the first
//! rate at which one server is saturated by it: somebody's page (one shard), forty posts of forty
//! people (all shards, scattered and gathered), and posting (one shard).

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::CaseArguments;
use super::budget::Budget;
use super::databases::{Database, Plan, load, migrate, take_down};
use super::open_loop::{Search, drive};
use super::outcome::{Figure, Outcome, Pair, machine, median, say, today};
use super::served::{Launch, Served};
use crate::client::{Client, global_id};
use crate::people::{LoggedIn, log_in};
use crate::report::{OperationReport, float};
use crate::truth::{Person, Truth};

const PAGE: &str = "query($id: ID!) { node(id: $id) { ... on User { displayName posts(first: 20) { edges { node { id text } } } } } }";
const MANY: &str =
    "query($ids: [ID!]!) { nodes(ids: $ids) { ... on Post { text author { handle } } } }";
const POST: &str = "mutation($text: String!) { postCreate(input: {text: $text}) { post { id } userErrors { code message } } }";
/// Posts that one scattered read asks for.
const AT_ONCE: usize = 40;
/// Every server's budget, in thousandths of a core: four of them must leave the greater part of a
/// small machine to plaza and the generator.
const BUDGET: u64 = 100;
/// Above this p95, in milliseconds, one server counts as saturated.
const SATURATED_MS: f64 = 500.0;
const GOAL_MS: f64 = 50.0;
/// How long four servers are asked for pages at twice the rate, for the skew of the load: of some
/// ten thousand requests chance alone makes 2 %, of some fifty thousand it seldom does.
const SPREAD_S: u64 = 90;
const SHARDS: usize = 4;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Load {
    Page,
    Many,
    Write,
}

const LOADS: [(Load, &str); 3] = [
    (Load::Page, "a page of one person's, one shard"),
    (Load::Many, "40 posts of 40 people, all shards"),
    (Load::Write, "posting, one shard"),
];

/// Whom and what requests ask for.
#[derive(Debug)]
struct Rows {
    people: Vec<(u32, plaza::ids::Bucket)>,
    ids: Vec<i64>,
    plan: Plan,
}

/// One side: its server, and people logged in there.
#[derive(Debug)]
struct Side {
    served: Served,
    writers: Arc<Vec<LoggedIn>>,
}

async fn request(
    load: Load,
    client: Client,
    rows: Arc<Rows>,
    writers: Arc<Vec<LoggedIn>>,
    number: u64,
) -> anyhow::Result<()> {
    let mut random = StdRng::seed_from_u64(number);
    match load {
        Load::Page => {
            let data =
                page(&client, *rows.ids.choose(&mut random).context("nobody is there")?).await?;
            let shown =
                data.pointer("/node/posts/edges").and_then(Value::as_array).map_or(0, Vec::len);
            anyhow::ensure!(shown > 0, "answered {data}");
        }
        Load::Many => {
            let ids: Vec<String> = (0..AT_ONCE)
                .filter_map(|_| {
                    let (person, bucket) = rows.people.choose(&mut random)?;
                    Some(global_id(
                        "Post",
                        rows.plan.post(*person, *bucket, random.random_range(0..rows.plan.posts)),
                    ))
                })
                .collect();
            let data = client.send(None, MANY, json!({ "ids": ids })).await?;
            let nodes = data.pointer("/nodes").and_then(Value::as_array).context("no nodes")?;
            anyhow::ensure!(
                nodes.len() == AT_ONCE && !nodes.contains(&Value::Null),
                "a post is missing: {data}"
            );
        }
        Load::Write => {
            let writer = writers.choose(&mut random).context("nobody writes")?;
            let data = client
                .send(Some(&writer.token), POST, json!({ "text": format!("case {number:x}") }))
                .await?;
            anyhow::ensure!(data.pointer("/postCreate/post/id").is_some(), "answered {data}");
        }
    }
    Ok(())
}

async fn page(client: &Client, person: i64) -> anyhow::Result<Value> {
    client.send(None, PAGE, json!({ "id": global_id("User", person) })).await
}

async fn round(
    load: Load,
    side: &Side,
    rows: &Arc<Rows>,
    (rate, length): (f64, Duration),
    seed: u64,
) -> anyhow::Result<OperationReport> {
    let mut latencies = drive(rate, length, seed, |number| {
        request(load, side.served.client.clone(), rows.clone(), side.writers.clone(), number)
    })
    .await;
    latencies.measured(length.as_secs_f64())
}

/// What one load came to.
#[derive(Debug)]
struct Measured {
    what: &'static str,
    rate: f64,
    pairs: Vec<Pair>,
    failed: Pair,
}

async fn measure(
    load: (Load, &'static str),
    sides: (&Side, &Side),
    rows: &Arc<Rows>,
    arguments: &CaseArguments,
) -> anyhow::Result<Measured> {
    let (count, length, step) = if arguments.quick { (2, 4, 3) } else { (5, 8, 5) };
    let length = Duration::from_secs(length);
    round(load.0, sides.1, rows, (20.0, Duration::from_secs(2)), 1).await?;
    let rate = match arguments.rate {
        Some(rate) => rate,
        None => {
            let search = Search {
                what: &format!("{}, one server", load.1),
                from: 40.0,
                factor: 1.15,
                above_ms: SATURATED_MS,
            };
            search
                .rate(async |rate| {
                    round(load.0, sides.0, rows, (rate, Duration::from_secs(step)), 3).await
                })
                .await?
        }
    };
    let mut measured = Measured {
        what: load.1,
        rate,
        pairs: Vec::new(),
        failed: Pair { before: 0.0, after: 0.0 },
    };
    for number in 0..count {
        let mut pair = Pair { before: 0.0, after: 0.0 };
        for turn in [number % 2, 1 - number % 2] {
            let side = if turn == 0 { sides.0 } else { sides.1 };
            let report = round(load.0, side, rows, (rate, length), 100 + number).await?;
            let (p95, failed) = if turn == 0 {
                (&mut pair.before, &mut measured.failed.before)
            } else {
                (&mut pair.after, &mut measured.failed.after)
            };
            *p95 = report.p95_ms;
            *failed += float(report.failed);
            sleep(Duration::from_secs(1)).await;
        }
        pair.tell(&format!("{} at {rate}/s: p95, ms", load.1), number + 1, count)?;
        measured.pairs.push(pair);
    }
    Ok(measured)
}

/// The greatest deviation from the mean, in percent.
fn skew(counts: &[f64]) -> f64 {
    let mean = counts.iter().sum::<f64>() / float(counts.len().max(1));
    counts.iter().map(|count| (count - mean).abs()).fold(0.0, f64::max)
        / mean.max(f64::MIN_POSITIVE)
        * 100.0
}

fn number(count: i64) -> f64 {
    float(usize::try_from(count).unwrap_or_default())
}

/// The case. Its servers go with their data, however it ends.
///
/// # Errors
/// The servers'.
pub async fn run(
    truth: &Truth,
    config: &Path,
    password: &str,
    arguments: &CaseArguments,
) -> anyhow::Result<Outcome> {
    let outcome = tokio::select! {
        outcome = with_databases(truth, config, password, arguments) => outcome,
        _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("told to stop")),
    };
    for name in std::iter::once("one".to_owned()).chain((0..SHARDS).map(|shard| shard.to_string()))
    {
        take_down(&name).await?;
    }
    outcome
}

async fn with_databases(
    truth: &Truth,
    config: &Path,
    password: &str,
    arguments: &CaseArguments,
) -> anyhow::Result<Outcome> {
    let system = plaza::config::Config::load(Some(&config.to_path_buf()))?.postgres.shards;
    let like = system
        .first()
        .context("the configuration names no shard")?
        .primary
        .expose_secret()
        .to_owned();
    let port =
        reqwest::Url::parse(&like)?.port().context("the first shard's address has no port")? + 90;
    say("starting one server and four")?;
    let one = Database::start("one", port, &like).await?;
    let mut four = Vec::new();
    for (shard, port) in (0..SHARDS).zip(port + 1..) {
        four.push(Database::start(&shard.to_string(), port, &like).await?);
    }
    let addresses = (
        one.url.clone(),
        four.iter().map(|database| database.url.as_str()).collect::<Vec<_>>().join(","),
    );
    migrate(&arguments.plaza, config, &addresses.0).await?;
    migrate(&arguments.plaza, config, &addresses.1).await?;
    let (people, posts) = if arguments.quick { (4_000, 48) } else { (200_000, 48) };
    let plan = Plan { people, posts, password_hash: truth.any_password_hash().await? };
    say(&format!("loading {} rows, into one and into four", plan.rows()))?;
    let began = std::time::Instant::now();
    load(&plan, &one, &four).await?;
    say(&format!("loaded after {} s", began.elapsed().as_secs()))?;

    let before = start(config, arguments, (4191, "before", &addresses.0), password, &plan).await?;
    let after = start(config, arguments, (4192, "after", &addresses.1), password, &plan).await?;
    let rows = Arc::new(Rows { people: plan.people(), ids: plan.ids(), plan: plan.clone() });
    let differing = differing_pages(&before, &after, &rows).await?;

    let budgets: anyhow::Result<Vec<Budget>> =
        std::iter::once(&one).chain(&four).map(|database| database.hold(BUDGET)).collect();
    if let Err(why) = &budgets {
        say(&format!("no processor budgets, so the figures say little: {why:#}"))?;
    }
    let mut transactions = Vec::new();
    for database in &four {
        transactions.push(database.transactions().await?);
    }
    let mut measured = Vec::new();
    for load in LOADS {
        measured.push(measure(load, (&before, &after), &rows, arguments).await?);
    }
    if let Some(pages) = measured.first() {
        let (rate, length) =
            (pages.rate * 2.0, Duration::from_secs(if arguments.quick { 6 } else { SPREAD_S }));
        say(&format!("pages of {:.0} people, for the skew", rate * length.as_secs_f64()))?;
        round(Load::Page, &after, &rows, (rate, length), 200).await?;
    }
    // Longer than the servers take to tell their statistics.
    sleep(Duration::from_secs(2)).await;
    let (mut loads, mut counts) = (Vec::new(), Vec::new());
    for (database, then) in four.iter().zip(transactions) {
        loads.push(number(database.transactions().await? - then));
        let mut here = 0;
        for table in ["users", "handle_claims", "posts"] {
            here += database.rows(table).await?;
        }
        counts.push(number(here));
    }
    let held_back = match &budgets {
        Ok(budgets) => Some(
            budgets
                .iter()
                .map(|budget| Ok(budget.held_back()?.as_secs_f64()))
                .collect::<anyhow::Result<Vec<f64>>>()?,
        ),
        Err(_) => None,
    };
    outcome(arguments, &plan, &measured, (skew(&counts), skew(&loads)), held_back, differing)
}

/// A server on these shards, without a cache, and people logged in there.
async fn start(
    config: &Path,
    arguments: &CaseArguments,
    (port, name, shards): (u16, &str, &str),
    password: &str,
    plan: &Plan,
) -> anyhow::Result<Side> {
    let settings = [
        ("PLAZA_TELEMETRY__FILTER", "error"),
        ("PLAZA_POSTGRES__SHARDS", shards),
        ("PLAZA_REDIS__CACHE_TTL_MS", "0"),
        ("PLAZA_REDIS__KEY_PREFIX", &format!("case-1.1-{name}")),
        // Room for what piles up before one server, on both sides.
        ("PLAZA_SERVER__MAX_IN_FLIGHT", "2000"),
    ];
    let served = Served::start(Launch {
        plaza: arguments.plaza.clone(),
        config: std::path::absolute(config)?,
        port,
        admin_port: port + 100,
        settings: settings.iter().map(|(name, value)| (*name, (*value).to_owned())).collect(),
    })
    .await?;
    let writers: Vec<Person> = (0..if arguments.quick { 40 } else { 200 })
        .zip(plan.ids())
        .map(|(number, id)| Person { id, handle: Plan::handle(number) })
        .collect();
    let writers = Arc::new(log_in(&served.client, &writers, password).await?);
    Ok(Side { served, writers })
}

/// Pages on which the two sides do not agree, of a hundred.
async fn differing_pages(before: &Side, after: &Side, rows: &Rows) -> anyhow::Result<usize> {
    let mut differing = 0;
    for person in rows.ids.choose_multiple(&mut StdRng::seed_from_u64(5), 100) {
        let (one, four) = (
            page(&before.served.client, *person).await?,
            page(&after.served.client, *person).await?,
        );
        differing += usize::from(one != four || one.pointer("/node/posts/edges/19").is_none());
    }
    Ok(differing)
}

fn outcome(
    arguments: &CaseArguments,
    plan: &Plan,
    measured: &[Measured],
    (row_skew, load_skew): (f64, f64),
    held_back: Option<Vec<f64>>,
    differing: usize,
) -> anyhow::Result<Outcome> {
    let mut figures = Vec::new();
    for load in measured {
        let before = median(load.pairs.iter().map(|pair| pair.before));
        let after = median(load.pairs.iter().map(|pair| pair.after));
        figures.push(Figure::aimed(
            format!("{}, {}/s: p95, ms", load.what, load.rate),
            Some(before),
            after,
            "500 -> below 50",
            after < GOAL_MS,
        ));
        figures.push(Figure::plain(
            "of these, failed".to_owned(),
            Some(load.failed.before),
            load.failed.after,
        ));
    }
    figures.push(Figure::aimed(
        "skew of rows over the shards, %".to_owned(),
        None,
        row_skew,
        "at most 2",
        row_skew <= 2.0,
    ));
    figures.push(Figure::aimed(
        "skew of transactions over the shards, %".to_owned(),
        None,
        load_skew,
        "at most 2",
        load_skew <= 2.0,
    ));
    figures.push(Figure::aimed(
        "of 100 pages, not alike on both sides".to_owned(),
        None,
        float(differing),
        "0",
        differing == 0,
    ));
    let budget = match &held_back {
        Some(seconds) => {
            let (one, four) = (seconds.first().copied().unwrap_or_default(), seconds.iter().skip(1).sum());
            figures.push(Figure::plain("seconds that servers were held back by their budgets".to_owned(), Some(one), four));
            format!("every server has {BUDGET} thousandths of a core (control groups)")
        }
        None => "NO PROCESSOR BUDGETS (no control groups here): all servers share the cores, so these figures do not show four machines"
            .to_owned(),
    };
    let pairs = measured.first().map(|load| load.pairs.clone()).unwrap_or_default();
    Ok(Outcome {
        number: "1.1".to_owned(),
        name: "sharding".to_owned(),
        date: today()?,
        machine: machine(),
        command: "make case-1.1".to_owned(),
        setting: format!(
            "{} rows, on one server and on {SHARDS}; {budget}; no cache, no replicas; each load at {}; {} pairs of rounds in turns.",
            plan.rows(),
            match arguments.rate {
                Some(_) => "the rate asked for".to_owned(),
                None => format!(
                    "the first rate at which one server has a p95 above {SATURATED_MS} ms, or fails one request in a hundred"
                ),
            },
            pairs.len()
        ),
        missed_because: Some({
            let whole: f64 = held_back.iter().flatten().sum();
            format!(
                "five budgets, plaza and the generator share the machine's cores; the budgets held their servers back for {whole:.0} s in all. \
                 Transactions are skewed by whom the requests happened to ask for."
            )
        }),
        pairs_of: "1.1 sharding: p95 of a page of one person's, ms, by pair of rounds".to_owned(),
        pairs,
        figures,
        correct: differing == 0,
    })
}
