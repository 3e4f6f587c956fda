//! From the log of views to windows, by thousands.
//!
//! A batch is counted in memory, each shard's part is written in one transaction with the offsets
//! it comes to, so each record counts exactly once although whoever wrote it may have dropped
//! others. Nothing depends on how records are cut into batches. A transaction that finds other
//! offsets than those it goes on from ends the run; the next begins at what the shards hold.
//!
//! A shard that fails is written no more, and the others go on. When it takes a transaction again,
//! the next run begins where that shard stands, and leaves out what the others have counted.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::progress::{Away, Progress};
use super::{Recent, Size, Totals, Windows, add_knowing, add_totals, fold, totals};
use plaza_base::clock::Clock;
use plaza_config::Config;
use plaza_protocol::routing::Topic;
use plaza_stores::StoreError;
use plaza_stores::kafka::ANSWERS_WITHIN;
use plaza_stores::kafka::views::{Read, ViewReader, bounds};
use plaza_stores::postgres::leader::exclusively_anywhere;
use plaza_stores::postgres::projections::{self as rows, Position};
use plaza_stores::postgres::{Cluster, Connection, ShardIndex, leases};

/// Its name in `projection_offsets`; never changed.
pub const NAME: &str = "view_windows";
/// Records in one batch, at most.
const BATCH: usize = 200_000;
/// How long a batch is gathered after its first record: what a view may be seen later, and by how
/// much fewer rows are written for it.
const GATHER: Duration = Duration::from_secs(1);
/// How long to wait for records before reading the clock.
const IDLE: Duration = Duration::from_secs(1);
/// How soon a shard that is left out is asked again.
const RETRY: Duration = Duration::from_secs(1);
/// How long a batch's transactions may take.
const DEADLINE: Duration = Duration::from_secs(20);
/// How long a shard may take to say where counting stands.
const BEGINNING: Duration = Duration::from_secs(2);
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
    exclusively_anywhere(cluster, &leases::of_projection(NAME), stop, || counter.count()).await;
    Ok(())
}

struct Counter {
    cluster: Arc<Cluster>,
    config: Arc<Config>,
    clock: Clock,
}

/// A shard's part of a batch.
#[derive(Default)]
struct Part {
    windows: Windows,
    totals: BTreeMap<i32, Totals>,
}

/// Where counting stands on a shard.
struct Stored {
    /// Of this run, there.
    epoch: i64,
    /// The next offset of each partition.
    next: BTreeMap<i32, i64>,
    /// The newest view of each partition, in Unix milliseconds.
    watermarks: BTreeMap<i32, i64>,
}

impl Counter {
    async fn count(&self) -> anyhow::Result<()> {
        let config = self.config.kafka.clone();
        let bounds = tokio::task::spawn_blocking(move || bounds(&config, ANSWERS_WITHIN)).await??;
        let away = Away::default();
        let progress = self.stored(&bounds, &away).await?;
        tokio::select! {
            result = Box::pin(self.go_on(progress, &away)) => result,
            // It is taken in by beginning again.
            () = self.one_is_back(&away) => Ok(()),
        }
    }

    async fn go_on(&self, mut progress: Progress, away: &Away) -> anyhow::Result<()> {
        let mut reader = ViewReader::new(&self.config.kafka, &progress.starts(), BATCH, GATHER)?;
        let mut folded: Option<Instant> = None;
        loop {
            let batch = reader.next(IDLE).await?;
            if !batch.is_empty() {
                self.apply(&batch, &mut progress, away).await?;
            }
            if folded.is_none_or(|at| at.elapsed() >= FOLD) {
                self.fold(&mut progress, away).await?;
                folded = Some(Instant::now());
            }
        }
    }

    /// Ends when a shard that is away takes a transaction again: one that only answers would fail
    /// the next batch.
    async fn one_is_back(&self, away: &Away) {
        loop {
            tokio::time::sleep(RETRY).await;
            for shard in away.all() {
                let writing = async |connection: &mut Connection| -> Result<i64, StoreError> {
                    leases::begin(connection, &leases::of_projection(NAME)).await
                };
                let written = self.cluster.write_unread(shard, Instant::now() + DEADLINE, writing);
                if written.await.is_ok() {
                    tracing::info!(projection = NAME, shard = shard.0, "is back");
                    return;
                }
            }
        }
    }

