//! Shards that are unavailable, or whose clock refuses ids: the others' events are applied without
//! them, and they catch up by themselves.
//!
//! A shard that fails is left out of the batches. A loop of its own applies its events, from the
//! offsets that it holds, as soon as it answers; when that loop has read as far as the batches
//! have, the shard is taken back. Both may apply the same events for a moment: the offsets that
//! each transaction locks leave out what was applied.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::{BATCH, Progress, Runner};
use plaza_stores::kafka::consumer::Partition;
use plaza_stores::postgres::ShardIndex;

/// How soon a shard that is away is asked again.
const RETRY: Duration = Duration::from_secs(1);
/// How long records are waited for before it is looked whether a shard was taken back.
const LOOK: Duration = Duration::from_millis(100);
/// How long the batches wait for a shard that has nearly caught up.
const HANDOVER: Duration = Duration::from_secs(1);
/// How many events a shard is behind that has.
const NEARLY: i64 = 1_000;

/// The shards that a projection leaves out, and how far each has caught up; `None`: it does not
/// answer, or refuses.
#[derive(Debug)]
pub(super) struct LeftOut {
    projection: &'static str,
    shards: Mutex<BTreeMap<ShardIndex, Option<BTreeMap<Partition, i64>>>>,
    changed: Notify,
}

impl LeftOut {
    /// None of a projection's, to begin with.
    pub fn of(projection: &'static str) -> Self {
        let left_out = Self { projection, shards: Mutex::default(), changed: Notify::new() };
        left_out.record(0);
        left_out
    }

    /// Leaves a shard out from now on.
    pub fn leave(&self, shard: ShardIndex) {
        let mut shards = self.shards.lock();
        shards.insert(shard, None);
        self.record(shards.len());
        drop(shards);
        self.changed.notify_one();
    }

    fn record(&self, shards: usize) {
        metrics::gauge!("plaza_projection_shards_left_out", "projection" => self.projection)
            .set(u32::try_from(shards).unwrap_or(u32::MAX));
    }

    fn has(&self, shard: ShardIndex) -> bool {
        self.shards.lock().contains_key(&shard)
    }

    fn note(&self, shard: ShardIndex, read: Option<BTreeMap<Partition, i64>>) {
        if let Some(noted) = self.shards.lock().get_mut(&shard) {
            *noted = read;
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.shards.lock().len()
    }

    fn all(&self) -> BTreeSet<ShardIndex> {
        self.shards.lock().keys().copied().collect()
    }

    /// Takes those back that have read as far as this.
    fn take_back(&self, read: &BTreeMap<Partition, i64>) -> Vec<ShardIndex> {
        let mut shards = self.shards.lock();
        let back: Vec<ShardIndex> = shards
            .iter()
            .filter(|(_, noted)| noted.as_ref().is_some_and(|noted| behind(noted, read) == 0))
            .map(|(shard, _)| *shard)
            .collect();
        for shard in &back {
            shards.remove(shard);
        }
        self.record(shards.len());
        back
    }

    /// Whether waiting for one of them is worth while.
    fn is_one_near(&self, read: &BTreeMap<Partition, i64>) -> bool {
        let shards = self.shards.lock();
        shards.values().flatten().any(|noted| behind(noted, read) < NEARLY)
    }
}

impl Drop for LeftOut {
    /// Who does not run the projection any more leaves nobody out: another process may run it.
    fn drop(&mut self) {
        self.record(0);
    }
}

/// How many records one is behind the other.
fn behind(one: &BTreeMap<Partition, i64>, other: &BTreeMap<Partition, i64>) -> i64 {
    let missing = |(partition, read): (&Partition, &i64)| {
        (read - one.get(partition).copied().unwrap_or_default()).max(0)
    };
    other.iter().map(missing).sum()
}

impl Runner {
    /// Takes shards back that have caught up; waits a moment for one that nearly has.
    pub(super) async fn take_back(&self, left_out: &LeftOut, progress: &mut Progress) {
        if left_out.len() == 0 {
            return;
        }
        let began = Instant::now();
        loop {
            let back = left_out.take_back(&progress.read);
            if !back.is_empty() {
                tracing::info!(projection = self.projection.name(), shards = ?back, "caught up");
                progress.writing.extend(back);
                // What they have stored is not known.
                progress.level.clear();
            }
            if !left_out.is_one_near(&progress.read) || began.elapsed() > HANDOVER {
                return;
            }
            tokio::time::sleep(LOOK / 10).await;
        }
    }

    /// Lets every shard that is left out catch up; runs until it is dropped.
    pub(super) async fn bring_back(&self, left_out: &LeftOut) {
        let (mut running, mut loops) = (BTreeSet::new(), FuturesUnordered::new());
        loop {
            for shard in left_out.all() {
                if running.insert(shard) {
                    loops.push(async move {
                        self.catch_up(shard, left_out).await;
                        shard
                    });
                }
            }
            tokio::select! {
                () = left_out.changed.notified() => {}
                Some(shard) = loops.next() => {
                    running.remove(&shard);
                }
            }
        }
    }

    /// Applies a shard's events until it is taken back. Why it cannot be is a warning once: it is
    /// asked every second.
    async fn catch_up(&self, shard: ShardIndex, left_out: &LeftOut) {
        let mut is_known = false;
        while left_out.has(shard) {
            if let Err(error) = self.follow(shard, left_out).await {
                let (projection, error) = (self.projection.name(), format!("{error:#}"));
                if is_known {
                    tracing::debug!(projection, shard = shard.0, error, "still left out");
                } else {
                    tracing::warn!(projection, shard = shard.0, error, "a shard is left out");
                }
                is_known = true;
                left_out.note(shard, None);
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    async fn follow(&self, shard: ShardIndex, left_out: &LeftOut) -> anyhow::Result<()> {
        let (consumer, partitions) = self.consumer().await?;
        let mut progress = self.stored(&partitions, &BTreeSet::from([shard])).await?;
        consumer.assign(&progress.starts())?;
        while left_out.has(shard) {
            let records = consumer.batch(BATCH, LOOK).await?;
            let batch = self.events(records, &mut progress).await?;
            if !batch.is_empty() {
                let effects = self.apply(&batch, &mut progress, false).await?.effects;
                self.run_effects(&effects, &mut progress).await;
            }
            left_out.note(shard, Some(progress.read.clone()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(offsets: &[i64]) -> BTreeMap<Partition, i64> {
        let at = |(number, offset): (i32, &i64)| (Partition { topic: "posts", number }, *offset);
        (0..).zip(offsets).map(at).collect()
    }

    #[test]
    fn a_shard_is_taken_back_when_it_has_read_all_that_the_others_have() {
        let (left_out, shard) = (LeftOut::of("likes"), ShardIndex(2));
        left_out.leave(shard);
        assert_eq!(left_out.take_back(&read(&[5, 5])), [], "it does not answer");
        for noted in [&[4, 9][..], &[9, 4], &[9]] {
            left_out.note(shard, Some(read(noted)));
            assert_eq!(left_out.take_back(&read(&[5, 5])), [], "{noted:?}");
            assert!(left_out.is_one_near(&read(&[5, 5])));
        }
        assert!(!left_out.is_one_near(&read(&[5, 5_000])));
        left_out.note(shard, Some(read(&[5, 6])));
        assert_eq!(left_out.take_back(&read(&[5, 5])), [shard]);
        assert_eq!((left_out.len(), left_out.has(shard)), (0, false));
        left_out.note(shard, Some(read(&[5, 6])));
        assert_eq!(left_out.len(), 0, "it is not left out any more");
    }
}
