//! Bulk loading: every shard at once, chunk by chunk, by COPY; a chunk and the note that it is
//! there are one transaction.

use std::collections::HashSet;
use std::sync::Arc;

use anyhow::Context;
use futures_util::{SinkExt, StreamExt, TryStreamExt, stream};
use indicatif::ProgressBar;
use tokio::sync::mpsc;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Transaction};

use super::accounts::email;
use super::names::handle;
use super::rows::{Table, Text};
use super::world::{Made, Step, World};
use plaza_base::ids::{Id, UserId};
use plaza_config::PostgresConfig;
use plaza_stores::postgres::ShardIndex;
use plaza_stores::postgres::target;

/// Bytes sent at a time.
const SENT_AT_ONCE: usize = 64 * 1024;
/// Chunks that wait for a shard; so many more are being made.
const WAITING: usize = 2;
/// Users whose names are asked about at a time.
const PEOPLE_AT_ONCE: usize = 20_000;

/// The notes of what is there: the loader's own, on every shard that was ever seeded.
const NOTES: &str = "CREATE TABLE IF NOT EXISTS seeded_chunks (
    step text NOT NULL, chunk bigint NOT NULL, rows bigint NOT NULL, PRIMARY KEY (step, chunk))";

/// Counts of users who have just been loaded, from the rows, as the projections would have them;
/// with $2 followers or more they are pulled.
const COUNTS: [&str; 3] = [
    "INSERT INTO user_counts (user_id, post_count, following_count, activity_version)
     SELECT u.id, (SELECT count(*) FROM posts p WHERE p.author_id = u.id AND NOT p.deleted)
                - (SELECT count(*) FROM reposts r WHERE r.author_id = u.id),
            (SELECT count(*) FROM follows f WHERE f.follower_id = u.id AND f.active), u.activity_version
     FROM users u WHERE u.id = ANY($1) AND $2::bigint IS NOT NULL
     ON CONFLICT (user_id) DO UPDATE SET post_count = excluded.post_count, following_count = excluded.following_count,
         activity_version = excluded.activity_version",
    "INSERT INTO follower_counts AS c (user_id, follower_count)
     SELECT followee_id, count(*) FROM followers WHERE active AND followee_id = ANY($1) AND $2::bigint IS NOT NULL GROUP BY followee_id
     ON CONFLICT (user_id) DO UPDATE SET follower_count = excluded.follower_count, version = c.version + 1",
    "UPDATE users u SET pull_since = now() FROM follower_counts c
     WHERE u.id = ANY($1) AND c.user_id = u.id AND u.pull_since IS NULL AND c.follower_count >= $2",
];

/// A connection to every primary.
pub struct Loader {
    pub(super) shards: Vec<Client>,
    pull_from: i64,
}

impl std::fmt::Debug for Loader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Loader").field("shards", &self.shards.len()).finish()
    }
}

/// What a step came to.
#[derive(Debug, Clone, Copy, Default)]
pub struct Loaded {
    /// Rows loaded now.
    pub new: u64,
    /// Rows that an earlier run had loaded.
    pub there: u64,
}

/// What one shard gets of a chunk.
struct Part {
    chunk: u64,
    tables: Vec<(Table, Text)>,
    people: Vec<i64>,
}

impl Loader {
    /// Authors with `pull_from` followers or more will be pulled.
    ///
    /// # Errors
    /// A primary that cannot be reached.
    pub async fn connect(config: &PostgresConfig, pull_from: i64) -> anyhow::Result<Self> {
        let mut shards = Vec::new();
        for (number, urls) in config.shards.iter().enumerate() {
            let client =
                target::connect(&urls.primary).await.with_context(|| format!("shard {number}"))?;
            client.batch_execute("SET client_min_messages = warning").await?;
            client.batch_execute(NOTES).await.with_context(|| format!("shard {number}"))?;
            shards.push(client);
        }
        Ok(Self { shards, pull_from })
    }

