//! Bulk loading: COPY into a temporary table, then into the real one what is not there yet; one transaction per table and shard.

use std::io::Write;

use anyhow::Context;
use futures_util::SinkExt;
use indicatif::{ProgressBar, ProgressStyle};
use secrecy::ExposeSecret;
use tokio_postgres::{Client, NoTls};

use super::rows::{Rows, Table};
use crate::config::PostgresConfig;
use crate::ids::{Id, UserId};
use crate::stores::postgres::ShardIndex;

/// Bytes sent at a time.
const CHUNK: usize = 64 * 1024;

/// A connection to every primary.
pub struct Loader {
    shards: Vec<Client>,
}

impl std::fmt::Debug for Loader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Loader").field("shards", &self.shards.len()).finish()
    }
}

impl Loader {
    /// # Errors
    /// A primary that cannot be reached.
    pub async fn connect(config: &PostgresConfig) -> anyhow::Result<Self> {
        let mut shards = Vec::new();
        for (number, urls) in config.shards.iter().enumerate() {
            let (client, connection) =
                tokio_postgres::connect(urls.primary.expose_secret(), NoTls).await.with_context(|| format!("shard {number}"))?;
            #[expect(clippy::disallowed_methods, reason = "ends with its connection")]
            tokio::spawn(connection);
            shards.push(client);
        }
        Ok(Self { shards })
    }

    /// Everybody there is, by id.
    ///
    /// # Errors
    /// The server's.
    pub async fn people(&self) -> anyhow::Result<Vec<UserId>> {
        let mut people = Vec::new();
        for shard in &self.shards {
            people.extend(shard.query("SELECT id FROM users", &[]).await?.iter().map(|row| UserId::from_i64(row.get(0))));
        }
        people.sort_unstable();
        Ok(people)
    }

    /// A handle or e-mail address that is one of `people`'s by the loaded claims' names, but belongs to somebody else: the installation was seeded
    /// with another random seed, or somebody signed up under it. Ask before loading anything.
    ///
    /// # Errors
    /// The server's.
    pub async fn taken_by_others(&self, people: &[UserId], handles: &[String], emails: &[String]) -> anyhow::Result<Option<String>> {
        const OTHERS: &str = "
            SELECT c.handle FROM handle_claims c JOIN unnest($1::text[], $3::bigint[]) AS mine(name, id) ON c.handle = mine.name
            WHERE c.user_id <> mine.id
            UNION ALL
            SELECT c.email FROM email_claims c JOIN unnest($2::text[], $3::bigint[]) AS mine(name, id) ON c.email = mine.name
            WHERE c.user_id <> mine.id
            LIMIT 1";
        let ids: Vec<i64> = people.iter().map(|person| person.as_i64()).collect();
        for shard in &self.shards {
            if let Some(row) = shard.query_opt(OTHERS, &[&handles, &emails, &ids]).await? {
                return Ok(Some(row.get(0)));
            }
        }
        Ok(None)
    }

    /// Loads rows, all shards at once; how many were new.
    ///
    /// # Errors
    /// The server's; the table and shard in question is as it was.
    pub async fn load(&mut self, rows: &Rows) -> anyhow::Result<u64> {
        let bar = ProgressBar::new(rows.count);
        if let Ok(style) = ProgressStyle::with_template("{msg:22} {wide_bar} {pos:>9}/{len} rows  {per_sec:>14}  {eta} left") {
            bar.set_style(style);
        }
        bar.set_message(rows.table.name);
        let table = rows.table;
        let loads = self.shards.iter_mut().enumerate().filter_map(|(number, shard)| {
            let text = rows.by_shard.get(&ShardIndex(number))?;
            let bar = bar.clone();
            Some(async move { load_shard(shard, table, text, &bar).await.with_context(|| format!("shard {number}, {}", table.name)) })
        });
        let loaded = futures_util::future::try_join_all(loads).await?;
        bar.finish();
        Ok(loaded.into_iter().sum())
    }

