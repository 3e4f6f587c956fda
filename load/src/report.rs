//! Latencies, their percentiles, and the report of a run.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::table;

/// Significant digits of a percentile: 0.01 % off at most.
const DIGITS: u8 = 4;
/// No request takes longer: its client has given up long before.
const LONGEST_US: u64 = 3_600_000_000;

/// One operation's latencies.
#[derive(Debug)]
pub struct Latencies {
    /// Of requests that succeeded, in microseconds, from the intended start to the last byte.
    succeeded: Histogram<u64>,
    /// Requests that failed.
    pub failed: usize,
}

/// One operation's metrics.
#[derive(Debug, Clone, Serialize)]
pub struct OperationReport {
    /// Requests.
    pub requests: usize,
    /// Requests that failed.
    pub failed: usize,
    /// Requests a second.
    pub rate: f64,
    /// The median of those that succeeded, in milliseconds.
    pub p50_ms: f64,
    /// 95 % of those that succeeded took no longer, in milliseconds.
    pub p95_ms: f64,
    /// 99 % of those that succeeded took no longer, in milliseconds.
    pub p99_ms: f64,
    /// The slowest that succeeded, in milliseconds.
    pub max_ms: f64,
}

/// A run's metrics.
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

/// Writes JSON into a file, and makes its folder where there is none.
///
/// # Errors
/// The disk's.
pub fn write_json(file: &Path, value: &impl Serialize) -> anyhow::Result<()> {
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)?;
    }
    Ok(std::fs::write(file, serde_json::to_string_pretty(value)? + "\n")?)
}

impl Default for Latencies {
    #[expect(clippy::expect_used, reason = "the digits are a constant between 0 and 5")]
    fn default() -> Self {
        Self { succeeded: Histogram::new(DIGITS).expect("a number of digits"), failed: 0 }
    }
}

impl FromIterator<Duration> for Latencies {
    fn from_iter<I: IntoIterator<Item = Duration>>(all: I) -> Self {
        let mut latencies = Self::default();
        all.into_iter().for_each(|taken| latencies.record(taken));
        latencies
    }
}

impl Latencies {
    /// Records a request that succeeded.
    #[expect(clippy::expect_used, reason = "the histogram grows as far as an hour")]
    pub fn record(&mut self, taken: Duration) {
        let us = u64::try_from(taken.as_micros()).unwrap_or(LONGEST_US);
        self.succeeded.record(us.min(LONGEST_US)).expect("a time within an hour");
    }

    /// Adds all of another's.
    pub fn add(&mut self, other: &Self) {
        self.succeeded += &other.succeeded;
        self.failed += other.failed;
    }

    /// Requests, whatever became of them.
    pub fn requests(&self) -> usize {
        self.succeeded() + self.failed
    }

    /// Requests that succeeded.
    pub fn succeeded(&self) -> usize {
        usize::try_from(self.succeeded.len()).unwrap_or(usize::MAX)
    }

    /// The time within which that share of the successful requests ended; zero when there are none.
    pub fn quantile(&self, share: f64) -> Duration {
        Duration::from_micros(self.succeeded.value_at_quantile(share))
    }

    /// The metrics over a run of so many seconds.
    pub fn report(&self, seconds: f64) -> OperationReport {
        let ms = |share| (self.quantile(share).as_secs_f64() * 100_000.0).round() / 100.0;
        OperationReport {
            requests: self.requests(),
            failed: self.failed,
            rate: (float(self.requests()) / seconds * 10.0).round() / 10.0,
            p50_ms: ms(0.5),
            p95_ms: ms(0.95),
            p99_ms: ms(0.99),
            max_ms: ms(1.0),
        }
    }

    /// The metrics of a round that is to be measured.
    ///
    /// # Errors
    /// Not one request succeeded: nothing was measured, and nothing would be.
    pub fn measured(&self, seconds: f64) -> anyhow::Result<OperationReport> {
        anyhow::ensure!(
            self.succeeded() > 0,
            "none of the {} requests of this round succeeded: is this the plaza that the configuration means?",
            self.failed
        );
        Ok(self.report(seconds))
    }
}

impl Report {
    /// Prints the tables.
    ///
    /// # Errors
    /// Standard output is closed.
    pub fn print(&self) -> std::io::Result<()> {
        let operations = self.operations.iter().map(|(name, of)| {
            let ms = [of.p50_ms, of.p95_ms, of.p99_ms, of.max_ms];
            let counts = [of.requests.to_string(), of.failed.to_string(), of.rate.to_string()];
            [name.clone()].into_iter().chain(counts).chain(ms.map(|ms| format!("{ms:.2}")))
        });
        table::print(
            &["operation", "requests", "failed", "per s", "p50 ms", "p95 ms", "p99 ms", "max ms"],
            operations,
        )?;
        let mut out = std::io::stdout();
        writeln!(out)?;
        let cpu = self.cpu_ms_per_request.iter();
        table::print(
            &["CPU", "ms per request"],
            cpu.map(|(group, ms)| [group.clone(), format!("{ms:.3}")]),
        )?;
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
        let none = Latencies { failed: 684, ..Latencies::default() };
        assert!(none.measured(1.0).unwrap_err().to_string().contains("684"));
        assert!(Latencies::default().measured(1.0).is_err());
        let mut one: Latencies = [Duration::from_millis(5)].into_iter().collect();
        one.failed = 683;
        assert_eq!(one.measured(1.0).unwrap().p95_ms, 5.0);
    }

    #[test]
    fn percentiles_are_exact_to_a_hundredth_of_a_percent() {
        let all: Latencies = (1..=10_000).map(Duration::from_millis).collect();
        let report = all.report(10.0);
        for (found, exact) in [
            (report.p50_ms, 5_000.0),
            (report.p95_ms, 9_500.0),
            (report.p99_ms, 9_900.0),
            (report.max_ms, 10_000.0),
        ] {
            assert!((found / exact - 1.0_f64).abs() <= 1e-4, "{found} for {exact}");
        }
        assert_eq!((report.requests, report.rate), (10_000, 1_000.0));
    }

    #[test]
    fn what_is_added_counts_as_if_it_had_been_recorded() {
        let mut all: Latencies = [1, 2].map(Duration::from_millis).into_iter().collect();
        let other: Latencies = [3, 4_000].map(Duration::from_millis).into_iter().collect();
        all.add(&Latencies { failed: 2, ..other });
        let report = all.report(1.0);
        assert_eq!((report.requests, report.failed, report.p50_ms), (6, 2, 2.0));
        assert!((report.max_ms - 4_000.0).abs() < 0.5);
    }
}
