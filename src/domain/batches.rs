//! Reads of very many at once. A post by somebody famous wakes a hundred thousand watchers, and
//! each asks for what is its own: by themselves that is a read of Redis, a statement and a fill for
//! each of them.

use std::collections::{HashMap, VecDeque};
use std::fmt::{self, Debug};
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::likes::IsLiked;
use super::posts::IsReposted;
use super::relations_batch::RelationsNow;
use super::{Domain, DomainError, Operation};
use plaza_stores::StoreError;
use plaza_stores::postgres::ShardIndex;

/// Most keys in one batch.
const MOST: usize = 128;
/// How long a batch may take.
const TIMEOUT: Duration = Duration::from_secs(2);

/// What is read for many at once.
pub trait ReadForMany: Sized + 'static {
    /// What is asked for.
    type Key: Copy + Eq + Hash + Send + Sync + 'static;
    /// What is read.
    type Value: Clone + Default + Send + 'static;
    /// What it is called in an error.
    const NAME: &'static str;

    /// The shard that has it.
    fn shard_of(domain: &Domain, key: Self::Key) -> ShardIndex;

    /// Reads it, at most one statement a shard; what there is nothing of is left out.
    fn read(
        op: &Operation,
        keys: &[Self::Key],
    ) -> impl Future<Output = Result<HashMap<Self::Key, Self::Value>, DomainError>> + Send;
}

type Answer<R> = Result<<R as ReadForMany>::Value, Arc<DomainError>>;
type Asked<R> = (<R as ReadForMany>::Key, oneshot::Sender<Answer<R>>);

/// Gathers what is asked for while a batch is loading, and loads it in the next. Each shard has
/// batches of its own: one that is unavailable is waited for by its own users only.
pub struct Batches<R: ReadForMany>(Arc<[Mutex<Gathered<R>>]>);

struct Gathered<R: ReadForMany> {
    asked: VecDeque<Asked<R>>,
    /// Whether a task is loading them.
    loading: bool,
}

impl<R: ReadForMany> Default for Gathered<R> {
    fn default() -> Self {
        Self { asked: VecDeque::new(), loading: false }
    }
}

impl<R: ReadForMany> Clone for Batches<R> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<R: ReadForMany> Debug for Batches<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(R::NAME)
    }
}

impl<R: ReadForMany> Batches<R> {
    /// Nothing is asked for yet.
    pub fn new(shards: usize) -> Self {
        Self(std::iter::repeat_with(Mutex::default).take(shards).collect())
    }

    /// What is asked for as it is after this is called, or newer.
    ///
    /// # Errors
    /// Why the batch could not be loaded: the shard is unavailable.
    pub async fn load(&self, domain: &Arc<Domain>, key: R::Key) -> Answer<R> {
        let shard = R::shard_of(domain, key);
        let (answer, answered) = oneshot::channel();
        if self.ask(shard, key, answer) {
            self.begin(domain, shard);
        }
        answered.await.unwrap_or_else(|_| {
            Err(Arc::new(DomainError::Internal(format!("a batch of {} broke off", R::NAME))))
        })
    }

    /// Whether a task is needed, which is the caller's to begin.
    fn ask(&self, shard: ShardIndex, key: R::Key, answer: oneshot::Sender<Answer<R>>) -> bool {
        let Some(gathered) = self.0.get(shard.0) else { return false };
        let mut gathered = gathered.lock();
        gathered.asked.push_back((key, answer));
        !std::mem::replace(&mut gathered.loading, true)
    }

    /// The next batch; when there is none, the task has ended.
    fn take(&self, shard: ShardIndex) -> Option<Vec<Asked<R>>> {
        let mut gathered = self.0.get(shard.0)?.lock();
        let most = gathered.asked.len().min(MOST);
        gathered.loading = most > 0;
        gathered.loading.then(|| gathered.asked.drain(..most).collect())
    }

    /// A task, since each who waits may leave at any moment, and no other may wait for what it was
    /// about to do.
    fn begin(&self, domain: &Arc<Domain>, shard: ShardIndex) {
        let (batches, domain) = (self.clone(), Arc::clone(domain));
        #[expect(clippy::disallowed_methods, reason = "ends when nobody asks; it only reads")]
        tokio::spawn(async move {
            let _ended = Ended(&batches, shard);
            while let Some(asked) = batches.take(shard) {
                let keys: Vec<R::Key> = asked.iter().map(|(key, _)| *key).collect();
                let loaded = load::<R>(&domain, &keys).await.map_err(Arc::new);
                for (key, answer) in asked {
                    let value =
                        loaded.as_ref().map(|found| found.get(&key).cloned().unwrap_or_default());
                    // Who asked may have left.
                    let _left = answer.send(value.map_err(Arc::clone));
                }
            }
        });
    }
}

/// A task that breaks off lets another begin, and wakes those who wait.
struct Ended<'a, R: ReadForMany>(&'a Batches<R>, ShardIndex);

impl<R: ReadForMany> Drop for Ended<'_, R> {
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Some(gathered) = self.0.0.get(self.1.0)
        {
            *gathered.lock() = Gathered::default();
        }
    }
}

/// As they are now: a replica that is behind, or another's load that has begun before, may not have
/// what they are asked for.
async fn load<R: ReadForMany>(
    domain: &Arc<Domain>,
    keys: &[R::Key],
) -> Result<HashMap<R::Key, R::Value>, DomainError> {
    let mut op = Operation::as_of_now(domain, None, TIMEOUT);
    op.cache_floor_ms = domain.clock.now_ms();
    tokio::time::timeout(TIMEOUT, R::read(&op, keys))
        .await
        .map_err(|_| StoreError::Deadline(R::NAME.to_owned()))?
}

/// What is each viewer's own of an event, many viewers at a time.
#[derive(Debug, Clone)]
pub struct ViewerBatches {
    /// Their relations.
    pub relations: Batches<RelationsNow>,
    /// Which posts they like.
    pub likes: Batches<IsLiked>,
    /// Which posts they repost.
    pub reposts: Batches<IsReposted>,
}

impl ViewerBatches {
    /// For so many shards.
    pub fn new(shards: usize) -> Self {
        let (relations, likes) = (Batches::new(shards), Batches::new(shards));
        Self { relations, likes, reposts: Batches::new(shards) }
    }
}