    /// Everybody there is, by id.
    ///
    /// # Errors
    /// The server's.
    pub async fn people(&self) -> anyhow::Result<Vec<UserId>> {
        let mut people = Vec::new();
        for shard in &self.shards {
            people.extend(
                shard
                    .query("SELECT id FROM users", &[])
                    .await?
                    .iter()
                    .map(|row| UserId::from_i64(row.get(0))),
            );
        }
        people.sort_unstable();
        Ok(people)
    }

    /// A handle or e-mail address that one of `people` is to have and that belongs to somebody
    /// else: the installation was seeded with another random seed, or somebody signed up under it.
    /// Ask before loading anything.
    ///
    /// # Errors
    /// The server's.
    pub async fn taken_by_others(&self, people: &[UserId]) -> anyhow::Result<Option<String>> {
        const ANYBODY: &str =
            "SELECT EXISTS (SELECT FROM handle_claims) OR EXISTS (SELECT FROM email_claims)";
        const OTHERS: &str = "
            SELECT c.handle FROM handle_claims c JOIN unnest($1::text[], $3::bigint[]) AS mine(name, id) ON c.handle = mine.name
            WHERE c.user_id <> mine.id
            UNION ALL
            SELECT c.email FROM email_claims c JOIN unnest($2::text[], $3::bigint[]) AS mine(name, id) ON c.email = mine.name
            WHERE c.user_id <> mine.id
            LIMIT 1";
        for shard in &self.shards {
            if !shard.query_one(ANYBODY, &[]).await?.get::<_, bool>(0) {
                continue;
            }
            let mut numbers = 0_u64..;
            for some in people.chunks(PEOPLE_AT_ONCE) {
                let handles: Vec<String> = numbers.by_ref().take(some.len()).map(handle).collect();
                let emails: Vec<String> = handles.iter().map(|handle| email(handle)).collect();
                let ids: Vec<i64> = some.iter().map(|person| person.as_i64()).collect();
                if let Some(row) = shard.query_opt(OTHERS, &[&handles, &emails, &ids]).await? {
                    return Ok(Some(row.get(0)));
                }
            }
        }
        Ok(None)
    }

    /// Rows of a step that the notes say are there.
    ///
    /// # Errors
    /// The server's.
    pub async fn there(&self, world: &World, step: Step) -> anyhow::Result<u64> {
        const ROWS: &str =
            "SELECT coalesce(sum(rows), 0)::bigint FROM seeded_chunks WHERE step = $1";
        let (mut there, name) = (0, world.name(step));
        for shard in &self.shards {
            there += u64::try_from(shard.query_one(ROWS, &[&name]).await?.get::<_, i64>(0))?;
        }
        Ok(there)
    }

    /// Loads what is missing of a step, all shards at once.
    ///
    /// # Errors
    /// The server's; a chunk is on a shard as a whole or not at all.
    pub async fn load(
        &mut self,
        world: &Arc<World>,
        step: Step,
        bar: &ProgressBar,
    ) -> anyhow::Result<Loaded> {
        let there = self.there(world, step).await?;
        let name = world.name(step);
        let mut held: Vec<HashSet<u64>> = Vec::new();
        for shard in &self.shards {
            let rows =
                shard.query("SELECT chunk FROM seeded_chunks WHERE step = $1", &[&name]).await?;
            held.push(
                rows.iter().filter_map(|row| u64::try_from(row.get::<_, i64>(0)).ok()).collect(),
            );
        }
        let missing: Vec<u64> = (0..world.chunks(step))
            .filter(|chunk| held.iter().any(|held| !held.contains(chunk)))
            .collect();
        let (senders, receivers): (Vec<_>, Vec<_>) =
            self.shards.iter().map(|_| mpsc::channel::<Part>(WAITING)).unzip();
        let produce = async {
            let mut made = stream::iter(missing)
                .map(|chunk| {
                    let world = Arc::clone(world);
                    async move {
                        tokio::task::spawn_blocking(move || (chunk, world.make(step, chunk))).await
                    }
                })
                .buffered(WAITING);
            while let Some((chunk, made)) = made.try_next().await? {
                for (part, (sender, held)) in parts(world, chunk, made, senders.len())
                    .into_iter()
                    .zip(senders.iter().zip(&held))
                {
                    if !held.contains(&chunk) && sender.send(part).await.is_err() {
                        // That shard's own error says why.
                        return Ok(());
                    }
                }
            }
            drop(senders);
            anyhow::Ok(())
        };
        let pull_from = self.pull_from;
        let consume = self.shards.iter_mut().zip(receivers).enumerate().map(
            |(number, (client, mut parts))| {
                let name = name.as_str();
                async move {
                    let mut new = 0;
                    while let Some(part) = parts.recv().await {
                        new += load_part(client, name, &part, pull_from, bar).await.with_context(
                            || format!("shard {number}, {}, chunk {}", step.name(), part.chunk),
                        )?;
                    }
                    anyhow::Ok(new)
                }
            },
        );
        let consume = async {
            anyhow::Ok(futures_util::future::try_join_all(consume).await?.into_iter().sum::<u64>())
        };
        let ((), new) = tokio::try_join!(produce, consume)?;
        Ok(Loaded { new, there })
    }

