//! The table and the JSON.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use serde::Serialize;

/// One operation's latencies.
#[derive(Debug, Default)]
pub struct Latencies {
    /// From the intended start to the last byte.
    pub taken: Vec<Duration>,
    /// Requests that failed.
    pub failed: usize,
}

/// One operation's figures, in milliseconds.
#[derive(Debug, Serialize)]
pub struct OperationReport {
    /// Requests.
    pub requests: usize,
    /// Requests that failed.
    pub failed: usize,
    /// Requests a second.
    pub rate: f64,
    /// Half are faster.
    pub p50_ms: f64,
    /// 95 % are faster.
    pub p95_ms: f64,
    /// 99 % are faster.
    pub p99_ms: f64,
    /// The slowest.
    pub max_ms: f64,
}

/// A run's figures.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Requests a second asked for.
    pub rate: f64,
    /// Seconds.
    pub seconds: f64,
    /// By operation, and `all`.
    pub operations: BTreeMap<String, OperationReport>,
    /// CPU-milliseconds per request, by group of processes.
    pub cpu_ms_per_request: BTreeMap<String, f64>,
    /// SQL statements per request that the servers sent.
    pub statements_per_request: Option<f64>,
    /// Home feeds compared with the rows.
    pub feeds_audited: usize,
    /// Of those, wrong.
    pub feeds_wrong: usize,
}

/// A count as a float, for rates.
pub fn float(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

impl Latencies {
    /// The figures over a run of so many seconds.
    pub fn report(&mut self, seconds: f64) -> OperationReport {
        self.taken.sort_unstable();
        let at = |permille: usize| {
            let index =
                (self.taken.len() * permille / 1_000).min(self.taken.len().saturating_sub(1));
            self.taken
                .get(index)
                .map_or(0.0, |taken| (taken.as_secs_f64() * 100_000.0).round() / 100.0)
        };
        let requests = self.taken.len() + self.failed;
        OperationReport {
            requests,
            failed: self.failed,
            rate: (float(requests) / seconds * 10.0).round() / 10.0,
            p50_ms: at(500),
            p95_ms: at(950),
            p99_ms: at(990),
            max_ms: at(1_000),
        }
    }
}

impl Latencies {
    /// The figures of a round that is to be measured.
    ///
    /// # Errors
    /// Not one request succeeded: nothing was measured, and nothing would be.
    pub fn measured(&mut self, seconds: f64) -> anyhow::Result<OperationReport> {
        anyhow::ensure!(
            !self.taken.is_empty(),
            "none of the {} requests of this round succeeded: is this the plaza that the configuration means?",
            self.failed
        );
        Ok(self.report(seconds))
    }
}

impl Report {
    /// Prints the table.
    ///
    /// # Errors
    /// When nobody reads it.
    pub fn print(&self) -> std::io::Result<()> {
        let mut out = std::io::stdout().lock();
        writeln!(
            out,
            "{:<12} {:>9} {:>7} {:>9} {:>9} {:>9} {:>9} {:>9}",
            "operation", "requests", "failed", "per s", "p50 ms", "p95 ms", "p99 ms", "max ms"
        )?;
        for (name, o) in &self.operations {
            writeln!(
                out,
                "{name:<12} {:>9} {:>7} {:>9.1} {:>9.2} {:>9.2} {:>9.2} {:>9.2}",
                o.requests, o.failed, o.rate, o.p50_ms, o.p95_ms, o.p99_ms, o.max_ms
            )?;
        }
        writeln!(out, "\n{:<20} {:>16}", "CPU", "ms per request")?;
        for (group, ms) in &self.cpu_ms_per_request {
            writeln!(out, "{group:<20} {ms:>16.3}")?;
        }
        if let Some(statements) = self.statements_per_request {
            writeln!(out, "\nSQL statements per request: {statements:.2}")?;
        }
        writeln!(out, "home feeds audited: {}, wrong: {}", self.feeds_audited, self.feeds_wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_without_a_success_measures_nothing() {
        let mut none = Latencies { taken: Vec::new(), failed: 684 };
        assert!(none.measured(1.0).unwrap_err().to_string().contains("684"));
        assert!(Latencies::default().measured(1.0).is_err());
        let mut one = Latencies { taken: vec![Duration::from_millis(5)], failed: 683 };
        assert_eq!(one.measured(1.0).unwrap().p95_ms, 5.0);
    }
}
