//! A mutation: what it asks, what it writes, and what it answers when it comes again.
//!
//! A mutation that has an idempotency key is done once, and answered the same each time:
//! 1. A client's key is claimed on the client's own shard, so that it names one mutation and input
//!    wherever that writes. A key that an answer is stored under already is answered with it,
//!    before anything else is asked.
//! 2. What the mutation depends on elsewhere is asked while no connection is held.
//! 3. In one transaction on one shard's primary the key is taken, the rows are written, and the
//!    answer is stored with the messages. A parallel attempt with the same key waits for that.
//!    BEGIN, the key and what a mutation writes first are one message, and so are the answer, the
//!    messages, COMMIT and the look at the position: a mutation that needs nothing in between waits
//!    for its shard twice.
//! 4. After the commit the client's token, the caches and the relay learn of it.
//!
//! The law of retries: a stored answer outranks every refusal. A mutation is refused only once its
//! key is known to be free, for what it depends on may have changed since another attempt was done.

mod at;
mod key;
mod sweep;
mod tx;

use futures_util::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::timeout_at;

use super::{DomainError, Operation, limits};
use plaza_base::ids::UserId;
use plaza_stores::postgres::{Connection, ShardIndex};
use plaza_stores::query::{FirstWork, Work, WorkWith};

use at::{At, is_refusal};
use key::Named;

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
/// that is unavailable. [`plaza_stores::StoreError::OutcomeUnknown`] also when another attempt under
/// the same key had not ended by the deadline.
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
    mutate_from(op, mutation, asked, async |_: &Connection, asked: A| Ok(asked), work)
}

/// The same with what it writes `first`: it is sent in one message with BEGIN and the key, before
/// it is known that the key is free. When it is not, the transaction is undone, so that `first` may
/// do nothing but send statements; `work` is not called then.
///
/// # Errors
/// As [`mutate`]; those of `first`.
pub fn mutate_from<'a, A, B, T, P, F, W>(
    op: &'a Operation,
    mutation: Mutation<'a, P>,
    asked: impl Future<Output = Result<A, DomainError>> + Send + 'a,
    first: F,
    work: W,
) -> BoxFuture<'a, Result<T, DomainError>>
where
    A: Send + 'a,
    B: Send + 'a,
    T: Serialize + DeserializeOwned + Send + Sync + 'a,
    P: Serialize + Sync,
    F: FirstWork<A, B, DomainError> + 'a,
    W: WorkWith<Tx, B, T, DomainError> + 'a,
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
            let (mut tx, begun) = at.begin_with(first, asked).await?;
            let worked = timeout_at(op.deadline, work(&mut tx, begun)).await;
            return at.end(tx, worked).await;
        };
        let claimed = at.claim(own, &mut named).await?;
        let done = at.done(&named, asked, first, work).await;
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
