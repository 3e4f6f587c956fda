//! Records how old the newest cut is that all shards can be restored to: what would be lost if all
//! of them were.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use plaza_base::clock::pause;
use plaza_domain::Domain;
use plaza_stores::postgres::last_cut::last_cut;
use plaza_stores::postgres::{Connection, ReadSession, ShardIndex};
use plaza_telemetry::metrics::float;

/// How often.
const EVERY: Duration = Duration::from_secs(30);

/// Records until it is stopped. While a cut is being made, or a shard does not answer, it is as old
/// as it was known to be.
pub async fn record(domain: &Domain, stop: CancellationToken) {
    let session = ReadSession::primary(domain.cluster.len());
    let mut known: BTreeMap<ShardIndex, i64> = BTreeMap::new();
    while !stop.is_cancelled() {
        for shard in domain.cluster.indexes() {
            let read = async |connection: &mut Connection| last_cut(connection).await;
            if let Ok(Some(at)) = domain.cluster.read(&session, shard, read).await {
                known.insert(shard, at.timestamp_millis());
            }
        }
        metrics::gauge!("plaza_backup_cut_age_seconds")
            .set(age_s(domain.clock.now_ms(), known.values().copied().min()));
        pause(EVERY, &stop).await;
    }
}

/// Seconds since a moment, in Unix milliseconds; 0 without one.
fn age_s(now_ms: i64, at_ms: Option<i64>) -> f64 {
    let age_ms = at_ms.map_or(0, |at_ms| (now_ms - at_ms).max(0));
    float(age_ms.unsigned_abs()) / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_cut_none_is_old() {
        assert!(age_s(5_000, None).abs() < f64::EPSILON);
        assert!((age_s(5_500, Some(5_000)) - 0.5).abs() < f64::EPSILON);
    }
}
