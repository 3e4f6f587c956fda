//! Requests on a schedule that does not wait for answers: exponential gaps at a fixed mean rate,
//! timed from the intended start.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::outcome::say;
use crate::report::{Latencies, OperationReport};

/// How a rate that saturates is searched for.
#[derive(Debug, Clone, Copy)]
pub struct Search {
    /// The first step, requests a second.
    pub from: f64,
    /// How many times the last step the next one is.
    pub factor: f64,
    /// A p95 above it is saturation, in milliseconds; so is one failed request in a hundred.
    pub above_ms: f64,
    /// After a step that saturated, so that what piled up is not the next one's.
    pub pause: Duration,
}

/// Usual for [`Search::pause`].
pub const PAUSE: Duration = Duration::from_secs(3);

impl Search {
    /// The first rate that saturates twice in a row: a single step may be noise.
    ///
    /// # Errors
    /// Standard output is closed; a step without a success.
    pub async fn rate(
        self,
        mut measure: impl AsyncFnMut(f64) -> anyhow::Result<OperationReport>,
    ) -> anyhow::Result<f64> {
        let (mut rate, mut times) = (self.from, 0);
        loop {
            let report = measure(rate).await?;
            say(&format!(
                "searching for the rate that saturates the side before: {rate}/s: p95 {} ms, {} failed",
                report.p95_ms, report.failed
            ))?;
            let saturated = report.p95_ms > self.above_ms || report.failed * 100 > report.requests;
            times = if saturated { times + 1 } else { 0 };
            if times == 2 || rate > 5_000.0 {
                return Ok(rate);
            }
            if saturated {
                tokio::time::sleep(self.pause).await;
            } else {
                rate = (rate * self.factor).round();
            }
        }
    }
}

/// Starts `one` at the rate for so long and waits until each has ended. `one` is given its number
/// and a random number of its own.
pub async fn drive<F, One>(rate: f64, length: Duration, seed: u64, mut one: F) -> Latencies
where
    F: FnMut(u64) -> One,
    One: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    let mut random = StdRng::seed_from_u64(seed);
    let (results, mut done) = mpsc::channel::<(Duration, Option<String>)>(4_096);
    let collected = async {
        let mut latencies = Latencies::default();
        while let Some((taken, failure)) = done.recv().await {
            match failure {
                None => latencies.record(taken),
                Some(failure) => {
                    latencies.failed += 1;
                    if latencies.failed <= 3 {
                        let _ = std::io::Write::write_fmt(
                            &mut std::io::stderr(),
                            format_args!("failed: {failure:.300}\n"),
                        );
                    }
                }
            }
        }
        latencies
    };
    let sent = async move {
        let start = Instant::now();
        let mut due = start;
        loop {
            due += Duration::from_secs_f64(-random.random::<f64>().max(1e-12).ln() / rate);
            if due >= start + length {
                return;
            }
            let future = one(random.random());
            tokio::time::sleep_until(due).await;
            let results = results.clone();
            #[expect(
                clippy::disallowed_methods,
                reason = "open loop: nobody waits for a request before sending the next"
            )]
            tokio::spawn(async move {
                let failure = future.await.err().map(|error| error.to_string());
                let _ = results.send((due.elapsed(), failure)).await;
            });
        }
    };
    tokio::join!(sent, collected).1
}
