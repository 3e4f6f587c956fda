//! How far a projection is behind: the ends of its partitions, asked of Kafka every few seconds,
//! less what it has read.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use plaza_protocol::routing::Topic;
use plaza_stores::kafka::ANSWERS_WITHIN;
use plaza_stores::kafka::consumer::{EventConsumer, Partition};

/// How often. A poll costs Kafka an answer a partition.
const EVERY: Duration = Duration::from_secs(5);

/// A projection's lag, recorded for as long as this lives.
#[derive(Debug)]
pub struct Lag {
    projection: &'static str,
    topics: &'static [Topic],
    consumer: Arc<EventConsumer>,
    read: Mutex<BTreeMap<Partition, i64>>,
}

impl Lag {
    /// Of a projection that nobody here has read for yet.
    pub fn new(
        projection: &'static str,
        topics: &'static [Topic],
        consumer: Arc<EventConsumer>,
    ) -> Self {
        Self { projection, topics, consumer, read: Mutex::default() }
    }

    /// Everything before these offsets is applied.
    pub fn read(&self, offsets: &BTreeMap<Partition, i64>) {
        self.read.lock().clone_from(offsets);
    }

    /// Records until dropped.
    pub async fn record(&self) {
        loop {
            let ends = ends(&self.consumer, self.partitions()).await;
            metrics::gauge!("plaza_kafka_up").set(if ends.is_ok() { 1.0 } else { 0.0 });
            if let Ok(ends) = ends {
                let read = self.read.lock().clone();
                for topic in self.topics {
                    let of_topic =
                        ends.iter().filter(|(partition, _)| partition.topic == topic.name());
                    let behind = of_topic
                        .map(|(partition, end)| (end - read.get(partition).unwrap_or(end)).max(0))
                        .sum();
                    self.set(topic, behind);
                }
            }
            tokio::time::sleep(EVERY).await;
        }
    }

    fn partitions(&self) -> Vec<Partition> {
        self.read.lock().keys().cloned().collect()
    }

    fn set(&self, topic: &Topic, behind: i64) {
        let behind = u32::try_from(behind).unwrap_or(u32::MAX);
        metrics::gauge!("plaza_projection_lag", "projection" => self.projection, "topic" => topic.name()).set(behind);
    }
}

impl Drop for Lag {
    /// Whoever takes over records it from here on.
    fn drop(&mut self) {
        for topic in self.topics {
            self.set(topic, 0);
        }
    }
}

/// The offset that the next record of each partition will have.
///
/// # Errors
/// Kafka is unavailable.
pub async fn ends(
    consumer: &Arc<EventConsumer>,
    partitions: Vec<Partition>,
) -> anyhow::Result<Vec<(Partition, i64)>> {
    let asking = Arc::clone(consumer);
    tokio::task::spawn_blocking(move || {
        partitions
            .into_iter()
            .map(|partition| Ok((partition.clone(), asking.end_of(&partition, ANSWERS_WITHIN)?)))
            .collect()
    })
    .await?
}
