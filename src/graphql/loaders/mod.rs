//! Dataloaders: keys that the fields of one level ask for are read in one batch. Every scope has
//! its own, so nothing is shared between viewers or outlives a request.

mod reads;

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt::Debug;
use std::hash::Hash;
use std::marker::PhantomData;
use std::sync::Arc;

use dataloader::BatchFn;
use dataloader::cached::Loader;
use parking_lot::Mutex;

pub use reads::{
    FirstComments, FirstReplies, OrderHistory, ProductTitle, SoldLines, ViewerBlocks, ViewerLikes,
    ViewerReposts,
};

use super::error::fault;
use plaza_domain::{DomainError, Operation};

/// Most keys in one batch: a page's largest product of levels.
pub(crate) const BATCH: usize = 1_000;
/// How often a loader lets other tasks run before it takes the keys gathered so far. The fields of
/// a level are polled in one go, so a few are plenty.
const YIELDS: usize = 4;

/// Values that are read many at a time.
pub trait BatchRead: Send + Sync + 'static {
    /// What a value is read by.
    type Key: Copy + Eq + Hash + Debug + Send + Sync + 'static;
    /// What is read.
    type Value: Clone + Send + Sync + 'static;

    /// The values of these keys as far as the viewer may see them; the rest is left out.
    ///
    /// # Errors
    /// A shard that is unavailable.
    fn read(
        op: &Operation,
        keys: &[Self::Key],
    ) -> impl Future<Output = Result<HashMap<Self::Key, Self::Value>, DomainError>> + Send;
}

/// A loaded value, or the failure that all keys of its batch share.
pub(crate) type Loaded<T> = Result<Option<T>, Arc<DomainError>>;

struct Batch<R>(Arc<Operation>, PhantomData<R>);

impl<R: BatchRead> BatchFn<R::Key, Loaded<R::Value>> for Batch<R> {
    async fn load(&mut self, keys: &[R::Key]) -> HashMap<R::Key, Loaded<R::Value>> {
        match R::read(&self.0, keys).await {
            Ok(mut found) => keys.iter().map(|key| (*key, Ok(found.remove(key)))).collect(),
            Err(error) => {
                let error = Arc::new(error);
                keys.iter().map(|key| (*key, Err(Arc::clone(&error)))).collect()
            }
        }
    }
}

type BatchLoader<R> = Loader<<R as BatchRead>::Key, Loaded<<R as BatchRead>::Value>, Batch<R>>;

/// The loaders of one scope. Each is made at its first use: most operations need a few of them, and
/// an event of a subscription one or none.
pub struct Loaders {
    op: Arc<Operation>,
    made: Mutex<HashMap<TypeId, Box<dyn Any + Send + Sync>>>,
}

impl Loaders {
    /// Loaders that read for this operation.
    pub fn new(op: &Arc<Operation>) -> Self {
        Self { op: Arc::clone(op), made: Mutex::default() }
    }

    fn of<R: BatchRead>(&self) -> Option<BatchLoader<R>> {
        let mut made = self.made.lock();
        let loader = made.entry(TypeId::of::<R>()).or_insert_with(|| {
            let loader: BatchLoader<R> = Loader::new(Batch(Arc::clone(&self.op), PhantomData))
                .with_max_batch_size(BATCH)
                .with_yield_count(YIELDS);
            Box::new(loader)
        });
        loader.downcast_ref::<BatchLoader<R>>().cloned()
    }

    /// The value of a key; `None` when it does not exist or the viewer may not see it.
    ///
    /// # Errors
    /// The failure of the batch that the key was in.
    pub async fn get<R: BatchRead>(&self, key: R::Key) -> async_graphql::Result<Option<R::Value>> {
        let lost = |error: String| fault(&DomainError::Internal(format!("a loader {error}")));
        let loader = self.of::<R>().ok_or_else(|| lost("is of another type".to_owned()))?;
        let loaded = match loader.try_load(key).await {
            // The field that led the batch was dropped (its sibling failed): ask again.
            Err(_) => loader.try_load(key).await,
            loaded => loaded,
        };
        match loaded {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(fault(&error)),
            Err(error) => Err(lost(format!("lost a key: {error}"))),
        }
    }

    /// The value of a key, or its default (empty, zero, false) when there is none.
    ///
    /// # Errors
    /// As [`Loaders::get`].
    pub async fn get_or_default<R>(&self, key: R::Key) -> async_graphql::Result<R::Value>
    where
        R: BatchRead,
        R::Value: Default,
    {
        self.get::<R>(key).await.map(Option::unwrap_or_default)
    }
}

impl Debug for Loaders {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Loaders")
    }
}
