//! What this process has served in the last minutes, from its own metrics: the same figures that
//! Prometheus takes, kept for ten minutes, so that the page shows them where there is no
//! Prometheus.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use parking_lot::Mutex;
use serde::Serialize;
use tokio::time::Instant;

use plaza_telemetry::metrics::recorder;

/// How often the metrics are read.
pub const EVERY: Duration = Duration::from_secs(5);
/// Samples kept: ten minutes' and the one before them.
const KEPT: usize = 121;
/// Samples that rates are taken over: a minute's.
const WINDOW: usize = 12;
/// Operations and error codes that are shown.
const SHOWN: usize = 8;

/// What a process has served.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TrafficSnapshot {
    /// Seconds that the rates are of: a minute, or since the process began.
    pub window_s: f64,
    /// Operations a second.
    pub total: Rate,
    /// The operations that took the most time, the first the most.
    pub operations: Vec<OperationRate>,
    /// Error codes sent to clients, and how many a second; the most frequent first, none that was
    /// not sent.
    pub errors: Vec<(String, f64)>,
    /// Requests a second refused because their payer had no points left.
    pub rate_limited: f64,
    /// Requests a second refused because too many were at work.
    pub overloaded: f64,
    /// GraphQL requests at work now.
    pub in_flight: f64,
    /// That may be at work.
    pub max_in_flight: f64,
    /// Open WebSockets.
    pub sockets: f64,
    /// Subscriptions on them.
    pub subscriptions: f64,
    /// The last ten minutes in steps of five seconds, the latest last.
    pub history: Vec<Rate>,
}

/// Operations of a time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rate {
    /// How many a second.
    pub per_s: f64,
    /// Of these answered with an error, or too late.
    pub failed_per_s: f64,
    /// Milliseconds within which half were answered; `None`: there were none.
    pub p50_ms: Option<f64>,
    /// Within which 95 % were.
    pub p95_ms: Option<f64>,
}

/// The same of one operation.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OperationRate {
    /// `query home`, `mutation postLike`.
    pub operation: String,
    /// How often, and how fast.
    #[serde(flatten)]
    pub rate: Rate,
}

/// Samples of the metrics, the latest last.
#[derive(Debug, Default)]
pub struct History(Mutex<VecDeque<Sample>>);

/// What the metrics say at a moment. Counters count from the process' start.
#[derive(Debug, Clone)]
struct Sample {
    at: Instant,
    operations: BTreeMap<String, Counts>,
    errors: BTreeMap<String, f64>,
    rate_limited: f64,
    overloaded: f64,
    in_flight: f64,
    max_in_flight: f64,
    sockets: f64,
    subscriptions: f64,
}

/// What is counted of an operation.
#[derive(Debug, Clone, Default)]
struct Counts {
    all: f64,
    failed: f64,
    /// Seconds spent.
    seconds: f64,
    /// Upper bounds in seconds, and how many took no longer.
    buckets: Vec<(f64, f64)>,
}

impl History {
    /// Takes a sample.
    pub fn sample(&self) {
        let Some(recorder) = recorder() else { return };
        let sample = Sample::of(&recorder.render(), Instant::now());
        let mut samples = self.0.lock();
        if samples.len() == KEPT {
            samples.pop_front();
        }
        samples.push_back(sample);
    }

    /// What the samples say; `None`: there are not two, or this process serves nobody.
    pub fn snapshot(&self) -> Option<TrafficSnapshot> {
        let samples = self.0.lock();
        snapshot(samples.iter())
    }
}

fn snapshot<'a>(
    samples: impl DoubleEndedIterator<Item = &'a Sample> + Clone,
) -> Option<TrafficSnapshot> {
    let last = samples.clone().next_back()?;
    let before = samples.clone().rev().skip(1).take(WINDOW).last()?;
    if last.max_in_flight == 0.0 {
        return None;
    }
    let window_s = (last.at - before.at).as_secs_f64();
    let per_s = |now: f64, then: f64| (now - then).max(0.0) / window_s;
    let mut operations: Vec<(f64, OperationRate)> = last
        .operations
        .iter()
        .map(|(operation, counts)| {
            let counts = counts.since(before.operations.get(operation));
            let rate = counts.rate(window_s);
            (counts.seconds, OperationRate { operation: operation.clone(), rate })
        })
        .filter(|(_, operation)| operation.rate.per_s > 0.0)
        .collect();
    operations.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    let operations = operations.into_iter().take(SHOWN).map(|(_, operation)| operation).collect();
    let mut errors: Vec<(String, f64)> = last
        .errors
        .iter()
        .map(|(code, count)| {
            let then = before.errors.get(code).copied().unwrap_or_default();
            (code.clone(), per_s(*count, then))
        })
        .filter(|(_, rate)| *rate > 0.0)
        .collect();
    errors.sort_by(|(_, one), (_, other)| other.total_cmp(one));
    errors.truncate(SHOWN);
    let history = samples.clone().zip(samples.skip(1));
    Some(TrafficSnapshot {
        window_s,
        total: last.total().since(Some(&before.total())).rate(window_s),
        operations,
        errors,
        rate_limited: per_s(last.rate_limited, before.rate_limited),
        overloaded: per_s(last.overloaded, before.overloaded),
        in_flight: last.in_flight,
        max_in_flight: last.max_in_flight,
        sockets: last.sockets,
        subscriptions: last.subscriptions,
        history: history
            .map(|(then, now)| {
                now.total().since(Some(&then.total())).rate((now.at - then.at).as_secs_f64())
            })
            .collect(),
    })
}

