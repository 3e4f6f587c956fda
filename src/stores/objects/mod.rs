//! Files that are no rows: a folder, or a bucket of S3 or of what speaks like it. A name is written
//! once and never with other bytes.

mod copy;
mod write;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt};
use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{ClientOptions, ObjectStore, ObjectStoreExt, RetryConfig};
use secrecy::ExposeSecret;

use super::StoreError;
use plaza_config::{MediaConfig, S3Config};

pub use copy::Copied;
pub use write::Writer;

/// How long one request to a bucket may take.
const REQUEST: Duration = Duration::from_secs(10);
/// How long a request to a bucket is tried again.
const RETRIES: Duration = Duration::from_secs(5);

/// The object store. It is opened when it is first needed: a role that never needs it starts
/// without.
#[derive(Debug, Clone)]
pub struct Objects {
    config: Arc<MediaConfig>,
    opened: Arc<OnceLock<Arc<dyn ObjectStore>>>,
}

/// An object, open for reading.
pub struct Opened {
    /// Bytes.
    pub length: u64,
    /// Its bytes.
    pub bytes: BoxStream<'static, Result<Bytes, StoreError>>,
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opened").field("length", &self.length).finish_non_exhaustive()
    }
}

fn unavailable(error: impl std::fmt::Display) -> StoreError {
    StoreError::unavailable("object store", error)
}

fn bucket(config: &S3Config) -> Result<Arc<dyn ObjectStore>, StoreError> {
    let retries = RetryConfig { max_retries: 3, retry_timeout: RETRIES, ..RetryConfig::default() };
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(&config.bucket)
        .with_region(&config.region)
        .with_client_options(
            ClientOptions::new().with_timeout(REQUEST).with_allow_http(config.allow_http),
        )
        .with_retry(retries);
    if let Some(endpoint) = &config.endpoint {
        builder = builder.with_endpoint(endpoint);
    }
    if let (Some(id), Some(secret)) = (&config.access_key_id, &config.secret_access_key) {
        builder = builder.with_access_key_id(id).with_secret_access_key(secret.expose_secret());
    }
    let store = builder.build().map_err(unavailable)?;
    Ok(match config.prefix.trim_matches('/') {
        "" => Arc::new(store),
        prefix => Arc::new(PrefixStore::new(store, prefix)),
    })
}

fn folder(folder: &std::path::Path) -> Result<Arc<dyn ObjectStore>, StoreError> {
    std::fs::create_dir_all(folder)
        .map_err(|error| unavailable(format!("{}: {error}", folder.display())))?;
    // What was acknowledged outlives a power cut.
    Ok(Arc::new(LocalFileSystem::new_with_prefix(folder).map_err(unavailable)?.with_fsync(true)))
}

impl Objects {
    /// The configured store: the bucket when there is one, else the folder, which is made.
    pub fn new(config: &MediaConfig) -> Self {
        Self { config: Arc::new(config.clone()), opened: Arc::default() }
    }

    fn store(&self) -> Result<Arc<dyn ObjectStore>, StoreError> {
        if let Some(store) = self.opened.get() {
            return Ok(Arc::clone(store));
        }
        let store = match &self.config.s3 {
            Some(s3) => bucket(s3)?,
            None => folder(&self.config.folder)?,
        };
        Ok(Arc::clone(self.opened.get_or_init(|| store)))
    }

    /// Writes an object whose bytes are all here.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn put(&self, name: &str, bytes: Bytes) -> Result<(), StoreError> {
        self.store()?.put(&Path::from(name), bytes.into()).await.map_err(unavailable)?;
        Ok(())
    }

    /// Begins an object whose bytes are still to come; it is not there before the writer has
    /// finished.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub fn write(&self, name: &str) -> Result<Writer, StoreError> {
        Ok(Writer::new(self.store()?, Path::from(name)))
    }

    /// Opens an object; `None` when it is not there.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn open(&self, name: &str) -> Result<Option<Opened>, StoreError> {
        match self.store()?.get(&Path::from(name)).await {
            Ok(found) => {
                let length = found.range.end.saturating_sub(found.range.start);
                Ok(Some(Opened { length, bytes: found.into_stream().map_err(unavailable).boxed() }))
            }
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(unavailable(error)),
        }
    }

    /// Whether an object is there.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn is_there(&self, name: &str) -> Result<bool, StoreError> {
        match self.store()?.head(&Path::from(name)).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(unavailable(error)),
        }
    }

    /// Reads a whole object; `None` when it is not there.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]; [`StoreError::Corrupt`] when it has more than `most` bytes.
    pub async fn read(&self, name: &str, most: u64) -> Result<Option<Bytes>, StoreError> {
        let found = match self.store()?.get(&Path::from(name)).await {
            Ok(found) => found,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(unavailable(error)),
        };
        if found.meta.size > most {
            return Err(StoreError::Corrupt(format!(
                "the object {name} has {} bytes",
                found.meta.size
            )));
        }
        Ok(Some(found.bytes().await.map_err(unavailable)?))
    }

    /// Deletes an object; one that is not there is fine.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn delete(&self, name: &str) -> Result<(), StoreError> {
        match self.store()?.delete(&Path::from(name)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(unavailable(error)),
        }
    }

    /// The names in a folder that were last written before this moment, at most so many.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn older_than(
        &self,
        folder: &str,
        moment: DateTime<Utc>,
        limit: usize,
    ) -> Result<Vec<String>, StoreError> {
        let store = self.store()?;
        let old = store
            .list(Some(&Path::from(folder)))
            .try_filter(|found| std::future::ready(found.last_modified < moment));
        let names = old.take(limit).map_ok(|found| found.location.to_string());
        names.try_collect().await.map_err(unavailable)
    }
}