    /// Derives sales per minute from the reservations, and what was offered from what is left; lets
    /// the planner analyze the tables.
    ///
    /// # Errors
    /// The server's.
    pub async fn derive_sales(&self) -> anyhow::Result<()> {
        self.everywhere(
            "INSERT INTO product_sales (product_id, minute, orders, quantity, amount)
             SELECT product_id, date_trunc('minute', sold_at), count(*), sum(quantity), sum(amount)
             FROM reservations WHERE status = 'SOLD' GROUP BY 1, 2
             ON CONFLICT (product_id, minute) DO UPDATE SET orders = excluded.orders, quantity = excluded.quantity, amount = excluded.amount;
             UPDATE products p SET stock_offered = offered.units
             FROM (SELECT o.id, o.version, o.stock + coalesce(sum(r.quantity), 0)::integer AS units
                   FROM products o
                   LEFT JOIN reservations r ON r.product_id = o.id AND r.status IN ('HELD', 'SOLD')
                   WHERE o.stock_offered IS NULL GROUP BY o.id) offered
             WHERE offered.id = p.id AND offered.version = p.version;
             ANALYZE",
        )
        .await
    }

    /// Counts anew what everybody has done, with new versions: for users who were there before
    /// their posts were seeded, and whose counts somebody may hold.
    ///
    /// # Errors
    /// The server's.
    pub async fn recount_everybody(&self) -> anyhow::Result<()> {
        self.everywhere(
            "UPDATE users SET activity_version = activity_version + 1;
             INSERT INTO user_counts (user_id, post_count, following_count, activity_version)
             SELECT u.id, (SELECT count(*) FROM posts p WHERE p.author_id = u.id AND NOT p.deleted)
                        - (SELECT count(*) FROM reposts r WHERE r.author_id = u.id),
                    (SELECT count(*) FROM follows f WHERE f.follower_id = u.id AND f.active), u.activity_version FROM users u
             ON CONFLICT (user_id) DO UPDATE SET post_count = excluded.post_count, following_count = excluded.following_count,
                 activity_version = excluded.activity_version",
        )
        .await
    }

    /// Runs statements on every shard at once.
    ///
    /// # Errors
    /// The server's.
    pub async fn everywhere(&self, statements: &str) -> anyhow::Result<()> {
        futures_util::future::try_join_all(
            self.shards.iter().map(|shard| shard.batch_execute(statements)),
        )
        .await?;
        Ok(())
    }

    /// Copies texts into a table, one for each shard, all at once.
    ///
    /// # Errors
    /// The server's.
    pub async fn copy_everywhere(&mut self, table: Table, texts: &[Text]) -> anyhow::Result<()> {
        let copies = self.shards.iter_mut().zip(texts).map(|(shard, text)| async move {
            let transaction = shard.transaction().await?;
            copy(&transaction, table.name, table.columns, text, &ProgressBar::hidden()).await?;
            anyhow::Ok(transaction.commit().await?)
        });
        futures_util::future::try_join_all(copies).await?;
        Ok(())
    }
}

