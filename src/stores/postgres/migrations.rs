//! Migrations and the stored shard map.

use anyhow::Context;
use diesel::QueryableByName;
use diesel::migration::{Migration, MigrationSource};
use diesel::pg::Pg;
use diesel::sql_types::{Array, BigInt, Bool, Integer, Text};
use diesel_async::{AsyncMigrationHarness, AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use secrecy::SecretString;

use super::cluster::Cluster;
use super::identity::{check_identity, stored_identity};
use super::indexes;
use super::leader::{try_lock, unlock};
use super::pool::{Connection, Manager, Purpose, StatementCounter};
use super::prepared::{prepared, sql};
use super::routing::ShardMap;
use crate::StoreError;
use plaza_config::PostgresConfig;

/// What `migrations/` holds.
pub const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../../migrations");

/// What each process role's user may do; see the file.
pub const GRANTS: &str = include_str!("grants.sql");

/// The versions of all of them, as the database records them, oldest first.
pub fn versions() -> Vec<String> {
    let known: Vec<Box<dyn Migration<Pg>>> =
        MigrationSource::<Pg>::migrations(&MIGRATIONS).unwrap_or_default();
    let mut versions: Vec<String> =
        known.iter().map(|migration| migration.name().version().to_string()).collect();
    versions.sort_unstable();
    versions
}

/// A plain connection to a primary, without a time limit on statements.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn connect(url: &SecretString) -> Result<AsyncPgConnection, StoreError> {
    open(url, Purpose::Write).await
}

/// A plain connection that only reads, to a primary or a replica, without a time limit on
/// statements; each is planned for its values, as a statement over a part of a table must be.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn connect_to_read(url: &SecretString) -> Result<AsyncPgConnection, StoreError> {
    open(url, Purpose::Read).await
}

async fn open(url: &SecretString, purpose: Purpose) -> Result<AsyncPgConnection, StoreError> {
    let manager =
        Manager::new(url, purpose, std::time::Duration::ZERO, StatementCounter::default())?;
    let opened = manager
        .open()
        .await
        .map_err(|error| StoreError::unavailable(plaza_config::redacted(url), error))?;
    Ok(opened.into_inner())
}

/// What `migrate` did to a shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migrated {
    /// Names of the migrations that were applied.
    pub applied: Vec<String>,
    /// Roles' users that there are: they have what they need now. Without any, whoever connects is
    /// the owner.
    pub granted: Vec<String>,
}

#[derive(QueryableByName)]
struct RoleRow {
    #[diesel(sql_type = Text)]
    name: String,
}

