//! Files of images whose rows are gone go too.

use super::JobError;
use plaza_domain::{Domain, images};

/// # Errors
/// The object store is unavailable.
pub async fn run(domain: &Domain, names: &[String]) -> Result<(), JobError> {
    Ok(images::delete(domain, names).await?)
}
