//! Requests on a schedule that does not wait for answers: exponential gaps at a fixed mean rate, timed from the intended start.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::report::Latencies;

/// Starts `one` at the rate for so long and waits until each has ended. `one` is given its number and a random number of its own.
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
                None => latencies.taken.push(taken),
                Some(failure) => {
                    latencies.failed += 1;
                    if latencies.failed <= 3 {
                        let _ = std::io::Write::write_fmt(&mut std::io::stderr(), format_args!("failed: {failure:.300}\n"));
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
            #[expect(clippy::disallowed_methods, reason = "open loop: nobody waits for a request before sending the next")]
            tokio::spawn(async move {
                let failure = future.await.err().map(|error| error.to_string());
                let _ = results.send((due.elapsed(), failure)).await;
            });
        }
    };
    tokio::join!(sent, collected).1
}
