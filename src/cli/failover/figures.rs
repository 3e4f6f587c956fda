//! A supervisor's metrics.

use plaza_base::clock::Clock;
use plaza_telemetry::metrics::float;

const OUTCOMES: [&str; 2] = ["done", "failed"];

/// Begins at nothing: an alarm on the growth would else miss the first.
pub fn register(shard: usize) {
    for outcome in OUTCOMES {
        metrics::counter!("plaza_failovers_total", "shard" => shard.to_string(), "outcome" => outcome)
            .increment(0);
    }
    record_possible(shard, false);
}

/// A primary was to be replaced now, and was or was not.
pub fn count(shard: usize, is_done: bool) {
    let [done, failed] = OUTCOMES;
    let outcome = if is_done { done } else { failed };
    metrics::counter!("plaza_failovers_total", "shard" => shard.to_string(), "outcome" => outcome)
        .increment(1);
    let now_s = Clock::System.now_ms().unsigned_abs() / 1_000;
    metrics::gauge!("plaza_failover_last_time_seconds", "shard" => shard.to_string(), "outcome" => outcome)
        .set(float(now_s));
}

/// Whether a shard's primary could be replaced now.
pub fn record_possible(shard: usize, is_possible: bool) {
    metrics::gauge!("plaza_failover_possible", "shard" => shard.to_string()).set(if is_possible {
        1.0
    } else {
        0.0
    });
}
