//! Where the counting of views stands, and the shards that it goes on without.

use std::collections::{BTreeMap, BTreeSet};

use parking_lot::Mutex;

use super::Recent;
use super::projector::NAME;
use plaza_stores::StoreError;
use plaza_stores::postgres::ShardIndex;

/// Where everything stands, on the shards that are written.
#[derive(Default)]
pub struct Progress {
    /// The epoch that this run has begun on each shard.
    pub epochs: BTreeMap<ShardIndex, i64>,
    /// The next offset of each partition, by shard.
    pub next: BTreeMap<ShardIndex, BTreeMap<i32, i64>>,
    /// The newest view of each partition, in Unix milliseconds.
    pub watermarks: BTreeMap<i32, i64>,
    /// The sketches of each shard's newest windows.
    pub recent: BTreeMap<ShardIndex, Recent>,
}

impl Progress {
    /// The lowest offset of each partition: where to begin to read.
    pub fn starts(&self) -> BTreeMap<i32, i64> {
        let mut starts: BTreeMap<i32, i64> = BTreeMap::new();
        for (partition, offset) in self.next.values().flatten() {
            let start = starts.entry(*partition).or_insert(*offset);
            *start = (*offset).min(*start);
        }
        starts
    }

    /// Takes the newest views that are known where reading begins. What a shard that is further
    /// knows would close the windows of one that catches up.
    pub fn set_watermarks(&mut self, held: &BTreeMap<ShardIndex, BTreeMap<i32, i64>>) {
        let starts = self.starts();
        for (shard, watermarks) in held {
            for (partition, watermark) in watermarks {
                let at = self.next.get(shard).and_then(|next| next.get(partition));
                if at == starts.get(partition) {
                    let newest = self.watermarks.entry(*partition).or_default();
                    *newest = (*watermark).max(*newest);
                }
            }
        }
    }

    /// Writes a shard no more.
    pub fn leave(&mut self, shard: ShardIndex) {
        self.next.remove(&shard);
        self.recent.remove(&shard);
    }
}

/// The shards that are written no more in this run.
#[derive(Default)]
pub struct Away(Mutex<BTreeSet<ShardIndex>>);

impl Away {
    /// Takes note of one, and why.
    pub fn add(&self, shard: ShardIndex, error: &StoreError) {
        tracing::warn!(projection = NAME, shard = shard.0, %error, "goes on without a shard");
        let mut away = self.0.lock();
        away.insert(shard);
        record_left_out(away.len());
    }

    /// All of them.
    pub fn all(&self) -> Vec<ShardIndex> {
        self.0.lock().iter().copied().collect()
    }
}

impl Drop for Away {
    /// Who does not count any more leaves nobody out: another process may count.
    fn drop(&mut self) {
        record_left_out(0);
    }
}

fn record_left_out(shards: usize) {
    metrics::gauge!("plaza_projection_shards_left_out", "projection" => NAME)
        .set(u32::try_from(shards).unwrap_or(u32::MAX));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn by_shard(values: [&[i64]; 2]) -> BTreeMap<ShardIndex, BTreeMap<i32, i64>> {
        let of = |values: &[i64]| (0..).zip(values.iter().copied()).collect();
        (0..).map(ShardIndex).zip(values.map(of)).collect()
    }

    #[test]
    fn a_shard_that_catches_up_does_not_take_its_views_for_late() {
        let next = by_shard([&[900, 5], &[100, 5]]);
        let mut progress = Progress { next, ..Progress::default() };
        assert_eq!(progress.starts(), BTreeMap::from([(0, 100), (1, 5)]));
        progress.set_watermarks(&by_shard([&[7_000_000, 40], &[60_000, 50]]));
        assert_eq!(progress.watermarks, BTreeMap::from([(0, 60_000), (1, 50)]));
    }
}
