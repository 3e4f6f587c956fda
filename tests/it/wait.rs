//! Waiting for a condition: a test says what must become true, not how long that takes.

use std::time::{Duration, Instant};

/// How long anything may take to become true, on a machine that many others share.
pub const LIMIT: Duration = Duration::from_secs(180);
/// Between two looks, the least and the most: a tenth of what was waited already.
/// Tests that wait side by side are not to take the machine from what they wait for.
const PAUSE: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(500));

/// Polls a condition until it holds; whether it did within the limit.
pub async fn holds(condition: impl AsyncFn() -> bool) -> bool {
    let started = Instant::now();
    while !condition().await {
        let waited = started.elapsed();
        if waited > LIMIT {
            return false;
        }
        tokio::time::sleep((waited / 10).clamp(PAUSE.0, PAUSE.1)).await;
    }
    true
}

/// The same; fails the test when it never holds.
pub async fn until(what: &str, condition: impl AsyncFn() -> bool) {
    assert!(holds(condition).await, "not within {} s: {what}", LIMIT.as_secs());
}
