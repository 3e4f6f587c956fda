//! Case 1.1: all rows on one server, against a quarter of them on each of four; every server with
//! the same budget of processor.
//!
//! The same executable with the same schema, indexes and settings on both sides: one shard is a
//! number in `postgres.shards`. Nothing is cached on either side. Three loads, each at the first
//! rate at which one server is saturated by it: somebody's page (one shard), forty posts of forty
//! people (all shards, scattered and gathered), and posting (one shard).

mod databases;
mod requests;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use secrecy::ExposeSecret;
use tokio::time::sleep;

use self::databases::{Database, Plan, load, migrate, take_down};
use self::requests::{LOADS, Load, Rows, page, request};
use super::CaseArguments;
use super::budget::Budget;
use super::case::{Case, Rate, Report, Results, Series, Side, Turn};
use super::open_loop::{PAUSE, Search, drive};
use super::outcome::{Figure, medians, say};
use super::served::{Launch, Served};
use crate::people::{LoggedIn, log_in};
use crate::report::{OperationReport, float};
use crate::session::Session;
use crate::truth::Person;

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

/// A plaza on its shards, and users logged in there.
struct Plaza {
    served: Served,
    writers: Arc<Vec<LoggedIn>>,
}

/// One database and four, and a plaza on each.
pub struct Sharding<'a> {
    arguments: &'a CaseArguments,
    plan: Plan,
    rows: Arc<Rows>,
    before: Plaza,
    after: Plaza,
    four: Vec<Database>,
    /// Of the one and then of the four; none where there are no control groups.
    budgets: Option<Vec<Budget>>,
    /// Of the four, before the first round.
    transactions: Vec<i64>,
    /// Of 100 pages, those on which the two sides do not agree.
    differing: usize,
}

/// What is measured after the pairs.
#[derive(Debug)]
pub struct Rest {
    row_skew: f64,
    load_skew: f64,
    /// Seconds that each server was held back, in the order of the budgets.
    held_back: Option<Vec<f64>>,
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

/// One server without rows, and four.
async fn start_databases(session: &Session) -> anyhow::Result<(Database, Vec<Database>)> {
    let system = session.settings()?.postgres.shards;
    let first = system.first().context("the configuration names no shard")?;
    let like = first.primary.expose_secret();
    let port = reqwest::Url::parse(like)?.port();
    let port = port.context("the first shard's address has no port")? + 90;
    say("starting one server and four")?;
    let one = Database::start("one", port, like).await?;
    let mut four = Vec::new();
    for (shard, port) in (0..SHARDS).zip(port + 1..) {
        four.push(Database::start(&shard.to_string(), port, like).await?);
    }
    Ok((one, four))
}

/// The same rows in the one and in the four.
async fn fill(plan: &Plan, one: &Database, four: &[Database]) -> anyhow::Result<()> {
    say(&format!("loading {} rows, into one and into four", plan.rows()))?;
    let began = Instant::now();
    load(plan, one, four).await?;
    say(&format!("loaded after {} s", began.elapsed().as_secs()))?;
    Ok(())
}

/// A plaza on these shards, without a cache, and users logged in there.
async fn start(
    session: &Session,
    arguments: &CaseArguments,
    (port, name, shards): (u16, &str, &str),
    plan: &Plan,
) -> anyhow::Result<Plaza> {
    let launch = Launch::new(session, arguments, port)?
        .with("PLAZA_TELEMETRY__FILTER", "error")
        .with("PLAZA_POSTGRES__SHARDS", shards)
        .with("PLAZA_REDIS__CACHE_TTL_MS", 0)
        .with("PLAZA_REDIS__KEY_PREFIX", format!("case-1.1-{name}"))
        // Room for what piles up before one server, on both sides.
        .with("PLAZA_SERVER__MAX_IN_FLIGHT", 2_000);
    let served = Served::start(launch).await?;
    let writers: Vec<Person> = (0..if arguments.quick { 40 } else { 200 })
        .zip(plan.ids())
        .map(|(number, id)| Person { id, handle: Plan::handle(number) })
        .collect();
    let writers = Arc::new(log_in(&served.client, &writers, &session.password).await?);
    Ok(Plaza { served, writers })
}

/// Pages on which the two sides do not agree, of a hundred.
async fn differing_pages(before: &Plaza, after: &Plaza, rows: &Rows) -> anyhow::Result<usize> {
    let mut differing = 0;
    for person in rows.ids.choose_multiple(&mut StdRng::seed_from_u64(5), 100) {
        let one = page(&before.served.client, *person).await?;
        let four = page(&after.served.client, *person).await?;
        differing += usize::from(one != four || one.pointer("/node/posts/edges/19").is_none());
    }
    Ok(differing)
}

impl<'a> Case<'a> for Sharding<'a> {
    const NUMBER: &'static str = "1.1";
    const NAME: &'static str = "sharding";
    type Round = OperationReport;
    type Rest = Rest;

    async fn prepare(session: &'a Session, arguments: &'a CaseArguments) -> anyhow::Result<Self> {
        let (one, four) = start_databases(session).await?;
        let urls: Vec<&str> = four.iter().map(|database| database.url.as_str()).collect();
        let urls = urls.join(",");
        for shards in [&one.url, &urls] {
            migrate(&arguments.plaza, &session.config, shards).await?;
        }
        let people = if arguments.quick { 4_000 } else { 200_000 };
        let password_hash = session.truth.any_password_hash().await?;
        let plan = Plan { people, posts: 48, password_hash };
        fill(&plan, &one, &four).await?;

        let before = start(session, arguments, (4_191, "before", &one.url), &plan).await?;
        let after = start(session, arguments, (4_192, "after", &urls), &plan).await?;
        let rows = Rows::of(&plan);
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
        Ok(Self {
            arguments,
            rows: Arc::new(rows),
            plan,
            before,
            after,
            four,
            budgets: budgets.ok(),
            transactions,
            differing,
        })
    }

