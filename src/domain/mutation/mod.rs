//! A mutation: what it asks, what it writes, and what it answers when it comes again.
//!
//! A mutation that has an idempotency key is done once, and answered the same each time:
//! 1. A client's key is claimed on the client's own shard, so that it names one mutation and input
//!    wherever that writes. A key that an answer is stored under already is answered with it,
//!    before anything else is asked.
//! 2. What the mutation depends on elsewhere is asked while no connection is held.
//! 3. In one transaction on one shard's primary the key is taken, the rows are written, and the
//!    answer is stored with the messages. A parallel attempt with the same key waits for that.
//! 4. After the commit the client's token, the caches and the relay learn of it.
//!
//! The law of retries: a stored answer outranks every refusal. A mutation is refused only once its
//! key is known to be free, for what it depends on may have changed since another attempt was done.

mod key;
mod sweep;
mod tx;

use futures_util::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::error::Elapsed;
use tokio::time::timeout_at;

use super::{DomainError, Operation, limits};
use plaza_base::ids::UserId;
use plaza_stores::StoreError;
use plaza_stores::postgres::ShardIndex;
use plaza_stores::postgres::idempotency_keys as store;
use plaza_stores::query::{Work, WorkWith};

use key::{Named, Standing};

pub use key::{KeySource, name_of};
pub use sweep::sweep;
pub use tx::Tx;

/// What a mutation is.
#[derive(Debug, Clone, Copy)]
pub struct Mutation<'a, P> {
    /// As in the schema: `postLike`.
    pub name: &'static str,
    /// Whose.
    pub user: UserId,
    /// The shard that it writes, which must follow from the input and what never changes.
    pub shard: ShardIndex,
    /// What the client sent; the same key with anything else is a conflict.
    pub input: &'a P,
}

/// Does a mutation, or answers as it was answered before. `asked` is what it depends on elsewhere:
/// it is awaited only when nothing is known to be done under the key, and before a connection is
/// held. `work` does the rest, in the transaction; what it returns is stored, so it names all that
/// the answer shows and that may be gone when it is asked for again.
///
/// # Errors
/// Those of `asked` and `work`; `IDEMPOTENCY_CONFLICT` for a key that named something else; a shard
/// that is unavailable. [`StoreError::OutcomeUnknown`] also when another attempt under the same key
/// had not ended by the deadline.
pub fn mutate<'a, A, T, P, W>(
    op: &'a Operation,
    mutation: Mutation<'a, P>,
    asked: impl Future<Output = Result<A, DomainError>> + Send + 'a,
    work: W,
) -> BoxFuture<'a, Result<T, DomainError>>
where
    A: Send + 'a,
    T: Serialize + DeserializeOwned + Send + Sync + 'a,
    P: Serialize + Sync,
    W: WorkWith<Tx, A, T, DomainError> + 'a,
{
    // Its room is on the heap: every resolver would carry it otherwise.
    Box::pin(async move {
        let own = op.domain.cluster.shard_of_id(mutation.user);
        let at = At { op, shard: mutation.shard };
        // Only what is not answered as before counts.
        let asked = async {
            limits::of_mutation(&op.domain, mutation.name, mutation.user).await?;
            asked.await
        };
        let Some(mut named) = Named::of(op, &mutation, own == mutation.shard)? else {
            let asked = asked.await?;
            let mut tx = at.begin().await?;
            let worked = timeout_at(op.deadline, work(&mut tx, asked)).await;
            return at.end(tx, worked).await;
        };
        let claimed = at.claim(own, &mut named).await?;
        let done = at.done(&named, asked, work).await;
        if claimed && done.as_ref().is_err_and(is_refusal) {
            // Nothing was done under it: the client may mend the input and use it again.
            at.release(own, &named).await;
        }
        done
    })
}

/// Writes without a key: what no client asks for, or what is distinguished by something else.
///
/// # Errors
/// Those of `work`; the shard's unavailability.
pub fn write<'a, T, W>(
    op: &'a Operation,
    shard: ShardIndex,
    work: W,
) -> BoxFuture<'a, Result<T, DomainError>>
where
    T: Send + 'a,
    W: Work<Tx, T, DomainError> + 'a,
{
    Box::pin(async move {
        let at = At { op, shard };
        let mut tx = at.begin().await?;
        let worked = timeout_at(op.deadline, work(&mut tx)).await;
        at.end(tx, worked).await
    })
}

/// Where a mutation with a key is done.
#[derive(Clone, Copy)]
struct At<'a> {
    op: &'a Operation,
    shard: ShardIndex,
}

