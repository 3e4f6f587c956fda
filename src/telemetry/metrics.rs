//! The metrics a process gives at `/metrics`, each on the list below with its unit and meaning; a
//! test holds the list to what the code counts. Names are Prometheus': `plaza_`, what is measured,
//! its unit, `_total` for what only grows. A label's values come from a closed list: never a
//! client's text.

mod registered;

use std::sync::OnceLock;

use metrics::{Gauge, Unit};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

pub use registered::{register_relay, register_server, register_worker};

/// What a metric does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It only grows.
    Counter,
    /// It goes up and down.
    Gauge,
    /// It counts observations by size.
    Histogram,
}

/// A metric.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// What it does.
    pub kind: Kind,
    /// What it is counted in.
    pub unit: Unit,
    /// What it means, and its labels.
    pub meaning: &'static str,
}

const fn counter(name: &'static str, unit: Unit, meaning: &'static str) -> Metric {
    Metric { name, kind: Kind::Counter, unit, meaning }
}

const fn gauge(name: &'static str, unit: Unit, meaning: &'static str) -> Metric {
    Metric { name, kind: Kind::Gauge, unit, meaning }
}

const fn seconds(name: &'static str, meaning: &'static str) -> Metric {
    Metric { name, kind: Kind::Histogram, unit: Unit::Seconds, meaning }
}

