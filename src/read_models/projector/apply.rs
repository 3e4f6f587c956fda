//! A batch, written: each shard's part in one transaction, with the versions and the offsets.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use super::super::projection::Effect;
use super::aside::say;
use super::classify::classified;
use super::part::{Part, Progress, positions};
use super::{Located, Runner};
use plaza_protocol::envelope::EventEnvelope;
use plaza_stores::StoreError;
use plaza_stores::kafka::consumer::Partition;
use plaza_stores::postgres::ShardIndex;
use plaza_stores::postgres::projections as rows;
use plaza_stores::postgres::unreadable_records::{self as aside, Unreadable};

/// How long a batch's transactions may take.
const DEADLINE: Duration = Duration::from_secs(10);

impl Runner {
    /// Writes a batch, each shard's part in one transaction. With `level`, shards that got nothing
    /// move their offsets too, where those are not where they belong. A shard that is unavailable,
    /// or whose clock refuses ids, is written no more, unless it is the only one.
    pub(super) async fn apply(
        &self,
        batch: &[Located],
        progress: &mut Progress,
        level: bool,
    ) -> anyhow::Result<Batch> {
        let mut by_shard: BTreeMap<ShardIndex, Vec<&Located>> = BTreeMap::new();
        if level {
            by_shard.extend(progress.writing.iter().map(|index| (*index, Vec::new())));
        }
        for located in batch {
            let target = self.projection.target(located.event.event.aggregate());
            let Some(bucket) = target else { continue };
            let shard = self.cluster.shard_of(bucket);
            if progress.writing.contains(&shard) {
                by_shard.entry(shard).or_default().push(located);
            }
        }
        let effects = &progress.effects;
        let mut writes = Vec::new();
        for (shard, events) in &by_shard {
            let next = progress.next_of(events, level);
            writes.push(async move {
                (*shard, self.apply_to_shard(*shard, events, next, effects).await)
            });
        }
        let applied = futures_util::future::join_all(writes).await;
        if level {
            progress.level = effects.clone();
        }
        let (mut effects, mut gaps, mut failed) = (Vec::new(), Vec::new(), BTreeSet::new());
        for (shard, result) in applied {
            match result {
                Ok(applied) => {
                    effects.extend(applied.effects);
                    gaps.extend(applied.gaps);
                }
                Err(error) if is_one_shards(&error) && progress.writing.len() > 1 => {
                    let projection = self.projection.name();
                    tracing::warn!(projection, shard = shard.0, %error, "goes on without a shard");
                    progress.writing.remove(&shard);
                    failed.insert(shard);
                }
                Err(error) => return Err(error.into()),
            }
        }
        for (partition, offset, why) in gaps {
            progress.ends_at(&partition, offset);
            if !progress.parked.contains(&partition) {
                self.park(&mut progress.parked, &partition, offset, &why);
            }
        }
        effects.sort_unstable();
        effects.dedup();
        Ok(Batch { effects, failed })
    }

    /// Applies a shard's events and moves its offsets to `next`. Events that an earlier run has
    /// applied have their effects once more.
    async fn apply_to_shard(
        &self,
        shard: ShardIndex,
        events: &[&Located],
        next: BTreeMap<Partition, i64>,
        effects: &BTreeMap<Partition, i64>,
    ) -> Result<Applied, StoreError> {
        let name = self.projection.name();
        // None but of a shard that has not begun, whose epochs are from 1.
        let epoch = self.epochs.lock().get(&shard).copied().unwrap_or_default();
        self.cluster
            .write_outbox(
                shard,
                Instant::now() + DEADLINE,
                async |connection| -> Result<_, StoreError> {
                    let (topics, numbers): (Vec<&str>, Vec<i32>) =
                        next.keys().map(|partition| (partition.topic, partition.number)).unzip();
                    let held = rows::lock_positions_in(connection, name, &topics, &numbers).await?;
                    let Part { repeated, new } = Part::of(events, &held);
                    let mut applied =
                        Applied { effects: self.effects_of(&repeated), gaps: Vec::new() };
                    if !new.is_empty() {
                        let classified = classified(connection, name, &new).await?;
                        if !classified.apply.is_empty() {
                            let committed = self
                                .projection
                                .commit(connection, shard, &classified.apply)
                                .await?;
                            applied.effects.extend(committed);
                            rows::store_versions(connection, name, &classified.versions).await?;
                        }
                        if !classified.aside.is_empty() {
                            let records: Vec<&Unreadable> = classified.aside.iter().collect();
                            aside::put_aside(connection, name, &records).await?;
                            say(name, &records);
                            self.put_aside.notify_one();
                        }
                        applied.effects.extend(self.effects_of(&classified.repeated));
                        self.report(&classified.conflicts);
                        applied.gaps = classified.gaps;
                    }
                    let positions = positions(next.clone(), effects, &applied.gaps);
                    rows::move_positions(connection, (name, epoch), &positions).await?;
                    Ok(applied)
                },
            )
            .await
    }

    /// Events that are no repeats, though their versions are applied: of a history of the shard
    /// that was lost, or what that one was taken for.
    fn report(&self, conflicts: &[&Located]) {
        let projection = self.projection.name();
        for located in conflicts {
            metrics::counter!("plaza_projection_conflicts_total", "projection" => projection)
                .increment(1);
            tracing::error!(
                projection,
                topic = located.partition.topic,
                partition = located.partition.number,
                offset = located.offset,
                event = located.event.id,
                identity = located.event.identity,
                "another event has this version already"
            );
        }
    }

    fn effects_of(&self, repeated: &[&Located]) -> Vec<Effect> {
        if repeated.is_empty() {
            return Vec::new();
        }
        let events: Vec<EventEnvelope> =
            repeated.iter().map(|located| located.event.clone()).collect();
        self.projection.effects(&events)
    }
}

/// Whether a failure is one shard's and passes by itself: the others go on without it. A clock that
/// is behind refuses whatever needs an id, for as long as it is.
fn is_one_shards(error: &StoreError) -> bool {
    error.is_transient() || matches!(error, StoreError::Clock(_))
}

/// What became of a batch.
pub(super) struct Batch {
    /// What is to be told.
    pub effects: Vec<Effect>,
    /// Shards that were unavailable, or whose clock refused ids.
    pub failed: BTreeSet<ShardIndex>,
}

/// What became of a shard's events.
struct Applied {
    effects: Vec<Effect>,
    /// The partitions in which a version is missing and no more can be put aside, where, and which.
    gaps: Vec<(Partition, i64, String)>,
}
