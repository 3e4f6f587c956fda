//! The database of a test, on every primary: a copy of the template, or the one that a test before
//! it has done with, made as it was. Copies are dear (a few hundred files on each of twelve
//! servers), so that only what cannot be cleaned is dropped: another schema, statistics, many rows.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use plaza::config::{Config, ShardUrls};
use tokio_postgres::Client;

use super::{in_database, sql};
use crate::template::{session, template};
use crate::wait;

/// Databases that nobody uses, each as the template is, on the replicas too.
static FREE: Mutex<Vec<Database>> = Mutex::new(Vec::new());

/// Rows of a shard beyond which a test's tables, grown as they are, are no good for the next: its
/// plans could be others.
const CLEANED_ROWS: i64 = 2_000;

/// Makes what housekeeping would: the partitions of today and of a week.
const DAYS: &str = "SELECT outbox_make_partition(day::date) FROM generate_series(
        (now() AT TIME ZONE 'utc')::date, (now() AT TIME ZONE 'utc')::date + 7, '1 day') day
    WHERE to_regclass('outbox_' || to_char(day, 'YYYYMMDD')) IS NULL";

/// A database and what every shard of it was like before its first test.
pub struct Database {
    pub name: String,
    /// The servers that it is on.
    shards: Vec<ShardUrls>,
    untouched: Vec<Untouched>,
}

/// A shard's part of a database as the template has it.
#[derive(PartialEq)]
struct Untouched {
    /// The versions of the catalog's rows, and how large statistics say that tables are.
    schema: String,
    /// Tables with no row in them.
    empty: Vec<String>,
    /// The rows of the others.
    rows: String,
    /// Sequences, their values, and whether these have been given out.
    sequences: Vec<(String, i64, bool)>,
}

impl Database {
    /// One that is as the template, for the caller alone.
    pub async fn take(base: &Config) -> Self {
        let template = template(base).await;
        let free = FREE.lock().unwrap().pop();
        if let Some(database) = free {
            return database;
        }
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let name = format!("t_{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let create = format!("CREATE DATABASE {name} TEMPLATE {template}");
        let untouched = base.postgres.shards.iter().map(async |urls| {
            sql(&urls.primary, &create).await;
            let client = session(&in_database(&urls.primary, &name)).await;
            client.batch_execute(DAYS).await.expect("the days' partitions");
            Untouched::of(&client).await
        });
        let untouched = futures_util::future::join_all(untouched).await;
        Self { name, shards: base.postgres.shards.clone(), untouched }
    }

    /// Leaves it to another test, cleaned, or drops it.
    pub async fn give_back(self) {
        let shards = self.shards.iter().zip(&self.untouched);
        let cleaned = shards.map(|(urls, untouched)| clean(&self.name, urls, untouched));
        let cleaned = futures_util::future::join_all(cleaned).await;
        match cleaned.into_iter().collect::<Result<Vec<()>, _>>() {
            Ok(_) => FREE.lock().unwrap().push(self),
            Err(reason) => {
                tracing::warn!(database = self.name, reason, "a test's database is not used again");
                self.drop_it().await;
            }
        }
    }

    /// Drops it on every primary, whoever is still connected.
    pub async fn drop_it(self) {
        let drop = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        let dropped = self.shards.iter().map(|urls| sql(&urls.primary, &drop));
        futures_util::future::join_all(dropped).await;
    }
}

impl Untouched {
    async fn of(client: &Client) -> Self {
        let tables: Vec<String> = client
            .query(
                "SELECT oid::regclass::text FROM pg_class
                 WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY 1",
                &[],
            )
            .await
            .expect("tables")
            .iter()
            .map(|row| row.get(0))
            .collect();
        let (mut empty, mut rows) = (Vec::new(), String::new());
        let contents = tables.iter().map(|table| {
            format!("SELECT '{table}', string_agg(t::text, ';' ORDER BY t::text) FROM {table} t")
        });
        let contents = contents.collect::<Vec<_>>().join(" UNION ALL ");
        for row in client.query(&contents, &[]).await.expect("rows") {
            let table: String = row.get(0);
            match row.get::<_, Option<String>>(1) {
                None => empty.push(table),
                Some(content) => rows.extend([table.as_str(), ": ", &content, "\n"]),
            }
        }
        let mut sequences = Vec::new();
        for row in client
            .query("SELECT sequencename::text FROM pg_sequences ORDER BY 1", &[])
            .await
            .expect("sequences")
        {
            let name: String = row.get(0);
            let state = format!("SELECT last_value, is_called FROM {name}");
            let state = client.query_one(&state, &[]).await.expect("a sequence");
            sequences.push((name, state.get(0), state.get(1)));
        }
        Self { schema: schema(client).await, empty, rows, sequences }
    }
}

/// What tells one schema from another, and a table of which there are statistics from one without.
async fn schema(client: &Client) -> String {
    const CATALOGS: [&str; 8] = [
        "pg_class",
        "pg_attribute",
        "pg_attrdef",
        "pg_constraint",
        "pg_index",
        "pg_inherits",
        "pg_proc",
        "pg_trigger",
    ];
    let versions = CATALOGS
        .map(|catalog| format!("SELECT count(*), sum(xmin::text::bigint)::text FROM {catalog}"));
    let text = format!(
        "SELECT string_agg(v::text, ' ') || (SELECT (sum(relpages), sum(reltuples))::text
            FROM pg_class WHERE relnamespace = 'public'::regnamespace)
            || (SELECT count(*) FROM pg_stats WHERE schemaname = 'public') FROM ({}) v",
        versions.join(" UNION ALL ")
    );
    client.query_one(&text, &[]).await.expect("the schema").get(0)
}

