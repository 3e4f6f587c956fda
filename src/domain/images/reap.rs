//! What nobody shows is forgotten: images that were never sent, never taken, or rejected, and what
//! was sent in vain.

use chrono::TimeDelta;

use super::names_of;
use crate::{DomainError, Operation, write};
use plaza_base::ids::{Bucket, compose};
use plaza_protocol::jobs::Job;
use plaza_stores::postgres::images as store;

/// Most of a shard at a time.
const CHUNK: i64 = 200;

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
            let files = reaped.iter().flat_map(|image| {
                // A job that died half-way may have left files of a format that no row names.
                let formats = image
                    .format
                    .as_deref()
                    .map_or_else(|| vec!["jpg", "webp"], |format| vec![format]);
                formats
                    .into_iter()
                    .flat_map(|format| names_of(&image.object_key, format))
                    .chain(image.upload.clone())
            });
            let names: Vec<String> = files.collect();
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
