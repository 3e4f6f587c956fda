//! Case 1.2: every read on the primary, against reads on two replicas with the consistency token.
//!
//! Two servers of one executable, alike but for `postgres.shards`: one is not told of the replicas.
//! The mix of the load section: six home feeds and three people's pages to a post; one of the pages
//! is the author's own, right after it. Nothing is cached on either side: the cache is case 1.3's
//! mechanism, and it would hide from the databases the very reads whose place is measured here.

mod pauses;
mod requests;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use secrecy::ExposeSecret;

use self::pauses::Pauses;
use self::requests::{Reader, Requests, Seen};
use super::CaseArguments;
use super::case::{Case, Rate, Report, Results, Series, Side, Turn};
use super::open_loop::drive;
use super::outcome::{Figure, median_ratio, medians};
use super::served::{Launch, Served};
use crate::people::LoggedIn;
use crate::processes::{CpuSeconds, between, cpu_seconds};
use crate::report::{Latencies, OperationReport, float};
use crate::session::Session;

/// The primaries' CPU with replicas against without: 95 -> 30 %.
const GOAL: f64 = 30.0 / 95.0;
/// Posts a second while replay is paused.
const PAUSED_RATE: f64 = 40.0;

/// A server that knows the primaries alone, and one that knows the replicas.
pub struct Replication<'a> {
    session: &'a Session,
    arguments: &'a CaseArguments,
    without: Served,
    with: Served,
    replicas: Vec<String>,
    people: Arc<Vec<LoggedIn>>,
    /// What was seen in the rounds.
    seen: Arc<Seen>,
}

/// A round: what it used, and what it took.
#[derive(Debug)]
pub struct Round {
    cpu: CpuSeconds,
    seconds: f64,
    operation: OperationReport,
}

impl Round {
    /// Percent of one core that a group of processes used together.
    fn percent(&self, group: &str) -> f64 {
        self.cpu.get(group).copied().unwrap_or_default() / self.seconds * 100.0
    }

    fn of_primaries(&self) -> f64 {
        self.percent("postgres primaries")
    }
}

/// Posts that were looked at while replay was paused.
#[derive(Debug)]
struct Paused {
    posts: u64,
    stale: u64,
    failed: usize,
}

/// What is measured after the pairs.
#[derive(Debug)]
pub struct Rest {
    /// By their authors.
    own: Paused,
    /// By somebody without a token.
    strangers: Paused,
    /// The posts of a round without any of its reads.
    writes: Round,
}

fn count(value: u64) -> f64 {
    float(usize::try_from(value).unwrap_or(usize::MAX))
}

impl Replication<'_> {
    fn length(&self) -> Duration {
        Duration::from_secs(if self.arguments.quick { 6 } else { 12 })
    }

    fn requests(&self, served: &Served, seen: &Arc<Seen>) -> Requests {
        let people = Arc::clone(&self.people);
        Requests { client: served.client.clone(), people, seen: Arc::clone(seen) }
    }

    async fn measured(
        &self,
        load: impl Future<Output = Latencies>,
        length: Duration,
    ) -> anyhow::Result<Round> {
        let (before, seconds) = (cpu_seconds(&self.session.run_dir), length.as_secs_f64());
        let operation = load.await.measured(seconds)?;
        let cpu = between(&before, &cpu_seconds(&self.session.run_dir));
        Ok(Round { cpu, seconds, operation })
    }

    /// Posts and looks at them while replay is paused at random.
    async fn paused(&self, pauses: &Pauses, reader: Reader) -> anyhow::Result<Paused> {
        let length = Duration::from_secs(if self.arguments.quick { 8 } else { 60 });
        let seen = Arc::new(Seen::default());
        let requests = self.requests(&self.with, &seen);
        let load = drive(PAUSED_RATE, length, 7, |number| requests.clone().seen_by(reader, number));
        let failed = pauses.during(11, load).await?.failed;
        let count = |value: &std::sync::atomic::AtomicU64| value.load(Ordering::Relaxed);
        Ok(Paused { posts: count(&seen.pairs), stale: count(&seen.stale), failed })
    }

    /// The posts of a round without any of its reads: what the primaries cannot be relieved of.
    async fn writes_alone(&self, rate: f64) -> anyhow::Result<Round> {
        let requests = self.requests(&self.with, &Arc::default());
        let load = drive(rate, self.length(), 5, |number| {
            requests.clone().seen_by(Reader::Nobody, number)
        });
        self.measured(load, self.length()).await
    }

    /// Stale reads of one's own writes.
    fn wrong(&self, rest: &Rest) -> u64 {
        rest.own.stale + self.seen.stale.load(Ordering::Relaxed)
    }

    fn failed(results: &Results<Round>, rest: &Rest) -> f64 {
        let rounds = results.first.sums(|round| float(round.operation.failed));
        let rest = rest.own.failed + rest.strangers.failed + rest.writes.operation.failed;
        rounds.before + rounds.after + float(rest)
    }
}

