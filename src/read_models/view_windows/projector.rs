//! From the log of views to windows, by thousands.
//!
//! A batch is counted in memory, each shard's part is written in one transaction with the offsets
//! it comes to, so each record counts exactly once although whoever wrote it may have dropped
//! others. Nothing depends on how records are cut into batches. A transaction that finds other
//! offsets than those it goes on from, or whose outcome is not known, ends the run; the next begins
//! at what the shards hold.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Recent, Size, Totals, Windows, add_knowing, add_totals, fold, totals};
use plaza_base::clock::Clock;
use plaza_config::Config;
use plaza_protocol::routing::Topic;
use plaza_stores::StoreError;
use plaza_stores::kafka::ANSWERS_WITHIN;
use plaza_stores::kafka::views::{Read, ViewReader, bounds};
use plaza_stores::postgres::leader::exclusively;
use plaza_stores::postgres::projections::{self as rows, Position};
use plaza_stores::postgres::{Cluster, Connection, ReadSession, ShardIndex};

/// Its name in `projection_offsets`; never changed.
pub const NAME: &str = "view_windows";
/// Records in one batch, at most.
const BATCH: usize = 200_000;
/// How long a batch is gathered after its first record: what a view may be seen later, and by how
/// much fewer rows are written for it.
const GATHER: Duration = Duration::from_secs(1);
/// How long to wait for records before reading the clock.
const IDLE: Duration = Duration::from_secs(1);
/// How long a batch's transactions may take.
const DEADLINE: Duration = Duration::from_secs(20);
/// How often old windows are folded.
const FOLD: Duration = Duration::from_secs(60);
/// How long the sketches of a window are kept in memory after its minute, in seconds.
const RECENT_S: i64 = 120;
/// A view whose minute ended longer than this before the newest view of its partition is too late:
/// its window is closed.
pub const LATENESS_MS: i64 = 10 * 60 * 1_000;

/// Counts views until it is stopped.
///
/// # Errors
/// None: what fails is tried again.
pub async fn run(
    cluster: Arc<Cluster>,
    config: Arc<Config>,
    clock: Clock,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let counter = Counter { cluster: Arc::clone(&cluster), config, clock };
    exclusively(cluster, ShardIndex(0), "projection:view_windows", stop, || counter.count()).await;
    Ok(())
}

struct Counter {
    cluster: Arc<Cluster>,
    config: Arc<Config>,
    clock: Clock,
}

/// Where everything stands.
struct Progress {
    /// The next offset of each partition, by shard.
    next: BTreeMap<ShardIndex, BTreeMap<i32, i64>>,
    /// The newest view of each partition, in Unix milliseconds.
    watermarks: BTreeMap<i32, i64>,
    /// The sketches of each shard's newest windows.
    recent: BTreeMap<ShardIndex, Recent>,
}

/// A shard's part of a batch.
#[derive(Default)]
struct Part {
    windows: Windows,
    totals: BTreeMap<i32, Totals>,
}

impl Counter {
    async fn count(&self) -> anyhow::Result<()> {
        let config = self.config.kafka.clone();
        let bounds = tokio::task::spawn_blocking(move || bounds(&config, ANSWERS_WITHIN)).await??;
        let mut progress = self.stored(&bounds).await?;
        let mut starts: BTreeMap<i32, i64> = BTreeMap::new();
        for (partition, offset) in progress.next.values().flatten() {
            starts
                .entry(*partition)
                .and_modify(|start| *start = (*offset).min(*start))
                .or_insert(*offset);
        }
        let mut reader = ViewReader::new(&self.config.kafka, &starts, BATCH, GATHER)?;
        let mut folded: Option<Instant> = None;
        loop {
            let batch = reader.next(IDLE).await?;
            if !batch.is_empty() {
                self.apply(&batch, &mut progress).await?;
            }
            if folded.is_none_or(|at| at.elapsed() >= FOLD) {
                self.fold().await?;
                folded = Some(Instant::now());
            }
        }
    }

    /// Where the shards say that counting stands; a partition that a shard does not know yet begins
    /// where the log begins.
    async fn stored(&self, bounds: &BTreeMap<i32, (i64, i64)>) -> anyhow::Result<Progress> {
        let first: Vec<Position> =
            bounds.iter().map(|(partition, (first, _))| position(*partition, *first)).collect();
        let mut progress = Progress {
            next: BTreeMap::new(),
            watermarks: BTreeMap::new(),
            recent: BTreeMap::new(),
        };
        let session = ReadSession::primary(self.cluster.len());
        for shard in self.cluster.indexes() {
            let held = self
                .cluster
                .read(&session, shard, async |connection| rows::positions(connection, NAME).await)
                .await?;
            let mut next: BTreeMap<i32, i64> =
                held.iter().map(|position| (position.partition, position.next_offset)).collect();
            let missing: Vec<Position> = first
                .iter()
                .filter(|position| !next.contains_key(&position.partition))
                .cloned()
                .collect();
            if !missing.is_empty() {
                let moving = async |connection: &mut Connection| -> Result<(), StoreError> {
                    rows::move_positions(connection, NAME, &missing).await
                };
                self.cluster.write_unread(shard, Instant::now() + DEADLINE, moving).await?;
                next.extend(
                    missing.iter().map(|position| (position.partition, position.next_offset)),
                );
            }
            progress.next.insert(shard, next);
            progress.recent.insert(shard, Recent::default());
            for row in self
                .cluster
                .read(&session, shard, async |connection| totals(connection).await)
                .await?
            {
                let watermark = progress.watermarks.entry(row.partition).or_default();
                *watermark = row.watermark.max(*watermark);
            }
        }
        Ok(progress)
    }

