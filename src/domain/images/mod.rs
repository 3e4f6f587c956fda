//! Images. The bytes never pass through GraphQL: a row is made, an address given, the bytes sent
//! there (`upload`), and a job reads them and makes what is shown (`process`, `render`). An
//! image is shown once, by a post or as an avatar, and only when it is READY: from then on nothing
//! about it changes, so what shows it holds all there is to know of it.
//!
//! Whoever may see a post or a user may see their images: the addresses that say where the files
//! are (`links`) are signed and end soon.

mod decode;
mod gif;
mod links;
mod png;
mod process;
mod reap;
mod render;
mod resize;
mod upload;
mod vp8l;
mod webp;
mod weight;

use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::identity::Keys;
use super::{Domain, DomainError, Mutation, Operation, UserError, UserErrorCode, mutate, text};
use plaza_base::ids::{Id, ImageId, UserId, compose};
use plaza_config::MediaConfig;
use plaza_stores::StoreError;
use plaza_stores::postgres::images::{ImageState, NewImage};
use plaza_stores::postgres::{Connection, images as store};

pub use links::{Lifetime, Links};
pub use plaza_stores::postgres::images::{Picture, Pictures};
pub use process::{delete, process};
pub use reap::reap;
pub use render::{Rejection, Rendered, render};
pub use upload::{Refused, receive};
pub use weight::weigh;

/// Most images of one post.
pub const MAX_PER_POST: usize = 4;
/// How old an announcement without its bytes is, in milliseconds, when it gives way to a new one:
/// who sends a picture begins at once.
const GIVEN_UP_MS: i64 = 60_000;

/// What images are worked with.
#[derive(Debug)]
pub struct Images {
    /// Signs addresses.
    pub links: Links,
    config: MediaConfig,
    /// Decoding is bounded, whoever asks: by processors,
    decoding: Arc<Semaphore>,
    /// and by memory, in MiB.
    memory: Arc<Semaphore>,
    receiving: Semaphore,
}

impl Images {
    /// # Errors
    /// A signing key file that cannot be read.
    pub fn new(media: &MediaConfig, keys: &Keys) -> Result<Self, DomainError> {
        Ok(Self {
            links: Links::new(media, keys)?,
            decoding: Arc::new(Semaphore::new(media.parallel_decodes.max(1))),
            memory: Arc::new(Semaphore::new(
                usize::try_from(media.decode_memory_mib).unwrap_or(Semaphore::MAX_PERMITS),
            )),
            receiving: Semaphore::new(media.parallel_uploads.max(1)),
            config: media.clone(),
        })
    }

    /// A share of the memory for decoding, when so many bytes are free; `None` when they never are.
    async fn share(&self, bytes: u64) -> Option<OwnedSemaphorePermit> {
        let mib = u32::try_from(bytes.div_ceil(1 << 20)).ok()?;
        if mib > self.config.decode_memory_mib {
            return None;
        }
        Arc::clone(&self.memory).acquire_many_owned(mib).await.ok()
    }
}

/// What an image is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Purpose {
    /// To be shown with a post.
    Post,
    /// To be shown with a user.
    Avatar,
}

impl Purpose {
    /// As stored.
    pub fn name(self) -> &'static str {
        match self {
            Self::Post => "POST",
            Self::Avatar => "AVATAR",
        }
    }
}

/// How far an image is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    /// Its bytes have not come yet.
    AwaitingUpload,
    /// Its bytes are being processed.
    Processing,
    /// It can be shown.
    Ready(Picture),
    /// It cannot be shown.
    Rejected(Rejection),
}

/// An image of the viewer's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// Id.
    pub id: ImageId,
    /// What it shows, in words; may be empty.
    pub alt: String,
    /// How far it is.
    pub state: State,
}

impl From<Picture> for Image {
    fn from(picture: Picture) -> Self {
        Self { id: picture.id, alt: picture.alt.clone(), state: State::Ready(picture) }
    }
}

