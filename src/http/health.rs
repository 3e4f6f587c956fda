//! Whether the process lives, whether it can serve, and its metrics.

use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use metrics_exporter_prometheus::PrometheusHandle;

use plaza_app::{App, Tasks};
use plaza_graphql::document::index::record_fields;
use plaza_telemetry::metrics::{float, recorder};
use plaza_telemetry::process;

/// How often histograms are folded.
const UPKEEP: Duration = Duration::from_secs(5);

/// The process lives.
pub async fn live() -> &'static str {
    "alive\n"
}

/// The process can serve; 503 while it starts and while it stops.
pub async fn ready(State(tasks): State<Tasks>) -> (StatusCode, &'static str) {
    if tasks.is_ready() {
        (StatusCode::OK, "ready\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready\n")
    }
}

/// Folds what histograms have gathered, which would else grow until they are read. Never ends.
pub async fn upkeep() {
    loop {
        if let Some(recorder) = recorder() {
            recorder.run_upkeep();
        }
        tokio::time::sleep(UPKEEP).await;
    }
}

/// Figures in Prometheus' text format.
pub async fn metrics(State(app): State<App>) -> impl IntoResponse {
    record(&app);
    rendered()
}

/// The same of a process that is no [`App`].
pub async fn own_metrics(State(tasks): State<Tasks>) -> impl IntoResponse {
    metrics::gauge!("plaza_ready").set(if tasks.is_ready() { 1.0 } else { 0.0 });
    rendered()
}

fn rendered() -> impl IntoResponse {
    process::record();
    let rendered = recorder().map(PrometheusHandle::render).unwrap_or_default();
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], rendered + &process::cpu_line())
}

/// Sets the metrics that are only read when somebody asks.
fn record(app: &App) {
    let cluster = &app.domain.cluster;
    let yes = |yes| if yes { 1.0 } else { 0.0 };
    metrics::counter!("plaza_sql_statements_total").absolute(cluster.statements());
    record_fields();
    metrics::gauge!("plaza_ready").set(yes(app.tasks.is_ready()));
    for (index, shard) in
        cluster.indexes().filter_map(|index| cluster.shard(index).ok().map(|shard| (index, shard)))
    {
        metrics::gauge!("plaza_commits_blocked", "shard" => index.0.to_string())
            .set(yes(shard.commits_are_blocked()));
        for (name, state) in shard.pool_states() {
            state.record(&name);
        }
        for (name, ended) in shard.connections_ended() {
            metrics::counter!("plaza_pool_ended_total", "pool" => name).absolute(ended);
        }
        for (server, state) in shard.replica_states() {
            // A role that does not probe replicas knows nothing of them.
            let Some(bytes) = state.lag_bytes() else { continue };
            let (_, lag_ms, serves) = state.snapshot();
            metrics::gauge!("plaza_replica_lag_bytes", "server" => server.to_owned())
                .set(float(bytes));
            metrics::gauge!("plaza_replica_lag_seconds", "server" => server.to_owned())
                .set(float(lag_ms) / 1_000.0);
            metrics::gauge!("plaza_replica_serving", "server" => server.to_owned())
                .set(yes(serves));
        }
    }
    let (up, pool) = app.domain.redis.state();
    pool.record("redis");
    metrics::gauge!("plaza_redis_up").set(yes(up));
}