/// Brings one shard's schema up to date, indexes and privileges included. Of several processes at it, one works and the others wait.
///
/// # Errors
/// The server's; a migration that fails leaves the shard as it was before that one.
pub async fn migrate(url: &SecretString) -> anyhow::Result<Migrated> {
    let mut lock = connect(url).await?;
    while !try_lock(&mut lock, "migrate").await? {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let connection = connect(url).await?;
    let mut harness = AsyncMigrationHarness::new(connection);
    let applied = tokio::task::block_in_place(|| {
        let applied = harness
            .run_pending_migrations(MIGRATIONS)
            .map_err(|error| anyhow::anyhow!("{error}"))?;
        anyhow::Ok(applied.iter().map(ToString::to_string).collect::<Vec<_>>())
    })?;
    for built in indexes::build(&mut lock).await? {
        tracing::info!(index = built, "built");
    }
    lock.batch_execute(GRANTS).await?;
    let granted: Vec<RoleRow> = prepared(sql("SELECT rolname::text AS name FROM pg_roles
         WHERE rolname IN ('plaza_server', 'plaza_worker', 'plaza_relay', 'plaza_projector')
         ORDER BY 1"))
    .load(&mut lock)
    .await?;
    unlock(&mut lock, "migrate").await?;
    Ok(Migrated { applied, granted: granted.into_iter().map(|role| role.name).collect() })
}

#[derive(QueryableByName)]
struct MapRow {
    #[diesel(sql_type = Integer)]
    version: i32,
    #[diesel(sql_type = Array<Integer>)]
    shards: Vec<i32>,
    #[diesel(sql_type = Bool)]
    is_moving: bool,
}

async fn stored_map(connection: &mut Connection) -> Result<Option<MapRow>, StoreError> {
    let rows: Vec<MapRow> =
        prepared(sql("SELECT version, shards, moving_since IS NOT NULL AS is_moving FROM shard_maps ORDER BY version DESC LIMIT 1"))
            .load(connection)
            .await?;
    Ok(rows.into_iter().next())
}

/// The version of the newest map stored on a migrated server, and whether buckets are being moved
/// for the next one; `None` when there is none.
///
/// # Errors
/// The server's.
pub async fn stored_map_version(
    connection: &mut Connection,
) -> Result<Option<(i32, bool)>, StoreError> {
    Ok(stored_map(connection).await?.map(|map| (map.version, map.is_moving)))
}

#[derive(QueryableByName)]
struct StrangersRow {
    #[diesel(sql_type = BigInt)]
    strangers: i64,
}

/// Users on a shard whose bucket is on another by the newest map that it has.
///
/// # Errors
/// The server's.
pub async fn users_of_others(
    connection: &mut Connection,
    number: usize,
) -> Result<i64, StoreError> {
    let row: StrangersRow = prepared(
        sql("SELECT count(*) AS strangers
             FROM users, (SELECT shards FROM shard_maps ORDER BY version DESC LIMIT 1) m
             WHERE m.shards[(((id >> 12) & 1023) + 1)::integer] <> $1")
        .bind::<Integer, _>(i32::try_from(number).unwrap_or(i32::MAX)),
    )
    .get_result(connection)
    .await?;
    Ok(row.strangers)
}

/// Stores the map in force on every shard that has none, a new one among them; where there is none
/// at all, the even map as version 1. The version in force. Each database stores which shard it is.
///
/// # Errors
/// A shard that cannot be reached, or whose database is another shard's.
pub async fn ensure_map(config: &PostgresConfig) -> anyhow::Result<i32> {
    let even = ShardMap::even(config.shards.len());
    let mut newest = MapRow { version: even.version, shards: even.to_stored(), is_moving: false };
    let mut without = Vec::new();
    for (number, urls) in config.shards.iter().enumerate() {
        let mut connection =
            connect(&urls.primary).await.with_context(|| format!("shard {number}"))?;
        ensure_identity(&mut connection, number).await?;
        match stored_map(&mut connection).await? {
            // The first that is found goes before the even one, which would have a new shard's
            // share of the buckets in the wrong place.
            Some(found) if found.version > newest.version || without.len() == number => {
                newest = found
            }
            Some(_) => {}
            None => without.push(connection),
        }
    }
    for mut connection in without {
        prepared(
            sql("INSERT INTO shard_maps (version, shards) VALUES ($1, $2) ON CONFLICT DO NOTHING")
                .bind::<Integer, _>(newest.version)
                .bind::<Array<Integer>, _>(&newest.shards),
        )
        .execute(&mut connection)
        .await?;
    }
    Ok(newest.version)
}

/// Writes into a database which shard it is, unless it knows.
async fn ensure_identity(connection: &mut Connection, number: usize) -> anyhow::Result<()> {
    prepared(
        sql("INSERT INTO shard_identity (shard) VALUES ($1) ON CONFLICT DO NOTHING")
            .bind::<Integer, _>(i32::try_from(number)?),
    )
    .execute(connection)
    .await?;
    Ok(check_identity(number, stored_identity(connection).await?)?)
}

/// The shard map in force: the highest version on any shard that can be reached.
///
/// # Errors
/// No shard can be reached, one that can is not migrated or is another one than its entry says,
/// buckets are being moved, or the map is of another cluster.
pub async fn load_map(cluster: &Cluster) -> anyhow::Result<ShardMap> {
    let mut newest: Option<MapRow> = None;
    let mut unreachable = None;
    for index in cluster.indexes() {
        let found = async {
            let mut connection = cluster.shard(index)?.direct_to_any().await?;
            let identity = stored_identity(&mut connection).await?;
            Ok((stored_map(&mut connection).await?, identity))
        };
        let found: Result<_, StoreError> = found.await;
        if let Ok((_, identity)) = &found {
            check_identity(index.0, *identity)?;
        }
        match found.map(|(map, _)| map) {
            Ok(Some(row)) if newest.as_ref().is_none_or(|held| row.version > held.version) => {
                newest = Some(row)
            }
            Ok(_) => {}
            Err(error) if error.is_transient() => {
                tracing::warn!(shard = index.0, %error, "cannot be asked for the shard map");
                unreachable = Some(error);
            }
            Err(error) => {
                anyhow::bail!("shard {index} is not migrated ({error}): run `plaza migrate`")
            }
        }
    }
    match (newest, unreachable) {
        (Some(row), _) if row.is_moving => anyhow::bail!(
            "buckets are being moved: `plaza rebalance` is at work, or was interrupted and is to be run again"
        ),
        (Some(row), _) => ShardMap::from_stored(row.version, &row.shards, cluster.len())
            .with_context(|| {
                format!(
                    "shard map version {} does not fit a cluster of {} shards",
                    row.version,
                    cluster.len()
                )
            }),
        (None, Some(error)) => Err(error.into()),
        (None, None) => anyhow::bail!("there is no shard map: run `plaza migrate`"),
    }
}
