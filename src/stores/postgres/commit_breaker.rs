//! A shard whose commits are acknowledged by no replica: its writes are refused at once, before
//! their transaction begins, instead of each waiting out its deadline and ending as
//! [`StoreError::OutcomeUnknown`].

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use super::routing::ShardIndex;
use crate::StoreError;
use crate::server::Server;

/// Commits in a row that must end unknown before writes are refused.
const UNKNOWN: u32 = 2;
/// How often one writer is let through to find out whether commits end again.
const PROBE: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
struct State {
    unknown: u32,
    /// While writes are refused: when the next one may try.
    probe_at: Option<Instant>,
    probing: bool,
}

/// One shard's.
#[derive(Debug)]
pub struct CommitBreaker {
    shard: ShardIndex,
    state: Mutex<State>,
}

/// The right to begin a transaction. What became of its commit is reported to it; dropped without a
/// report (rolled back, say), it says nothing about the shard.
#[must_use]
#[derive(Debug)]
pub struct Admission {
    breaker: Arc<CommitBreaker>,
    probe: bool,
}

impl CommitBreaker {
    /// Writes are let through.
    pub fn new(shard: ShardIndex) -> Arc<Self> {
        Arc::new(Self { shard, state: Mutex::default() })
    }

    fn refused(&self) -> StoreError {
        metrics::counter!("plaza_commits_refused_total", "shard" => self.shard.0.to_string())
            .increment(1);
        StoreError::unavailable(
            Server::Primary(self.shard),
            "its commits are acknowledged by no replica",
        )
    }

    /// Lets a writer through, unless writes are refused and it is not the one that probes.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: nothing was begun.
    pub fn admit(self: &Arc<Self>) -> Result<Admission, StoreError> {
        self.admit_at(Instant::now())
    }

    fn admit_at(self: &Arc<Self>, now: Instant) -> Result<Admission, StoreError> {
        let mut state = self.state.lock();
        let probe = match state.probe_at {
            None => false,
            Some(at) if !state.probing && now >= at => true,
            Some(_) => return Err(self.refused()),
        };
        state.probing |= probe;
        Ok(Admission { breaker: Arc::clone(self), probe })
    }

    /// Whether writes are refused, but for one that probes.
    pub fn is_blocked(&self) -> bool {
        self.state.lock().probe_at.is_some()
    }
}

impl Admission {
    /// Whether this one finds out if commits end again.
    pub fn is_probe(&self) -> bool {
        self.probe
    }

    /// Refuses what was let through to find out: there is no replica that could acknowledge it.
    /// A commit that is given up keeps its connection at the server until a replica comes back, so
    /// as few as possible are begun.
    pub fn refuse(self) -> StoreError {
        self.breaker.state.lock().probe_at.replace(Instant::now() + PROBE);
        self.breaker.refused()
    }

    /// The commit was acknowledged.
    pub fn committed(&self) {
        let mut state = self.breaker.state.lock();
        if state.unknown > 0 {
            if state.probe_at.take().is_some() {
                tracing::info!(shard = self.breaker.shard.0, "commits are acknowledged again");
            }
            state.unknown = 0;
        }
    }

    /// The commit was not acknowledged in time.
    pub fn unknown(&self) {
        let mut state = self.breaker.state.lock();
        state.unknown = state.unknown.saturating_add(1);
        if state.unknown < UNKNOWN {
            return;
        }
        if state.probe_at.replace(Instant::now() + PROBE).is_none() {
            tracing::error!(
                shard = self.breaker.shard.0,
                "commits are acknowledged by no replica: writes are refused"
            );
        }
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        if self.probe {
            self.breaker.state.lock().probing = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_the_first_unknown_outcomes_one_writer_at_a_time_finds_out() {
        let breaker = CommitBreaker::new(ShardIndex(3));
        let later = || Instant::now() + PROBE;
        let at_work = breaker.admit().unwrap();
        breaker.admit().unwrap().unknown();
        breaker.admit().unwrap().unknown();
        assert!(breaker.admit().is_err(), "refused before its transaction begins");
        let probe = breaker.admit_at(later()).unwrap();
        assert!(breaker.admit_at(later()).is_err(), "one at a time");
        assert!(probe.is_probe() && !at_work.is_probe());
        drop(probe);
        let _: StoreError = breaker.admit_at(later()).unwrap().refuse();
        assert!(breaker.admit().is_err(), "the next one asks a second later");
        breaker.admit_at(later()).unwrap().unknown();
        assert!(breaker.admit().is_err(), "not before the next probe");
        breaker.admit_at(later()).unwrap().committed();
        let (one, other) = (breaker.admit().unwrap(), breaker.admit().unwrap());
        one.unknown();
        assert!(breaker.admit().is_ok(), "one alone may have been anything");
        other.committed();
        at_work.unknown();
        assert!(breaker.admit().is_ok(), "an acknowledged one between them counts");
    }
}
