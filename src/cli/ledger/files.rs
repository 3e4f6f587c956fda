//! Files of images that are shown, of a sample.

use super::check::Check;
use super::scope::{Scope, Stores};
use plaza_base::ids::Id;
use plaza_domain::images::{Size, object_name};
use plaza_stores::StoreError;
use plaza_stores::postgres::Connection;
use plaza_stores::postgres::ledger::homes::{self as rows, ShownImage};

/// The law.
pub(super) async fn files(
    stores: &Stores,
    scope: &Scope,
    shards: &mut [Connection],
) -> anyhow::Result<Check> {
    let mut check = Check::of("files", "images that are shown have their files");
    let after = scope.sample_from(&stores.clock);
    for shard in shards {
        for image in rows::shown_images(shard, after, scope.sample).await? {
            check.checked += 1;
            let Some(name) = missing(stores, &image).await? else { continue };
            // It may have been deleted meanwhile, row and files.
            let still = rows::shown_images(shard, image.id.as_i64() - 1, 1).await?;
            if still.first().is_some_and(|still| still.id == image.id) {
                check.wrong(|| format!("{name} of image {}", image.id));
            }
        }
    }
    Ok(check)
}

/// A file that an image lacks.
async fn missing(stores: &Stores, image: &ShownImage) -> Result<Option<String>, StoreError> {
    for size in [Size::Small, Size::Large] {
        let name = object_name(&size.file(&image.object_key, &image.format));
        if !stores.objects.is_there(&name).await? {
            return Ok(Some(name));
        }
    }
    Ok(None)
}