    /// Where the shards say that counting stands; a partition that a shard does not know yet begins
    /// where the log begins.
    async fn stored(
        &self,
        bounds: &BTreeMap<i32, (i64, i64)>,
        away: &Away,
    ) -> anyhow::Result<Progress> {
        let first: Vec<Position> =
            bounds.iter().map(|(partition, (first, _))| position(*partition, *first)).collect();
        let (mut progress, mut watermarks) = (Progress::default(), BTreeMap::new());
        let mut failed = None;
        for shard in self.cluster.indexes() {
            match self.stored_on(shard, &first).await {
                Ok(Stored { epoch, next, watermarks: held }) => {
                    progress.epochs.insert(shard, epoch);
                    progress.next.insert(shard, next);
                    progress.recent.insert(shard, Recent::default());
                    watermarks.insert(shard, held);
                }
                Err(error) if error.is_transient() => {
                    away.add(shard, &error);
                    failed = Some(error);
                }
                Err(error) => return Err(error.into()),
            }
        }
        if let Some(error) = failed.filter(|_| progress.next.is_empty()) {
            return Err(error.into());
        }
        progress.set_watermarks(&watermarks);
        Ok(progress)
    }

    /// Begins an epoch on a shard: where it stands.
    async fn stored_on(&self, shard: ShardIndex, first: &[Position]) -> Result<Stored, StoreError> {
        let beginning = async |connection: &mut Connection| -> Result<Stored, StoreError> {
            let epoch = leases::begin(connection, &leases::of_projection(NAME)).await?;
            let held = rows::positions(connection, NAME).await?;
            let mut next: BTreeMap<i32, i64> =
                held.iter().map(|position| (position.partition, position.next_offset)).collect();
            let is_missing = |position: &&Position| !next.contains_key(&position.partition);
            let missing: Vec<Position> = first.iter().filter(is_missing).cloned().collect();
            rows::move_positions(connection, (NAME, epoch), &missing).await?;
            next.extend(missing.iter().map(|position| (position.partition, position.next_offset)));
            let totals = totals(connection).await?.into_iter();
            let watermarks = totals.map(|row| (row.partition, row.watermark)).collect();
            Ok(Stored { epoch, next, watermarks })
        };
        self.cluster.write_unread(shard, Instant::now() + BEGINNING, beginning).await
    }

    async fn apply(
        &self,
        batch: &[Read],
        progress: &mut Progress,
        away: &Away,
    ) -> anyhow::Result<()> {
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
            // One that is left out gets it when it is back.
            let Some(next) = progress.next.get(&shard) else { continue };
            let held = next.get(&record.partition).copied().unwrap_or_default();
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
            let epoch = progress.epochs.get(shard).copied().unwrap_or_default();
            let (next, expected) = ((&next, epoch), progress.next.get(shard));
            writes.push(
                async move { (*shard, self.write(*shard, part, recent, next, expected).await) },
            );
        }
        let written = futures_util::future::join_all(writes).await;
        without_failed(written, progress, away)?;
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
        (next, epoch): (&BTreeMap<i32, i64>, i64),
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
                rows::move_positions(connection, (NAME, epoch), &positions).await
            })
            .await
    }

    /// Folds what is old on every shard.
    async fn fold(&self, progress: &mut Progress, away: &Away) -> anyhow::Result<()> {
        let now_s = self.clock.now_ms().div_euclid(1_000);
        let shards = progress
            .next
            .keys()
            .map(|shard| async move { (*shard, self.fold_on(*shard, now_s).await) });
        let folded = futures_util::future::join_all(shards).await;
        without_failed(folded, progress, away)
    }

    async fn fold_on(&self, shard: ShardIndex, now_s: i64) -> Result<(), StoreError> {
        loop {
            let folding = async |connection: &mut Connection| -> Result<usize, StoreError> {
                fold::fold(connection, now_s).await
            };
            let deadline = Instant::now() + DEADLINE;
            if self.cluster.write_unread(shard, deadline, folding).await? == 0 {
                return Ok(());
            }
        }
    }
}

/// Leaves out the shards that failed, as long as another one is written.
fn without_failed(
    results: Vec<(ShardIndex, Result<(), StoreError>)>,
    progress: &mut Progress,
    away: &Away,
) -> anyhow::Result<()> {
    for (shard, result) in results {
        match result {
            Ok(()) => {}
            Err(error) if error.is_transient() && progress.next.len() > 1 => {
                away.add(shard, &error);
                progress.leave(shard);
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn position(partition: i32, offset: i64) -> Position {
    Position {
        topic: Topic::Views.name().to_owned(),
        partition,
        next_offset: offset,
        effects_offset: offset,
    }
}