impl<'a> Case<'a> for Replication<'a> {
    const NUMBER: &'static str = "1.2";
    const NAME: &'static str = "replication";
    type Round = Round;
    type Rest = Rest;

    async fn prepare(session: &'a Session, arguments: &'a CaseArguments) -> anyhow::Result<Self> {
        let shards = session.settings()?.postgres.shards;
        let primaries: Vec<&str> =
            shards.iter().map(|shard| shard.primary.expose_secret()).collect();
        let replicas = shards.iter().flat_map(|shard| &shard.replicas);
        let launch = |port: u16| {
            Ok::<_, anyhow::Error>(
                Launch::new(session, arguments, port)?
                    .with("PLAZA_REDIS__CACHE_TTL_MS", 0)
                    .with("PLAZA_TELEMETRY__FILTER", "warn"),
            )
        };
        let unreplicated = launch(4_191)?.with("PLAZA_POSTGRES__SHARDS", primaries.join(","));
        Ok(Self {
            session,
            arguments,
            with: Served::start(launch(4_192)?).await?,
            without: Served::start(unreplicated).await?,
            replicas: replicas.map(|url| url.expose_secret().to_owned()).collect(),
            people: Arc::new(session.logged_in(100, 1).await?),
            seen: Arc::default(),
        })
    }

    fn series(&self) -> Vec<Series> {
        let rate = self.arguments.rate.unwrap_or(160.0);
        vec![Series {
            what: "CPU of the four primaries, % of one core".to_owned(),
            rate: Rate::Fixed(rate),
            warm_up: Some((rate, self.length() / 3)),
            pairs: if self.arguments.quick { 2 } else { 7 },
            length: self.length(),
            pause: Duration::ZERO,
        }]
    }

    async fn round(&mut self, side: Side, turn: Turn) -> anyhow::Result<Round> {
        let served = match side {
            Side::Before => &self.without,
            Side::After => &self.with,
        };
        let requests = self.requests(served, &self.seen);
        let load =
            drive(turn.rate, turn.length, turn.seed, |number| requests.clone().mixed(number));
        self.measured(load, turn.length).await
    }

    fn value(round: &Round) -> f64 {
        round.of_primaries()
    }

    async fn rest(&mut self, results: &Results<Round>) -> anyhow::Result<Rest> {
        self.session.truth.wait_until_sent().await?;
        let pauses = Pauses::connect(&self.replicas).await?;
        Ok(Rest {
            own: self.paused(&pauses, Reader::Author).await?,
            strangers: self.paused(&pauses, Reader::Stranger).await?,
            writes: self.writes_alone(results.first.rate / 9.0).await?,
        })
    }

    fn report(&self, results: &Results<Round>, rest: &Rest) -> anyhow::Result<Report> {
        let primary = results.first.values(Round::of_primaries);
        let correct = self.wrong(rest) == 0 && Self::failed(results, rest) < 0.5;
        Ok(Report {
            setting: format!(
                "{} arrivals/s, 6 home feeds and 3 people's pages to a post, {} pairs of {} s in turns, {} people; 4 shards; no cache on either side; no CPU \
                 budgets, so the ratio of the primaries' CPU decides, not its absolute.",
                results.first.rate,
                primary.len(),
                self.length().as_secs(),
                self.people.len()
            ),
            missed_because: (median_ratio(&primary) > GOAL).then(|| {
                format!(
                    "the writes alone take {:.0} % of a core of the primaries (rows, the outbox and its relay, projections, fan-out, the log sent to two \
                     replicas), of {:.0} % with all reads there: that part no replica can take.",
                    rest.writes.of_primaries(),
                    medians(&primary).before
                )
            }),
            pairs_of: "1.2 replication: CPU of the four primaries, % of one core, by pair of rounds".to_owned(),
            figures: self.figures(results, rest),
            pairs: primary,
            correct,
        })
    }
}

impl Replication<'_> {
    fn figures(&self, results: &Results<Round>, rest: &Rest) -> Vec<Figure> {
        let first = &results.first;
        let primary = first.values(Round::of_primaries);
        let ratio = median_ratio(&primary);
        let replicas = first.values(|round| round.percent("postgres replicas"));
        let p95 = first.values(|round| round.operation.p95_ms);
        vec![
            Figure::pair("primaries' CPU, % of one core", medians(&primary)),
            Figure::plain("primaries' CPU against before, median of pairs", 1.0, ratio)
                .aimed("95 -> 30 %: at most 0.32", ratio <= GOAL),
            Figure::plain(
                "primaries' CPU of the writes alone, one round, % of one core",
                None,
                rest.writes.of_primaries(),
            ),
            Figure::pair("replicas' CPU, % of one core", medians(&replicas)),
            Figure::pair("p95, ms", medians(&p95)),
            Figure::plain(
                format!(
                    "stale reads of one's own writes, replay paused at random, {} posts",
                    rest.own.posts
                ),
                None,
                count(self.wrong(rest)),
            )
            .none()
            .of(count(rest.own.posts)),
            Figure::plain(
                format!(
                    "the same looked at by somebody else, who has no token, {} posts",
                    rest.strangers.posts
                ),
                None,
                count(rest.strangers.stale),
            ),
            Figure::plain("requests that failed", None, Self::failed(results, rest)).none(),
        ]
    }
}
