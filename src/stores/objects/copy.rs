//! From one store to another. A name is written once and never with other bytes, so what is there
//! under a name is the same.

use std::collections::HashSet;

use futures_util::TryStreamExt;

use super::{Objects, unavailable};
use crate::StoreError;

/// What was copied.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Copied {
    /// Objects.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Objects {
    /// Copies what another store does not have. What is deleted here meanwhile is left out.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn copy_missing(&self, to: &Self) -> Result<Copied, StoreError> {
        let there = to.store()?.list(None).map_ok(|found| found.location);
        let there: HashSet<_> = there.try_collect().await.map_err(unavailable)?;
        let mut listed = self.store()?.list(None);
        let mut copied = Copied::default();
        while let Some(found) = listed.try_next().await.map_err(unavailable)? {
            if there.contains(&found.location) {
                continue;
            }
            let name = found.location.to_string();
            let Some(mut opened) = self.open(&name).await? else { continue };
            let mut writer = to.write(&name)?;
            while let Some(bytes) = opened.bytes.try_next().await? {
                writer.write(bytes).await?;
            }
            writer.finish().await?;
            copied.objects += 1;
            copied.bytes += found.size;
        }
        Ok(copied)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use plaza_config::MediaConfig;

    use super::*;

    #[tokio::test]
    async fn what_is_there_is_not_copied_again() {
        let place = tempfile::tempdir().unwrap();
        let store = |name: &str| {
            Objects::new(&MediaConfig { folder: place.path().join(name), ..MediaConfig::default() })
        };
        let (from, to) = (store("from"), store("to"));
        from.put("a/1", Bytes::from_static(b"one")).await.unwrap();
        from.put("b/2", Bytes::from_static(b"two")).await.unwrap();
        to.put("a/1", Bytes::from_static(b"one")).await.unwrap();
        let copied = Copied { objects: 1, bytes: 3 };
        assert_eq!(from.copy_missing(&to).await.unwrap(), copied);
        assert_eq!(from.copy_missing(&to).await.unwrap(), Copied::default());
        assert_eq!(to.read("b/2", 9).await.unwrap().unwrap(), "two");
    }
}
