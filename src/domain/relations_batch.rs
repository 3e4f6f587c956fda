//! The relations of many viewers at once. A post by somebody famous wakes a hundred thousand
//! watchers, and each asks for relations of its own: by themselves that is a read of Redis, a
//! statement and a fill for each of them.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::relations::{self, Relations};
use super::{Domain, DomainError, Operation};
use plaza_base::ids::UserId;
use plaza_stores::StoreError;
use plaza_stores::postgres::ShardIndex;

/// Most users in one batch.
const MOST: usize = 128;
/// How long a batch may take.
const TIMEOUT: Duration = Duration::from_secs(2);

type Answer = Result<Arc<Relations>, Arc<DomainError>>;

/// Gathers who is asked for while a batch is loading, and loads them in the next. Each shard has
/// batches of its own: one that is unavailable is waited for by its own users only.
#[derive(Debug, Clone)]
pub struct RelationsBatch(Arc<[Mutex<Gathered>]>);

#[derive(Debug, Default)]
struct Gathered {
    asked: VecDeque<(UserId, oneshot::Sender<Answer>)>,
    /// Whether a task is loading them.
    loading: bool,
}

impl RelationsBatch {
    /// Nobody is asked for yet.
    pub fn new(shards: usize) -> Self {
        Self(std::iter::repeat_with(Mutex::default).take(shards).collect())
    }

    /// A user's relations as they are after this is called, or newer.
    ///
    /// # Errors
    /// Why the batch could not be loaded: the user's shard is unavailable.
    pub async fn load(&self, domain: &Arc<Domain>, user: UserId) -> Answer {
        let shard = domain.cluster.shard_of_id(user);
        let (answer, answered) = oneshot::channel();
        if self.ask(shard, user, answer) {
            self.begin(domain, shard);
        }
        answered.await.unwrap_or_else(|_| {
            Err(Arc::new(DomainError::Internal("a batch of relations broke off".to_owned())))
        })
    }

    /// Whether a task is needed, which is the caller's to begin.
    fn ask(&self, shard: ShardIndex, user: UserId, answer: oneshot::Sender<Answer>) -> bool {
        let Some(gathered) = self.0.get(shard.0) else { return false };
        let mut gathered = gathered.lock();
        gathered.asked.push_back((user, answer));
        !std::mem::replace(&mut gathered.loading, true)
    }

    /// The next batch; when there is none, the task has ended.
    fn take(&self, shard: ShardIndex) -> Option<Vec<(UserId, oneshot::Sender<Answer>)>> {
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
                let users: Vec<UserId> = asked.iter().map(|(user, _)| *user).collect();
                let loaded = load(&domain, &users).await.map_err(Arc::new);
                for (user, answer) in asked {
                    let relations =
                        loaded.as_ref().map(|found| found.get(&user).cloned().unwrap_or_default());
                    // Who asked may have left.
                    let _left = answer.send(relations.map_err(Arc::clone));
                }
            }
        });
    }
}

/// A task that breaks off lets another begin, and wakes those who wait.
struct Ended<'a>(&'a RelationsBatch, ShardIndex);

impl Drop for Ended<'_> {
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
async fn load(
    domain: &Arc<Domain>,
    users: &[UserId],
) -> Result<HashMap<UserId, Arc<Relations>>, DomainError> {
    let mut op = Operation::as_of_now(domain, None, TIMEOUT);
    op.cache_floor_ms = domain.clock.now_ms();
    let found = relations::of_many(&op, users);
    let found = tokio::time::timeout(TIMEOUT, found)
        .await
        .map_err(|_| StoreError::Deadline("relations".to_owned()))??;
    Ok(found.into_iter().map(|(user, relations)| (user, Arc::new(relations))).collect())
}
