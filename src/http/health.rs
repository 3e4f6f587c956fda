//! Whether the process lives, whether it can serve, and its figures.

use std::sync::OnceLock;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

use super::Served;

/// How often histograms are folded.
const UPKEEP: Duration = Duration::from_secs(5);

/// The process lives.
pub async fn live() -> &'static str {
    "alive\n"
}

/// The process can serve; 503 while it starts and while it stops.
pub async fn ready(State(served): State<Served>) -> (StatusCode, &'static str) {
    if served.app.tasks.is_ready() { (StatusCode::OK, "ready\n") } else { (StatusCode::SERVICE_UNAVAILABLE, "not ready\n") }
}

/// The recorder of this process; the first call installs it.
pub fn recorder() -> Option<&'static PrometheusHandle> {
    static HANDLE: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
    const SECONDS: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
    HANDLE.get_or_init(|| PrometheusBuilder::new().set_buckets(SECONDS).and_then(|builder| builder.install_recorder()).ok()).as_ref()
}

/// Installs the recorder, so that nothing is counted in vain before the first look, and folds what histograms have gathered, which would else
/// grow until somebody looks. Never ends.
pub async fn upkeep() {
    loop {
        if let Some(recorder) = recorder() {
            recorder.run_upkeep();
        }
        tokio::time::sleep(UPKEEP).await;
    }
}

/// Figures in Prometheus' text format.
pub async fn metrics(State(served): State<Served>) -> String {
    let cluster = &served.app.domain.cluster;
    metrics::counter!("plaza_sql_statements_total").absolute(cluster.statements());
    for shard in cluster.indexes().filter_map(|index| cluster.shard(index).ok()) {
        for (server, state) in shard.replica_states() {
            let (_, lag_ms, serves) = state.snapshot();
            let lag = f64::from(u32::try_from(lag_ms).unwrap_or(u32::MAX)) / 1_000.0;
            metrics::gauge!("plaza_replica_lag_seconds", "server" => server.to_owned()).set(lag);
            metrics::gauge!("plaza_replica_serving", "server" => server.to_owned()).set(if serves { 1.0 } else { 0.0 });
        }
    }
    recorder().map(PrometheusHandle::render).unwrap_or_default()
}