impl Sample {
    /// From Prometheus' text format, as this process writes it.
    fn of(rendered: &str, at: Instant) -> Self {
        let mut operations: BTreeMap<String, Counts> = BTreeMap::new();
        let mut errors = BTreeMap::new();
        let mut sums: BTreeMap<&str, f64> = BTreeMap::new();
        for line in rendered.lines() {
            let Some((name, labels, value)) = metric(line) else { continue };
            let label =
                |wanted| labels.clone().find(|(label, _)| *label == wanted).map(|(_, is)| is);
            let operation = || Some(format!("{} {}", label("kind")?, label("operation")?));
            match name {
                "plaza_graphql_requests_total" => {
                    let Some(operation) = operation() else { continue };
                    let counts = operations.entry(operation).or_default();
                    counts.all += value;
                    if label("outcome") != Some("ok") {
                        counts.failed += value;
                    }
                }
                "plaza_graphql_seconds_sum" => {
                    let Some(operation) = operation() else { continue };
                    operations.entry(operation).or_default().seconds += value;
                }
                "plaza_graphql_seconds_bucket" => {
                    let bound = label("le").and_then(|bound| match bound {
                        "+Inf" => Some(f64::INFINITY),
                        bound => bound.parse().ok(),
                    });
                    let (Some(operation), Some(bound)) = (operation(), bound) else { continue };
                    operations.entry(operation).or_default().buckets.push((bound, value));
                }
                "plaza_graphql_errors_total" => {
                    *errors.entry(label("code").unwrap_or_default().to_owned()).or_default() +=
                        value;
                }
                _ => *sums.entry(name).or_default() += value,
            }
        }
        let sum = |name| sums.get(name).copied().unwrap_or_default();
        Self {
            at,
            operations,
            errors,
            rate_limited: sum("plaza_rate_limited_total"),
            overloaded: sum("plaza_overloaded_total"),
            in_flight: sum("plaza_http_in_flight"),
            max_in_flight: sum("plaza_http_max_in_flight"),
            sockets: sum("plaza_sockets"),
            subscriptions: sum("plaza_subscriptions"),
        }
    }

    fn total(&self) -> Counts {
        self.operations.values().fold(Counts::default(), |mut total, counts| {
            total.all += counts.all;
            total.failed += counts.failed;
            total.seconds += counts.seconds;
            if total.buckets.is_empty() {
                total.buckets.clone_from(&counts.buckets);
            } else {
                for ((_, sum), (_, count)) in total.buckets.iter_mut().zip(&counts.buckets) {
                    *sum += count;
                }
            }
            total
        })
    }
}

impl Counts {
    fn since(&self, then: Option<&Self>) -> Self {
        let Some(then) = then else { return self.clone() };
        let before = |index: usize| then.buckets.get(index).map_or(0.0, |(_, count)| *count);
        let buckets = self.buckets.iter().enumerate();
        Self {
            all: (self.all - then.all).max(0.0),
            failed: (self.failed - then.failed).max(0.0),
            seconds: (self.seconds - then.seconds).max(0.0),
            buckets: buckets
                .map(|(index, (bound, count))| (*bound, (count - before(index)).max(0.0)))
                .collect(),
        }
    }

    fn rate(&self, over_s: f64) -> Rate {
        Rate {
            per_s: self.all / over_s,
            failed_per_s: self.failed / over_s,
            p50_ms: quantile(&self.buckets, 0.5).map(|seconds| seconds * 1_000.0),
            p95_ms: quantile(&self.buckets, 0.95).map(|seconds| seconds * 1_000.0),
        }
    }
}

