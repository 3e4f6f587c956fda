//! Requests on a schedule that does not wait for answers, at a rate that changes while it runs.

use std::collections::BTreeMap;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::report::Latencies;

/// How often the rate is looked at, in seconds.
const LISTEN_S: f64 = 0.1;

/// One request.
#[derive(Debug, Clone, Copy)]
pub struct Sent {
    /// When it was to start, since the wave began.
    pub due: Duration,
    /// From then to the last byte.
    pub taken: Duration,
    /// Whether it went wrong.
    pub failed: bool,
}

/// Those that were to start between two moments.
pub fn between(sent: &[Sent], from: Duration, to: Duration) -> Latencies {
    let mut latencies = Latencies::default();
    for sent in sent.iter().filter(|sent| (from..to).contains(&sent.due)) {
        if sent.failed {
            latencies.failed += 1;
        } else {
            latencies.record(sent.taken);
        }
    }
    latencies
}

/// What failures have in common: plaza's code for it where there is one, else its beginning.
fn cause(failure: &str) -> String {
    let code = failure.split_once("\"code\":\"").and_then(|(_, rest)| rest.split_once('"'));
    code.map_or_else(|| failure.chars().take(100).collect(), |(code, _)| code.to_owned())
}

/// Starts `one` at the rate that is said just now, requests a second, until it is below nought;
/// then waits until each has ended.
pub async fn wave<F, One>(
    rate: watch::Receiver<f64>,
    began: Instant,
    seed: u64,
    mut one: F,
) -> Vec<Sent>
where
    F: FnMut(u64) -> One,
    One: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    let mut random = StdRng::seed_from_u64(seed);
    let (results, mut done) = mpsc::channel::<(Sent, Option<String>)>(4_096);
    let collected = async {
        let (mut all, mut causes) = (Vec::new(), BTreeMap::<String, usize>::new());
        while let Some((sent, failure)) = done.recv().await {
            if let Some(failure) = failure {
                *causes.entry(cause(&failure)).or_default() += 1;
            }
            all.push(sent);
        }
        for (cause, count) in causes {
            let _ = std::io::Write::write_fmt(
                &mut std::io::stderr(),
                format_args!("failed {count} times: {cause}\n"),
            );
        }
        all
    };
    let sending = async move {
        let mut due = Instant::now();
        loop {
            let now_at = *rate.borrow();
            if now_at < 0.0 {
                return;
            }
            // Exponential gaps have no memory: one that is too long to wait for is drawn again, so
            // that a change of the rate is soon heard.
            let gap = if now_at > 0.0 {
                -random.random::<f64>().max(1e-12).ln() / now_at
            } else {
                f64::INFINITY
            };
            due += Duration::from_secs_f64(gap.min(LISTEN_S));
            tokio::time::sleep_until(due).await;
            if gap > LISTEN_S {
                continue;
            }
            let (future, results) = (one(random.random()), results.clone());
            #[expect(
                clippy::disallowed_methods,
                reason = "open loop: nobody waits for a request before sending the next"
            )]
            tokio::spawn(async move {
                let failure = future.await.err().map(|error| error.to_string());
                let sent = Sent {
                    due: due.duration_since(began),
                    taken: due.elapsed(),
                    failed: failure.is_some(),
                };
                let _ = results.send((sent, failure)).await;
            });
        }
    };
    tokio::join!(sending, collected).1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_told_by_their_code() {
        assert_eq!(
            cause(r#"HTTP 503: [{"extensions":{"code":"OVERLOADED"},"message":"busy"}]"#),
            "OVERLOADED"
        );
        assert_eq!(cause("HTTP 502: no JSON"), "HTTP 502: no JSON");
    }
}
