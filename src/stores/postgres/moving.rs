//! Moving buckets between shards, while no other process is at work: keep everybody out, copy,
//! compare, put the new map in force, delete. Whatever interrupts it, it can be run again: what a
//! broken run copied is deleted first, and the map changes when everything is there.

use std::time::Duration;

use anyhow::Context;
use futures_util::{SinkExt, StreamExt};
use secrecy::SecretString;
use tokio_postgres::{Client, Transaction};

use super::identity::{identity_of, require_identity};
use super::routing::{Move, ShardMap};
use super::target;
use plaza_config::PostgresConfig;

/// How long connections that were just closed may be seen still.
const LEAVING: Duration = Duration::from_secs(5);

/// Tables whose rows belong to one bucket, each with the column whose bucket that is.
const BY_ID: &[(&str, &str)] = &[
    ("users", "id"),
    ("sessions", "id"),
    ("spent_refresh_tokens", "session_id"),
    ("follows", "follower_id"),
    ("follow_requests", "followee_id"),
    ("followers", "followee_id"),
    ("follower_counts", "user_id"),
    ("user_counts", "user_id"),
    ("blocks", "blocker_id"),
    ("blocked_by", "blocked_id"),
    ("posts", "id"),
    ("post_counts", "post_id"),
    ("likes", "post_id"),
    ("likes_taken_back", "post_id"),
    ("comments", "post_id"),
    ("products", "id"),
    ("product_sales", "product_id"),
    ("reservations", "product_id"),
    ("orders", "id"),
    ("order_lines", "order_id"),
    ("order_changes", "order_id"),
    ("payments", "order_id"),
    ("notifications", "user_id"),
    ("notification_settings", "user_id"),
    ("images", "owner_id"),
    ("view_windows", "subject_id"),
    ("reposts", "author_id"),
    ("shares", "post_id"),
    ("share_counts", "post_id"),
    ("hashtags", "post_id"),
    ("replies", "parent_id"),
];

/// Tables whose rows are on the shard of the hash of a text.
const BY_TEXT: &[(&str, &str)] = &[("handle_claims", "handle"), ("email_claims", "email")];

/// Tables whose rows do not say which bucket they are about: all of a giving shard are copied, and
/// the taking shard keeps the newer of two.
const WHOLE: &[(&str, &str)] = &[
    ("idempotency_keys", "DO NOTHING"),
    ("job_attempts", "DO NOTHING"),
    (
        "projection_versions",
        "(projection, aggregate) DO UPDATE SET version = excluded.version, identity = excluded.identity
         WHERE excluded.version > held.version",
    ),
    // A shard that has applied nothing yet stands where the giving one stands: neither has anything
    // to do.
    ("projection_offsets", "DO NOTHING"),
    ("unreadable_records", "DO NOTHING"),
];

/// Tables that stay: the shard's own.
pub const OWN: &[&str] = &[
    "shard_maps",
    "shard_identity",
    "outbox",
    "__diesel_schema_migrations",
    "view_totals",
    "backup_cut",
    "restores",
    "ledger_runs",
    "leases",
];

/// Every table that is moved or copied.
pub fn moved_tables() -> impl Iterator<Item = &'static str> {
    BY_ID.iter().chain(BY_TEXT).chain(WHOLE).map(|(table, _)| *table)
}

/// Tables and the SQL that gives a row's bucket.
pub(super) fn bucketed() -> impl Iterator<Item = (&'static str, String)> {
    let of_id = |column: &str| format!("(({column} >> 12) & 1023)::integer");
    // As `Bucket::of_text`: the digest's first eight bytes, modulo 1,024.
    let of_text = |column: &str| {
        let digest = format!("sha256(convert_to({column}, 'UTF8'))");
        format!("((get_byte({digest}, 6) << 8 | get_byte({digest}, 7)) & 1023)")
    };
    let ids = BY_ID.iter().map(move |(table, column)| (*table, of_id(column)));
    ids.chain(BY_TEXT.iter().map(move |(table, column)| (*table, of_text(column))))
}

async fn session(url: &SecretString) -> anyhow::Result<Client> {
    let client = target::connect(url).await?;
    // No time limit: a bucket of a large installation takes as long as it takes.
    client
        .batch_execute("SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0")
        .await?;
    Ok(client)
}

/// Processes of plaza at work on a shard, this one's sessions left out.
///
/// # Errors
/// The server's.
pub async fn others_at_work(url: &SecretString) -> anyhow::Result<i64> {
    let client = session(url).await?;
    let query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'plaza'";
    Ok(client.query_one(query, &[]).await?.get(0))
}

async fn copy(
    from: &Transaction<'_>,
    select: &str,
    to: &Transaction<'_>,
    table: &str,
) -> anyhow::Result<u64> {
    let source = from.copy_out(&format!("COPY ({select}) TO STDOUT")).await?;
    let sink = to.copy_in(&format!("COPY {table} FROM STDIN")).await?;
    let (mut source, mut sink) = (std::pin::pin!(source), std::pin::pin!(sink));
    while let Some(chunk) = source.next().await {
        sink.send(chunk?).await?;
    }
    Ok(sink.finish().await?)
}

