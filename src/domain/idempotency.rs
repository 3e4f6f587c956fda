//! The same key, the same answer: stored in the mutation's own transaction.

use diesel::sql_types::{BigInt, Binary, Jsonb, Text};
use diesel::{OptionalExtension, QueryableByName};
use diesel_async::RunQueryDsl;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::Digest;

use super::{DomainError, UserError, UserErrorCode};
use crate::ids::{Id, UserId};
use crate::stores::postgres::Connection;
use crate::stores::postgres::prepared::{prepared, sql};
use crate::stores::query::SendFnOnce;

/// What makes two requests the same.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Whose.
    pub user: UserId,
    /// The client's key; without one every request is new.
    pub client_key: Option<&'a str>,
    /// The mutation.
    pub operation: &'static str,
}

#[derive(QueryableByName)]
struct Stored {
    #[diesel(sql_type = Text)]
    operation: String,
    #[diesel(sql_type = Binary)]
    payload_hash: Vec<u8>,
    #[diesel(sql_type = Jsonb)]
    answer: serde_json::Value,
}

/// Runs `work` unless this key has an answer already, and stores the answer beside the work. Call
/// it inside the transaction that the work is in; a parallel request with the same key waits for
/// this one's commit.
///
/// # Errors
/// [`UserErrorCode::IdempotencyConflict`] when the key came with another input; else the work's
/// own.
#[expect(
    clippy::manual_async_fn,
    reason = "the signature says that the future may move between threads"
)]
pub fn once<'a, T, P, F>(
    connection: &'a mut Connection,
    request: Request<'a>,
    payload: &'a P,
    work: F,
) -> impl Future<Output = Result<T, DomainError>> + Send + 'a
where
    T: Serialize + DeserializeOwned + Send + 'a,
    P: Serialize + Sync,
    for<'c> F: AsyncFnOnce(&'c mut Connection) -> Result<T, DomainError>
        + SendFnOnce<&'c mut Connection, Result<T, DomainError>, Fut: Send>
        + Send
        + 'a,
{
    async move { first_answer(connection, request, payload, work).await }
}

async fn first_answer<T, P, F>(
    connection: &mut Connection,
    request: Request<'_>,
    payload: &P,
    work: F,
) -> Result<T, DomainError>
where
    T: Serialize + DeserializeOwned + Send,
    P: Serialize + Sync,
    for<'c> F: AsyncFnOnce(&'c mut Connection) -> Result<T, DomainError>
        + SendFnOnce<&'c mut Connection, Result<T, DomainError>, Fut: Send>
        + Send,
{
    let Some(key) = request.client_key else { return work(connection).await };
    let corrupt = |error: serde_json::Error| DomainError::Internal(format!("idempotency: {error}"));
    let payload_hash = sha2::Sha256::digest(serde_json::to_vec(payload).map_err(corrupt)?).to_vec();
    let taken = prepared(
        sql("INSERT INTO idempotency_keys (user_id, client_key, operation, payload_hash, answer)
             VALUES ($1, $2, $3, $4, 'null'::jsonb) ON CONFLICT DO NOTHING")
        .bind::<BigInt, _>(request.user.as_i64())
        .bind::<Text, _>(key)
        .bind::<Text, _>(request.operation)
        .bind::<Binary, _>(&payload_hash),
    )
    .execute(connection)
    .await?;
    if taken == 0 {
        let stored: Option<Stored> = prepared(
            sql("SELECT operation, payload_hash, answer FROM idempotency_keys WHERE user_id = $1 AND client_key = $2")
                .bind::<BigInt, _>(request.user.as_i64())
                .bind::<Text, _>(key),
        )
        .get_result(connection)
        .await
        .optional()?;
        return match stored {
            Some(stored)
                if stored.operation == request.operation && stored.payload_hash == payload_hash =>
            {
                serde_json::from_value(stored.answer).map_err(corrupt)
            }
            _ => Err(DomainError::Rejected(vec![UserError {
                code: UserErrorCode::IdempotencyConflict,
                message: "this idempotency key was used with another input".to_owned(),
                path: Vec::new(),
            }])),
        };
    }
    let answer = work(connection).await?;
    prepared(
        sql("UPDATE idempotency_keys SET answer = $3 WHERE user_id = $1 AND client_key = $2")
            .bind::<BigInt, _>(request.user.as_i64())
            .bind::<Text, _>(key)
            .bind::<Jsonb, _>(serde_json::to_value(&answer).map_err(corrupt)?),
    )
    .execute(connection)
    .await?;
    Ok(answer)
}