/// Makes a shard's part of a database what it was, or says why it cannot be.
async fn clean(name: &str, urls: &ShardUrls, untouched: &Untouched) -> Result<(), &'static str> {
    let client = session(&in_database(&urls.primary, name)).await;
    let others = "FROM pg_stat_activity WHERE datname = current_database() \
                  AND pid <> pg_backend_pid() AND usename IS NOT NULL";
    let ended = format!("SELECT pg_terminate_backend(pid) {others}");
    client.query(&ended, &[]).await.map_err(|_| "somebody stays connected")?;
    let others = format!("SELECT count(*) {others}");
    let alone = wait::holds(async || {
        client.query_one(&others, &[]).await.is_ok_and(|row| row.get::<_, i64>(0) == 0)
    });
    if !alone.await {
        return Err("somebody stays connected");
    }
    if schema(&client).await != untouched.schema {
        return Err("another schema, or statistics");
    }
    let deleted = untouched.empty.iter().enumerate().map(|(number, table)| {
        let name = format!("d{number}");
        (format!("{name} AS (DELETE FROM {table} RETURNING 1)"), format!("SELECT 1 FROM {name}"))
    });
    let (deletions, rows): (Vec<_>, Vec<_>) = deleted.unzip();
    let (deletions, rows) = (deletions.join(", "), rows.join(" UNION ALL "));
    let delete = format!("WITH {deletions} SELECT count(*) FROM ({rows}) rows");
    let deleted = client.query_one(&delete, &[]).await.map_err(|_| "rows stay")?;
    if deleted.get::<_, i64>(0) > CLEANED_ROWS {
        return Err("very many rows");
    }
    for (sequence, value, given_out) in &untouched.sequences {
        let set = format!("SELECT setval('{sequence}', {value}, {given_out})");
        client.query(&set, &[]).await.map_err(|_| "a sequence goes on")?;
    }
    if Untouched::of(&client).await != *untouched {
        return Err("other rows");
    }
    if !replayed(name, urls, &client).await {
        return Err("a replica is behind");
    }
    Ok(())
}

/// Whether every replica has come as far as its primary is.
async fn replayed(name: &str, urls: &ShardUrls, primary: &Client) -> bool {
    let reached = primary.query_one("SELECT pg_current_wal_insert_lsn()::text", &[]).await;
    let reached: String = reached.expect("a position").get(0);
    let behind = format!("SELECT pg_last_wal_replay_lsn() < '{reached}'::pg_lsn");
    for url in &urls.replicas {
        let client = session(&in_database(url, name)).await;
        let caught_up = wait::holds(async || {
            client.query_one(&behind, &[]).await.is_ok_and(|row| !row.get::<_, bool>(0))
        });
        if !caught_up.await {
            return false;
        }
    }
    true
}
