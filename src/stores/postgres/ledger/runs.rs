//! What the ledger came to the last time that it ran by itself: a row on every shard that answered
//! then.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use diesel::sql_types::Jsonb;
use diesel::{OptionalExtension, QueryableByName};
use diesel_async::RunQueryDsl;
use serde::{Deserialize, Serialize};

use super::pieces::Place;
use crate::StoreError;
use crate::postgres::pool::Connection;
use crate::postgres::prepared::{prepared, sql};

/// What a law came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LawReport {
    /// Its short name.
    pub name: String,
    /// What must hold.
    pub law: String,
    /// Things it was applied to.
    pub checked: i64,
    /// Things it does not hold for.
    pub broken: i64,
    /// Some of them.
    pub example: Option<String>,
}

/// What a run came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// When it began.
    pub began_at: DateTime<Utc>,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// One a law.
    pub laws: Vec<LawReport>,
    /// Where each law goes on the next time, by `law/shard`; one that is not named begins at the
    /// first row.
    pub cursors: BTreeMap<String, Place>,
}

#[derive(QueryableByName)]
struct RunRow {
    #[diesel(sql_type = Jsonb)]
    report: serde_json::Value,
}

/// Keeps what a run came to in place of the one before.
///
/// # Errors
/// The server's.
pub async fn keep(connection: &mut Connection, report: &Report) -> Result<(), StoreError> {
    let report = serde_json::to_value(report)
        .map_err(|error| StoreError::Corrupt(format!("a report of the ledger: {error}")))?;
    prepared(
        sql("INSERT INTO ledger_runs (report) VALUES ($1)
             ON CONFLICT (only_row) DO UPDATE SET report = excluded.report")
        .bind::<Jsonb, _>(report),
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// What this shard has of the last run; `None`: there was none, or another version wrote it.
///
/// # Errors
/// The server's.
pub async fn last(connection: &mut Connection) -> Result<Option<Report>, StoreError> {
    let row: Option<RunRow> =
        prepared(sql("SELECT report FROM ledger_runs")).get_result(connection).await.optional()?;
    Ok(row.and_then(|row| serde_json::from_value(row.report).ok()))
}
