//! What was sent becomes what is shown. Run again at any time, it comes to the same: files have the
//! names that the row has, and the row moves on once.

use std::sync::Arc;

use bytes::Bytes;

use super::render::{Rendered, render};
use super::{Purpose, Rejection, Size, names_of, object_name, row, weigh};
use crate::{Domain, DomainError, Operation};
use plaza_base::ids::ImageId;
use plaza_stores::StoreError;
use plaza_stores::postgres::Connection;
use plaza_stores::postgres::images::{self as store, Image as Row, ImageState, Picture};

/// Reads what was sent for an image, and makes its files or rejects it.
///
/// # Errors
/// The shard or the object store is unavailable.
pub async fn process(op: &Operation, id: ImageId) -> Result<(), DomainError> {
    let Some(image) = row(&op.domain, id).await? else { return Ok(()) };
    let (Some(upload), ImageState::Processing) = (&image.upload, image.state) else {
        return Ok(());
    };
    let Some(sent) =
        op.domain.objects.read(upload, op.domain.images.config.max_bytes.into()).await?
    else {
        // Whoever has just finished it has deleted what was sent.
        return match row(&op.domain, id).await? {
            Some(row) if row.state == ImageState::Processing => {
                Err(DomainError::Internal(format!("what was sent for image {id} is gone")))
            }
            _ => Ok(()),
        };
    };
    let purpose =
        if image.purpose == Purpose::Avatar.name() { Purpose::Avatar } else { Purpose::Post };
    let shard = op.domain.cluster.shard_of_id(id);
    match on_a_thread(&op.domain, sent, purpose).await? {
        Ok(rendered) => {
            let picture = keep(&op.domain, &image, &rendered).await?;
            let ready =
                async |connection: &mut Connection| store::ready(connection, &picture).await;
            let ready = op.domain.cluster.write(shard, op.deadline, ready).await?.value;
            if !ready && row(&op.domain, id).await?.is_none() {
                // Its row was reaped meanwhile: nothing would ever delete these.
                delete(&op.domain, &names_of(&picture.key, &picture.format)).await?;
            }
            let outcome = "ready";
            metrics::counter!("plaza_images_processed_total", "outcome" => outcome).increment(1);
        }
        Err(rejection) => {
            let rejected = async |connection: &mut Connection| {
                store::rejected(connection, id, rejection.name()).await
            };
            op.domain.cluster.write(shard, op.deadline, rejected).await?;
            metrics::counter!("plaza_images_processed_total", "outcome" => rejection.name())
                .increment(1);
        }
    }
    // A job that ends between the two leaves this to the reaper.
    Ok(op.domain.objects.delete(upload).await?)
}

/// Renders on a thread of its own, as many at a time as there are processors and memory for: one
/// that is given up on holds its place until it ends.
async fn on_a_thread(
    domain: &Domain,
    sent: Bytes,
    purpose: Purpose,
) -> Result<Result<Rendered, Rejection>, DomainError> {
    let internal =
        |error: &dyn std::fmt::Display| DomainError::Internal(format!("rendering: {error}"));
    let images = &domain.images;
    let place = Arc::clone(&images.decoding).acquire_owned();
    let place = place.await.map_err(|error| internal(&error))?;
    let max_pixels = images.config.max_pixels;
    let header = sent.clone();
    let weighing = tokio::task::spawn_blocking(move || weigh(&header, purpose, max_pixels));
    let weight = match weighing.await.map_err(|error| internal(&error))? {
        Ok(weight) => weight,
        Err(rejection) => return Ok(Err(rejection)),
    };
    let Some(memory) = images.share(weight).await else {
        return Ok(Err(Rejection::TooManyPixels));
    };
    let running = tokio::task::spawn_blocking(move || {
        let rendered = render(&sent, purpose, max_pixels);
        drop((place, memory, sent));
        rendered
    });
    match running.await {
        Ok(rendered) => Ok(rendered),
        // A decoder that hostile bytes have tripped: they will trip it again.
        Err(error) if error.is_panic() => {
            tracing::error!(%error, "a decoder panicked");
            Ok(Err(Rejection::Unreadable))
        }
        Err(error) => Err(internal(&error)),
    }
}

async fn keep(domain: &Domain, image: &Row, rendered: &Rendered) -> Result<Picture, StoreError> {
    for (size, bytes) in [(Size::Small, &rendered.small), (Size::Large, &rendered.large)] {
        let name = object_name(&size.file(&image.object_key, rendered.format));
        domain.objects.put(&name, bytes.clone()).await?;
    }
    Ok(Picture {
        id: image.id,
        key: image.object_key.clone(),
        format: rendered.format.to_owned(),
        width: rendered.width,
        height: rendered.height,
        alt: image.alt_text.clone(),
        color: rendered.color.clone(),
    })
}

/// Deletes files; those that are gone already are fine.
///
/// # Errors
/// The object store is unavailable.
pub async fn delete(domain: &Domain, names: &[String]) -> Result<(), DomainError> {
    for name in names {
        domain.objects.delete(name).await?;
    }
    Ok(())
}
