//! `plaza shards`: how evenly rows are spread.

use std::io::Write;

use clap::Args;
use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Text};
use diesel_async::RunQueryDsl;
use serde::Serialize;

use crate::config::Config;
use crate::stores::StoreError;
use crate::stores::postgres::prepared::{prepared, sql};
use crate::stores::postgres::{Cluster, Connection, ReadSession};

/// How to print.
#[derive(Debug, Args)]
pub struct ShardsArgs {
    /// JSON instead of a table.
    #[arg(long)]
    json: bool,
}

impl ShardsArgs {
    /// As a table.
    pub fn table() -> Self {
        Self { json: false }
    }
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = BigInt)]
    rows: i64,
    #[diesel(sql_type = BigInt)]
    bytes: i64,
}

/// One table over all shards.
#[derive(Debug, Serialize)]
struct Table {
    name: String,
    rows: Vec<i64>,
    bytes: Vec<i64>,
    /// The largest deviation of a shard's rows from the mean, in percent.
    skew_percent: f64,
}

async fn tables(connection: &mut Connection) -> Result<Vec<Row>, StoreError> {
    Ok(prepared(sql("SELECT 'users' AS name, count(*) AS rows, pg_total_relation_size('users') AS bytes FROM users
         UNION ALL SELECT 'follows', count(*), pg_total_relation_size('follows') FROM follows
         UNION ALL SELECT 'followers', count(*), pg_total_relation_size('followers') FROM followers
         UNION ALL SELECT 'posts', count(*), pg_total_relation_size('posts') FROM posts
         UNION ALL SELECT 'likes', count(*), pg_total_relation_size('likes') FROM likes
         UNION ALL SELECT 'comments', count(*), pg_total_relation_size('comments') FROM comments
         UNION ALL SELECT 'products', count(*), pg_total_relation_size('products') FROM products
         UNION ALL SELECT 'orders', count(*), pg_total_relation_size('orders') FROM orders"))
    .load(connection)
    .await?)
}

fn float(number: i64) -> f64 {
    f64::from(i32::try_from(number).unwrap_or(i32::MAX))
}

fn skew(rows: &[i64]) -> f64 {
    let shards = float(i64::try_from(rows.len()).unwrap_or(1)).max(1.0);
    let mean = rows.iter().copied().map(float).sum::<f64>() / shards;
    let worst = rows.iter().map(|rows| (float(*rows) - mean).abs()).fold(0.0, f64::max);
    if mean > 0.0 { (worst / mean * 1_000.0).round() / 10.0 } else { 0.0 }
}

/// # Errors
/// A shard cannot be reached.
pub async fn run(config: &Config, args: &ShardsArgs) -> anyhow::Result<()> {
    let cluster = Cluster::new(&config.postgres)?;
    let session = ReadSession::primary(cluster.len());
    let shards = cluster.scatter_all(&session, async |connection: &mut Connection| tables(connection).await).await.complete()?;
    let mut found: Vec<Table> = Vec::new();
    for row in shards.into_iter().flatten() {
        match found.iter_mut().find(|table| table.name == row.name) {
            Some(table) => {
                table.rows.push(row.rows);
                table.bytes.push(row.bytes);
            }
            None => found.push(Table { name: row.name, rows: vec![row.rows], bytes: vec![row.bytes], skew_percent: 0.0 }),
        }
    }
    for table in &mut found {
        table.skew_percent = skew(&table.rows);
    }
    let mut out = std::io::stdout().lock();
    if args.json {
        serde_json::to_writer_pretty(&mut out, &found)?;
        writeln!(out)?;
        return Ok(());
    }
    write!(out, "{:<10}", "rows")?;
    for shard in cluster.indexes() {
        write!(out, " {:>10}", format!("shard {shard}"))?;
    }
    writeln!(out, " {:>12} {:>8}", "MB in all", "skew %")?;
    for table in &found {
        write!(out, "{:<10}", table.name)?;
        for rows in &table.rows {
            write!(out, " {rows:>10}")?;
        }
        writeln!(out, " {:>12.1} {:>8.1}", float(table.bytes.iter().sum::<i64>() / 1_024) / 1_024.0, table.skew_percent)?;
    }
    Ok(())
}
