//! Producing events: idempotent, acknowledged by all in-sync replicas, and without gaps.

use std::time::Duration;

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{FutureProducer, FutureRecord, Producer};

use super::client::client;
use super::topology::full_name;
use crate::StoreError;
use plaza_config::KafkaConfig;

/// One event.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    /// The topic's name, without the prefix.
    pub topic: &'a str,
    /// The aggregate: what order is kept by.
    pub key: &'a str,
    /// The envelope.
    pub payload: &'a str,
}

/// A producer.
pub struct EventProducer {
    inner: FutureProducer,
    prefix: String,
}

impl std::fmt::Debug for EventProducer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EventProducer").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

fn unavailable(error: impl std::fmt::Display) -> StoreError {
    StoreError::unavailable("kafka", error)
}

impl EventProducer {
    /// Connects in the background.
    ///
    /// # Errors
    /// A configuration that librdkafka refuses.
    pub fn new(config: &KafkaConfig) -> Result<Self, StoreError> {
        let inner = client(config)
            .set("client.id", "plaza-relay")
            .set("enable.idempotence", "true")
            .set("acks", "all")
            // A message that is lost after all must not be followed by a later one of the same
            // partition: fatal instead, and the relay begins again from the outbox.
            .set("enable.gapless.guarantee", "true")
            .set("message.timeout.ms", "600000")
            .set("linger.ms", "2")
            .create()
            .map_err(unavailable)?;
        Ok(Self { inner, prefix: config.topic_prefix.clone() })
    }

    /// Hands all to the client in order, then waits for every acknowledgement.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: at least one is not acknowledged; what happened to the others
    /// is not known, and this producer is not to be used again.
    pub async fn publish(&self, messages: &[Message<'_>]) -> Result<(), StoreError> {
        let mut deliveries = Vec::with_capacity(messages.len());
        for message in messages {
            let topic = full_name(&self.prefix, message.topic);
            let mut record = FutureRecord::to(&topic).key(message.key).payload(message.payload);
            loop {
                match self.inner.send_result(record) {
                    Ok(delivery) => break deliveries.push(delivery),
                    Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                        record = back;
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                    Err((error, _)) => return Err(unavailable(error)),
                }
            }
        }
        for delivery in deliveries {
            match delivery.await {
                Ok(Ok(_)) => {}
                Ok(Err((error, _))) => return Err(unavailable(error)),
                Err(_) => return Err(unavailable("the producer has ended")),
            }
        }
        Ok(())
    }

    /// Drops what has not been sent: it is in the outbox.
    pub fn abandon(&self) {
        self.inner.purge(rdkafka::producer::PurgeConfig::default().queue().inflight());
    }
}
