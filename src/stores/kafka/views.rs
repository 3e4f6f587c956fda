//! The log of views. Writing never waits: a record goes into librdkafka's own bounded queue or is
//! dropped, a thread of its sends what is there in batches, and what is not acknowledged in time is
//! dropped too; both are counted. Reading is by thousands, on a thread of its own.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer};
use rdkafka::{ClientContext, Message as _, Offset, TopicPartitionList};
use tokio::sync::mpsc;

use super::client::client;
use super::topology::full_name;
use plaza_base::ids::Id;
use plaza_config::KafkaConfig;
use plaza_protocol::routing::Topic;
use plaza_protocol::views::View;

/// Views that wait to be sent, per process: two seconds of the highest rate that was measured.
const QUEUED: &str = "200000";
/// How long Kafka may take to acknowledge a view before it is given up, in milliseconds: what its
/// own producers allow (`delivery.timeout.ms`). A broker that stands still for less loses none, as
/// long as the queue has room.
const TIMEOUT_MS: &str = "120000";
/// Batches read ahead of the one at work.
const READ_AHEAD: usize = 2;
/// How long the reading thread waits for a record before it checks whether anybody still wants one.
const POLL: Duration = Duration::from_millis(100);

/// What became of the views that were offered.
#[derive(Debug, Default)]
pub struct Fates {
    acknowledged: AtomicU64,
    dropped: AtomicU64,
}

impl Fates {
    /// Views that all in-sync replicas have.
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Relaxed)
    }

    /// Views that were given up: the queue was full, or Kafka did not acknowledge in time.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    fn drop_one(&self, why: &'static str) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
        metrics::counter!("plaza_views_dropped_total", "why" => why).increment(1);
    }
}

/// Counts what Kafka says of each record.
struct Counting {
    fates: Arc<Fates>,
    acknowledged: metrics::Counter,
}

impl ClientContext for Counting {}

impl ProducerContext for Counting {
    type DeliveryOpaque = ();

    fn delivery(&self, delivery: &DeliveryResult<'_>, (): ()) {
        match delivery {
            Ok(_) => {
                self.fates.acknowledged.fetch_add(1, Ordering::Relaxed);
                self.acknowledged.increment(1);
            }
            Err(_) => self.fates.drop_one("not acknowledged"),
        }
    }
}

/// Writes views.
pub struct ViewProducer {
    inner: ThreadedProducer<Counting>,
    topic: String,
    fates: Arc<Fates>,
}

impl std::fmt::Debug for ViewProducer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ViewProducer")
            .field("topic", &self.topic)
            .field("fates", &self.fates)
            .finish_non_exhaustive()
    }
}

impl ViewProducer {
    /// Connects in the background.
    ///
    /// # Errors
    /// A configuration that librdkafka refuses.
    pub fn new(config: &KafkaConfig) -> anyhow::Result<Self> {
        let fates = Arc::new(Fates::default());
        let context = Counting {
            fates: Arc::clone(&fates),
            acknowledged: metrics::counter!("plaza_views_acknowledged_total"),
        };
        let inner = client(config)
            .set("client.id", "plaza-views")
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("compression.type", "lz4")
            .set("linger.ms", "20")
            .set("batch.num.messages", "10000")
            .set("queue.buffering.max.messages", QUEUED)
            .set("message.timeout.ms", TIMEOUT_MS)
            .create_with_context(context)?;
        Ok(Self { inner, topic: full_name(&config.topic_prefix, Topic::Views.name()), fates })
    }

    /// Takes a view if there is room for it; never waits.
    pub fn offer(&self, view: &View) -> bool {
        let (key, payload) = (view.post_id.as_i64().to_be_bytes(), view.encode());
        let taken =
            self.inner.send(BaseRecord::to(&self.topic).key(&key).payload(&payload)).is_ok();
        if !taken {
            self.fates.drop_one("queue full");
        }
        taken
    }

    /// What has become of them so far.
    pub fn fates(&self) -> &Fates {
        &self.fates
    }

    /// Waits until all that was taken is acknowledged or given up. Blocks: call it off the
    /// runtime's threads.
    ///
    /// # Errors
    /// Some still wait after so long.
    pub fn flush(&self, timeout: Duration) -> anyhow::Result<()> {
        Ok(self.inner.flush(timeout)?)
    }
}