/// Copies one move's rows; how many of buckets there were.
async fn copy_move(from: &mut Client, to: &mut Client, buckets: &[i32]) -> anyhow::Result<u64> {
    // One moment of the giving shard for all tables.
    let source = from
        .build_transaction()
        .isolation_level(tokio_postgres::IsolationLevel::RepeatableRead)
        .read_only(true)
        .start()
        .await?;
    let target = to.transaction().await?;
    let list = format!(
        "'{{{}}}'::integer[]",
        buckets.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
    );
    let mut rows = 0;
    for (table, bucket) in bucketed() {
        target.batch_execute(&format!("DELETE FROM {table} WHERE {bucket} = ANY({list})")).await?;
        let select = format!("SELECT * FROM {table} WHERE {bucket} = ANY({list})");
        let copied =
            copy(&source, &select, &target, table).await.with_context(|| table.to_owned())?;
        let there: i64 = source
            .query_one(&format!("SELECT count(*) FROM ({select}) AS given"), &[])
            .await?
            .get(0);
        anyhow::ensure!(
            u64::try_from(there)? == copied,
            "{table}: {copied} of {there} rows were copied"
        );
        rows += copied;
    }
    for (table, conflict) in WHOLE {
        target
            .batch_execute(&format!(
                "CREATE TEMP TABLE given_{table} (LIKE {table}) ON COMMIT DROP"
            ))
            .await?;
        copy(&source, &format!("SELECT * FROM {table}"), &target, &format!("given_{table}"))
            .await
            .with_context(|| table.to_owned())?;
        target
            .batch_execute(&format!(
                "INSERT INTO {table} AS held SELECT * FROM given_{table} ON CONFLICT {conflict}"
            ))
            .await?;
    }
    // Ids of a moved bucket must go on above those that the giving shard has issued.
    let clock: i64 = source.query_one("SELECT last_value FROM id_clock", &[]).await?.get(0);
    target
        .execute(
            "SELECT setval('id_clock', greatest($1, (SELECT last_value FROM id_clock)))",
            &[&(clock + 1)],
        )
        .await?;
    target.commit().await?;
    Ok(rows)
}

/// The highest version on any shard: the map in force.
pub(super) async fn map_in_force(sessions: &[Client]) -> anyhow::Result<ShardMap> {
    let mut newest: Option<(i32, Vec<i32>)> = None;
    for shard in sessions {
        if let Some(row) = shard
            .query_opt("SELECT version, shards FROM shard_maps ORDER BY version DESC LIMIT 1", &[])
            .await?
        {
            let found: (i32, Vec<i32>) = (row.get(0), row.get(1));
            if newest.as_ref().is_none_or(|held| found.0 > held.0) {
                newest = Some(found);
            }
        }
    }
    let (version, stored) = newest.context("there is no shard map: run `plaza migrate`")?;
    ShardMap::from_stored(version, &stored, sessions.len())
        .context("the map in force names shards that are not configured")
}

/// What a deal came to.
#[derive(Debug)]
pub struct Dealt {
    /// The map in force now.
    pub map: ShardMap,
    /// Rows moved.
    pub rows: u64,
}

/// Sessions on every primary, each of which is surely that of its entry.
pub(super) async fn sessions(config: &PostgresConfig) -> anyhow::Result<Vec<Client>> {
    let mut sessions = Vec::new();
    for (number, urls) in config.shards.iter().enumerate() {
        let shard = || format!("shard {number}");
        let client = session(&urls.primary).await.with_context(shard)?;
        require_identity(number, identity_of(&client).await.with_context(shard)?)?;
        sessions.push(client);
    }
    Ok(sessions)
}

/// Says on every shard that rows are moved: from then on it refuses whoever connects.
async fn begin_moving(sessions: &[Client], map: &ShardMap) -> anyhow::Result<()> {
    for (number, shard) in sessions.iter().enumerate() {
        shard
            .execute(
                "INSERT INTO shard_maps (version, shards, moving_since) VALUES ($1, $2, now())
                 ON CONFLICT (version) DO UPDATE SET moving_since = coalesce(shard_maps.moving_since, now())",
                &[&map.version, &map.to_stored()],
            )
            .await
            .with_context(|| format!("the map on shard {number}"))?;
    }
    Ok(())
}

/// Takes that back on every shard that answers.
async fn end_moving(sessions: &[Client]) -> anyhow::Result<()> {
    let mut failed = None;
    for (number, shard) in sessions.iter().enumerate() {
        let ended = shard.batch_execute("UPDATE shard_maps SET moving_since = NULL").await;
        if let Err(error) = ended {
            failed = Some(anyhow::Error::from(error).context(format!("shard {number}")));
        }
    }
    failed.map_or(Ok(()), Err)
}

