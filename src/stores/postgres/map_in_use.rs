//! The map that a process works by, compared with the shard's by each new connection.

use std::sync::atomic::{AtomicI32, Ordering};

use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, SimpleQueryMessage};
use tokio_util::sync::CancellationToken;

use super::identity::{Standing, WrongShard, identity_of};
use plaza_base::seeded::{Bug, bug};

/// The map that a process works by, as each new connection compares it with its shard's.
#[derive(Debug, Default)]
pub(super) struct MapInUse {
    /// 0 before a map is read: then none is compared.
    version: AtomicI32,
    /// Cancelled when a shard has a newer one.
    is_old: CancellationToken,
}

impl MapInUse {
    /// Works by this version from now on.
    pub(super) fn set(&self, version: i32) {
        self.version.store(version, Ordering::Release);
    }

    /// Cancelled when a shard was seen to have a newer map.
    pub(super) fn is_old(&self) -> CancellationToken {
        self.is_old.clone()
    }

    /// Whether a shard with such a map may be worked on. A shard with an older map is one that a
    /// rebalance has not told yet; everything is where the newer one says by then.
    pub(super) fn check(&self, entry: usize, newest: Option<StoredMap>) -> Result<(), WrongShard> {
        let used = self.version.load(Ordering::Acquire);
        let Some(stored) = newest.filter(|_| used != 0) else { return Ok(()) };
        if stored.version > used && !bug(Bug::OldMapGoesOn) {
            self.is_old.cancel();
            return Err(WrongShard::OldMap { used, in_force: stored.version });
        }
        match stored.is_moving {
            true => Err(WrongShard::Moving { entry }),
            false => Ok(()),
        }
    }
}

/// A shard's newest map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StoredMap {
    version: i32,
    is_moving: bool,
}

/// What a server says to a new connection.
#[derive(Debug)]
pub(super) struct Asked {
    /// Which shard its database is.
    pub shard: Option<usize>,
    /// Its standing; `None` where the database does not know whose it is, or is not migrated.
    pub standing: Option<Standing>,
    /// Its newest map.
    pub map: Option<StoredMap>,
}

/// Which shard a client's database says it is, its standing and its newest map, in one round trip.
/// A database that lacks what this build's migrations make says its shard at most.
pub(super) async fn asked(client: &Client) -> Result<Asked, tokio_postgres::Error> {
    let query = "SELECT i.shard, i.timeline, CASE WHEN pg_is_in_recovery() THEN 0
               ELSE ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::bigint
                    END,
                        m.version, m.moving_since IS NOT NULL
                 FROM (SELECT max(shard) AS shard, max(timeline) AS timeline FROM shard_identity) i
                 LEFT JOIN (SELECT version, moving_since FROM shard_maps
                            ORDER BY version DESC LIMIT 1) m ON true";
    let lacks = |error: &tokio_postgres::Error| {
        let code = error.code();
        code == Some(&SqlState::UNDEFINED_TABLE) || code == Some(&SqlState::UNDEFINED_COLUMN)
    };
    let messages = match client.simple_query(query).await {
        Err(error) if lacks(&error) => {
            return Ok(Asked { shard: identity_of(client).await?, standing: None, map: None });
        }
        answer => answer?,
    };
    let row = messages.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    let column = |index: usize| row.and_then(|row| row.try_get(index).ok().flatten());
    let number = |index| column(index).and_then(|text| text.parse::<i64>().ok());
    let shard = number(0).and_then(|shard| usize::try_from(shard).ok());
    let standing = shard
        .zip(number(1))
        .zip(number(2))
        .map(|((shard, stored), timeline)| Standing { shard: Some(shard), stored, timeline });
    let version = column(3).and_then(|text| text.parse().ok());
    let map = version.map(|version| StoredMap { version, is_moving: column(4) == Some("t") });
    Ok(Asked { shard, standing, map })
}

#[cfg(test)]
mod simulation;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_map_ends_a_process_and_buckets_in_motion_keep_it_waiting() {
        let (map, at) =
            (MapInUse::default(), |version, is_moving| Some(StoredMap { version, is_moving }));
        assert_eq!(map.check(1, at(7, true)), Ok(()), "no map is read yet");
        map.set(7);
        assert_eq!((map.check(1, None), map.check(1, at(7, false))), (Ok(()), Ok(())));
        assert_eq!(map.check(1, at(6, false)), Ok(()), "it is not told yet");
        assert_eq!(map.check(1, at(7, true)), Err(WrongShard::Moving { entry: 1 }));
        assert!(!map.is_old().is_cancelled());
        let old = WrongShard::OldMap { used: 7, in_force: 8 };
        assert_eq!(map.check(1, at(8, false)), Err(old));
        assert!(map.is_old().is_cancelled());
    }
}
