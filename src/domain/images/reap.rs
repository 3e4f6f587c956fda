//! What nobody shows is forgotten: images that were never sent, never taken, or rejected, and what
//! was sent in vain.

use chrono::TimeDelta;

use super::names_of;
use crate::{DomainError, Operation, Tx, write};
use plaza_base::ids::{Bucket, compose};
use plaza_protocol::jobs::Job;
use plaza_stores::postgres::images as store;

/// Most of a shard at a time.
const CHUNK: i64 = 200;

/// The names of all that a deleted image may have left in the object store.
fn left_by(image: &store::Reaped) -> Vec<String> {
    // A job that died half-way may have left files of a format that no row names.
    let formats =
        image.format.as_deref().map_or_else(|| vec!["jpg", "webp"], |format| vec![format]);
    let shown = formats.into_iter().flat_map(|format| names_of(&image.object_key, format));
    shown.chain(image.upload.clone()).collect()
}

/// Has the files of an image deleted, once the transaction that deleted its row has committed.
pub(super) fn delete_files(tx: &mut Tx, image: &store::Reaped) {
    let id = image.id;
    tx.enqueue(Job::ImageDelete { names: left_by(image) }, format!("image:{id}/reap"));
}

/// Deletes what is old enough, some of it; how many images. Any number of processes may do so at
/// the same time.
///
/// # Errors
/// A shard or the object store is unavailable: what was not done is done the next time.
pub async fn reap(op: &Operation) -> Result<usize, DomainError> {
    let now = op.domain.clock.now();
    let keep = TimeDelta::hours(i64::from(op.domain.images.config.keep_unused_hours));
    let before = compose((now - keep).timestamp_millis(), Bucket::new(0), 0);
    let mut count = 0;
    for shard in op.domain.cluster.indexes() {
        count += write(op, shard, async |tx| {
            let reaped = store::reap(tx, before, CHUNK).await?;
            let Some(first) = reaped.iter().map(|image| image.id).min() else { return Ok(0) };
            let names = reaped.iter().flat_map(left_by).collect();
            tx.enqueue(Job::ImageDelete { names }, format!("image:{first}/reap"));
            Ok(reaped.len())
        })
        .await?;
    }
    // Twice as long: an upload whose row waits for its job is not in vain.
    for name in op
        .domain
        .objects
        .older_than("uploads", now - keep * 2, usize::try_from(CHUNK).unwrap_or_default())
        .await?
    {
        op.domain.objects.delete(&name).await?;
    }
    Ok(count)
}