    async fn apply(&self, batch: &[Read], progress: &mut Progress) -> anyhow::Result<()> {
        let now_ms = self.clock.now_ms();
        let mut parts: BTreeMap<ShardIndex, Part> = BTreeMap::new();
        let mut next: BTreeMap<i32, i64> = BTreeMap::new();
        for record in batch {
            next.insert(record.partition, record.offset + 1);
            let shard =
                record.view.map_or(ShardIndex(0), |view| self.cluster.shard_of_id(view.post_id));
            let watermark = progress.watermarks.entry(record.partition).or_default();
            let is_late = record.view.is_some_and(|mut view| {
                // A clock that is ahead of ours must not close everybody's windows.
                view.at_ms = view.at_ms.min(now_ms);
                *watermark = view.at_ms.max(*watermark);
                let ended_s =
                    Size::Minute.start_of(view.at_ms.div_euclid(1_000)) + Size::Minute.seconds();
                ended_s * 1_000 + LATENESS_MS < *watermark
            });
            let held = progress
                .next
                .get(&shard)
                .and_then(|next| next.get(&record.partition))
                .copied()
                .unwrap_or_default();
            if record.offset < held {
                continue;
            }
            let part = parts.entry(shard).or_default();
            let totals = part.totals.entry(record.partition).or_default();
            totals.watermark = *watermark;
            match record.view {
                None => totals.unreadable += 1,
                Some(_) if is_late => totals.late += 1,
                Some(view) => {
                    totals.counted += 1;
                    part.windows.count(&super::View { at_ms: view.at_ms.min(now_ms), ..view });
                }
            }
        }
        // Every shard's offsets move, also of those that got nothing: a restart begins at the
        // lowest.
        let mut writes = Vec::with_capacity(self.cluster.len());
        for (shard, recent) in &mut progress.recent {
            let part = parts.remove(shard).unwrap_or_default();
            writes.push(self.write(*shard, part, recent, &next, progress.next.get(shard)));
        }
        futures_util::future::try_join_all(writes).await?;
        let newest_s =
            progress.watermarks.values().copied().max().unwrap_or_default().div_euclid(1_000);
        progress
            .recent
            .values_mut()
            .for_each(|recent| recent.forget_before(Size::Minute.start_of(newest_s) - RECENT_S));
        for held in progress.next.values_mut() {
            for (partition, offset) in &next {
                let at = held.entry(*partition).or_default();
                *at = (*offset).max(*at);
            }
        }
        let records = u64::try_from(batch.len()).unwrap_or_default();
        metrics::counter!("plaza_projection_events_total", "projection" => NAME).increment(records);
        Ok(())
    }

    /// Writes a shard's part of a batch with the offsets that it comes to.
    async fn write(
        &self,
        shard: ShardIndex,
        part: Part,
        recent: &mut Recent,
        next: &BTreeMap<i32, i64>,
        expected: Option<&BTreeMap<i32, i64>>,
    ) -> Result<(), StoreError> {
        let positions: Vec<Position> =
            next.iter().map(|(partition, offset)| position(*partition, *offset)).collect();
        self.cluster
            .write_unread(shard, Instant::now() + DEADLINE, async |connection| -> Result<(), StoreError> {
                let held = rows::lock_positions(connection, NAME).await?;
                let held: BTreeMap<i32, i64> = held.iter().map(|position| (position.partition, position.next_offset)).collect();
                if Some(&held) != expected {
                    return Err(StoreError::Corrupt(format!("shard {shard}: the offsets of {NAME} are not where this process left them")));
                }
                add_knowing(connection, &part.windows, recent).await?;
                add_totals(connection, &part.totals).await?;
                rows::move_positions(connection, NAME, &positions).await
            })
            .await
    }

    /// Folds what is old on every shard.
    async fn fold(&self) -> anyhow::Result<()> {
        let now_s = self.clock.now_ms().div_euclid(1_000);
        for shard in self.cluster.indexes() {
            while self
                .cluster
                .write_unread(
                    shard,
                    Instant::now() + DEADLINE,
                    async |connection| -> Result<usize, StoreError> {
                        fold::fold(connection, now_s).await
                    },
                )
                .await?
                > 0
            {}
        }
        Ok(())
    }
}

fn position(partition: i32, offset: i64) -> Position {
    Position {
        topic: Topic::Views.name().to_owned(),
        partition,
        next_offset: offset,
        effects_offset: offset,
    }
}