impl Image {
    fn of_row(row: store::Image) -> Self {
        let state = match (row.state, row.picture) {
            (ImageState::Ready, Some(picture)) => State::Ready(picture),
            (ImageState::Rejected, _) => {
                State::Rejected(Rejection::from_name(row.rejection.as_deref().unwrap_or_default()))
            }
            (ImageState::Processing, _) => State::Processing,
            (ImageState::AwaitingUpload | ImageState::Ready, _) => State::AwaitingUpload,
        };
        Self { id: row.id, alt: row.alt_text, state }
    }
}

/// The files of an image that is ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// 320 pixels wide at most; of an avatar 128 square.
    Small,
    /// 1,280 pixels wide at most; of an avatar 512 square.
    Large,
}

impl Size {
    /// The file's name without the folder.
    pub fn file(self, key: &str, format: &str) -> String {
        match self {
            Self::Small => format!("{key}.small.{format}"),
            Self::Large => format!("{key}.large.{format}"),
        }
    }
}

/// The name of a file in the object store; two characters of its key spread the files over folders.
pub fn object_name(file: &str) -> String {
    format!("images/{}/{file}", file.get(..2).unwrap_or_default())
}

/// Every name that a picture has files under.
fn names_of(key: &str, format: &str) -> Vec<String> {
    [Size::Small, Size::Large].map(|size| object_name(&size.file(key, format))).to_vec()
}

/// Every name that these pictures have files under: what is deleted when nothing shows them any
/// more.
pub(super) fn files_of(pictures: &[Picture]) -> Vec<String> {
    pictures.iter().flat_map(|picture| names_of(&picture.key, &picture.format)).collect()
}

/// An image to be.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NewUpload {
    /// Bytes that will be sent.
    pub byte_count: i32,
    /// What it shows, in words.
    pub alt: String,
    /// What it is for.
    pub purpose: Purpose,
}

/// The viewer announces an image. Where its bytes go, [`Links::upload`] says.
///
/// # Errors
/// More bytes, or more images on their way or in an hour, than are taken; a text out of bounds; the
/// viewer's shard is unavailable.
pub async fn create(op: &Operation, new: NewUpload) -> Result<Image, DomainError> {
    let owner = op.require_viewer()?.user_id;
    let config = &op.domain.images.config;
    let mut errors = Vec::new();
    let bytes = u32::try_from(new.byte_count).unwrap_or_default();
    if bytes == 0 || bytes > config.max_bytes {
        let message = format!("must be 1 to {}", config.max_bytes);
        errors.push(UserError::field(UserErrorCode::Invalid, "byteCount", message));
    }
    let alt =
        text::checked("altText", &new.alt, text::ALT_TEXT).map_err(|error| errors.push(error));
    let alt = alt.ok().filter(|_| errors.is_empty()).ok_or(DomainError::Rejected(errors))?;
    let new = NewUpload { alt, ..new };
    let object_key = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 16]>());
    let most_at_hand = i64::from(config.max_unused);
    let now_ms = op.domain.clock.now_ms();
    let announced_at = |ms| compose(ms, plaza_base::ids::Bucket::new(0), 0);
    let awaited_from = announced_at(now_ms - i64::from(config.upload_ttl_s) * 1_000);
    let given_up_before = announced_at(now_ms - GIVEN_UP_MS);
    mutate(
        op,
        Mutation {
            name: "imageCreate",
            user: owner,
            shard: op.domain.cluster.shard_of_id(owner),
            input: &new,
        },
        async { Ok(()) },
        async |tx, ()| {
            let row = NewImage {
                owner,
                bucket: owner.bucket(),
                purpose: new.purpose.name(),
                object_key: &object_key,
                byte_count: new.byte_count,
                alt_text: &new.alt,
                most_at_hand,
                awaited_from,
            };
            let id = loop {
                if let Some(id) = store::insert(tx, &row).await? {
                    break id;
                }
                // The one that was given up longest ago, most likely: nobody is kept from images by
                // what they chose and did not show.
                let displaced = store::displace(tx, owner, given_up_before).await?;
                reap::delete_files(tx, &displaced.ok_or_else(|| all_on_their_way(most_at_hand))?);
            };
            Ok(Image { id, alt: new.alt.clone(), state: State::AwaitingUpload })
        },
    )
    .await
}

