//! Injected time: nothing else reads the system clock, so tests can stand still or step; and the
//! wait that loops make between rounds.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chrono::{DateTime, SubsecRound, Utc};
use tokio_util::sync::CancellationToken;

/// Where the process takes the time of day from.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    /// The machine's clock.
    #[default]
    System,
    /// A clock that is set by hand: Unix milliseconds.
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// Now, in UTC, to the millisecond: so a moment is the same wherever it is written.
    pub fn now(&self) -> DateTime<Utc> {
        match self {
            #[expect(
                clippy::disallowed_methods,
                reason = "the one place that reads the system clock"
            )]
            Self::System => Utc::now().trunc_subsecs(3),
            Self::Manual(ms) => DateTime::from_timestamp_millis(ms.load(Ordering::Relaxed))
                .unwrap_or(DateTime::UNIX_EPOCH),
        }
    }

    /// Now, in Unix milliseconds.
    pub fn now_ms(&self) -> i64 {
        self.now().timestamp_millis()
    }
}

/// Waits for so long, or until it is time to stop.
pub async fn pause(length: Duration, stop: &CancellationToken) {
    tokio::select! {
        () = tokio::time::sleep(length) => {}
        () = stop.cancelled() => {}
    }
}
