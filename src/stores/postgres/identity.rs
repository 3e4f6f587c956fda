//! Which shard a database is, by its own account: a row that `plaza migrate` writes once. Where two
//! addresses are exchanged in a configuration, everything would else be read, written and deleted
//! as another shard's.

use std::sync::Arc;

use diesel::QueryableByName;
use diesel::sql_types::Integer;
use diesel_async::RunQueryDsl;
use parking_lot::Mutex;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, SimpleQueryMessage};

use super::addresses::Addresses;
use super::map_in_use::{MapInUse, asked};
use super::pool::{Connection, describe};
use super::prepared::{prepared, sql};
use super::routing::ShardIndex;
use crate::StoreError;

/// Why the database at an entry of `postgres.shards` is not used as that shard's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WrongShard {
    /// It is another shard's.
    #[error(
        "postgres.shards, entry {entry}, is the database of shard {shard}: the addresses are exchanged"
    )]
    Exchanged {
        /// The place in the configuration, from 0.
        entry: usize,
        /// Which shard the database says it is.
        shard: usize,
    },
    /// It does not say whose it is.
    #[error(
        "postgres.shards, entry {entry}: the database does not know which shard it is: run `plaza migrate`"
    )]
    Unknown {
        /// The place in the configuration, from 0.
        entry: usize,
    },
    /// Rows are being moved between shards.
    #[error(
        "buckets are being moved: nobody works on shard {entry} until `plaza rebalance` has ended; if it was interrupted, run it again"
    )]
    Moving {
        /// The place in the configuration, from 0.
        entry: usize,
    },
    /// Buckets were moved since the process read where they are.
    #[error(
        "the shard map in force is version {in_force}, and this process works by version {used}: it must start again"
    )]
    OldMap {
        /// The version that the process works by.
        used: i32,
        /// The version that the shard has.
        in_force: i32,
    },
}

#[derive(QueryableByName)]
struct IdentityRow {
    #[diesel(sql_type = Integer)]
    shard: i32,
}

/// Which shard a database says it is; `None` before it was migrated to know.
///
/// # Errors
/// The server's.
pub async fn stored_identity(connection: &mut Connection) -> Result<Option<usize>, StoreError> {
    let rows: Vec<IdentityRow> =
        prepared(sql("SELECT shard FROM shard_identity")).load(connection).await?;
    Ok(rows.into_iter().next().and_then(|row| usize::try_from(row.shard).ok()))
}

/// The same of a client's database; `None` also where there is no such table.
pub(super) async fn identity_of(client: &Client) -> Result<Option<usize>, tokio_postgres::Error> {
    let messages = match client.simple_query("SELECT shard FROM shard_identity").await {
        Err(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => return Ok(None),
        answer => answer?,
    };
    Ok(messages.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.try_get(0).ok().flatten()?.parse().ok(),
        _ => None,
    }))
}

/// What a server says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing {
    /// Which shard its database is.
    pub shard: Option<usize>,
    /// Its timeline, from 1; 0: it is a replica.
    pub timeline: i64,
    /// The last timeline that was noted in the database (`position.rs`); 0: none was.
    pub stored: i64,
}

/// Whether the database at an entry of `postgres.shards` may be that shard's: one that does not
/// know which it is may be.
///
/// # Errors
/// [`WrongShard::Exchanged`].
pub fn check_identity(entry: usize, stored: Option<usize>) -> Result<(), WrongShard> {
    match stored {
        Some(shard) if shard != entry => Err(WrongShard::Exchanged { entry, shard }),
        _ => Ok(()),
    }
}

/// Whether the database at an entry of `postgres.shards` is surely that shard's: for what deletes
/// rows that belong elsewhere.
///
/// # Errors
/// [`WrongShard`].
pub fn require_identity(entry: usize, stored: Option<usize>) -> Result<(), WrongShard> {
    if stored.is_none() {
        return Err(WrongShard::Unknown { entry });
    }
    check_identity(entry, stored)
}

/// Whose database must be at an address, and what was wrong with the last one that was asked.
#[derive(Debug)]
pub(super) struct Owner {
    shard: ShardIndex,
    map: Arc<MapInUse>,
    wrong: Mutex<Option<WrongShard>>,
}

impl Owner {
    /// The shard at an entry of `postgres.shards`.
    pub(super) fn of(shard: ShardIndex, map: Arc<MapInUse>) -> Self {
        Self { shard, map, wrong: Mutex::default() }
    }

    /// Why the last database that was asked is not used; `None` where it is.
    pub(super) fn wrong(&self) -> Option<WrongShard> {
        *self.wrong.lock()
    }

    /// Asks a new connection whose database it leads to, by which map, and whether that may be the
    /// primary: a server does not become another shard's, or a replica, under a connection, and
    /// buckets are moved only while nobody is connected.
    ///
    /// # Errors
    /// The server's; in words, that the database is another shard's, that buckets are being moved
    /// or were, or that it is not the primary.
    pub(super) async fn compare(
        &self,
        client: &Client,
        addresses: &Addresses,
    ) -> Result<(), diesel::ConnectionError> {
        let refused = diesel::ConnectionError::BadConnection;
        let found = asked(client).await.map_err(|error| refused(describe(&error)))?;
        let right = check_identity(self.shard.0, found.shard);
        let wrong = right.and_then(|()| self.map.check(self.shard.0, found.map)).err();
        let before = std::mem::replace(&mut *self.wrong.lock(), wrong);
        let Some(error) = wrong else {
            let check = |standing| addresses.check(&standing);
            return found.standing.map_or(Ok(()), check).map_err(refused);
        };
        // Once, not for each request that meets it.
        if before.is_none() {
            tracing::error!(%error, "a primary is not used");
        }
        Err(refused(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_deletes_needs_a_database_that_knows_whose_it_is() {
        let exchanged = Err(WrongShard::Exchanged { entry: 0, shard: 1 });
        assert_eq!((check_identity(0, Some(0)), require_identity(0, Some(0))), (Ok(()), Ok(())));
        assert_eq!(
            (check_identity(0, Some(1)), require_identity(0, Some(1))),
            (exchanged, exchanged)
        );
        let unknown = Err(WrongShard::Unknown { entry: 0 });
        assert_eq!((check_identity(0, None), require_identity(0, None)), (Ok(()), unknown));
    }
}
