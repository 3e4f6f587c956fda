//! Queues that begin empty: after a restore, the jobs in them are of another past.

use lapin::options::{QueueDeclareOptions, QueuePurgeOptions};
use lapin::types::FieldTable;

use super::topology::{dead_queue, retry_queue};
use super::{connect, unavailable};
use crate::StoreError;
use plaza_config::RabbitmqConfig;
use plaza_protocol::routing::Queue;

/// How many jobs wait in our queues, those for retries and the dead ones included; with `purge`
/// they are deleted. What a worker holds is not seen: there must be none.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn jobs(config: &RabbitmqConfig, purge: bool) -> Result<u64, StoreError> {
    let connection = connect(&config.url, "plaza restore").await?;
    let mut jobs = 0;
    for queue in Queue::ALL {
        let retries = config.retry_delays_ms.iter().map(|delay| retry_queue(queue, *delay));
        let names = [queue.name().to_owned(), dead_queue(queue)].into_iter().chain(retries);
        for name in names {
            // A queue that is not there closes its channel: a new one for each.
            let channel = connection.create_channel().await.map_err(unavailable)?;
            let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::durable() };
            let declared =
                channel.queue_declare(name.as_str().into(), passive, FieldTable::default()).await;
            let Ok(found) = declared else { continue };
            jobs += u64::from(found.message_count());
            if purge {
                let purging =
                    channel.queue_purge(name.as_str().into(), QueuePurgeOptions::default());
                purging.await.map_err(unavailable)?;
            }
        }
    }
    Ok(jobs)
}