    /// Derives on every shard at once: see [`Loader::derive_shard`].
    ///
    /// # Errors
    /// The server's.
    pub async fn derive(&self, pull_from: i64) -> anyhow::Result<()> {
        let shards = (0..self.shards.len()).map(|number| self.derive_shard(ShardIndex(number), pull_from));
        futures_util::future::try_join_all(shards).await?;
        Ok(())
    }

    /// Counts anew what is derived from many rows, turns authors with `pull_from` followers or more to pulling, as the followers
    /// projection would have, and lets the planner look at the tables.
    ///
    /// # Errors
    /// The server's.
    pub async fn derive_shard(&self, shard: ShardIndex, pull_from: i64) -> anyhow::Result<()> {
        const DERIVE: &str = "
            UPDATE users SET activity_version = activity_version + 1;
            INSERT INTO user_counts (user_id, post_count, following_count, activity_version)
            SELECT u.id, (SELECT count(*) FROM posts p WHERE p.author_id = u.id AND NOT p.deleted)
                       - (SELECT count(*) FROM reposts r WHERE r.author_id = u.id),
                   (SELECT count(*) FROM follows f WHERE f.follower_id = u.id AND f.active), u.activity_version FROM users u
            ON CONFLICT (user_id) DO UPDATE SET post_count = excluded.post_count, following_count = excluded.following_count,
                activity_version = excluded.activity_version;
            INSERT INTO follower_counts AS c (user_id, follower_count)
            SELECT followee_id, count(*) FROM followers WHERE active GROUP BY followee_id
            ON CONFLICT (user_id) DO UPDATE SET follower_count = excluded.follower_count, version = c.version + 1;
            INSERT INTO product_sales (product_id, minute, orders, quantity, amount)
            SELECT product_id, date_trunc('minute', sold_at), count(*), sum(quantity), sum(amount)
            FROM reservations WHERE status = 'SOLD' GROUP BY 1, 2
            ON CONFLICT (product_id, minute) DO UPDATE SET orders = excluded.orders, quantity = excluded.quantity, amount = excluded.amount;
            ANALYZE;";
        const PULL: &str = "
            UPDATE users u SET pull_since = now() FROM follower_counts c
            WHERE c.user_id = u.id AND u.pull_since IS NULL AND c.follower_count >= $1";
        let client = self.shards.get(shard.0).with_context(|| format!("there is no shard {shard}"))?;
        client.batch_execute(DERIVE).await?;
        client.execute(PULL, &[&pull_from]).await?;
        Ok(())
    }
}

async fn load_shard(shard: &mut Client, table: Table, text: &str, bar: &ProgressBar) -> anyhow::Result<u64> {
    let Table { name, columns, taken } = table;
    let transaction = shard.transaction().await?;
    let temporary = format!("CREATE TEMP TABLE incoming ON COMMIT DROP AS SELECT {columns} FROM {name} LIMIT 0");
    transaction.batch_execute(&temporary).await?;
    let sink = transaction.copy_in(&format!("COPY incoming ({columns}) FROM STDIN")).await?;
    let mut sink = std::pin::pin!(sink);
    let mut rest = text.as_bytes();
    while !rest.is_empty() {
        let (chunk, after) = rest.split_at(rest.len().min(CHUNK));
        sink.send(bytes::Bytes::copy_from_slice(chunk)).await?;
        bar.inc(u64::try_from(chunk.iter().filter(|byte| **byte == b'\n').count()).unwrap_or_default());
        rest = after;
    }
    sink.finish().await?;
    let insert = format!("INSERT INTO {name} ({columns}) SELECT {columns} FROM incoming WHERE {taken} ON CONFLICT DO NOTHING");
    let new = transaction.execute(&insert, &[]).await?;
    transaction.commit().await?;
    Ok(new)
}

/// Tells what each kind came to.
///
/// # Errors
/// When nobody reads it.
pub fn summary(loaded: &[(&'static str, u64, u64)]) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    for (table, rows, new) in loaded.iter().filter(|(table, _, _)| *table != "projection_versions") {
        writeln!(out, "{table:<16} {rows:>9} rows, {new} new")?;
    }
    Ok(())
}
