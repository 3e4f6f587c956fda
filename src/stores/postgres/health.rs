//! What an operator asks one server about itself.

use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Bool, Text};
use diesel_async::RunQueryDsl;

use super::pool::Connection;
use super::prepared::{prepared, sql};
use crate::StoreError;

/// A server's own account.
#[derive(Debug, Clone, QueryableByName)]
pub struct ServerState {
    /// Whether it replays a primary's log.
    #[diesel(sql_type = Bool)]
    pub is_replica: bool,
    /// Whether any migration was ever recorded in the database.
    #[diesel(sql_type = Bool)]
    pub has_migrations: bool,
    /// The setting `synchronous_standby_names`: empty when commits wait for nobody.
    #[diesel(sql_type = Text)]
    pub synchronous_standby_names: String,
    /// Connected replicas that a commit may wait for.
    #[diesel(sql_type = BigInt)]
    pub synchronous_standbys: i64,
    /// Whether this user may see the line above: without the right, the server shows none.
    #[diesel(sql_type = Bool)]
    pub sees_standbys: bool,
}

/// Asks a server, primary or replica, migrated or not.
///
/// # Errors
/// The server's.
pub async fn server_state(connection: &mut Connection) -> Result<ServerState, StoreError> {
    Ok(prepared(sql("SELECT pg_is_in_recovery() AS is_replica,
                            to_regclass('__diesel_schema_migrations') IS NOT NULL AS has_migrations,
                            current_setting('synchronous_standby_names') AS synchronous_standby_names,
                            (SELECT count(*) FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum')) AS synchronous_standbys,
                            pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') AS sees_standbys"))
    .get_result(connection)
    .await?)
}

#[derive(QueryableByName)]
struct MayCommit {
    #[diesel(sql_type = Bool)]
    may_commit: bool,
}

/// Whether a commit on this primary can be acknowledged: it waits for no replica, or one is
/// connected (which may still hang).
///
/// # Errors
/// The server's.
pub async fn may_commit(connection: &mut Connection) -> Result<bool, StoreError> {
    let row: MayCommit = prepared(sql("SELECT current_setting('synchronous_standby_names') = ''
                                           OR EXISTS (SELECT FROM pg_stat_replication) AS may_commit"))
    .get_result(connection)
    .await?;
    Ok(row.may_commit)
}

#[derive(QueryableByName)]
struct Version {
    #[diesel(sql_type = Text)]
    version: String,
}

/// The versions of the migrations that were applied here.
///
/// # Errors
/// The server's; that of a missing table where [`ServerState::has_migrations`] is false.
pub async fn applied_migrations(connection: &mut Connection) -> Result<Vec<String>, StoreError> {
    let rows: Vec<Version> = prepared(sql(
        "SELECT version::text AS version FROM __diesel_schema_migrations ORDER BY version",
    ))
    .load(connection)
    .await?;
    Ok(rows.into_iter().map(|row| row.version).collect())
}

#[derive(QueryableByName)]
struct Transactions {
    #[diesel(sql_type = BigInt)]
    transactions: i64,
}

/// Transactions in this database on this server since its statistics began: a read outside of one
/// is one.
///
/// # Errors
/// The server's.
pub async fn transactions(connection: &mut Connection) -> Result<i64, StoreError> {
    let row: Transactions = prepared(sql(
        "SELECT coalesce(sum(xact_commit + xact_rollback), 0)::bigint AS transactions
                                          FROM pg_stat_database WHERE datname = current_database()",
    ))
    .get_result(connection)
    .await?;
    Ok(row.transactions)
}