/// A chunk's parts, shard by shard; a shard that gets no rows gets its note all the same.
fn parts(world: &World, chunk: u64, mut made: Made, shards: usize) -> Vec<Part> {
    (0..shards)
        .map(|number| {
            let shard = ShardIndex(number);
            let tables = made
                .rows
                .iter_mut()
                .filter_map(|rows| Some((rows.table, rows.by_shard.remove(&shard)?)))
                .collect();
            let people =
                made.people.iter().filter(|person| world.map.shard_of(person.bucket()) == shard);
            Part { chunk, tables, people: people.map(|person| person.as_i64()).collect() }
        })
        .collect()
}

/// Straight into the tables; where some of it is there already, by way of a temporary table, and
/// without what is there.
async fn load_part(
    client: &mut Client,
    step: &str,
    part: &Part,
    pull_from: i64,
    bar: &ProgressBar,
) -> anyhow::Result<u64> {
    match straight(client, step, part, pull_from, bar).await {
        Err(error) if code(&error) == Some(&SqlState::UNIQUE_VIOLATION) => {
            around(client, step, part, pull_from).await
        }
        other => other,
    }
}

fn code(error: &anyhow::Error) -> Option<&SqlState> {
    error.downcast_ref::<tokio_postgres::Error>()?.code()
}

async fn straight(
    client: &mut Client,
    step: &str,
    part: &Part,
    pull_from: i64,
    bar: &ProgressBar,
) -> anyhow::Result<u64> {
    let transaction = client.transaction().await?;
    let mut rows = 0;
    for (table, text) in &part.tables {
        copy(&transaction, table.name, table.columns, text, bar).await?;
        rows += text.rows;
    }
    finish(transaction, step, part, rows, pull_from).await
}

async fn around(
    client: &mut Client,
    step: &str,
    part: &Part,
    pull_from: i64,
) -> anyhow::Result<u64> {
    let transaction = client.transaction().await?;
    let mut new = 0;
    for (Table { name, columns, taken }, text) in &part.tables {
        let temporary = format!(
            "CREATE TEMP TABLE incoming ON COMMIT DROP AS SELECT {columns} FROM {name} LIMIT 0"
        );
        transaction.batch_execute(&temporary).await?;
        copy(&transaction, "incoming", columns, text, &ProgressBar::hidden()).await?;
        let insert = format!(
            "INSERT INTO {name} ({columns}) SELECT {columns} FROM incoming WHERE {taken} ON CONFLICT DO NOTHING"
        );
        new += transaction.execute(&insert, &[]).await?;
        transaction.batch_execute("DROP TABLE incoming").await?;
    }
    finish(transaction, step, part, new, pull_from).await
}

async fn finish(
    transaction: Transaction<'_>,
    step: &str,
    part: &Part,
    rows: u64,
    pull_from: i64,
) -> anyhow::Result<u64> {
    if !part.people.is_empty() {
        for statement in COUNTS {
            transaction.execute(statement, &[&part.people, &pull_from]).await?;
        }
    }
    let note = "INSERT INTO seeded_chunks (step, chunk, rows) VALUES ($1, $2, $3)";
    transaction.execute(note, &[&step, &i64::try_from(part.chunk)?, &i64::try_from(rows)?]).await?;
    transaction.commit().await?;
    Ok(rows)
}

async fn copy(
    transaction: &Transaction<'_>,
    table: &str,
    columns: &str,
    text: &Text,
    bar: &ProgressBar,
) -> anyhow::Result<()> {
    let sink = transaction.copy_in(&format!("COPY {table} ({columns}) FROM STDIN")).await?;
    let mut sink = std::pin::pin!(sink);
    let mut rest = text.text.as_bytes();
    while !rest.is_empty() {
        let (chunk, after) = rest.split_at(rest.len().min(SENT_AT_ONCE));
        sink.send(bytes::Bytes::copy_from_slice(chunk)).await?;
        rest = after;
    }
    sink.finish().await?;
    bar.inc(text.rows);
    Ok(())
}
