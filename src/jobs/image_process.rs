//! What was uploaded as an image is processed.

use super::JobError;
use plaza_base::ids::ImageId;
use plaza_domain::{Operation, images};

/// # Errors
/// The image's shard or the object store is unavailable.
pub async fn run(op: &Operation, image: ImageId) -> Result<(), JobError> {
    Ok(images::process(op, image).await?)
}
