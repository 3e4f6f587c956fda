//! What the ledger came to the last time that it ran by itself: a row on every shard that answered
//! then.

use diesel::sql_types::Jsonb;
use diesel::{OptionalExtension, QueryableByName};
use diesel_async::RunQueryDsl;

use crate::StoreError;
use crate::postgres::pool::Connection;
use crate::postgres::prepared::{prepared, sql};

#[derive(QueryableByName)]
struct RunRow {
    #[diesel(sql_type = Jsonb)]
    report: serde_json::Value,
}

/// Keeps what a run came to in place of the one before.
///
/// # Errors
/// The server's.
pub async fn keep(
    connection: &mut Connection,
    report: &serde_json::Value,
) -> Result<(), StoreError> {
    prepared(
        sql("INSERT INTO ledger_runs (report) VALUES ($1)
             ON CONFLICT (only_row) DO UPDATE SET report = excluded.report")
        .bind::<Jsonb, _>(report),
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// What this shard has of the last run; `None`: there was none.
///
/// # Errors
/// The server's.
pub async fn last(connection: &mut Connection) -> Result<Option<serde_json::Value>, StoreError> {
    let row: Option<RunRow> = prepared(sql("SELECT report FROM ledger_runs"))
        .get_result(connection)
        .await
        .optional()?;
    Ok(row.map(|row| row.report))
}
