//! The loop that runs projections.
//!
//! Each projection is run by one process at a time, which holds an advisory lock on the first shard
//! that answers; others stand by. A shard that is unavailable, or whose clock refuses ids, holds
//! up its own events alone (`left_out`).
//! Partitions are assigned by hand, from the offsets that the shards hold: there is no
//! consumer group to rebalance, and no offset anywhere but beside the rows. Per batch and shard
//! there is one transaction: it locks the offsets of the partitions that its events are from,
//! leaves out what they are past, checks each aggregate's versions, writes the rows, the versions
//! and those offsets; the others move when events have ceased to come for a second, or have come
//! for ten. What cannot be read or applied is put aside, and holds up its own aggregate alone
//! (`aside`). A process that lost the lock without noticing moves no offset: each shard knows who
//! has begun last (`leases`), and the offsets it locks are past its events besides.

mod apply;
mod aside;
mod classify;
mod left_out;
mod part;
mod steps;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::all;
use super::lag::Lag;
use super::projection::{Effect, EffectHandler, Projection};
use left_out::LeftOut;
use part::Progress;
use plaza_config::Config;
use plaza_protocol::envelope::EventEnvelope;
use plaza_stores::StoreError;
use plaza_stores::kafka::ANSWERS_WITHIN;
use plaza_stores::kafka::consumer::{EventConsumer, Partition};
use plaza_stores::postgres::leader::exclusively_anywhere;
use plaza_stores::postgres::projections::{self as rows, Position};
use plaza_stores::postgres::{Cluster, Connection, ShardIndex, leases};
use plaza_telemetry::trace;

/// Events in one batch.
const BATCH: usize = 1_000;
/// Batches begin no more often than this: while events come without a pause, a batch is a few of
/// them, and a transaction's cost is shared.
const PACE: Duration = Duration::from_millis(40);
/// After so long without events the offsets of shards that got nothing are moved too, so that a
/// restart does not read everything again.
const LEVEL: Duration = Duration::from_secs(1);
/// The same while events come and come: a transaction on every shard is more work than most
/// batches.
const LEVEL_IN_A_FLOOD: Duration = Duration::from_secs(10);
/// How long a shard may take to say where a projection stands.
const BEGINNING: Duration = Duration::from_secs(2);
/// How long side effects are retried before the projection goes on without them: what they were to
/// invalidate is then made untrusted instead, so that no batch waits for Redis for long.
const EFFECTS_TIMEOUT: Duration = Duration::from_secs(1);

/// Runs every projection until it is stopped.
///
/// # Errors
/// None: what fails is tried again.
pub async fn run(
    cluster: Arc<Cluster>,
    effects: Arc<dyn EffectHandler>,
    config: Arc<Config>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let projections = all(&config.feed).into_iter().map(|projection| {
        let runner = Runner {
            projection,
            cluster: Arc::clone(&cluster),
            effects: Arc::clone(&effects),
            config: Arc::clone(&config),
            parked: AtomicUsize::default(),
            put_aside: Notify::default(),
            epochs: Mutex::default(),
        };
        let (cluster, stop) = (Arc::clone(&cluster), stop.clone());
        async move {
            let name = leases::of_projection(runner.projection.name());
            exclusively_anywhere(cluster, &name, stop, || runner.consume()).await;
        }
    });
    futures_util::future::join_all(projections).await;
    Ok(())
}

struct Runner {
    projection: Box<dyn Projection>,
    cluster: Arc<Cluster>,
    effects: Arc<dyn EffectHandler>,
    config: Arc<Config>,
    /// Partitions that are parked.
    parked: AtomicUsize,
    /// Told when something is put aside.
    put_aside: Notify,
    /// The epoch that this run has begun on each shard.
    epochs: Mutex<BTreeMap<ShardIndex, i64>>,
}

/// An event, decoded, and where it lies.
#[derive(Debug, Clone)]
struct Located {
    partition: Partition,
    offset: i64,
    event: EventEnvelope,
}

impl Runner {
    async fn consume(&self) -> anyhow::Result<()> {
        // Those that were parked before this beginning are tried again.
        self.record_parked(0);
        self.epochs.lock().clear();
        let projection = self.projection.name();
        metrics::counter!("plaza_projection_conflicts_total", "projection" => projection)
            .increment(0);
        let (consumer, partitions) = self.consumer().await?;
        let all: BTreeSet<ShardIndex> = self.cluster.indexes().collect();
        let mut progress = self.stored(&partitions, &all).await?;
        let left_out = LeftOut::of(self.projection.name());
        for shard in all.difference(&progress.writing) {
            left_out.leave(*shard);
        }
        let lag = Lag::new(self.projection.name(), self.projection.topics(), Arc::clone(&consumer));
        lag.read(&progress.read);
        consumer.assign(&progress.starts())?;
        tokio::select! {
            result = self.project(&consumer, (&lag, &left_out), &mut progress) => result,
            () = lag.record() => Ok(()),
            () = self.bring_back(&left_out) => Ok(()),
            () = Box::pin(self.tend()) => Ok(()),
        }
    }

    /// A reader of the projection's topics, and their partitions.
    async fn consumer(&self) -> anyhow::Result<(Arc<EventConsumer>, Vec<Partition>)> {
        let consumer = Arc::new(EventConsumer::new(
            &self.config.kafka,
            self.projection.name(),
            self.projection.topics(),
        )?);
        let asking = Arc::clone(&consumer);
        let partitions =
            tokio::task::spawn_blocking(move || asking.partitions(ANSWERS_WITHIN)).await?;
        if partitions.is_err() {
            metrics::gauge!("plaza_kafka_up").set(0);
        }
        Ok((consumer, partitions?))
    }

