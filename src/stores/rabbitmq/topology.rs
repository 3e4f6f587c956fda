//! Exchange, queues, retry queues and dead-letter queues.
//!
//! Every queue is a quorum queue. Its messages are dead-lettered at least once, for which RabbitMQ
//! wants a full queue to refuse what is published (`x-overflow`), not to drop its oldest. But none
//! has a length, so that none is ever full: what bounds them is the broker, which blocks whoever
//! publishes when its memory or disk runs short, and then jobs wait in the outbox. A policy can
//! give them a length (docs/operations.md, QueueGrows). Arguments cannot: those of a queue that is
//! there do not change.
//!
//! A failed job waits in a retry queue of a fixed delay (the queue's TTL: per-message TTLs expire
//! only at the head) that dead-letters back into the first.

use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, ExchangeKind};

use super::unavailable;
use crate::StoreError;
use plaza_protocol::routing::Queue;

/// The exchange that jobs are published to; the routing key is a queue's name.
pub const EXCHANGE: &str = "plaza.jobs";
/// Deliveries without an acknowledgement (a worker that died) before the broker itself gives up on
/// a job.
const DELIVERY_LIMIT: i32 = 20;

/// The queue in which a failed job waits for so long.
pub fn retry_queue(queue: Queue, delay_ms: u32) -> String {
    format!("{}.retry.{delay_ms}", queue.name())
}

/// The queue of jobs that were given up.
pub fn dead_queue(queue: Queue) -> String {
    format!("{}.dead", queue.name())
}

fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(value.into())
}

fn quorum() -> FieldTable {
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), text("quorum"));
    arguments.insert("x-overflow".into(), text("reject-publish"));
    arguments
}

fn dead_lettering_to(routing_key: &str) -> FieldTable {
    let mut arguments = quorum();
    arguments.insert("x-dead-letter-exchange".into(), text(EXCHANGE));
    arguments.insert("x-dead-letter-routing-key".into(), text(routing_key));
    arguments.insert("x-dead-letter-strategy".into(), text("at-least-once"));
    arguments
}

/// Declares everything; what is there already stays.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn declare(channel: &Channel, retry_delays_ms: &[u32]) -> Result<(), StoreError> {
    let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    channel
        .exchange_declare(EXCHANGE.into(), ExchangeKind::Direct, durable, FieldTable::default())
        .await
        .map_err(unavailable)?;
    for queue in Queue::ALL {
        let dead = dead_queue(queue);
        declare_bound(channel, &dead, quorum()).await?;
        let mut arguments = dead_lettering_to(&dead);
        arguments.insert("x-delivery-limit".into(), AMQPValue::LongInt(DELIVERY_LIMIT));
        declare_bound(channel, queue.name(), arguments).await?;
        for delay in retry_delays_ms {
            let mut arguments = dead_lettering_to(queue.name());
            arguments.insert("x-message-ttl".into(), AMQPValue::LongLongInt(i64::from(*delay)));
            declare_bound(channel, &retry_queue(queue, *delay), arguments).await?;
        }
    }
    Ok(())
}

async fn declare_bound(
    channel: &Channel,
    name: &str,
    arguments: FieldTable,
) -> Result<(), StoreError> {
    channel
        .queue_declare(name.into(), QueueDeclareOptions::durable(), arguments)
        .await
        .map_err(unavailable)?;
    channel
        .queue_bind(
            name.into(),
            EXCHANGE.into(),
            name.into(),
            QueueBindOptions::default(),
            FieldTable::default(),
        )
        .await
        .map_err(unavailable)
}
