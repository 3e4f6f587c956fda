//! How fast a client may talk.

use tokio::time::Instant;

/// Messages a client may send at once, and a second.
const BURST: f64 = 200.0;
const PER_SECOND: f64 = 50.0;

/// What is left of a client's allowance of messages.
#[derive(Debug)]
pub(super) struct Allowance {
    left: f64,
    at: Instant,
}

impl Allowance {
    /// Takes a message; false when there were too many.
    pub(super) fn take(&mut self) -> bool {
        let now = Instant::now();
        self.left =
            (self.left + now.duration_since(self.at).as_secs_f64() * PER_SECOND).min(BURST) - 1.0;
        self.at = now;
        self.left >= 0.0
    }
}

impl Default for Allowance {
    fn default() -> Self {
        Self { left: BURST, at: Instant::now() }
    }
}