/// Every metric there is.
pub const ALL: &[Metric] = &[
    // Every role.
    gauge(
        "plaza_build_info",
        Unit::Count,
        "1; the version and the roles of this process are its labels.",
    ),
    gauge("plaza_ready", Unit::Count, "1 while the process can do its work."),
    gauge("process_start_time_seconds", Unit::Seconds, "When the process began, in Unix time."),
    counter(
        "process_cpu_seconds_total",
        Unit::Seconds,
        "Processor time used, in the process and in the kernel for it.",
    ),
    gauge("process_resident_memory_bytes", Unit::Bytes, "Memory in use."),
    gauge("process_threads", Unit::Count, "Threads."),
    gauge("process_open_fds", Unit::Count, "Open files and sockets."),
    gauge("process_max_fds", Unit::Count, "Files and sockets that may be open."),
    // PostgreSQL.
    counter(
        "plaza_sql_statements_total",
        Unit::Count,
        "SQL statements sent for requests, jobs and projections (not by probes and relays).",
    ),
    seconds(
        "plaza_sql_seconds",
        "A read or a transaction on one shard, with the wait for a connection; by shard, server (primary, replica) and kind.",
    ),
    counter(
        "plaza_sql_errors_total",
        Unit::Count,
        "Reads and transactions that failed for the server's sake; by shard, server and kind.",
    ),
    gauge(
        "plaza_replica_lag_seconds",
        Unit::Seconds,
        "How long ago the primary was where this replica is; by server. From roles that read replicas.",
    ),
    gauge(
        "plaza_replica_lag_bytes",
        Unit::Bytes,
        "How much of the primary's log the replica has not replayed; by server.",
    ),
    gauge(
        "plaza_replica_serving",
        Unit::Count,
        "1 while the replica answers reads, 0 while it is set aside; by server.",
    ),
    // Pools, of PostgreSQL's servers and of Redis.
    gauge("plaza_pool_connections", Unit::Count, "Connections open; by pool."),
    gauge("plaza_pool_idle_connections", Unit::Count, "Connections nobody uses; by pool."),
    gauge("plaza_pool_max_connections", Unit::Count, "Connections that may be open; by pool."),
    gauge("plaza_pool_waiting", Unit::Count, "Callers that wait for a connection now; by pool."),
    counter(
        "plaza_pool_waited_total",
        Unit::Count,
        "Callers that had to wait for a connection; by pool.",
    ),
    counter(
        "plaza_pool_timeouts_total",
        Unit::Count,
        "Callers that got no connection in time; by pool.",
    ),
    counter(
        "plaza_pool_ended_total",
        Unit::Count,
        "Connections to PostgreSQL that have ended, whoever ended them; by pool.",
    ),
    gauge(
        "plaza_commits_blocked",
        Unit::Count,
        "1 while this process refuses writes, since no replica acknowledges the shard's commits; by shard.",
    ),
    counter("plaza_commits_refused_total", Unit::Count, "Writes refused for that; by shard."),
    counter(
        "plaza_primary_moves_total",
        Unit::Count,
        "Times that this process has found a shard's primary at another address; by shard.",
    ),
    counter(
        "plaza_failovers_total",
        Unit::Count,
        "Primaries that this supervisor has replaced, or could not replace in the end; by shard and outcome (done, failed).",
    ),
    gauge(
        "plaza_failover_last_time_seconds",
        Unit::Seconds,
        "When it last did, or could not, in Unix time; by shard and outcome.",
    ),
    gauge(
        "plaza_failover_possible",
        Unit::Count,
        "1 while the shard's primary is well and this supervisor could replace it; by shard.",
    ),
    counter(
        "plaza_fenced_total",
        Unit::Count,
        "Times that this process was refused a mark or an offset, since another one had begun after it; by lease.",
    ),
    gauge(
        "plaza_backup_cut_age_seconds",
        Unit::Seconds,
        "Age of the newest cut that all shards can be restored to; 0 where none was made yet. From workers.",
    ),
    gauge(
        "plaza_outbox_default_rows",
        Unit::Count,
        "Outbox messages of days that have no partition; by shard; none, where housekeeping works.",
    ),
    gauge(
        "plaza_ledger_violations",
        Unit::Count,
        "Things that a law of the ledger does not hold for, by its last run; by law; 0 in processes that do not run it.",
    ),
    gauge(
        "plaza_ledger_last_run_time_seconds",
        Unit::Seconds,
        "When the ledger last ran by itself, in Unix time; 0 in processes that do not run it.",
    ),
    counter(
        "plaza_id_clock_refused_total",
        Unit::Count,
        "Rows that got no id, because a shard's clock is behind the last id it has issued.",
    ),
    // Redis.
    gauge("plaza_redis_up", Unit::Count, "1 while Redis answers this process."),
    gauge("plaza_redis_memory_bytes", Unit::Bytes, "What Redis uses; recorded by workers."),
    gauge(
        "plaza_redis_max_memory_bytes",
        Unit::Bytes,
        "What Redis may use, 0 for no limit; recorded by workers.",
    ),
    counter(
        "plaza_redis_evicted_total",
        Unit::Count,
        "Keys that Redis evicted because it was full; recorded by workers.",
    ),
    seconds("plaza_redis_seconds", "Commands sent to Redis together, to their answer."),
    counter(
        "plaza_cache_total",
        Unit::Count,
        "Cache lookups; by kind and outcome: local, hit, miss, shared (with another request's load), unavailable (no Redis).",
    ),
    counter(
        "plaza_cache_loads_total",
        Unit::Count,
        "Values asked of the shards: missing from the cache, or about to expire; by kind.",
    ),
    gauge(
        "plaza_cache_trusted",
        Unit::Count,
        "1 while this server reads the cache, 0 while it reads past it: Redis is unavailable, or may hold what was not invalidated.",
    ),
    gauge(
        "plaza_cache_pending_invalidations",
        Unit::Count,
        "Invalidations that failed and are retried.",
    ),
    counter(
        "plaza_cache_epochs_raised_total",
        Unit::Count,
        "Times that this process made everything cached untrusted, since its invalidations did not reach Redis.",
    ),
    // Servers.
    gauge("plaza_http_in_flight", Unit::Count, "GraphQL requests at work now."),
    gauge(
        "plaza_http_max_in_flight",
        Unit::Count,
        "GraphQL requests that may be at work at a time.",
    ),
    counter("plaza_http_responses_total", Unit::Count, "Answers by HTTP status."),
    counter(
        "plaza_graphql_requests_total",
        Unit::Count,
        "Operations run; by kind, operation (its root field) and outcome: ok, error, late.",
    ),
    seconds("plaza_graphql_seconds", "Running an operation; by kind and operation."),
    counter(
        "plaza_graphql_errors_total",
        Unit::Count,
        "Errors sent to clients; by code, the closed list of `extensions.code`.",
    ),
    counter(
        "plaza_graphql_fields_total",
        Unit::Count,
        "Fields that operations asked for, each place in an operation once; by type and field. From servers.",
    ),
    counter(
        "plaza_graphql_engine_total",
        Unit::Count,
        "Queries and mutations run; by engine: plan, general.",
    ),
    counter(
        "plaza_overloaded_total",
        Unit::Count,
        "Requests refused because too many were at work.",
    ),
    counter(
        "plaza_rate_limited_total",
        Unit::Count,
        "Refused because there were no points left; by payer: viewer, address, or action (what a user may do in an hour).",
    ),
    gauge("plaza_sockets", Unit::Count, "Open WebSockets."),
    gauge("plaza_subscriptions", Unit::Count, "Subscriptions running on them."),
    counter(
        "plaza_subscription_events_total",
        Unit::Count,
        "Events sent to subscribers; by operation.",
    ),
    counter(
        "plaza_subscription_resolved_total",
        Unit::Count,
        "Events of planned subscriptions that were resolved; by for: many (who ask the same and are answered alike), one.",
    ),
    counter(
        "plaza_views_acknowledged_total",
        Unit::Count,
        "Views of posts that Kafka has acknowledged.",
    ),
    counter(
        "plaza_views_dropped_total",
        Unit::Count,
        "Views of posts that were given up; by why: queue full, not acknowledged.",
    ),
    // The relay. Only the one at work on a shard has these.
    gauge(
        "plaza_outbox_unsent",
        Unit::Count,
        "Messages that wait in the outbox; by shard and sink.",
    ),
    gauge(
        "plaza_outbox_lag_seconds",
        Unit::Seconds,
        "For how long the oldest of them has waited; by shard and sink.",
    ),
    gauge(
        "plaza_outbox_unconfirmed_seconds",
        Unit::Seconds,
        "For how long messages have waited for a replica to have them, which is before they are sent; by shard and sink.",
    ),
    counter("plaza_outbox_sent_total", Unit::Count, "Messages sent and confirmed; by sink."),
    // Workers.
    gauge("plaza_rabbitmq_up", Unit::Count, "1 while RabbitMQ answers this worker."),
    gauge(
        "plaza_queue_messages",
        Unit::Count,
        "Jobs ready in RabbitMQ; by queue and state: waiting, retry (for their time to come), dead.",
    ),
    gauge("plaza_queue_consumers", Unit::Count, "Workers that take jobs; by queue."),
    counter(
        "plaza_jobs_total",
        Unit::Count,
        "Jobs run; by queue, job and outcome: ok, retry, dead.",
    ),
    seconds("plaza_job_seconds", "Running a job once; by queue and job."),
    counter("plaza_jobs_dead_total", Unit::Count, "Jobs given up; by queue."),
    counter("plaza_fan_out_deliveries_total", Unit::Count, "Timelines that a post was put on."),
    seconds("plaza_fan_out_seconds", "From a post's writing until it is on the last timeline."),
    counter(
        "plaza_images_processed_total",
        Unit::Count,
        "Images taken in; by outcome, or why they were refused.",
    ),
    // Projectors. Only the one at work on a projection has these.
    gauge("plaza_kafka_up", Unit::Count, "1 while Kafka answers this projector."),
    gauge(
        "plaza_projection_lag",
        Unit::Count,
        "Events of a topic not applied yet; by projection and topic.",
    ),
    gauge("plaza_projection_parked", Unit::Count, "Partitions that cannot go on; by projection."),
    gauge(
        "plaza_projection_records_aside",
        Unit::Count,
        "Records put aside that nobody has decided about; by projection.",
    ),
    gauge(
        "plaza_projection_shards_left_out",
        Unit::Count,
        "Shards that are unavailable or catching up; by projection.",
    ),
    counter(
        "plaza_projection_conflicts_total",
        Unit::Count,
        "Events left out because another one with their version had been applied; by projection.",
    ),
    counter("plaza_projection_events_total", Unit::Count, "Events applied; by projection."),
    seconds(
        "plaza_projection_batch_seconds",
        "Applying a batch of events, with what follows; by projection.",
    ),
];

