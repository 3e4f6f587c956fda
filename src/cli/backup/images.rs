//! Images in a folder are copied, there and back; a bucket keeps versions by itself.

use std::path::Path;

use plaza_config::MediaConfig;
use plaza_stores::objects::{Copied, Objects};

/// The store of a folder, with everything else as configured.
fn store(media: &MediaConfig, folder: &Path) -> Objects {
    Objects::new(&MediaConfig { folder: folder.to_owned(), s3: None, ..media.clone() })
}

/// Copies the images that a backup does not have; none where they are in a bucket.
///
/// # Errors
/// A folder cannot be read or written.
pub async fn copy(media: &MediaConfig, backup: &Path) -> anyhow::Result<Copied> {
    if media.s3.is_some() {
        return Ok(Copied::default());
    }
    Ok(Objects::new(media).copy_missing(&store(media, backup)).await?)
}

/// Copies back what is missing; none where they are in a bucket.
///
/// # Errors
/// A folder cannot be read or written.
pub async fn copy_back(media: &MediaConfig, backup: &Path) -> anyhow::Result<Copied> {
    if media.s3.is_some() || !backup.exists() {
        return Ok(Copied::default());
    }
    Ok(store(media, backup).copy_missing(&Objects::new(media)).await?)
}
