//! The shards' servers.

use std::time::Duration;

use secrecy::SecretString;

use super::Wrong;
use super::brokers::unknown_host;
use plaza_config::redacted;
use plaza_stores::postgres::Connection;
use plaza_stores::postgres::health::{applied_migrations, server_state};
use plaza_stores::postgres::identity::{check_identity, stored_identity};
use plaza_stores::postgres::migrations::{connect, stored_map_version, users_of_others, versions};
use plaza_stores::postgres::position::{bytes_behind, primary_lsn, replayed_lsn};
use plaza_stores::postgres::session::Lsn;

/// A refusal in the operator's words; every postgres says these in English to clients that ask for
/// nothing else.
fn unreachable_postgres(error: &plaza_stores::StoreError) -> Wrong {
    let said = error.to_string();
    let remedy = if said.contains("authentication failed") || said.contains("no password") {
        "correct the user or password in postgres.shards"
    } else if said.contains("does not exist") {
        "create the database, or correct its name in postgres.shards"
    } else if said.contains("too many clients") || said.contains("connection slots") {
        "lower postgres.*_pool or raise the server's max_connections"
    } else if said.contains("starting up") || said.contains("recovery") {
        "wait until it has recovered"
    } else if unknown_host(&said) {
        "correct the host in postgres.shards: no machine has that name"
    } else {
        "start it (locally: `make up`), or correct postgres.shards"
    };
    Wrong::new(said, remedy)
}

fn unanswered(url: &SecretString) -> impl Fn(plaza_stores::StoreError) -> Wrong {
    move |error| Wrong::new(format!("{}: {error}", redacted(url)), "read the server's log")
}

pub(super) async fn primary(
    url: &SecretString,
    number: usize,
    has_replicas: bool,
) -> Result<(String, Lsn), Wrong> {
    let mut connection = connect(url).await.map_err(|error| unreachable_postgres(&error))?;
    let state = server_state(&mut connection).await.map_err(unanswered(url))?;
    if state.is_replica {
        return Err(Wrong::new(
            format!("{} is a replica", redacted(url)),
            "put the primary first in postgres.shards, or promote this server",
        ));
    }
    let applied = if state.has_migrations {
        applied_migrations(&mut connection).await.map_err(unanswered(url))?
    } else {
        Vec::new()
    };
    let known = versions();
    let missing = known.iter().filter(|version| !applied.contains(version)).count();
    if missing > 0 {
        return Err(Wrong::new(
            format!("not migrated: {missing} of {} migrations are missing", known.len()),
            "run `plaza migrate`",
        ));
    }
    if let Some(unknown) = applied.iter().find(|version| !known.contains(version)) {
        return Err(Wrong::new(
            format!("holds migration {unknown}, which this build does not know"),
            "run the build that made it, or a newer one",
        ));
    }
    check_number(&mut connection, url, number).await?;
    let map = stored_map_version(&mut connection).await.map_err(unanswered(url))?;
    let Some((map, is_moving)) = map else {
        return Err(Wrong::new("migrated, but without a shard map", "run `plaza migrate`"));
    };
    if is_moving {
        return Err(Wrong::new(
            "buckets are being moved: no process works on it",
            "wait for `plaza rebalance`, or run it again where it was interrupted",
        ));
    }
    no_strangers(url, &mut connection, number).await?;
    if has_replicas && state.synchronous_standby_names.is_empty() {
        return Err(Wrong::new(
            "commits wait for no replica: a failover would lose some",
            "set synchronous_standby_names = 'ANY 1 (..)'",
        ));
    }
    if has_replicas && state.sees_standbys && state.synchronous_standbys == 0 {
        return Err(Wrong::new(
            "no synchronous replica is connected: commits hang",
            "start its replicas (locally: `make up`)",
        ));
    }
    let lsn = primary_lsn(&connection).await.map_err(unanswered(url))?;
    let standbys = if state.sees_standbys {
        format!(", {} synchronous replicas", state.synchronous_standbys)
    } else {
        String::new()
    };
    Ok((format!("migrated, shard map version {map}{standbys}"), lsn))
}

/// No user is here whose bucket is on another shard: a process worked by an old map, or a
/// rebalance was interrupted. `plaza ledger verify` looks at every table.
async fn no_strangers(
    url: &SecretString,
    connection: &mut Connection,
    number: usize,
) -> Result<(), Wrong> {
    let strangers = users_of_others(connection, number).await.map_err(unanswered(url))?;
    if strangers > 0 {
        return Err(Wrong::new(
            format!("holds {strangers} users whose bucket is on another shard"),
            "find out what is only here (docs/how-to/add-a-shard.md) before `plaza rebalance` deletes it",
        ));
    }
    Ok(())
}

/// The database knows which shard it is.
async fn check_number(
    connection: &mut Connection,
    url: &SecretString,
    number: usize,
) -> Result<(), Wrong> {
    // A replica that is far behind may lack the table.
    let stored = stored_identity(connection).await.map_err(unanswered(url))?;
    check_identity(number, stored)
        .map_err(|error| Wrong::new(error, "put the addresses in postgres.shards in their order"))
}

/// A replica is well when it comes to what its primary had when that was asked, or is on its way
/// there: what it replays a busy primary goes on adding to. One that stands still for two fifths of
/// `timeout` is not.
pub(super) async fn replica(
    url: &SecretString,
    number: usize,
    primary: Option<Lsn>,
    timeout: Duration,
) -> Result<String, Wrong> {
    let mut connection = connect(url).await.map_err(|error| unreachable_postgres(&error))?;
    let state = server_state(&mut connection).await.map_err(unanswered(url))?;
    if !state.is_replica {
        return Err(Wrong::new(
            format!("{} is a primary: reads there would see another history", redacted(url)),
            "correct postgres.shards, or rebuild it from its primary (locally: `infra/local/rebuild-replica`)",
        ));
    }
    if state.has_migrations {
        check_number(&mut connection, url, number).await?;
    }
    let Some(primary) = primary else {
        return Ok("replaying; its primary could not be compared".to_owned());
    };
    let still = timeout * 2 / 5;
    let started = tokio::time::Instant::now();
    let (mut moved, mut least) = (started, Lsn::MAX);
    loop {
        let replayed = replayed_lsn(&mut connection).await.map_err(unanswered(url))?;
        let behind = bytes_behind(primary, replayed);
        if behind == 0 {
            return Ok("level with its primary".to_owned());
        }
        if behind < least {
            (moved, least) = (tokio::time::Instant::now(), behind);
        }
        if moved.elapsed() > still {
            return Err(Wrong::new(
                format!(
                    "{behind} bytes behind its primary, and none replayed in {} s",
                    still.as_secs()
                ),
                "read its log; one that cannot follow is copied again (locally: `infra/local/rebuild-replica`)",
            ));
        }
        if started.elapsed() > timeout * 4 / 5 {
            return Ok(format!("{behind} bytes behind its primary, and replaying"));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
