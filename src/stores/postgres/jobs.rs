//! Failed attempts of jobs, counted by us: a broker's own count does not survive a republish.

use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Integer, Text};
use diesel_async::RunQueryDsl;

use super::pool::Connection;
use super::prepared::{prepared, sql};
use crate::StoreError;

#[derive(QueryableByName)]
struct Attempts {
    #[diesel(sql_type = Integer)]
    attempts: i32,
}

/// Counts one more failed attempt; how many there have been.
///
/// # Errors
/// The server's.
pub async fn count_attempt(
    connection: &mut Connection,
    job: &str,
    error: &str,
) -> Result<i32, StoreError> {
    let row: Attempts = prepared(
        sql("INSERT INTO job_attempts AS a (job_id, attempts, last_error) VALUES ($1, 1, $2)
             ON CONFLICT (job_id) DO UPDATE SET attempts = a.attempts + 1, last_error = excluded.last_error, updated_at = now()
             RETURNING attempts")
        .bind::<Text, _>(job)
        .bind::<Text, _>(error),
    )
    .get_result(connection)
    .await?;
    Ok(row.attempts)
}

/// The job has ended, or begins anew: its attempts are forgotten.
///
/// # Errors
/// The server's.
pub async fn forget_attempts(connection: &mut Connection, job: &str) -> Result<(), StoreError> {
    prepared(sql("DELETE FROM job_attempts WHERE job_id = $1").bind::<Text, _>(job))
        .execute(connection)
        .await?;
    Ok(())
}

/// Forgets the attempts of jobs that last failed more than so many days ago, at most `limit` jobs;
/// how many. Waits for no replica: what a failover brings back is deleted again.
///
/// # Errors
/// The server's.
pub async fn forget_old_attempts(
    connection: &mut Connection,
    days: i32,
    limit: usize,
) -> Result<usize, StoreError> {
    Ok(prepared(
        sql("DELETE FROM job_attempts WHERE ctid = ANY (ARRAY(
                 SELECT ctid FROM job_attempts WHERE updated_at < now() - make_interval(days => $1)
                 LIMIT $2 FOR UPDATE SKIP LOCKED))
             AND set_config('synchronous_commit', 'local', true) = 'local'")
        .bind::<Integer, _>(days)
        .bind::<BigInt, _>(i64::try_from(limit).unwrap_or(i64::MAX)),
    )
    .execute(connection)
    .await?)
}
