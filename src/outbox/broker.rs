//! The brokers that a relay sends to, each in its own way.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Sink;
use plaza_config::{KafkaConfig, RabbitmqConfig};
use plaza_stores::StoreError;
use plaza_stores::kafka::producer::{self, EventProducer};
use plaza_stores::postgres::ShardIndex;
use plaza_stores::postgres::outbox::OutboxRow;
use plaza_stores::rabbitmq::publisher::{self, Publisher};

/// How long RabbitMQ may take to confirm a window.
const CONFIRMED_WITHIN: Duration = Duration::from_secs(10);

/// A broker, and the connection to it while there is one.
pub(super) enum Broker<'a> {
    /// Jobs.
    Rabbitmq {
        config: &'a RabbitmqConfig,
        publisher: Option<Box<Publisher>>,
        /// Whether the last attempt failed, which is said once.
        down: bool,
    },
    /// Events.
    Kafka { config: &'a KafkaConfig, producer: Option<EventProducer> },
}

/// What became of messages.
pub(super) enum Sent {
    /// Whether each was confirmed.
    Confirmed(Vec<bool>),
    /// It is not known of any.
    Failed,
    /// It was time to stop.
    Stopped,
}

impl<'a> Broker<'a> {
    /// RabbitMQ, which is connected to with the first messages.
    pub(super) fn rabbitmq(config: &'a RabbitmqConfig) -> Self {
        Self::Rabbitmq { config, publisher: None, down: false }
    }

    /// Kafka, which is connected to with the first messages.
    pub(super) fn kafka(config: &'a KafkaConfig) -> Self {
        Self::Kafka { config, producer: None }
    }

    /// Connects already, if it can: declaring every queue takes seconds on a busy broker, and
    /// whoever stands by has time for it.
    pub(super) async fn connect(&mut self) {
        if let Self::Rabbitmq { config, publisher, .. } = self {
            *publisher = connect(config).await.ok();
        }
    }

    /// Which messages are its.
    pub(super) fn sink(&self) -> Sink {
        match self {
            Self::Rabbitmq { .. } => Sink::Rabbitmq,
            Self::Kafka { .. } => Sink::Kafka,
        }
    }

    /// Sends messages in order, and waits for the confirmations.
    ///
    /// # Errors
    /// A configuration that the client library refuses.
    pub(super) async fn send(
        &mut self,
        shard: ShardIndex,
        rows: &[OutboxRow],
        stop: &CancellationToken,
    ) -> Result<Sent, StoreError> {
        match self {
            Self::Rabbitmq { config, publisher, down } => {
                let sent = publish_jobs(config, publisher, rows).await;
                say(shard, sent.as_ref().err(), down);
                Ok(sent.map_or(Sent::Failed, Sent::Confirmed))
            }
            Self::Kafka { config, producer } => {
                let connected = match producer.take() {
                    Some(connected) => connected,
                    None => EventProducer::new(config)?,
                };
                let sent = publish_events(&connected, rows, stop).await;
                match sent {
                    Ok(Sent::Confirmed(_)) => *producer = Some(connected),
                    Ok(_) => connected.abandon(),
                    Err(error) => {
                        tracing::warn!(shard = shard.0, %error, "events wait in the outbox");
                        connected.abandon();
                        return Ok(Sent::Failed);
                    }
                }
                sent
            }
        }
    }
}

/// Says when RabbitMQ goes and when it is back.
fn say(shard: ShardIndex, error: Option<&StoreError>, down: &mut bool) {
    match error {
        Some(error) if !*down => {
            tracing::warn!(shard = shard.0, %error, "jobs wait in the outbox");
        }
        None if *down => tracing::info!(shard = shard.0, "rabbitmq is back"),
        _ => {}
    }
    *down = error.is_some();
}

async fn connect(config: &RabbitmqConfig) -> Result<Box<Publisher>, StoreError> {
    Publisher::connect(&config.url, &config.retry_delays_ms).await.map(Box::new)
}

async fn publish_jobs(
    config: &RabbitmqConfig,
    publisher: &mut Option<Box<Publisher>>,
    rows: &[OutboxRow],
) -> Result<Vec<bool>, StoreError> {
    let connected = match publisher.take() {
        Some(connected) => connected,
        None => connect(config).await?,
    };
    let messages: Vec<publisher::Message<'_>> = rows
        .iter()
        .map(|row| publisher::Message {
            queue: &row.topic,
            id: &row.key,
            payload: row.payload.as_bytes(),
        })
        .collect();
    let publishing = tokio::time::timeout(CONFIRMED_WITHIN, connected.publish(&messages)).await;
    let confirmed =
        publishing.map_err(|_| StoreError::unavailable("rabbitmq", "no confirm in 10 s"))??;
    *publisher = Some(connected);
    Ok(confirmed)
}

async fn publish_events(
    producer: &EventProducer,
    rows: &[OutboxRow],
    stop: &CancellationToken,
) -> Result<Sent, StoreError> {
    let messages: Vec<producer::Message<'_>> = rows
        .iter()
        .map(|row| producer::Message { topic: &row.topic, key: &row.key, payload: &row.payload })
        .collect();
    let all = || Sent::Confirmed(vec![true; rows.len()]);
    tokio::select! {
        sent = producer.publish(&messages) => sent.map(|()| all()),
        () = stop.cancelled() => Ok(Sent::Stopped),
    }
}
