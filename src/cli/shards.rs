//! `plaza shards`: how evenly rows are spread; `plaza shards check`: rows, bytes and requests
//! against a threshold.

use std::io::Write;
use std::time::Duration;

use clap::{Args, Subcommand};
use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Text};
use diesel_async::RunQueryDsl;
use serde::Serialize;

use super::shards_clock::{self, ClockArgs};
use super::write_json;
use plaza_config::Config;
use plaza_stores::StoreError;
use plaza_stores::postgres::Connection;
use plaza_stores::postgres::health::transactions;
use plaza_stores::postgres::migrations::connect;
use plaza_stores::postgres::prepared::{prepared, sql};

/// How to print.
#[derive(Debug, Default, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct ShardsArgs {
    #[command(subcommand)]
    verb: Option<ShardsVerb>,
    /// JSON instead of a table.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum ShardsVerb {
    /// Whether rows, bytes and requests are even; ends with an error when they are not.
    Check(CheckArgs),
    /// How far each shard's clock is behind the ids it has issued; beyond a second it issues none.
    Clock(ClockArgs),
}

/// What is even.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The largest deviation of a shard from the mean that is even, in percent.
    #[arg(long, default_value_t = 2.0)]
    pub max_skew: f64,
    /// Seconds in which requests are counted, beside whatever load there is; 0: all since the
    /// servers' statistics began.
    #[arg(long, default_value_t = 0)]
    pub seconds: u64,
    /// JSON instead of a table.
    #[arg(long)]
    pub json: bool,
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
pub(super) struct Table {
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

/// Exact up to 2^53, and as near as a float can be beyond.
fn float(number: i64) -> f64 {
    const BASE: i64 = 1 << 31;
    let part = |number: i64| f64::from(i32::try_from(number).unwrap_or(i32::MAX));
    part(number / BASE) * 2_147_483_648.0 + part(number % BASE)
}

fn skew(rows: &[i64]) -> f64 {
    let shards = float(i64::try_from(rows.len()).unwrap_or(1)).max(1.0);
    let mean = rows.iter().copied().map(float).sum::<f64>() / shards;
    let worst = rows.iter().map(|rows| (float(*rows) - mean).abs()).fold(0.0, f64::max);
    if mean > 0.0 { (worst / mean * 1_000.0).round() / 10.0 } else { 0.0 }
}

/// One measure over all shards.
#[derive(Debug, Serialize)]
pub struct Measure {
    /// By shard.
    pub by_shard: Vec<i64>,
    /// The largest deviation of a shard from the mean, in percent.
    pub skew_percent: f64,
}

impl From<Vec<i64>> for Measure {
    fn from(by_shard: Vec<i64>) -> Self {
        Self { skew_percent: skew(&by_shard), by_shard }
    }
}

/// What a check finds.
#[derive(Debug, Serialize)]
pub struct Distribution {
    tables: Vec<Table>,
    /// Rows of these tables.
    pub rows: Measure,
    /// Bytes of these tables and their indexes.
    pub bytes: Measure,
    /// Transactions on the primary and its replicas: a read is one, a mutation is one.
    pub requests: Measure,
    /// People: what is placed. Their rows go with them.
    pub people: i64,
    /// The deviation that so many people, placed at random, have by chance (one standard
    /// deviation), in percent.
    pub chance_percent: f64,
    /// What was asked for.
    pub max_skew_percent: f64,
    /// Whether rows, bytes and requests all are within it.
    pub even: bool,
}

/// Over connections of their own: counting millions of rows takes longer than any request may.
///
/// # Errors
/// A shard cannot be reached.
pub(super) async fn all_tables(config: &Config) -> anyhow::Result<Vec<Table>> {
    let counted =
        config.postgres.shards.iter().map(|urls| async move {
            anyhow::Ok(tables(&mut connect(&urls.primary).await?).await?)
        });
    let shards = futures_util::future::try_join_all(counted).await?;
    let mut found: Vec<Table> = Vec::new();
    for row in shards.into_iter().flatten() {
        match found.iter_mut().find(|table| table.name == row.name) {
            Some(table) => {
                table.rows.push(row.rows);
                table.bytes.push(row.bytes);
            }
            None => found.push(Table {
                name: row.name,
                rows: vec![row.rows],
                bytes: vec![row.bytes],
                skew_percent: 0.0,
            }),
        }
    }
    for table in &mut found {
        table.skew_percent = skew(&table.rows);
    }
    Ok(found)
}

/// Transactions so far, by shard, on the primary and every replica that answers.
async fn requests(config: &Config) -> anyhow::Result<Vec<i64>> {
    let mut by_shard = Vec::new();
    for urls in &config.postgres.shards {
        let mut sum = transactions(&mut connect(&urls.primary).await?).await?;
        for replica in &urls.replicas {
            match connect(replica).await {
                Ok(mut connection) => sum += transactions(&mut connection).await?,
                Err(error) => tracing::warn!(%error, "a replica's requests are not counted"),
            }
        }
        by_shard.push(sum);
    }
    Ok(by_shard)
}

/// Measures.
///
/// # Errors
/// A shard cannot be reached.
pub async fn distribution(config: &Config, args: &CheckArgs) -> anyhow::Result<Distribution> {
    let mut seen = requests(config).await?;
    if args.seconds > 0 {
        tokio::time::sleep(Duration::from_secs(args.seconds)).await;
        let now = requests(config).await?;
        seen = now.iter().zip(&seen).map(|(now, before)| now - before).collect();
    }
    let tables = all_tables(config).await?;
    let sum = |of: fn(&Table) -> &Vec<i64>| -> Measure {
        let shards = 0..config.postgres.shards.len();
        shards
            .map(|shard| tables.iter().filter_map(|table| of(table).get(shard)).sum())
            .collect::<Vec<i64>>()
            .into()
    };
    let (rows, bytes, requests) =
        (sum(|table| &table.rows), sum(|table| &table.bytes), Measure::from(seen));
    let people: i64 =
        tables.iter().filter(|table| table.name == "users").flat_map(|table| &table.rows).sum();
    let others = float(i64::try_from(config.postgres.shards.len())? - 1);
    let chance_percent =
        if people > 0 { ((others / float(people)).sqrt() * 1_000.0).round() / 10.0 } else { 0.0 };
    let even =
        [&rows, &bytes, &requests].iter().all(|measure| measure.skew_percent <= args.max_skew);
    Ok(Distribution {
        tables,
        rows,
        bytes,
        requests,
        people,
        chance_percent,
        max_skew_percent: args.max_skew,
        even,
    })
}

async fn check(config: &Config, args: &CheckArgs) -> anyhow::Result<()> {
    let found = distribution(config, args).await?;
    let mut out = std::io::stdout().lock();
    if args.json {
        write_json(&mut out, &found)?;
    } else {
        print(&mut out, &found.tables)?;
        for (name, measure) in
            [("all rows", &found.rows), ("bytes", &found.bytes), ("requests", &found.requests)]
        {
            write!(out, "{name:<10}")?;
            for value in &measure.by_shard {
                write!(out, " {value:>10}")?;
            }
            writeln!(out, " {:>12} {:>8.1}", "", measure.skew_percent)?;
        }
        writeln!(
            out,
            "{} people, placed at random: chance alone makes about {} %",
            found.people, found.chance_percent
        )?;
    }
    drop(out);
    anyhow::ensure!(
        found.even,
        "not even: a shard deviates from the mean by more than {} %",
        args.max_skew
    );
    Ok(())
}

fn print(out: &mut impl Write, tables: &[Table]) -> std::io::Result<()> {
    let shards = tables.first().map_or(0, |table| table.rows.len());
    write!(out, "{:<10}", "rows")?;
    for shard in 0..shards {
        write!(out, " {:>10}", format!("shard {shard}"))?;
    }
    writeln!(out, " {:>12} {:>8}", "MB in all", "skew %")?;
    for table in tables {
        write!(out, "{:<10}", table.name)?;
        for rows in &table.rows {
            write!(out, " {rows:>10}")?;
        }
        writeln!(
            out,
            " {:>12.1} {:>8.1}",
            float(table.bytes.iter().sum::<i64>() / 1_024) / 1_024.0,
            table.skew_percent
        )?;
    }
    Ok(())
}

/// # Errors
/// A shard cannot be reached; a check that finds that they are not even.
pub async fn run(config: &Config, args: &ShardsArgs) -> anyhow::Result<()> {
    match &args.verb {
        Some(ShardsVerb::Check(args)) => return check(config, args).await,
        Some(ShardsVerb::Clock(args)) => return shards_clock::run(config, args).await,
        None => {}
    }
    let found = all_tables(config).await?;
    let mut out = std::io::stdout().lock();
    if args.json {
        write_json(&mut out, &found)?;
        return Ok(());
    }
    print(&mut out, &found)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_skew_is_the_largest_deviation_from_the_mean() {
        assert!((skew(&[90, 110, 100, 100]) - 10.0).abs() < 1e-9);
        assert!(skew(&[5, 5]).abs() < 1e-9);
        assert!(skew(&[0, 0]).abs() < 1e-9);
        // Bytes: more than 32 bits hold.
        assert!((skew(&[3_000_000_000_000, 1_000_000_000_000]) - 50.0).abs() < 1e-9);
    }
}