impl At<'_> {
    async fn begin(self) -> Result<Tx, DomainError> {
        let transaction = self.op.domain.cluster.begin(self.shard, self.op.deadline).await?;
        Ok(Tx::new(transaction, self.op))
    }

    /// Writes the messages and commits, if the work was done.
    async fn end<T>(
        self,
        tx: Tx,
        worked: Result<Result<T, DomainError>, Elapsed>,
    ) -> Result<T, DomainError> {
        let Tx { transaction, messages, effects, .. } = tx;
        let (value, mut transaction) = transaction.after(worked).await?;
        let appended = timeout_at(self.op.deadline, messages.append(&mut transaction)).await;
        let ((), transaction) = transaction.after(appended).await?;
        let lsn = transaction.commit().await?;
        effects.apply(self.op, self.shard, lsn).await;
        Ok(value)
    }

    /// Claims the key on its user's own shard, unless nothing else could be meant by it; whether
    /// that was the first time.
    async fn claim(self, own: ShardIndex, named: &mut Named) -> Result<bool, DomainError> {
        let Some(name) = named.claimed_as.clone() else { return Ok(false) };
        let (key, claim) = (named.key(&name), named.claim()?);
        let stands = self
            .op
            .domain
            .cluster
            .write_alone(own, self.op.deadline, async |connection| {
                store::claim(connection, &key, &claim).await
            })
            .await?;
        let is_new = stands.is_new;
        named.heed(stands)?;
        Ok(is_new)
    }

    async fn release(self, own: ShardIndex, named: &Named) {
        let (Some(name), Ok(claim)) = (&named.claimed_as, named.claim()) else { return };
        let user = named.user;
        let released = self
            .op
            .domain
            .cluster
            .write_alone(own, self.op.deadline, async |connection| {
                store::release(connection, user, name, &claim).await
            })
            .await;
        if let Err(error) = released {
            tracing::debug!(%error, "an idempotency key stays claimed");
        }
    }

    async fn done<A, T, W>(
        self,
        named: &Named,
        asked: impl Future<Output = Result<A, DomainError>> + Send,
        work: W,
    ) -> Result<T, DomainError>
    where
        A: Send,
        T: Serialize + DeserializeOwned + Send + Sync,
        W: WorkWith<Tx, A, T, DomainError>,
    {
        if named.may_repeat && self.is_answered(named).await? {
            match self.take(named).await? {
                Taken::Before(value) => return Ok(value),
                Taken::Now(tx) => tx.transaction.rollback().await,
            }
        }
        let asked = match asked.await {
            Ok(asked) => asked,
            // Also of what seems to come for the first time: while Redis is unavailable a second attempt
            // is told by its age alone, and one whose server was killed in its COMMIT is young.
            Err(refusal) if is_refusal(&refusal) => {
                return match self.take(named).await? {
                    Taken::Before(value) => Ok(value),
                    Taken::Now(tx) => {
                        tx.transaction.rollback().await;
                        Err(refusal)
                    }
                };
            }
            Err(error) => return Err(error),
        };
        let mut tx = match self.take(named).await? {
            Taken::Before(value) => return Ok(value),
            Taken::Now(tx) => tx,
        };
        let worked = timeout_at(self.op.deadline, async {
            let value = work(&mut tx, asked).await?;
            tx.answer(named, &value).await?;
            Ok::<T, DomainError>(value)
        })
        .await;
        let Tx { transaction, effects, .. } = *tx;
        let (value, transaction) = transaction.after(worked).await?;
        let lsn = transaction.commit().await?;
        effects.apply(self.op, self.shard, lsn).await;
        Ok(value)
    }

    /// Whether an answer is stored already.
    async fn is_answered(self, named: &Named) -> Result<bool, DomainError> {
        let (user, name) = (named.user, named.name.as_str());
        let stored = self
            .op
            .domain
            .cluster
            .write_alone(self.shard, self.op.deadline, async |connection| {
                store::find(connection, user, name).await
            })
            .await?;
        Ok(matches!(named.read(stored)?, Standing::Answered(_)))
    }

    /// Takes the key in a transaction; or what was answered before, in a transaction too: the
    /// replicas must have what the client hears of.
    async fn take<T: DeserializeOwned>(self, named: &Named) -> Result<Taken<T>, DomainError> {
        let mut tx = self.begin().await?;
        let taking = timeout_at(self.op.deadline, stands(&mut tx, named)).await;
        let (standing, tx) = match taking {
            Ok(Ok(standing)) => (standing, tx),
            // Whoever has the key may be in its COMMIT.
            Err(_) | Ok(Err(DomainError::Store(StoreError::Deadline(_)))) => {
                let server = tx.transaction.server().to_owned();
                tx.transaction.expire();
                return Err(StoreError::OutcomeUnknown(server).into());
            }
            Ok(Err(error)) => {
                tx.transaction.rollback().await;
                return Err(error);
            }
        };
        let Standing::Answered(answer) = standing else { return Ok(Taken::Now(Box::new(tx))) };
        let (value, effects) = answer.into_value()?;
        let lsn = tx.transaction.commit().await?;
        effects.apply(self.op, self.shard, lsn).await;
        Ok(Taken::Before(value))
    }
}

/// A key that an attempt wanted.
enum Taken<T> {
    /// It has it: nobody else can do anything under it until the transaction ends.
    Now(Box<Tx>),
    /// This was answered.
    Before(T),
}

/// Takes the key, or locks the row that has it.
async fn stands(tx: &mut Tx, named: &Named) -> Result<Standing, DomainError> {
    let key = named.key(&named.name);
    // One that is being released, or deleted, may be there the first time and not the next.
    for _ in 0..3 {
        if store::take(tx, &key).await? {
            return Ok(Standing::New);
        }
        let stored = store::lock(tx, named.user, &named.name).await?;
        if stored.is_some() {
            return named.read(stored);
        }
    }
    Err(DomainError::Internal("an idempotency key comes and goes".to_owned()))
}

/// Whether an error says that the mutation may not be done, rather than that it cannot be done now.
fn is_refusal(error: &DomainError) -> bool {
    matches!(error, DomainError::Rejected(_) | DomainError::Forbidden | DomainError::Limited { .. })
}
