//! Where a mutation is done: its claim, its transaction, and what is sent in which message.

use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::join;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::error::Elapsed;
use tokio::time::{Instant, timeout_at};

use super::key::{Answer, Named, Standing};
use super::tx::Tx;
use crate::{DomainError, Operation};
use plaza_stores::StoreError;
use plaza_stores::postgres::commit::Last;
use plaza_stores::postgres::idempotency_keys as store;
use plaza_stores::postgres::{Connection, ShardIndex};
use plaza_stores::query::{FirstWork, WorkWith};

/// Where a mutation is done.
#[derive(Clone, Copy)]
pub(super) struct At<'a> {
    pub(super) op: &'a Operation,
    pub(super) shard: ShardIndex,
}

impl At<'_> {
    pub(super) async fn begin(self) -> Result<Tx, DomainError> {
        let transaction = self.op.domain.cluster.begin(self.shard, self.op.deadline).await?;
        Ok(Tx::new(transaction, self.op))
    }

    async fn reserve(self) -> Result<Tx, DomainError> {
        let transaction = self.op.domain.cluster.reserve(self.shard, self.op.deadline).await?;
        Ok(Tx::new(transaction, self.op))
    }

    /// Begins with what a mutation without a key writes first.
    pub(super) async fn begin_with<A, B>(
        self,
        first: impl FirstWork<A, B, DomainError>,
        asked: A,
    ) -> Result<(Tx, B), DomainError> {
        let tx = self.reserve().await?;
        match tx.transaction.begin(first(&tx, asked)).await? {
            Ok(begun) => Ok((tx, begun)),
            Err(error) => {
                tx.transaction.rollback().await;
                Err(error)
            }
        }
    }

    /// Writes the messages and commits, if the work was done.
    pub(super) async fn end<T>(
        self,
        tx: Tx,
        worked: Result<Result<T, DomainError>, Elapsed>,
    ) -> Result<T, DomainError> {
        let Tx { transaction, mut messages, effects, .. } = tx;
        let (value, mut transaction) = transaction.after(worked).await?;
        let rows = messages.take_rows();
        let last = if rows.is_empty() {
            Last::Nothing
        } else {
            transaction.appended();
            Last::Messages(&rows)
        };
        let lsn = transaction.commit_with(last).await?;
        effects.apply(self.op, self.shard, lsn).await;
        Ok(value)
    }

    /// Stores what is answered, writes the messages and commits, if the work was done.
    async fn end_answered<T: Serialize>(
        self,
        tx: Tx,
        named: &Named,
        worked: Result<Result<T, DomainError>, Elapsed>,
    ) -> Result<T, DomainError> {
        let Tx { transaction, mut messages, effects, .. } = tx;
        let (value, mut transaction) = transaction.after(worked).await?;
        let answer = match Answer::of(&value, &effects) {
            Ok(answer) => answer,
            Err(error) => {
                transaction.rollback().await;
                return Err(error);
            }
        };
        let messages = messages.take_rows();
        if !messages.is_empty() {
            transaction.appended();
        }
        let (user, name) = (named.user, named.name.as_str());
        let stored = store::Answer { user, name, answer: &answer, messages: &messages };
        let lsn = transaction.commit_with(Last::Answer(stored)).await?;
        effects.apply(self.op, self.shard, lsn).await;
        Ok(value)
    }

    /// Claims the key on its user's own shard, unless nothing else could be meant by it; whether
    /// that was the first time.
    pub(super) async fn claim(
        self,
        own: ShardIndex,
        named: &mut Named,
    ) -> Result<bool, DomainError> {
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

    pub(super) async fn release(self, own: ShardIndex, named: &Named) {
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

    pub(super) async fn done<A, B, T, F, W>(
        self,
        named: &Named,
        asked: impl Future<Output = Result<A, DomainError>> + Send,
        first: F,
        work: W,
    ) -> Result<T, DomainError>
    where
        A: Send,
        B: Send,
        T: Serialize + DeserializeOwned + Send + Sync,
        F: FirstWork<A, B, DomainError>,
        W: WorkWith<Tx, B, T, DomainError>,
    {
        if named.may_repeat
            && self.is_answered(named).await?
            && let Some(value) = self.before(named).await?
        {
            return Ok(value);
        }
        let asked = match asked.await {
            Ok(asked) => asked,
            // Also of what seems to come for the first time: while Redis is unavailable a second
            // attempt is told by its age alone, and one whose server was killed in its COMMIT is
            // young.
            Err(refusal) if is_refusal(&refusal) => {
                return self.before(named).await?.ok_or(refusal);
            }
            Err(error) => return Err(error),
        };
        let (mut tx, begun) = match self.take_with(named, first, asked).await? {
            Taken::Before(value) => return Ok(value),
            Taken::Now(tx, begun) => (tx, begun),
        };
        let worked = timeout_at(self.op.deadline, work(&mut tx, begun)).await;
        self.end_answered(*tx, named, worked).await
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

    /// What was answered before, if anything was; in a transaction: the replicas must have what the
    /// client hears of.
    async fn before<T: DeserializeOwned>(self, named: &Named) -> Result<Option<T>, DomainError> {
        let (standing, tx) = standing(self.begin().await?, named, self.op.deadline).await?;
        let Standing::Answered(answer) = standing else {
            tx.transaction.rollback().await;
            return Ok(None);
        };
        let (value, effects) = answer.into_value()?;
        let lsn = tx.transaction.commit().await?;
        effects.apply(self.op, self.shard, lsn).await;
        Ok(Some(value))
    }

    /// Takes the key in the message that begins the transaction, with what the mutation writes
    /// first behind it. When that key was stored already, all of it is undone.
    async fn take_with<A, B, T: DeserializeOwned>(
        self,
        named: &Named,
        first: impl FirstWork<A, B, DomainError>,
        asked: A,
    ) -> Result<Taken<T, B>, DomainError> {
        let tx = self.reserve().await?;
        let (is_new, begun) = taken_with(&tx, named, first, asked).await?;
        let tx = match begun {
            Ok(begun) if is_new => return Ok(Taken::Now(Box::new(tx), begun)),
            Err(error) if is_new => {
                tx.transaction.rollback().await;
                return Err(error);
            }
            // A claim may lie where answers do: nothing was done under it.
            Ok(begun) => match standing(tx, named, self.op.deadline).await? {
                (Standing::New, tx) => return Ok(Taken::Now(Box::new(tx), begun)),
                (Standing::Answered(_), tx) => tx,
            },
            Err(_) => tx,
        };
        tx.transaction.rollback().await;
        self.before(named).await?.map(Taken::Before).ok_or_else(comes_and_goes)
    }
}

/// Begins a transaction, and whether its key was free; with what came of what was sent behind it.
async fn taken_with<A, B>(
    tx: &Tx,
    named: &Named,
    first: impl FirstWork<A, B, DomainError>,
    asked: A,
) -> Result<(bool, Result<B, DomainError>), DomainError> {
    let (connection, key): (&Connection, _) = (tx, named.key(&named.name));
    let has_key = AtomicBool::new(false);
    let taking = async {
        let taken = store::take(connection, &key).await;
        has_key.store(matches!(taken, Ok(true)), Ordering::Relaxed);
        taken
    };
    match tx.transaction.begin(join(taking, first(connection, asked))).await {
        Ok((Ok(is_new), begun)) => Ok((is_new, begun)),
        // Whoever has the key may be in its COMMIT.
        Err(StoreError::Deadline(server)) | Ok((Err(StoreError::Deadline(server)), _))
            if !has_key.load(Ordering::Relaxed) =>
        {
            Err(StoreError::OutcomeUnknown(server).into())
        }
        Ok((Err(error), _)) | Err(error) => Err(error.into()),
    }
}

/// What is known of a key, which is the transaction's from now on.
async fn standing(
    mut tx: Tx,
    named: &Named,
    deadline: Instant,
) -> Result<(Standing, Tx), DomainError> {
    match timeout_at(deadline, stands(&mut tx, named)).await {
        Ok(Ok(standing)) => Ok((standing, tx)),
        // Whoever has the key may be in its COMMIT.
        Err(_) | Ok(Err(DomainError::Store(StoreError::Deadline(_)))) => {
            let server = tx.transaction.server().to_owned();
            tx.transaction.expire();
            Err(StoreError::OutcomeUnknown(server).into())
        }
        Ok(Err(error)) => {
            tx.transaction.rollback().await;
            Err(error)
        }
    }
}

/// A key that an attempt wanted.
enum Taken<T, B> {
    /// It has it: nobody else can do anything under it until the transaction ends; and what came
    /// of the statements that were sent with it.
    Now(Box<Tx>, B),
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
    Err(comes_and_goes())
}

fn comes_and_goes() -> DomainError {
    DomainError::Internal("an idempotency key comes and goes".to_owned())
}

/// Whether an error says that the mutation may not be done, rather than that it cannot be done now.
pub(super) fn is_refusal(error: &DomainError) -> bool {
    matches!(error, DomainError::Rejected(_) | DomainError::Forbidden | DomainError::Limited { .. })
}
