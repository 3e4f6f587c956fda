//! Records how deep the queues are, every few seconds, on a connection of its own: what is in the
//! way of jobs is not to be in the way of this.

use std::sync::Arc;
use std::time::Duration;

use lapin::Connection;
use tokio_util::sync::CancellationToken;

use plaza_base::clock::pause;
use plaza_config::Config;
use plaza_stores::StoreError;
use plaza_stores::rabbitmq::{connect, depths};

/// How often. A poll costs the broker some dozen answers, from each worker.
const EVERY: Duration = Duration::from_secs(5);
/// How long a poll may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Records until it is stopped.
pub async fn record(config: Arc<Config>, stop: CancellationToken) {
    let mut kept = None;
    loop {
        let polled = tokio::select! {
            polled = tokio::time::timeout(TIMEOUT, poll(&config, &mut kept)) => polled.is_ok_and(|polled| polled.is_ok()),
            () = stop.cancelled() => return,
        };
        metrics::gauge!("plaza_rabbitmq_up").set(if polled { 1.0 } else { 0.0 });
        if !polled {
            kept = None;
        }
        pause(EVERY, &stop).await;
    }
}

async fn poll(config: &Config, kept: &mut Option<Connection>) -> Result<(), StoreError> {
    let connection = match kept.take() {
        Some(connection) => connection,
        None => connect(&config.rabbitmq.url, "plaza queue depths").await?,
    };
    for depth in depths::depths(&connection, &config.rabbitmq.retry_delays_ms).await? {
        depth.record();
    }
    *kept = Some(connection);
    Ok(())
}