/// Within which bound a share lies, as Prometheus' `histogram_quantile` has it: evenly between the
/// bounds of its bucket; in the last one, its lower bound.
fn quantile(buckets: &[(f64, f64)], share: f64) -> Option<f64> {
    let (_, all) = buckets.last().copied().filter(|(_, all)| *all > 0.0)?;
    let rank = share * all;
    let (mut lower, mut below) = (0.0, 0.0);
    for (bound, count) in buckets {
        if *count >= rank {
            let within = if bound.is_infinite() || *count <= below {
                0.0
            } else {
                (bound - lower) * (rank - below) / (count - below)
            };
            return Some(lower + within);
        }
        (lower, below) = (*bound, *count);
    }
    None
}

/// A line's name, labels and value. No value of a label here has a quote or a comma in it: they
/// come from closed lists.
fn metric(line: &str) -> Option<(&str, impl Iterator<Item = (&str, &str)> + Clone, f64)> {
    let (series, value) = line.rsplit_once(' ')?;
    let (name, labels) = series.split_once('{').unwrap_or((series, ""));
    let labels = labels.trim_end_matches('}').split(',').filter_map(|label| {
        let (name, value) = label.split_once('=')?;
        Some((name, value.trim_matches('"')))
    });
    Some((name, labels, value.parse().ok().filter(|_| !name.starts_with('#'))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = r#"
# TYPE plaza_graphql_requests_total counter
plaza_graphql_requests_total{kind="query",operation="home",outcome="ok"} 100
plaza_graphql_seconds_bucket{kind="query",operation="home",le="0.01"} 100
plaza_graphql_seconds_bucket{kind="query",operation="home",le="0.1"} 100
plaza_graphql_seconds_bucket{kind="query",operation="home",le="+Inf"} 100
plaza_graphql_seconds_sum{kind="query",operation="home"} 0.5
plaza_graphql_errors_total{code="TIMEOUT"} 3
plaza_http_max_in_flight 96
"#;
    const AFTER: &str = r#"
plaza_graphql_requests_total{kind="query",operation="home",outcome="ok"} 180
plaza_graphql_requests_total{kind="query",operation="home",outcome="late"} 20
plaza_graphql_seconds_bucket{kind="query",operation="home",le="0.01"} 150
plaza_graphql_seconds_bucket{kind="query",operation="home",le="0.1"} 190
plaza_graphql_seconds_bucket{kind="query",operation="home",le="+Inf"} 200
plaza_graphql_seconds_sum{kind="query",operation="home"} 2.5
plaza_graphql_requests_total{kind="mutation",operation="postLike",outcome="ok"} 10
plaza_graphql_seconds_sum{kind="mutation",operation="postLike"} 9
plaza_graphql_errors_total{code="TIMEOUT"} 23
plaza_graphql_errors_total{code="INTERNAL"} 0
plaza_rate_limited_total{payer="viewer"} 4
plaza_rate_limited_total{payer="address"} 6
plaza_http_in_flight 7
plaza_http_max_in_flight 96
plaza_sockets 5
"#;

    fn samples() -> [Sample; 2] {
        let begin = Instant::now();
        [Sample::of(BEFORE, begin), Sample::of(AFTER, begin + Duration::from_secs(10))]
    }

    #[test]
    fn rates_are_what_was_counted_between_two_samples() {
        let samples = samples();
        let seen = snapshot(samples.iter()).unwrap();
        assert_eq!((seen.window_s, seen.total.per_s, seen.total.failed_per_s), (10.0, 11.0, 2.0));
        // The mutation took more time than all the reads.
        let operations: Vec<&str> =
            seen.operations.iter().map(|operation| operation.operation.as_str()).collect();
        assert_eq!(operations, ["mutation postLike", "query home"]);
        assert_eq!(seen.errors, [("TIMEOUT".to_owned(), 2.0)]);
        assert_eq!((seen.rate_limited, seen.in_flight, seen.sockets), (1.0, 7.0, 5.0));
        assert_eq!(seen.history.len(), 1);
    }

    #[test]
    fn quantiles_lie_within_their_bucket() {
        let samples = samples();
        let home = &snapshot(samples.iter()).unwrap().operations[1].rate;
        // 50, 40 and 10 of 100 in the three buckets.
        assert_eq!(home.p50_ms, Some(10.0));
        assert_eq!(home.p95_ms, Some(100.0));
        assert_eq!(quantile(&[(0.25, 0.0), (0.75, 10.0), (f64::INFINITY, 10.0)], 0.5), Some(0.5));
        assert_eq!(quantile(&[(0.01, 0.0), (f64::INFINITY, 0.0)], 0.5), None);
        assert_eq!(quantile(&[], 0.5), None);
    }

    #[test]
    fn who_serves_nobody_has_no_traffic() {
        let now = Instant::now();
        let silent = [Sample::of("", now), Sample::of("", now + EVERY)];
        assert_eq!(snapshot(silent.iter()), None);
        assert_eq!(snapshot(samples()[..1].iter()), None);
    }
}