const SECONDS: &[f64] =
    &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// For what may take minutes.
const LONG_SECONDS: &[f64] =
    &[0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];

/// The recorder of this process; the first call installs it.
pub fn recorder() -> Option<&'static PrometheusHandle> {
    static HANDLE: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
    HANDLE
        .get_or_init(|| {
            let builder = PrometheusBuilder::new().set_buckets(SECONDS).ok()?;
            let builder = builder
                .set_buckets_for_metric(
                    Matcher::Full("plaza_fan_out_seconds".to_owned()),
                    LONG_SECONDS,
                )
                .ok()?;
            let handle = builder.install_recorder().ok()?;
            describe();
            Some(handle)
        })
        .as_ref()
}

fn describe() {
    for metric in ALL {
        match metric.kind {
            Kind::Counter => metrics::describe_counter!(metric.name, metric.unit, metric.meaning),
            Kind::Gauge => metrics::describe_gauge!(metric.name, metric.unit, metric.meaning),
            Kind::Histogram => {
                metrics::describe_histogram!(metric.name, metric.unit, metric.meaning)
            }
        }
    }
}

/// One of what a gauge counts, for as long as it lives.
pub struct GaugeGuard(Gauge);

impl GaugeGuard {
    /// One more.
    pub fn new(gauge: Gauge) -> Self {
        gauge.increment(1.0);
        Self(gauge)
    }
}

impl Drop for GaugeGuard {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}

impl std::fmt::Debug for GaugeGuard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Held")
    }
}

/// A count as a gauge takes it: exact up to 2^32, which nothing counted here exceeds but bytes,
/// which need not be exact.
pub fn float(count: u64) -> f64 {
    const HIGH: f64 = 4_294_967_296.0;
    let low = u32::try_from(count & 0xffff_ffff).unwrap_or(u32::MAX);
    f64::from(u32::try_from(count >> 32).unwrap_or(u32::MAX)).mul_add(HIGH, f64::from(low))
}

#[cfg(test)]
mod tests;
