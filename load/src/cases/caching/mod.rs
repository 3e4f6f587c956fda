//! Case 1.3: the shards alone, against cache-aside in process memory and Redis.
//!
//! Servers alike but for `redis.cache_ttl_ms`, which is 0 before. Reads are of 20 posts each,
//! chosen by Zipf's law; one request in twenty changes a name and reads it back, with a cache from
//! another process than the one that wrote. The rate is the first at which the server without a
//! cache has a p95 above 200 ms. A hot key is expired under waiters at three processes.

mod scene;
mod stampede;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Context;
use secrecy::ExposeSecret;
use tokio::time::sleep;

use self::scene::{AT_ONCE, Clients, Scene};
use self::stampede::{Stampede, WAITERS, stampedes};
use super::CaseArguments;
use super::case::{Case, Rate, Report, Results, Series, Side, Turn};
use super::open_loop::{PAUSE, Search, drive};
use super::outcome::{Figure, medians, say};
use super::served::{Launch, Served};
use crate::faults::{kill, up};
use crate::report::{OperationReport, float};
use crate::session::Session;

/// Above this p95, in milliseconds, the server without a cache counts as saturated.
const SATURATED_MS: f64 = 200.0;

/// A server without a cache; three with one.
pub struct Caching<'a> {
    session: &'a Session,
    arguments: &'a CaseArguments,
    without: Served,
    with: Served,
    others: [Served; 2],
    scene: Arc<Scene>,
}

/// What a round's reads and its writes took.
#[derive(Debug)]
pub struct Round {
    reads: OperationReport,
    writes: OperationReport,
    /// Of the reads of the cache: those it held, and all.
    held: f64,
    looked_up: f64,
}

impl Round {
    fn failed(&self) -> usize {
        self.reads.failed + self.writes.failed
    }
}

/// What is measured after the pairs.
#[derive(Debug)]
pub struct Rest {
    expired_before: Stampede,
    expired: Stampede,
    stale_names: u64,
    /// The rate while Redis was killed.
    calm: f64,
    without_redis: Round,
}

/// The cache's outcomes of all kinds of values.
fn outcomes(metrics: &BTreeMap<String, f64>, outcome: &str) -> f64 {
    let chosen = metrics.iter().filter(|(name, _)| {
        name.starts_with("plaza_cache_total{") && name.contains(&format!("outcome=\"{outcome}\""))
    });
    chosen.map(|(_, count)| count).sum()
}

impl Caching<'_> {
    fn length(&self) -> Duration {
        Duration::from_secs(if self.arguments.quick { 6 } else { 12 })
    }

    fn expiries(&self) -> u32 {
        if self.arguments.quick { 5 } else { 50 }
    }

    /// What the shards can serve alone while Redis is killed for 3 s, with room for what piles up.
    async fn redis_killed(&mut self, calm: f64) -> anyhow::Result<Round> {
        say("killing Redis")?;
        let (length, session) = (self.length(), self.session);
        let turn =
            Turn { series: 0, seed: 9, rate: calm, length: length.max(Duration::from_secs(10)) };
        let killed = async {
            sleep(length / 4).await;
            kill(&session.run_dir, "redis")?;
            sleep(Duration::from_secs(3)).await;
            up("redis").await
        };
        let (round, killed) = tokio::join!(self.round(Side::After, turn), killed);
        killed?;
        round
    }
}

