//! Pairs of rounds of plaza and one peer, in turns.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cpu::{Roots, Used};
use crate::generator::{Seen, Target};
use crate::ratio::Ratio;

/// Runs unmeasured before each round, and before a comparison.
const WARM_UP: Duration = Duration::from_millis(300);
const FIRST_WARM_UP: Duration = Duration::from_secs(3);

/// One side of a comparison.
#[derive(Debug, Clone)]
pub struct Side {
    /// As tables name it.
    pub name: &'static str,
    /// Where requests go, and which.
    pub target: Arc<Target>,
    /// Whose CPU time counts.
    pub roots: Roots,
}

/// How rounds are made.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Pairs of rounds.
    pub pairs: u64,
    /// Of one round.
    pub during: Duration,
    /// Connections of the rounds in which each sends its next request at once.
    pub connections: usize,
}

/// What one round of one side has measured. CPU time is in microseconds a request.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Round {
    /// Requests that succeeded.
    pub requests: usize,
    /// Requests that failed.
    pub failed: usize,
    /// Of those that succeeded.
    pub per_s: f64,
    /// CPU time of the server.
    pub server_us: f64,
    /// CPU time of PostgreSQL.
    pub postgres_us: f64,
    /// CPU time of Redis.
    pub redis_us: f64,
    /// Milliseconds within which half of the requests were answered.
    pub p50_ms: f64,
    /// Milliseconds within which 95 % were.
    pub p95_ms: f64,
}

/// A round of each side.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Pair {
    /// plaza's.
    pub plaza: Round,
    /// The peer's.
    pub peer: Round,
}

/// All pairs of plaza and one peer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Comparison {
    /// plaza, as it was configured and asked.
    pub plaza: String,
    /// Which peer.
    pub peer: String,
    /// When it was measured.
    pub at: String,
    /// The machine's load average just before: how much else it did.
    #[serde(default)]
    pub load_average: f64,
    /// Connections of `at_once`.
    pub connections: usize,
    /// Seconds of a round.
    pub seconds: f64,
    /// Requests a second of `on_schedule`: half of what the slower side can.
    pub rate: f64,
    /// Each connection with its next request as soon as the last one is answered.
    pub at_once: Vec<Pair>,
    /// Both sides at the same rate, timed from when a request was to start.
    pub on_schedule: Vec<Pair>,
}

/// Of the last minute; nought where it cannot be read.
fn load_average() -> f64 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_ascii_whitespace().next().and_then(|first| first.parse().ok()).unwrap_or_default()
}

fn float(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

impl Round {
    fn new(seen: &Seen, used: Used) -> anyhow::Result<Self> {
        let requests = seen.latencies.len();
        anyhow::ensure!(requests > 0, "none of {} requests succeeded", seen.failed);
        let us = |ns| Duration::from_nanos(ns).as_secs_f64() * 1e6 / float(requests + seen.failed);
        let quantile = |percent: usize| {
            let place = (requests * percent).div_ceil(100).saturating_sub(1);
            seen.latencies.get(place).copied().unwrap_or_default().as_secs_f64() * 1e3
        };
        Ok(Self {
            requests,
            failed: seen.failed,
            per_s: float(requests) / seen.taken.as_secs_f64(),
            server_us: us(used.server),
            postgres_us: us(used.postgres),
            redis_us: us(used.redis),
            p50_ms: quantile(50),
            p95_ms: quantile(95),
        })
    }

    /// CPU time of server, PostgreSQL and Redis together.
    pub fn all_us(&self) -> f64 {
        self.server_us + self.postgres_us + self.redis_us
    }
}

impl Side {
    async fn warm_up(&self, plan: Plan, during: Duration) -> anyhow::Result<f64> {
        let seen = self.target.at_once(plan.connections, during).await?;
        Ok(float(seen.latencies.len()) / seen.taken.as_secs_f64())
    }

    async fn at_once(&self, plan: Plan) -> anyhow::Result<Round> {
        self.warm_up(plan, WARM_UP).await?;
        let before = self.roots.read();
        let seen = self.target.at_once(plan.connections, plan.during).await?;
        Round::new(&seen, before.until(&self.roots.read()))
    }

    async fn on_schedule(&self, plan: Plan, rate: f64, seed: u64) -> anyhow::Result<Round> {
        self.warm_up(plan, WARM_UP).await?;
        let before = self.roots.read();
        let seen = self.target.on_schedule(rate, plan.during, seed).await?;
        Round::new(&seen, before.until(&self.roots.read()))
    }
}

/// A round of each, plaza first in every other pair.
async fn in_turns(
    number: u64,
    [plaza, peer]: [&Side; 2],
    round: impl AsyncFn(&Side) -> anyhow::Result<Round>,
) -> anyhow::Result<Pair> {
    if number.is_multiple_of(2) {
        let plaza = round(plaza).await?;
        Ok(Pair { plaza, peer: round(peer).await? })
    } else {
        let peer = round(peer).await?;
        Ok(Pair { plaza: round(plaza).await?, peer })
    }
}

impl Comparison {
    /// Measures all pairs.
    ///
    /// # Errors
    /// A side that answers nothing.
    pub async fn measure(
        plaza: &Side,
        peer: &Side,
        plan: Plan,
        at: String,
    ) -> anyhow::Result<Self> {
        let load_average = load_average();
        let slower = plaza.warm_up(plan, FIRST_WARM_UP).await?;
        let rate = (slower.min(peer.warm_up(plan, FIRST_WARM_UP).await?) / 2.0).round();
        let (mut at_once, mut on_schedule) = (Vec::new(), Vec::new());
        for number in 0..plan.pairs {
            let sides = [plaza, peer];
            let closed = async |side: &Side| side.at_once(plan).await;
            at_once.push(in_turns(number, sides, closed).await?);
            let open = async |side: &Side| side.on_schedule(plan, rate, number).await;
            on_schedule.push(in_turns(number, sides, open).await?);
        }
        Ok(Self {
            plaza: plaza.name.into(),
            peer: peer.name.into(),
            at,
            load_average,
            connections: plan.connections,
            seconds: plan.during.as_secs_f64(),
            rate,
            at_once,
            on_schedule,
        })
    }

    /// As tables name it.
    pub fn name(&self) -> String {
        format!("{} against {}", self.plaza, self.peer)
    }

    /// Requests that failed, of both sides.
    pub fn failed(&self) -> usize {
        let pairs = self.at_once.iter().chain(&self.on_schedule);
        pairs.map(|pair| pair.plaza.failed + pair.peer.failed).sum()
    }
}

/// plaza's metric by the peer's, over all pairs.
pub fn ratio(pairs: &[Pair], metric: fn(&Round) -> f64) -> Ratio {
    Ratio::of(pairs.iter().map(|pair| metric(&pair.plaza) / metric(&pair.peer)))
}

/// The medians of both sides.
pub fn medians(pairs: &[Pair], metric: fn(&Round) -> f64) -> [f64; 2] {
    let of =
        |side: fn(&Pair) -> &Round| Ratio::of(pairs.iter().map(|pair| metric(side(pair)))).median;
    [of(|pair| &pair.plaza), of(|pair| &pair.peer)]
}