/// Keeps everybody out from here on, for [`deal`]: says on every shard that rows are moved, then
/// makes sure that nobody is connected, since who was before may not have seen it, and that nothing
/// waits to be sent. Where somebody is, it is taken back.
///
/// # Errors
/// Somebody is connected, or something is unsent; a shard's.
pub async fn keep_out(config: &PostgresConfig) -> anyhow::Result<()> {
    let sessions = sessions(config).await?;
    begin_moving(&sessions, &map_in_force(&sessions).await?).await?;
    let kept_out = nobody_is_there(&sessions, config).await;
    if kept_out.is_err() {
        end_moving(&sessions).await?;
    }
    kept_out
}

async fn nobody_is_there(sessions: &[Client], config: &PostgresConfig) -> anyhow::Result<()> {
    for (number, (shard, urls)) in sessions.iter().zip(&config.shards).enumerate() {
        let until = tokio::time::Instant::now() + LEAVING;
        while others_at_work(&urls.primary).await? > 0 {
            anyhow::ensure!(
                tokio::time::Instant::now() < until,
                "somebody has connected to shard {number} meanwhile: stop every role first"
            );
            tokio::time::sleep(LEAVING / 50).await;
        }
        let query = "SELECT count(*) FROM outbox WHERE sent_at IS NULL";
        let unsent: i64 = shard.query_one(query, &[]).await?.get(0);
        anyhow::ensure!(unsent == 0, "shard {number} has {unsent} messages that are not sent yet");
    }
    Ok(())
}

/// Deals all buckets out over the first `shards` shards: moves those that are to be elsewhere, puts
/// the new map in force, and deletes what was moved. Where they are dealt out so already, only what
/// an interrupted run left behind is deleted. Nobody else may be at work ([`keep_out`]): no process
/// of plaza, no unsent message, no event that a projection has not applied. Meanwhile every shard
/// says that rows are moved, and whoever connects is refused; who has read the old map is refused
/// afterwards too.
///
/// # Errors
/// [`WrongShard`](super::identity::WrongShard), with nothing changed, when a database is not surely
/// that of its entry: what belongs to that entry would be deleted there. A shard's; until the new
/// map is in force everything is as it was, and the same call does it again.
pub async fn deal(
    config: &PostgresConfig,
    shards: usize,
    report: impl Fn(&Move, u64),
) -> anyhow::Result<Dealt> {
    let mut sessions = sessions(config).await?;
    anyhow::ensure!(
        (1..=sessions.len()).contains(&shards),
        "there are {} shards, not {shards}",
        sessions.len()
    );
    let old = map_in_force(&sessions).await?;
    let new = old.dealt_over(shards);
    let moves = old.moves_to(&new);
    begin_moving(&sessions, &old).await?;
    let rows = match copy_moves(&mut sessions, &moves, report).await {
        Ok(rows) => rows,
        Err(error) => {
            // One that cannot be told keeps everybody out until this is run again.
            if let Err(error) = end_moving(&sessions).await {
                tracing::warn!(error = format!("{error:#}"), "is not told that nothing is moved");
            }
            return Err(error);
        }
    };
    let map = if moves.is_empty() { old } else { new };
    // From the first of these on the new map is in force.
    for (number, shard) in sessions.iter().enumerate() {
        let store =
            "INSERT INTO shard_maps (version, shards) VALUES ($1, $2) ON CONFLICT DO NOTHING";
        shard
            .execute(store, &[&map.version, &map.to_stored()])
            .await
            .with_context(|| format!("the map on shard {number}"))?;
    }
    delete_strangers(&mut sessions, &map).await?;
    end_moving(&sessions).await?;
    Ok(Dealt { map, rows })
}

/// Copies what moves; how many rows that were.
async fn copy_moves(
    sessions: &mut [Client],
    moves: &[Move],
    report: impl Fn(&Move, u64),
) -> anyhow::Result<u64> {
    let mut rows = 0;
    for step in moves {
        let [from, to] = sessions
            .get_disjoint_mut([step.from.0, step.to.0])
            .map_err(|_| anyhow::anyhow!("a shard that is not there"))?;
        let moved = copy_move(from, to, &step.buckets)
            .await
            .with_context(|| format!("from shard {} to {}", step.from, step.to))?;
        report(step, moved);
        rows += moved;
    }
    Ok(rows)
}

/// Deletes on every shard what a map puts on another.
async fn delete_strangers(sessions: &mut [Client], map: &ShardMap) -> anyhow::Result<()> {
    for (number, shard) in sessions.iter_mut().enumerate() {
        let own = map.buckets_of(number);
        let transaction = shard.transaction().await?;
        for (table, bucket) in bucketed() {
            transaction
                .execute(&format!("DELETE FROM {table} WHERE NOT {bucket} = ANY($1)"), &[&own])
                .await?;
        }
        transaction.commit().await.with_context(|| format!("shard {number}"))?;
    }
    Ok(())
}
