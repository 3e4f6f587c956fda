//! How a pool of connections stands, whatever it connects to.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use plaza_telemetry::metrics::float;

/// How a pool stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PoolState {
    /// Connections open.
    pub open: u32,
    /// Those that nobody uses.
    pub idle: u32,
    /// Those that may be open.
    pub most: u32,
    /// Callers that wait for one now.
    pub waiting: u64,
    /// Callers that have had to wait so far.
    pub waited: u64,
    /// Callers that got none in time so far.
    pub timeouts: u64,
}

impl PoolState {
    /// As bb8 reports it, but for who waits.
    pub fn of(state: &bb8::State, most: u32, callers: &Callers) -> Self {
        let counted = &state.statistics;
        Self {
            open: state.connections,
            idle: state.idle_connections,
            most,
            waiting: callers.0.load(Ordering::Relaxed),
            waited: counted.get_waited,
            timeouts: counted.get_timed_out,
        }
    }

    /// Sets its metrics.
    pub fn record(&self, pool: &str) {
        let pool = || pool.to_owned();
        metrics::gauge!("plaza_pool_connections", "pool" => pool()).set(self.open);
        metrics::gauge!("plaza_pool_idle_connections", "pool" => pool()).set(self.idle);
        metrics::gauge!("plaza_pool_max_connections", "pool" => pool()).set(self.most);
        metrics::gauge!("plaza_pool_waiting", "pool" => pool()).set(float(self.waiting));
        metrics::counter!("plaza_pool_waited_total", "pool" => pool()).absolute(self.waited);
        metrics::counter!("plaza_pool_timeouts_total", "pool" => pool()).absolute(self.timeouts);
    }
}

/// Callers that wait for a connection now. bb8 counts those that began and those that ended, and
/// takes one whose client left meanwhile for somebody who waits for ever.
#[derive(Debug, Clone, Default)]
pub struct Callers(Arc<AtomicU64>);

impl Callers {
    /// One more, until what it returns is dropped.
    pub fn begin(&self) -> Caller {
        self.0.fetch_add(1, Ordering::Relaxed);
        Caller(self.clone())
    }
}

/// One of them, while it waits.
#[must_use]
#[derive(Debug)]
pub struct Caller(Callers);

impl Drop for Caller {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}