/// A record of the topic.
#[derive(Debug, Clone, Copy)]
pub struct Read {
    /// In which partition.
    pub partition: i32,
    /// At which offset.
    pub offset: i64,
    /// The view; `None` when the bytes are none.
    pub view: Option<View>,
}

/// Reads views, many at a time, ahead of whoever takes them.
#[derive(Debug)]
pub struct ViewReader {
    batches: mpsc::Receiver<anyhow::Result<Vec<Read>>>,
}

/// A consumer, and its first partitions.
fn consumer(config: &KafkaConfig) -> anyhow::Result<BaseConsumer> {
    Ok(client(config)
        .set("group.id", format!("{}.view_windows", config.topic_prefix))
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        // A position that the log no longer has is an alarm, not a reason to begin elsewhere.
        .set("auto.offset.reset", "error")
        .set("fetch.wait.max.ms", "50")
        .set("queued.min.messages", "200000")
        .set("queued.max.messages.kbytes", "65536")
        .create()?)
}

/// Every partition of the topic, with the first offset that the log has and the one that the next
/// record will have. Blocks for up to `wait` a request, of which there is one for the topic and one
/// a partition: call it off the runtime's threads.
///
/// # Errors
/// The broker is unavailable, or does not know the topic.
pub fn bounds(config: &KafkaConfig, wait: Duration) -> anyhow::Result<BTreeMap<i32, (i64, i64)>> {
    let (consumer, topic) =
        (consumer(config)?, full_name(&config.topic_prefix, Topic::Views.name()));
    let metadata = consumer.fetch_metadata(Some(&topic), wait)?;
    let mut found = BTreeMap::new();
    for partition in metadata.topics().iter().flat_map(|topic| topic.partitions()) {
        found.insert(partition.id(), consumer.fetch_watermarks(&topic, partition.id(), wait)?);
    }
    anyhow::ensure!(!found.is_empty(), "kafka has no partitions of {topic} yet");
    Ok(found)
}

impl ViewReader {
    /// Begins at these offsets. A batch is what comes within `gather` of its first record, at most
    /// `most` records.
    ///
    /// # Errors
    /// What librdkafka refuses.
    pub fn new(
        config: &KafkaConfig,
        positions: &BTreeMap<i32, i64>,
        most: usize,
        gather: Duration,
    ) -> anyhow::Result<Self> {
        let (consumer, topic) =
            (consumer(config)?, full_name(&config.topic_prefix, Topic::Views.name()));
        let mut list = TopicPartitionList::new();
        for (partition, offset) in positions {
            list.add_partition_offset(&topic, *partition, Offset::Offset(*offset))?;
        }
        consumer.assign(&list)?;
        let (sender, batches) = mpsc::channel(READ_AHEAD);
        // Ends when the receiver is dropped: within a moment of it.
        let _thread = tokio::task::spawn_blocking(move || {
            while !sender.is_closed() {
                let batch = batch(&consumer, most, gather);
                let (failed, empty) = (batch.is_err(), batch.as_ref().is_ok_and(Vec::is_empty));
                if (!empty && sender.blocking_send(batch).is_err()) || failed {
                    return;
                }
            }
        });
        Ok(Self { batches })
    }

    /// The next batch; empty when none came in so long.
    ///
    /// # Errors
    /// What librdkafka says; a position that the log no longer has.
    pub async fn next(&mut self, wait: Duration) -> anyhow::Result<Vec<Read>> {
        match tokio::time::timeout(wait, self.batches.recv()).await {
            Ok(Some(batch)) => batch,
            Ok(None) => anyhow::bail!("the reading thread has ended"),
            Err(_) => Ok(Vec::new()),
        }
    }
}

fn batch(consumer: &BaseConsumer, most: usize, gather: Duration) -> anyhow::Result<Vec<Read>> {
    let mut records = Vec::new();
    let mut until: Option<Instant> = None;
    while records.len() < most {
        let wait = until.map_or(POLL, |until| until.saturating_duration_since(Instant::now()));
        let Some(message) = consumer.poll(wait) else { break };
        let message = message?;
        let view = message.payload().and_then(View::decode);
        records.push(Read { partition: message.partition(), offset: message.offset(), view });
        until.get_or_insert_with(|| Instant::now() + gather);
    }
    Ok(records)
}
