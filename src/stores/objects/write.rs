//! Objects that come in pieces.

use std::sync::Arc;

use bytes::Bytes;
use object_store::ObjectStore;
use object_store::buffered::BufWriter;
use object_store::path::Path;
use tokio::io::AsyncWriteExt;

use super::unavailable;
use crate::StoreError;

/// Bytes held before they are written: what S3 asks a part to have at least.
const PART: usize = 5 * 1_024 * 1_024;

/// An object on its way. Dropped, it is nowhere.
#[derive(Debug)]
pub struct Writer {
    inner: BufWriter,
}

impl Writer {
    pub(super) fn new(store: Arc<dyn ObjectStore>, path: Path) -> Self {
        Self { inner: BufWriter::with_capacity(store, path, PART).with_max_concurrency(1) }
    }

    /// Adds bytes.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        self.inner.put(bytes).await.map_err(unavailable)
    }

    /// Makes the object be there.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn finish(mut self) -> Result<(), StoreError> {
        self.inner.shutdown().await.map_err(unavailable)
    }

    /// Gives it up, and frees what a bucket holds of it.
    pub async fn abandon(mut self) {
        if let Err(error) = self.inner.abort().await {
            tracing::warn!(%error, "the parts of an upload that was given up are left in the bucket");
        }
    }
}