    async fn project(
        &self,
        consumer: &EventConsumer,
        (lag, left_out): (&Lag, &LeftOut),
        progress: &mut Progress,
    ) -> anyhow::Result<()> {
        let name = self.projection.name();
        let mut levelled = Instant::now();
        let mut behind = false;
        loop {
            let records = consumer.batch(BATCH, LEVEL).await?;
            self.take_back(left_out, progress).await;
            let batch = self.events(records, progress).await?;
            let level = behind && (batch.is_empty() || levelled.elapsed() >= LEVEL_IN_A_FLOOD);
            if batch.is_empty() && !level {
                continue;
            }
            let began = Instant::now();
            let spans = self.spans(&batch);
            let work = async {
                let applied = self.apply(&batch, progress, level).await?;
                for shard in applied.failed {
                    left_out.leave(shard);
                }
                self.run_effects(&applied.effects, progress).await;
                anyhow::Ok(())
            };
            // What a batch does is part of each of its traces; it is recorded in the first.
            match spans.first() {
                Some(first) => first.run_part(work).await?,
                None => work.await?,
            }
            drop(spans);
            lag.read(&progress.read);
            if !batch.is_empty() {
                metrics::histogram!("plaza_projection_batch_seconds", "projection" => name)
                    .record(began.elapsed().as_secs_f64());
                let events = u64::try_from(batch.len()).unwrap_or_default();
                metrics::counter!("plaza_projection_events_total", "projection" => name)
                    .increment(events);
            }
            behind = !level || !batch.is_empty();
            if level {
                levelled = Instant::now();
            }
            tokio::time::sleep_until(began + PACE).await;
        }
    }

    /// Where a shard says this projection stands, whose epoch there begins unless it has.
    async fn begun(&self, shard: ShardIndex) -> Result<Vec<Position>, StoreError> {
        let (name, begun) = (self.projection.name(), self.epochs.lock().get(&shard).copied());
        let lease = leases::of_projection(name);
        let beginning = async |connection: &mut Connection| -> Result<_, StoreError> {
            let epoch = match begun {
                Some(epoch) => epoch,
                None => leases::begin(connection, &lease).await?,
            };
            Ok((epoch, rows::positions(connection, name).await?))
        };
        let deadline = Instant::now() + BEGINNING;
        let (epoch, positions) = self.cluster.write_unread(shard, deadline, beginning).await?;
        self.epochs.lock().insert(shard, epoch);
        Ok(positions)
    }

    /// Where the shards say this projection stands: each partition's lowest offset of those that
    /// take a transaction.
    async fn stored(
        &self,
        partitions: &[Partition],
        of: &BTreeSet<ShardIndex>,
    ) -> anyhow::Result<Progress> {
        let asked = of.iter().map(|shard| async move { (*shard, self.begun(*shard).await) });
        let (mut shards, mut failed) = (Vec::new(), None);
        for (shard, answer) in futures_util::future::join_all(asked).await {
            match answer {
                Ok(positions) => shards.push((shard, positions)),
                Err(error) if error.is_transient() => failed = Some(error),
                Err(error) => return Err(error.into()),
            }
        }
        if let Some(error) = failed.filter(|_| shards.is_empty()) {
            return Err(error.into());
        }
        Ok(Progress::stored(partitions, shards))
    }

    fn park(&self, parked: &mut HashSet<Partition>, partition: &Partition, offset: i64, why: &str) {
        let projection = self.projection.name();
        tracing::error!(
            projection,
            topic = partition.topic,
            partition = partition.number,
            offset,
            why,
            "parked"
        );
        parked.insert(partition.clone());
        self.record_parked(parked.len());
    }

    fn record_parked(&self, parked: usize) {
        self.parked.store(parked, Ordering::Relaxed);
        let parked = u32::try_from(parked).unwrap_or(u32::MAX);
        metrics::gauge!("plaza_projection_parked", "projection" => self.projection.name())
            .set(parked);
    }

    /// Begins a span for each event that a sampled trace has caused; they end with the list.
    fn spans(&self, batch: &[Located]) -> Vec<trace::Span> {
        if !trace::is_exporting() {
            return Vec::new();
        }
        let begin = |located: &Located| {
            let name = || format!("project {}", self.projection.name()).into();
            let mut span = trace::of_message(
                located.event.traceparent.as_deref(),
                trace::Kind::Consumer,
                name,
            );
            span.set("messaging.system", || "kafka".into());
            span.set("messaging.destination.name", || located.partition.topic.into());
            span.set("messaging.message.id", || located.event.id.clone().into());
            span
        };
        batch.iter().map(begin).filter(trace::Span::is_recording).collect()
    }

    /// Runs a batch's effects.
    async fn run_effects(&self, effects: &[Effect], progress: &mut Progress) {
        self.tell(effects).await;
        progress.effects_ran();
    }

    /// Runs effects, until that has worked or Redis has been unavailable for long.
    async fn tell(&self, effects: &[Effect]) {
        let started = Instant::now();
        while !effects.is_empty() {
            match self.effects.run(effects).await {
                Ok(()) => break,
                Err(error) if started.elapsed() > EFFECTS_TIMEOUT => {
                    tracing::warn!(projection = self.projection.name(), %error, "side effects given up");
                    self.effects.distrust_caches().await;
                    break;
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }
}
