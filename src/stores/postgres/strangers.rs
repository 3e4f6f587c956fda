//! Rows that are on another shard than their bucket's.

use anyhow::Context;

use super::moving::{bucketed, map_in_force, sessions};
use plaza_config::PostgresConfig;

/// Rows of a table on a shard, and how many of them belong to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Strangers {
    /// Which shard, from 0.
    pub shard: usize,
    /// The table.
    pub table: &'static str,
    /// All its rows there.
    pub rows: i64,
    /// Those whose bucket is on another shard.
    pub strangers: i64,
}

/// Looks in every table of every shard for rows whose bucket the map in force puts elsewhere.
///
/// # Errors
/// A shard's.
pub async fn strangers(config: &PostgresConfig) -> anyhow::Result<Vec<Strangers>> {
    let sessions = sessions(config).await?;
    let map = map_in_force(&sessions).await?;
    let mut found = Vec::new();
    for (number, shard) in sessions.iter().enumerate() {
        let own = map.buckets_of(number);
        for (table, bucket) in bucketed() {
            let query = format!(
                "SELECT count(*), count(*) FILTER (WHERE NOT {bucket} = ANY($1)) FROM {table}"
            );
            let row = shard.query_one(&query, &[&own]).await.context(table)?;
            let (rows, strangers) = (row.get(0), row.get(1));
            found.push(Strangers { shard: number, table, rows, strangers });
        }
    }
    Ok(found)
}
