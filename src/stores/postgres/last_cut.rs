//! The newest cut of all shards (`cut.rs`), as a shard knows it.

use chrono::{DateTime, Utc};
use diesel::QueryableByName;
use diesel::sql_types::Timestamptz;
use diesel_async::RunQueryDsl;

use super::pool::Connection;
use super::prepared::{prepared, sql};
use crate::StoreError;

#[derive(QueryableByName)]
struct Recorded {
    #[diesel(sql_type = Timestamptz)]
    at: DateTime<Utc>,
}

/// When the newest cut was made that this shard's log has; `None` before the first, and while one
/// is being made.
///
/// # Errors
/// The server's.
pub async fn last_cut(connection: &mut Connection) -> Result<Option<DateTime<Utc>>, StoreError> {
    let query = prepared(sql("SELECT at FROM backup_cut WHERE recorded_at IS NOT NULL"));
    let rows: Vec<Recorded> = query.load(connection).await?;
    Ok(rows.into_iter().next().map(|row| row.at))
}
