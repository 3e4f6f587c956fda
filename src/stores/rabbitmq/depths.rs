//! How many jobs lie in the queues: asked of the broker itself, a passive declaration a queue,
//! which changes nothing.

use lapin::options::QueueDeclareOptions;
use lapin::types::FieldTable;
use lapin::{Channel, Connection};

use super::topology::{dead_queue, retry_queue};
use super::unavailable;
use crate::StoreError;
use plaza_protocol::routing::Queue;

/// What lies in a queue of jobs and in those behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Depth {
    /// The queue.
    pub queue: Queue,
    /// Jobs that nobody has taken yet.
    pub waiting: u32,
    /// Failed jobs that wait for their next attempt.
    pub retry: u32,
    /// Jobs that were given up.
    pub dead: u32,
    /// Consumers of the queue.
    pub consumers: u32,
}

impl Depth {
    /// Sets its metrics.
    pub fn record(&self) {
        let queue = self.queue.name();
        for (state, jobs) in [("waiting", self.waiting), ("retry", self.retry), ("dead", self.dead)]
        {
            metrics::gauge!("plaza_queue_messages", "queue" => queue, "state" => state).set(jobs);
        }
        metrics::gauge!("plaza_queue_consumers", "queue" => queue).set(self.consumers);
    }
}

/// Asks for all queues, on a channel of its own.
///
/// # Errors
/// [`StoreError::Unavailable`]: the broker is unavailable, or does not have the queues yet.
pub async fn depths(
    connection: &Connection,
    retry_delays_ms: &[u32],
) -> Result<Vec<Depth>, StoreError> {
    let channel = connection.create_channel().await.map_err(unavailable)?;
    let mut depths = Vec::new();
    for queue in Queue::ALL {
        let (waiting, consumers) = ask(&channel, queue.name()).await?;
        let (dead, _) = ask(&channel, &dead_queue(queue)).await?;
        let mut retry = 0;
        for delay in retry_delays_ms {
            retry += ask(&channel, &retry_queue(queue, *delay)).await?.0;
        }
        depths.push(Depth { queue, waiting, retry, dead, consumers });
    }
    channel.close(200, "done".into()).await.map_err(unavailable)?;
    Ok(depths)
}

async fn ask(channel: &Channel, name: &str) -> Result<(u32, u32), StoreError> {
    let found = channel
        .queue_declare(name.into(), QueueDeclareOptions::default().passive(), FieldTable::default())
        .await;
    let found = found.map_err(unavailable)?;
    Ok((found.message_count(), found.consumer_count()))
}
