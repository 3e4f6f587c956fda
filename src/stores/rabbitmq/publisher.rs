//! Publishing with confirms: a message counts as sent only when the broker has it in a queue.

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Confirmation, Connection};
use secrecy::SecretString;

use super::{connect, topology, unavailable};
use crate::StoreError;

/// Delivery mode 2: written to disk.
const PERSISTENT: u8 = 2;

/// One message.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    /// The queue's name.
    pub queue: &'a str,
    /// The job's id.
    pub id: &'a str,
    /// The envelope, or whatever bytes came in its place.
    pub payload: &'a [u8],
}

/// A connection with one channel in confirm mode.
#[derive(Debug)]
pub struct Publisher {
    _connection: Connection,
    channel: Channel,
}

impl Publisher {
    /// Connects, and declares the topology.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn connect(url: &SecretString, retry_delays_ms: &[u32]) -> Result<Self, StoreError> {
        let connection = connect(url, "plaza publisher").await?;
        let channel = connection.create_channel().await.map_err(unavailable)?;
        topology::declare(&channel, retry_delays_ms).await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await.map_err(unavailable)?;
        Ok(Self { _connection: connection, channel })
    }

    /// Publishes all, then waits for all confirms: one round trip for the lot. For each message,
    /// whether it is in its queue.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: what happened to the messages is not known, and the connection
    /// is not to be used again.
    pub async fn publish(&self, messages: &[Message<'_>]) -> Result<Vec<bool>, StoreError> {
        let mut confirms = Vec::with_capacity(messages.len());
        for message in messages {
            confirms.push(self.send(message, FieldTable::default()).await?);
        }
        let mut sent = Vec::with_capacity(messages.len());
        for confirm in confirms {
            sent.push(is_in_a_queue(&confirm.await.map_err(unavailable)?));
        }
        Ok(sent)
    }

    /// Publishes one message with headers.
    ///
    /// # Errors
    /// As [`Publisher::publish`]; also when no queue took it.
    pub async fn publish_with(
        &self,
        message: &Message<'_>,
        headers: &[(&str, AMQPValue)],
    ) -> Result<(), StoreError> {
        let mut table = FieldTable::default();
        for (name, value) in headers {
            table.insert((*name).into(), value.clone());
        }
        let confirmation = self.send(message, table).await?.await.map_err(unavailable)?;
        if is_in_a_queue(&confirmation) {
            return Ok(());
        }
        Err(StoreError::unavailable(
            "rabbitmq",
            format!("queue {} did not take the message", message.queue),
        ))
    }

    async fn send(
        &self,
        message: &Message<'_>,
        headers: FieldTable,
    ) -> Result<lapin::PublisherConfirm, StoreError> {
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let properties = BasicProperties::default()
            .with_delivery_mode(PERSISTENT)
            .with_content_type("application/json".into())
            .with_message_id(message.id.into())
            .with_headers(headers);
        self.channel
            .basic_publish(
                topology::EXCHANGE.into(),
                message.queue.into(),
                options,
                message.payload,
                properties,
            )
            .await
            .map_err(unavailable)
    }
}

/// An acknowledged message that came back was routed to no queue: it is not sent, although the
/// broker acknowledges it.
fn is_in_a_queue(confirmation: &Confirmation) -> bool {
    matches!(confirmation, Confirmation::Ack(None))
}
