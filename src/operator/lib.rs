//! What an operator sees at a glance: how every part stands, asked of the parts themselves when
//! somebody asks. A part that does not answer in time is shown as such, and holds up nothing else.

mod ask;
pub mod traffic;

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::Mutex;
use tokio::time::Instant;

use plaza_app::App;
use plaza_stores::postgres::ledger::runs::Report;
use traffic::{History, TrafficSnapshot};

/// For how long what was seen is shown to whoever asks next.
const FRESH: Duration = Duration::from_secs(1);
/// How long a part may take to answer.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Everything on the page.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Snapshot {
    /// When, RFC 3339.
    pub at: String,
    /// plaza's version.
    pub version: &'static str,
    /// What this process does.
    pub process: ProcessSnapshot,
    /// What it has served in the last minute; `None` for a process that serves nobody, and in its
    /// first seconds.
    pub traffic: Option<TrafficSnapshot>,
    /// Where the alarms and the graphs are: `telemetry.prometheus_url`.
    pub prometheus_url: Option<String>,
    /// One a shard.
    pub shards: Vec<ShardSnapshot>,
    /// This process's connections.
    pub pools: Vec<PoolSnapshot>,
    /// Whether Redis answers.
    pub redis: Probe<RedisSnapshot>,
    /// The queues.
    pub rabbitmq: Probe<Vec<QueueSnapshot>>,
    /// The projections.
    pub kafka: Probe<Vec<ProjectionSnapshot>>,
    /// What the ledger came to when it last ran by itself; `None`: it has not, or no shard answers.
    pub ledger: Option<LedgerSnapshot>,
}

/// The ledger's last run.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LedgerSnapshot {
    /// When it began, RFC 3339.
    pub began_at: String,
    /// How long ago that was, in seconds.
    pub ago_s: f64,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// Laws that were applied.
    pub laws: usize,
    /// Things they were applied to.
    pub checked: i64,
    /// The laws that do not hold.
    pub broken: Vec<BrokenLaw>,
}

/// A law that does not hold.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BrokenLaw {
    /// What must hold.
    pub law: String,
    /// For how many things it does not.
    pub broken: i64,
    /// Some of them.
    pub example: Option<String>,
}

impl LedgerSnapshot {
    fn of(report: Report, now: chrono::DateTime<chrono::Utc>) -> Self {
        let ago = (now - report.began_at).to_std().unwrap_or_default();
        Self {
            began_at: report.began_at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
            ago_s: ago.as_secs_f64(),
            took_ms: report.took_ms,
            laws: report.laws.len(),
            checked: report.laws.iter().map(|law| law.checked).sum(),
            broken: report
                .laws
                .into_iter()
                .filter(|law| law.broken > 0)
                .map(|law| BrokenLaw { law: law.law, broken: law.broken, example: law.example })
                .collect(),
        }
    }
}

/// What a part said, or why it said nothing.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Probe<T> {
    /// It answered.
    Ok(T),
    /// It did not; why.
    Unavailable(String),
}

/// This process.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProcessSnapshot {
    /// Whether it can do its work.
    pub ready: bool,
    /// Its id.
    pub pid: u32,
    /// Bytes of memory in use.
    pub resident_bytes: f64,
    /// Open files, and how many there may be.
    pub open_files: f64,
    /// See `open_files`.
    pub most_files: f64,
    /// Seconds since it began.
    pub up_s: f64,
}

/// A shard.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ShardSnapshot {
    /// Its number.
    pub shard: usize,
    /// What its primary says.
    pub primary: Probe<PrimarySnapshot>,
    /// Its replicas.
    pub replicas: Vec<ReplicaSnapshot>,
}

/// A primary.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PrimarySnapshot {
    /// Replicas that a commit may wait for; `None` when it waits for none, or this user may not
    /// know.
    pub synchronous: Option<i64>,
    /// What waits in the outbox: for RabbitMQ and for Kafka.
    pub outbox: Vec<OutboxSnapshot>,
}

/// What waits for a broker.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OutboxSnapshot {
    /// `rabbitmq`, `kafka`.
    pub sink: &'static str,
    /// Messages.
    pub unsent: i64,
    /// For how many seconds the oldest has waited.
    pub oldest_s: f64,
}

/// A replica.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReplicaSnapshot {
    /// `shard 0 replica 1`.
    pub name: String,
    /// Bytes of the primary's log that it has not replayed; or why it did not say.
    pub lag_bytes: Probe<u64>,
    /// Whether this process reads from it; `None`: this process reads from none.
    pub serves: Option<bool>,
}

/// Connections of this process.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PoolSnapshot {
    /// To what.
    pub name: String,
    /// Open.
    pub open: u32,
    /// Open and unused.
    pub idle: u32,
    /// That may be open.
    pub most: u32,
    /// Callers that wait.
    pub waiting: u64,
}

/// Redis.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RedisSnapshot {
    /// How long it took to answer, in milliseconds.
    pub took_ms: f64,
    /// Bytes it uses.
    pub used_bytes: u64,
    /// Bytes it may use; 0: no limit.
    pub max_bytes: u64,
    /// Keys it has evicted since it started, because it was full.
    pub evicted: u64,
}

/// A queue of jobs.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct QueueSnapshot {
    /// Its name.
    pub queue: &'static str,
    /// Jobs nobody has taken.
    pub waiting: u32,
    /// Failed ones that wait for their next attempt.
    pub retry: u32,
    /// Those given up.
    pub dead: u32,
    /// Workers.
    pub consumers: u32,
}

/// A projection.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProjectionSnapshot {
    /// Its name.
    pub projection: &'static str,
    /// Events of its topics that it has not applied.
    pub behind: i64,
    /// Events of its topics in all.
    pub events: i64,
}

/// Probes, at most once a second, however many ask.
#[derive(Debug, Clone)]
pub struct StatusProbe {
    last: Arc<Mutex<Option<Cached>>>,
    history: Arc<History>,
}

/// When, and what was seen.
type Cached = (Instant, Arc<Snapshot>);

impl StatusProbe {
    /// Starts keeping what the process serves.
    pub fn start(app: &App) -> Self {
        let history = Arc::<History>::default();
        app.tasks.every("traffic", traffic::EVERY, Arc::clone(&history), async |history, _| {
            history.sample();
        });
        Self { last: Arc::default(), history }
    }

    /// What is seen now.
    pub async fn snapshot(&self, app: &App) -> Arc<Snapshot> {
        let mut last = self.last.lock().await;
        if let Some((at, sight)) = last.as_ref()
            && at.elapsed() < FRESH
        {
            return Arc::clone(sight);
        }
        let sight = Arc::new(ask::everything(app, &self.history).await);
        *last = Some((Instant::now(), Arc::clone(&sight)));
        sight
    }
}

/// Waits for a part's answer, for so long.
async fn answer_of<T, E: std::fmt::Display>(
    answer: impl Future<Output = Result<T, E>>,
) -> Probe<T> {
    match tokio::time::timeout(TIMEOUT, answer).await {
        Ok(Ok(reported)) => Probe::Ok(reported),
        Ok(Err(error)) => Probe::Unavailable(error.to_string()),
        Err(_) => Probe::Unavailable(format!("no answer in {} s", TIMEOUT.as_secs())),
    }
}