    fn series(&self) -> Vec<Series> {
        let (pairs, length, step) = if self.arguments.quick { (2, 4, 3) } else { (5, 8, 5) };
        let search = Search { from: 40.0, factor: 1.15, above_ms: SATURATED_MS, pause: PAUSE };
        let searched = Rate::Searched(search, Duration::from_secs(step));
        let series = |(_, name): (Load, &str)| Series {
            what: format!("{name}: p95, ms"),
            rate: self.arguments.rate.map_or(searched.clone(), Rate::Fixed),
            warm_up: Some((20.0, Duration::from_secs(2))),
            pairs,
            length: Duration::from_secs(length),
            pause: Duration::from_secs(1),
        };
        LOADS.map(series).to_vec()
    }

    async fn round(&mut self, side: Side, turn: Turn) -> anyhow::Result<OperationReport> {
        let (load, _) = *LOADS.get(turn.series).context("no such load")?;
        let plaza = match side {
            Side::Before => &self.before,
            Side::After => &self.after,
        };
        let latencies = drive(turn.rate, turn.length, turn.seed, |number| {
            let client = plaza.served.client.clone();
            request(load, client, self.rows.clone(), plaza.writers.clone(), number)
        })
        .await;
        latencies.measured(turn.length.as_secs_f64())
    }

    fn value(round: &OperationReport) -> f64 {
        round.p95_ms
    }

    fn operation(round: OperationReport) -> Option<OperationReport> {
        Some(round)
    }

    async fn rest(&mut self, results: &Results<OperationReport>) -> anyhow::Result<Rest> {
        let rate = results.first.rate * 2.0;
        let length = Duration::from_secs(if self.arguments.quick { 6 } else { SPREAD_S });
        say(&format!("pages of {:.0} people, for the skew", rate * length.as_secs_f64()))?;
        self.round(Side::After, Turn { series: 0, seed: 200, rate, length }).await?;
        // Longer than the servers take to publish their statistics.
        sleep(Duration::from_secs(2)).await;
        let (mut loads, mut counts) = (Vec::new(), Vec::new());
        for (database, then) in self.four.iter().zip(&self.transactions) {
            loads.push(number(database.transactions().await? - then));
            let mut here = 0;
            for table in ["users", "handle_claims", "posts"] {
                here += database.rows(table).await?;
            }
            counts.push(number(here));
        }
        let seconds = |budget: &Budget| Ok(budget.held_back()?.as_secs_f64());
        let held_back = match &self.budgets {
            Some(budgets) => Some(budgets.iter().map(seconds).collect::<anyhow::Result<_>>()?),
            None => None,
        };
        Ok(Rest { row_skew: skew(&counts), load_skew: skew(&loads), held_back })
    }

    fn report(&self, results: &Results<OperationReport>, rest: &Rest) -> anyhow::Result<Report> {
        let budget = match rest.held_back {
            Some(_) => format!("every server has {BUDGET} thousandths of a core (control groups)"),
            None => "NO PROCESSOR BUDGETS (no control groups here): all servers share the cores, so these figures do not show four machines"
                .to_owned(),
        };
        let pairs = results.first.values(Self::value);
        let held_back: f64 = rest.held_back.iter().flatten().sum();
        Ok(Report {
            setting: format!(
                "{} rows, on one server and on {SHARDS}; {budget}; no cache, no replicas; each load at {}; {} pairs of rounds in turns.",
                self.plan.rows(),
                match self.arguments.rate {
                    Some(_) => "the rate asked for".to_owned(),
                    None => format!(
                        "the first rate at which one server has a p95 above {SATURATED_MS} ms, or fails one request in a hundred"
                    ),
                },
                pairs.len()
            ),
            missed_because: Some(format!(
                "five budgets, plaza and the generator share the machine's cores; the budgets held their servers back for {held_back:.0} s in all. \
                 Transactions are skewed by whom the requests happened to ask for."
            )),
            pairs_of: "1.1 sharding: p95 of a page of one person's, ms, by pair of rounds"
                .to_owned(),
            pairs,
            figures: self.figures(results, rest),
            correct: self.differing == 0,
        })
    }

    async fn clean_up() -> anyhow::Result<()> {
        take_down("one").await?;
        for shard in 0..SHARDS {
            take_down(&shard.to_string()).await?;
        }
        Ok(())
    }
}

impl Sharding<'_> {
    fn figures(&self, results: &Results<OperationReport>, rest: &Rest) -> Vec<Figure> {
        let mut figures = Vec::new();
        for (load, (_, name)) in results.all().zip(LOADS) {
            let p95 = medians(&load.values(|round| round.p95_ms));
            figures.push(
                Figure::pair(format!("{name}, {}/s: p95, ms", load.rate), p95)
                    .aimed("500 -> below 50", p95.after < GOAL_MS),
            );
            let failed = load.sums(|round| float(round.failed));
            figures.push(Figure::pair("of these, failed", failed));
        }
        let skewed =
            |what: &str, skew: f64| Figure::plain(what, None, skew).aimed("at most 2", skew <= 2.0);
        figures.push(skewed("skew of rows over the shards, %", rest.row_skew));
        figures.push(skewed("skew of transactions over the shards, %", rest.load_skew));
        let differing = float(self.differing);
        figures
            .push(Figure::plain("of 100 pages, not alike on both sides", None, differing).none());
        if let Some([one, four @ ..]) = rest.held_back.as_deref() {
            let what = "seconds that servers were held back by their budgets";
            figures.push(Figure::plain(what, *one, four.iter().sum()));
        }
        figures
    }
}
