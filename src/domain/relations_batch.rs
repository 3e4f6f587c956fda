//! The relations of many viewers at once. A post by somebody famous wakes a hundred thousand watchers, and each asks for relations of its own: by
//! themselves that is a look at Redis, a statement and a fill for each of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::operation::ConsistencyToken;
use super::relations::{self, Relations};
use super::{Domain, DomainError, Operation};
use crate::ids::{Id, UserId};
use crate::stores::redis::cache::CachePolicy;

/// Most people in one batch.
const MOST: usize = 512;
/// How long a batch may take.
const PATIENCE: Duration = Duration::from_secs(2);

type Answer = Result<Arc<Relations>, Arc<DomainError>>;

/// Gathers who is asked for while a batch is loading, and loads them in the next. Each shard has batches of its own: one that is away
/// is waited for by its own people only.
#[derive(Debug, Clone)]
pub struct RelationsBatch(Arc<[Gathered]>);

#[derive(Debug, Default)]
struct Gathered {
    asked: Mutex<Vec<(UserId, oneshot::Sender<Answer>)>>,
    /// Held by whoever loads a batch, for all.
    leading: tokio::sync::Mutex<()>,
}

impl Gathered {
    fn ask(&self, user: UserId) -> oneshot::Receiver<Answer> {
        let (answer, answered) = oneshot::channel();
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push((user, answer));
        answered
    }

    fn take(&self) -> Vec<(UserId, oneshot::Sender<Answer>)> {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let most = asked.len().min(MOST);
        asked.drain(..most).collect()
    }

    async fn load(&self, domain: &Domain, user: UserId) -> Answer {
        let mut answered = self.ask(user);
        loop {
            tokio::select! {
                biased;
                answer = &mut answered => match answer {
                    Ok(answer) => return answer,
                    // Who led was dropped on the way, as a watcher is whose client leaves.
                    Err(_) => answered = self.ask(user),
                },
                _leading = self.leading.lock() => self.lead(domain).await,
            }
        }
    }

    async fn lead(&self, domain: &Domain) {
        let asked = self.take();
        let users: Vec<UserId> = asked.iter().map(|(user, _)| *user).collect();
        let loaded = load(domain, &users).await.map_err(Arc::new);
        for (user, answer) in asked {
            let relations = loaded.as_ref().map(|found| found.get(&user.as_i64()).cloned().unwrap_or_default());
            // Who asked may have left.
            let _left = answer.send(relations.map_err(Arc::clone));
        }
    }
}

impl RelationsBatch {
    /// Nobody is asked for yet.
    pub fn new(shards: usize) -> Self {
        Self(std::iter::repeat_with(Gathered::default).take(shards).collect())
    }

    /// A person's relations as they are after this is called, or newer.
    ///
    /// # Errors
    /// The person's shard is away.
    pub async fn load(&self, domain: &Domain, user: UserId) -> Answer {
        let shard = domain.cluster.shard_of_id(user);
        match self.0.get(shard.0) {
            Some(gathered) => gathered.load(domain, user).await,
            None => Err(Arc::new(DomainError::Internal(format!("there are no batches for {shard:?}")))),
        }
    }
}

/// As they are now: a replica that is behind, or another's load that has begun before, may not have what they are asked for.
async fn load(domain: &Domain, users: &[UserId]) -> Result<HashMap<i64, Arc<Relations>>, DomainError> {
    if users.is_empty() {
        return Ok(HashMap::new());
    }
    let now = domain.clock.now_ms();
    let op = Operation::request(domain.cluster.len(), None, &ConsistencyToken { seen_at_ms: now, ..Default::default() }, PATIENCE);
    let found = relations::of_many(&op, domain, CachePolicy { floor_ms: now, bypass: false }, users).await?;
    Ok(found.into_iter().map(|(user, relations)| (user, Arc::new(relations))).collect())
}
