//! Consuming events from positions that the database holds; nothing is ever committed to Kafka.

use std::time::Duration;

use rdkafka::consumer::{Consumer, StreamConsumer};
use rdkafka::message::BorrowedMessage;
use rdkafka::{Message as _, Offset, TopicPartitionList};

use super::client::client;
use super::topology::full_name;
use plaza_config::KafkaConfig;
use plaza_protocol::routing::Topic;

/// A partition of a topic.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Partition {
    /// The topic's name, without the prefix.
    pub topic: &'static str,
    /// Its number.
    pub number: i32,
}

/// An event's bytes and where they lie.
#[derive(Debug, Clone)]
pub struct Record {
    /// Where.
    pub partition: Partition,
    /// At which offset.
    pub offset: i64,
    /// The envelope.
    pub payload: Vec<u8>,
}

/// A consumer of some topics.
pub struct EventConsumer {
    inner: StreamConsumer,
    topics: &'static [Topic],
    prefix: String,
}

impl std::fmt::Debug for EventConsumer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EventConsumer").field("topics", &self.topics).finish_non_exhaustive()
    }
}

impl EventConsumer {
    /// A consumer that is not assigned anything yet.
    ///
    /// # Errors
    /// A configuration that librdkafka refuses.
    pub fn new(config: &KafkaConfig, name: &str, topics: &'static [Topic]) -> anyhow::Result<Self> {
        let inner = client(config)
            .set("group.id", format!("{}.{name}", config.topic_prefix))
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            // A position that the log no longer has is an alarm, not a reason to begin elsewhere.
            .set("auto.offset.reset", "error")
            // A record that comes ends the wait; an idle consumer asks ten times a second.
            .set("fetch.wait.max.ms", "100")
            .set("queued.max.messages.kbytes", "16384")
            .create()?;
        Ok(Self { inner, topics, prefix: config.topic_prefix.clone() })
    }

    /// Every partition of the topics. Blocks for up to `wait` a topic: call it off the runtime's
    /// threads.
    ///
    /// # Errors
    /// The broker is unavailable, or does not know a topic.
    pub fn partitions(&self, wait: Duration) -> anyhow::Result<Vec<Partition>> {
        let mut partitions = Vec::new();
        for topic in self.topics {
            let name = full_name(&self.prefix, topic.name());
            let metadata = self.inner.fetch_metadata(Some(&name), wait)?;
            let known = partitions.len();
            for found in metadata.topics().iter().flat_map(|topic| topic.partitions()) {
                partitions.push(Partition { topic: topic.name(), number: found.id() });
            }
            // A broker that has just created a topic answers without its partitions: going on
            // without them would be for good.
            anyhow::ensure!(partitions.len() > known, "kafka has no partitions of {name} yet");
        }
        Ok(partitions)
    }

    /// Begins at these offsets.
    ///
    /// # Errors
    /// What librdkafka refuses.
    pub fn assign(&self, positions: &[(Partition, i64)]) -> anyhow::Result<()> {
        let mut list = TopicPartitionList::new();
        for (partition, offset) in positions {
            list.add_partition_offset(
                &full_name(&self.prefix, partition.topic),
                partition.number,
                Offset::Offset(*offset),
            )?;
        }
        Ok(self.inner.assign(&list)?)
    }

    /// Waits for records: the first one for so long, more only as long as they come without a
    /// pause. None came: empty.
    ///
    /// The wait is in here and not around this call: a batch that was cancelled after its first
    /// record would lose it, since the consumer has gone past it.
    ///
    /// # Errors
    /// What librdkafka says; a partition whose position is gone.
    pub async fn batch(&self, most: usize, wait: Duration) -> anyhow::Result<Vec<Record>> {
        let Ok(first) = tokio::time::timeout(wait, self.inner.recv()).await else {
            return Ok(Vec::new());
        };
        let mut records = vec![self.record(&first?)?];
        while records.len() < most {
            match tokio::time::timeout(Duration::from_millis(2), self.inner.recv()).await {
                Ok(message) => records.push(self.record(&message?)?),
                Err(_) => break,
            }
        }
        Ok(records)
    }

    fn record(&self, message: &BorrowedMessage<'_>) -> anyhow::Result<Record> {
        let topic = self
            .topics
            .iter()
            .find(|topic| full_name(&self.prefix, topic.name()) == message.topic());
        let topic = topic.ok_or_else(|| {
            anyhow::anyhow!("a record of a topic nobody asked for: {}", message.topic())
        })?;
        Ok(Record {
            partition: Partition { topic: topic.name(), number: message.partition() },
            offset: message.offset(),
            payload: message.payload().unwrap_or_default().to_vec(),
        })
    }

    /// The end of a partition: the offset that the next record will have. Blocks for up to `wait`:
    /// call it off the runtime's threads.
    ///
    /// # Errors
    /// The broker is unavailable.
    pub fn end_of(&self, partition: &Partition, wait: Duration) -> anyhow::Result<i64> {
        let name = full_name(&self.prefix, partition.topic);
        Ok(self.inner.fetch_watermarks(&name, partition.number, wait)?.1)
    }
}
