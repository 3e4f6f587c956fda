//! Old minutes become part of their hour, old hours part of their day: what is kept of a post's
//! life is a row a day.

use diesel::sql_types::{BigInt, SmallInt};
use diesel_async::RunQueryDsl;

use super::{Size, StoredRow, Windows, add};
use crate::sketch::Sketch;
use plaza_stores::StoreError;
use plaza_stores::postgres::Connection;
use plaza_stores::postgres::prepared::{prepared, sql};

/// How long minutes are kept, in seconds.
pub const MINUTES_KEPT_S: i64 = 3 * 3_600;
/// How long hours are kept, in seconds.
pub const HOURS_KEPT_S: i64 = 8 * 86_400;
/// Windows folded in one transaction.
pub const AT_ONCE: i64 = 5_000;

/// Folds some of this shard's windows that are too old at this Unix second, inside the caller's
/// transaction; how many.
///
/// # Errors
/// The server's.
pub async fn fold(connection: &mut Connection, now_s: i64) -> Result<usize, StoreError> {
    let mut folded = 0;
    for (from, to, kept) in
        [(Size::Minute, Size::Hour, MINUTES_KEPT_S), (Size::Hour, Size::Day, HOURS_KEPT_S)]
    {
        let rows: Vec<StoredRow> = prepared(
            sql("DELETE FROM view_windows WHERE (subject_id, kind, size, starts_at) IN (
                     SELECT subject_id, kind, size, starts_at FROM view_windows WHERE size = $1 AND starts_at < to_timestamp($2)
                     ORDER BY starts_at LIMIT $3)
                 RETURNING subject_id, kind, size, extract(epoch FROM starts_at)::bigint AS starts_at, views, viewers")
            .bind::<SmallInt, _>(from.code())
            // A window is folded whole: what the longer one holds of this size is all there or all
            // folded.
            .bind::<BigInt, _>(to.start_of(now_s - kept))
            .bind::<BigInt, _>(AT_ONCE),
        )
        .load(connection)
        .await?;
        let mut longer = Windows::default();
        for row in &rows {
            let key = (row.subject_id, row.kind, to.code(), to.start_of(row.starts_at));
            longer.merge(key, row.views, &Sketch::from_bytes(&row.viewers));
        }
        add(connection, &longer).await?;
        folded += rows.len();
    }
    Ok(folded)
}
