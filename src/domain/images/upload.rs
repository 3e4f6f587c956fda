//! An image's bytes come in.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use sha2::{Digest, Sha256};
use tokio::time::{Instant, timeout_at};

use super::row;
use crate::{DomainError, Operation, write};
use plaza_protocol::jobs::Job;
use plaza_stores::StoreError;
use plaza_stores::objects::Writer;
use plaza_stores::postgres::images::{self as store, Image as Row};

/// Why bytes were not taken.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The address is none of ours.
    #[error("this address is not good")]
    Address,
    /// The address has ended, or its image is gone.
    #[error("this address has ended: announce the image again")]
    Ended,
    /// Other bytes came to this address before.
    #[error("other bytes came to this address before")]
    Taken,
    /// More or fewer bytes than announced.
    #[error("the image was announced with {announced} bytes")]
    Length {
        /// How many.
        announced: u64,
    },
    /// The client stopped sending.
    #[error("the bytes stopped coming")]
    Broken,
    /// The client was too slow.
    #[error("the bytes did not come in time")]
    Slow,
    /// Too many uploads at a time.
    #[error("too many uploads at a time: try again in a second")]
    Busy,
    /// What stopped us.
    #[error(transparent)]
    Domain(#[from] DomainError),
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        Self::Domain(error.into())
    }
}

/// Takes the bytes that come to an upload address, as many as were announced. The same bytes may
/// come again: whoever did not hear the answer sends them once more.
///
/// # Errors
/// Why they were not taken.
pub async fn receive<E>(
    op: &Operation,
    token: &str,
    length: Option<u64>,
    body: impl Stream<Item = Result<Bytes, E>> + Send + Unpin,
) -> Result<(), Refused> {
    let images = &op.domain.images;
    let (id, ends) = images.links.uploaded(token).ok_or(Refused::Address)?;
    if ends <= op.domain.clock.now() {
        return Err(Refused::Ended);
    }
    let _place = images.receiving.try_acquire().map_err(|_| Refused::Busy)?;
    let image = row(&op.domain, id).await?.ok_or(Refused::Ended)?;
    let announced = u64::try_from(image.byte_count).unwrap_or_default();
    if length.is_some_and(|length| length != announced) {
        return Err(Refused::Length { announced });
    }
    let deadline = Instant::now() + Duration::from_secs(images.config.upload_timeout_s);
    if image.content_hash.is_some() {
        let hash = take(body, announced, deadline, None).await?;
        return same(&image, &hash);
    }
    // A name of its own for each try: two at once do not write over each other.
    let name = format!("uploads/{}-{:016x}", id, rand::random::<u64>());
    let mut writer = op.domain.objects.write(&name)?;
    let hash = match take(body, announced, deadline, Some(&mut writer)).await {
        Ok(hash) => hash,
        Err(refused) => {
            writer.abandon().await;
            return Err(refused);
        }
    };
    writer.finish().await?;
    let shard = op.domain.cluster.shard_of_id(id);
    let mut late = Operation::internal(&op.domain, COMMIT);
    late.traceparent.clone_from(&op.traceparent);
    let by = if op.deadline > late.deadline { op } else { &late };
    let kept = write(by, shard, async |tx| {
        let kept = store::uploaded(tx, id, &name, &hash).await?;
        if kept {
            tx.enqueue(Job::ImageProcess { image_id: id }, format!("image:{id}/process"));
        }
        Ok(kept)
    })
    .await;
    match kept {
        Ok(true) => Ok(()),
        Ok(false) => {
            // Another try was first.
            op.domain.objects.delete(&name).await?;
            same(&row(&op.domain, id).await?.ok_or(Refused::Ended)?, &hash)
        }
        // It may have been committed: what was sent stays until the reaper comes by.
        Err(error) => Err(error.into()),
    }
}

/// How long the commit may take, whatever the upload took.
const COMMIT: Duration = Duration::from_millis(2_500);

fn same(image: &Row, hash: &[u8]) -> Result<(), Refused> {
    if image.content_hash.as_deref() == Some(hash) { Ok(()) } else { Err(Refused::Taken) }
}

/// Reads a body to its end, counting; the SHA-256 of it.
async fn take<E>(
    mut body: impl Stream<Item = Result<Bytes, E>> + Send + Unpin,
    announced: u64,
    deadline: Instant,
    mut writer: Option<&mut Writer>,
) -> Result<Vec<u8>, Refused> {
    let (mut hash, mut count) = (Sha256::new(), 0_u64);
    loop {
        let bytes = match timeout_at(deadline, body.next()).await.map_err(|_| Refused::Slow)? {
            Some(Ok(bytes)) => bytes,
            Some(Err(_)) => return Err(Refused::Broken),
            None if count == announced => return Ok(hash.finalize().to_vec()),
            None => return Err(Refused::Length { announced }),
        };
        count = count.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        if count > announced {
            return Err(Refused::Length { announced });
        }
        hash.update(&bytes);
        if let Some(writer) = writer.as_mut() {
            writer.write(bytes).await?;
        }
    }
}
