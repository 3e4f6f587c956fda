//! The keys of mutations: what was answered to each. `domain/idempotency.rs` writes and reads them;
//! here they are forgotten.

use diesel::sql_types::Integer;
use diesel_async::RunQueryDsl;

use super::pool::Connection;
use super::prepared::{prepared, sql};
use crate::stores::StoreError;

/// Deletes keys older than so many hours, at most 10,000 at a time; how many.
///
/// # Errors
/// The server's.
pub async fn forget_old(connection: &mut Connection, hours: i32) -> Result<usize, StoreError> {
    Ok(prepared(
        sql("DELETE FROM idempotency_keys WHERE ctid = ANY (ARRAY(
                 SELECT ctid FROM idempotency_keys WHERE created_at < now() - make_interval(hours => $1) LIMIT 10000))")
        .bind::<Integer, _>(hours),
    )
    .execute(connection)
    .await?)
}