impl<'a> Case<'a> for Caching<'a> {
    const NUMBER: &'static str = "1.3";
    const NAME: &'static str = "caching";
    type Round = Round;
    type Rest = Rest;

    async fn prepare(session: &'a Session, arguments: &'a CaseArguments) -> anyhow::Result<Self> {
        // Room for all waiters of an expiry, on both sides.
        let launch = |port: u16| {
            Ok::<_, anyhow::Error>(
                Launch::new(session, arguments, port)?
                    .with("PLAZA_TELEMETRY__FILTER", "error")
                    .with("PLAZA_SERVER__MAX_IN_FLIGHT", 2_000),
            )
        };
        let uncached = launch(4_191)?.with("PLAZA_REDIS__CACHE_TTL_MS", 0);
        Ok(Self {
            session,
            arguments,
            without: Served::start(uncached).await?,
            with: Served::start(launch(4_192)?).await?,
            others: [Served::start(launch(4_193)?).await?, Served::start(launch(4_194)?).await?],
            scene: Arc::new(Scene::set(session).await?),
        })
    }

    fn series(&self) -> Vec<Series> {
        let search = Search { from: 60.0, factor: 1.25, above_ms: SATURATED_MS, pause: PAUSE };
        let rate = self.arguments.rate;
        vec![Series {
            what: "p95 of reads, ms".to_owned(),
            rate: rate.map_or(Rate::Searched(search, Duration::from_secs(5)), Rate::Fixed),
            warm_up: Some((rate.unwrap_or(60.0).min(60.0), self.length() / 2)),
            pairs: if self.arguments.quick { 2 } else { 7 },
            length: self.length(),
            pause: Duration::from_secs(1),
        }]
    }

    async fn round(&mut self, side: Side, turn: Turn) -> anyhow::Result<Round> {
        let (served, read_back) = match side {
            Side::Before => (&self.without, &self.without),
            Side::After => (&self.with, &self.others[0]),
        };
        let clients =
            Clients { loaded: served.client.clone(), read_back: read_back.client.clone() };
        let (scene, Turn { rate, length, seed, .. }) = (&self.scene, turn);
        let counted = served.metrics().await?;
        let reads = drive(rate * 0.95, length, seed, |number| {
            Arc::clone(scene).read(clients.clone(), number)
        });
        let writes = drive(rate * 0.05, length, seed + 1_000, |number| {
            Arc::clone(scene).write(clients.clone(), number)
        });
        let (reads, writes) = tokio::join!(reads, writes);
        let now = served.metrics().await?;
        let of = |outcome: &str| outcomes(&now, outcome) - outcomes(&counted, outcome);
        let held = of("local") + of("hit");
        Ok(Round {
            reads: reads.measured(length.as_secs_f64())?,
            writes: writes.measured(length.as_secs_f64())?,
            held,
            looked_up: held + of("miss"),
        })
    }

    fn value(round: &Round) -> f64 {
        round.reads.p95_ms
    }

    fn operation(round: Round) -> Option<OperationReport> {
        Some(round.reads)
    }

    async fn rest(&mut self, results: &Results<Round>) -> anyhow::Result<Rest> {
        let expiries = self.expiries();
        say(&format!("expiring a key under {WAITERS} waiters, {expiries} times"))?;
        let post = self.scene.posts.first().context("there are no posts")?;
        let redis = self.session.settings()?.redis;
        let redis = (redis.url.expose_secret(), redis.key_prefix.as_str());
        let [one, other] = &self.others;
        let expired_before = stampedes(&[&self.without], post, redis, 5).await?;
        let expired = stampedes(&[&self.with, one, other], post, redis, expiries).await?;
        let stale_names = self.scene.stale_at_rest(&self.with.client, self.session).await?;
        let calm = (results.first.rate / 4.0).clamp(5.0, 60.0);
        let without_redis = self.redis_killed(calm).await?;
        Ok(Rest { expired_before, expired, stale_names, calm, without_redis })
    }

    fn report(&self, results: &Results<Round>, rest: &Rest) -> anyhow::Result<Report> {
        let (pairs, scene) = (results.first.values(Self::value), &self.scene);
        let stale = scene.stale.load(Ordering::Relaxed) + rest.stale_names;
        Ok(Report {
            setting: format!(
                "{} arrivals/s, {}; each reads {AT_ONCE} of {} posts by Zipf's law, one in twenty changes a name; {} pairs of {} s in turns.",
                results.first.rate,
                match self.arguments.rate {
                    Some(_) => "as asked for".to_owned(),
                    None => format!("the first rate at which the server without a cache has a p95 above {SATURATED_MS} ms"),
                },
                scene.posts.len(),
                pairs.len(),
                self.length().as_secs()
            ),
            missed_because: Some(
                "both sides share the machine's cores with everything else, the generator too: the figure is what they are left with."
                    .to_owned(),
            ),
            pairs_of: "1.3 caching: p95 of reads, ms, by pair of rounds".to_owned(),
            pairs,
            figures: self.figures(results, rest)?,
            correct: stale == 0 && rest.without_redis.failed() == 0,
        })
    }
}

impl Caching<'_> {
    fn figures(&self, results: &Results<Round>, rest: &Rest) -> anyhow::Result<Vec<Figure>> {
        let Rest { expired_before, expired, calm, without_redis, .. } = rest;
        let first = &results.first;
        let p95 = medians(&first.values(|round| round.reads.p95_ms));
        let writes = medians(&first.values(|round| round.writes.p95_ms));
        let held = first.sums(|round| round.held).after / first.sums(|round| round.looked_up).after;
        let written = float(usize::try_from(self.scene.written.load(Ordering::Relaxed))?);
        let stale = self.scene.stale.load(Ordering::Relaxed) + rest.stale_names;
        let hit_rate = held * 100.0;
        Ok(vec![
            Figure::pair("p95 of reads, ms, median of rounds", p95)
                .aimed("200 -> 20", p95.after <= 20.0),
            Figure::pair("p95 of a write and reading it back, ms", writes),
            Figure::plain("reads of the cache that it held, %", None, hit_rate)
                .aimed("above 90", hit_rate > 90.0),
            Figure::plain(
                format!(
                    "loads per expiry of a key, {WAITERS} waiters at 3 processes, {} times",
                    self.expiries()
                ),
                None,
                expired.loads,
            )
            .aimed("at most 1.02", expired.loads <= 1.02),
            Figure::plain(
                format!("SQL statements of those {WAITERS} requests"),
                expired_before.statements,
                expired.statements,
            ),
            Figure::plain(
                format!("of those {WAITERS} requests, failed"),
                expired_before.failed,
                expired.failed,
            ),
            Figure::plain(
                format!(
                    "names read stale after the acknowledgement, of {written}, or at rest, of {}",
                    self.scene.writers.len()
                ),
                None,
                float(usize::try_from(stale)?),
            )
            .none()
            .of(written),
            Figure::pair("requests that failed", first.sums(|round| float(round.failed()))),
            Figure::plain(
                format!(
                    "Redis killed for 3 s at {calm:.0}/s: failed of {}",
                    without_redis.reads.requests + without_redis.writes.requests
                ),
                None,
                float(without_redis.failed()),
            )
            .none(),
            Figure::plain("Redis killed: p95 of reads, ms", None, without_redis.reads.p95_ms),
        ])
    }
}