/// The refusal of one more image while none of them is ready.
fn all_on_their_way(most: i64) -> DomainError {
    let message = format!("{most} images are on their way: wait until one of them is ready");
    let code = UserErrorCode::LimitExceeded;
    DomainError::Rejected(vec![UserError { code, message, path: vec!["input".to_owned()] }])
}

/// The viewer says anew what an image of theirs shows; it must not be shown yet. Returns it as it is
/// then.
///
/// # Errors
/// A text out of bounds; no such image, or it is shown already; the viewer's shard is unavailable.
pub async fn describe(op: &Operation, id: ImageId, alt: &str) -> Result<Image, DomainError> {
    let owner = op.require_viewer()?.user_id;
    let alt = text::checked("altText", alt, text::ALT_TEXT)
        .map_err(|error| DomainError::Rejected(vec![error]))?;
    let missing = || {
        DomainError::rejected(
            UserErrorCode::NotFound,
            "imageId",
            "there is no such image of the viewer's that is not shown yet",
        )
    };
    if id.bucket() != owner.bucket() {
        return Err(missing());
    }
    mutate(
        op,
        Mutation {
            name: "imageUpdate",
            user: owner,
            shard: op.domain.cluster.shard_of_id(owner),
            input: &(id, &alt),
        },
        async { Ok(()) },
        async |tx, ()| {
            if !store::describe(tx, owner, id, &alt).await? {
                return Err(missing());
            }
            let now = store::get_many(tx, &[id]).await?;
            now.into_iter().next().map(Image::of_row).ok_or_else(missing)
        },
    )
    .await
}

/// The viewer's own images by id, as far as they are; others' are left out.
///
/// # Errors
/// A shard that is unavailable.
pub async fn get_many(
    op: &Operation,
    ids: &[ImageId],
) -> Result<HashMap<ImageId, Image>, DomainError> {
    let Some(viewer) = op.viewer else { return Ok(HashMap::new()) };
    // An image lies in its owner's bucket: other buckets hold none of the viewer's.
    let own = ids.iter().copied().filter(|id| id.bucket() == viewer.user_id.bucket());
    let rows = op
        .domain
        .cluster
        .scatter_ids(&op.reads, own, async |connection, ids| store::get_many(connection, ids).await)
        .await
        .complete()?;
    let own = rows.into_iter().flatten().filter(|row| row.owner_id == viewer.user_id);
    Ok(own.map(|row| (row.id, Image::of_row(row))).collect())
}

/// Takes images of the viewer's to be shown, in this order; call it inside the transaction that
/// shows them.
///
/// # Errors
/// One that is not the viewer's, not for this, not ready, or shown already.
pub(super) async fn take(
    connection: &mut Connection,
    owner: UserId,
    purpose: Purpose,
    ids: &[ImageId],
    field: &str,
) -> Result<Vec<Picture>, DomainError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let taken = store::take(connection, owner, purpose.name(), ids).await?;
    let found: HashMap<ImageId, Picture> =
        taken.into_iter().map(|picture| (picture.id, picture)).collect();
    let in_order: Option<Vec<Picture>> = ids.iter().map(|id| found.get(id).cloned()).collect();
    in_order.ok_or_else(|| {
        let kind = purpose.name();
        let message =
            format!("must be images of the viewer's for {kind}, each READY and not yet shown");
        DomainError::rejected(UserErrorCode::NotFound, field, message)
    })
}

/// An image's row, from the primary; `None` when it is gone.
async fn row(domain: &Domain, id: ImageId) -> Result<Option<store::Image>, StoreError> {
    let primary = domain.primary();
    let shard = domain.cluster.shard_of_id(id);
    let rows = domain
        .cluster
        .read(&primary, shard, async |connection| store::get_many(connection, &[id]).await)
        .await?;
    Ok(rows.into_iter().next())
}

#[cfg(test)]
mod tests;
