//! What administrators may do.

use rand::seq::IndexedRandom;

use super::relations::{self};
use super::users::User;
use super::{DomainError, Mutation, Operation, Tx, UserErrorCode, mutate, write};
use plaza_base::ids::UserId;
use plaza_protocol::events::Event;
use plaza_stores::postgres::{sessions as session_rows, users as user_rows};

/// Whether the viewer is an administrator, asked at the primary.
///
/// # Errors
/// The viewer's shard is unavailable.
pub async fn is_admin(op: &Operation) -> Result<bool, DomainError> {
    let Some(viewer) = op.viewer else { return Ok(false) };
    let primary = op.primary();
    let (id, shard) = (viewer.user_id, op.domain.cluster.shard_of_id(viewer.user_id));
    Ok(op
        .domain
        .cluster
        .read(&primary, shard, async |connection| user_rows::is_admin(connection, id).await)
        .await?)
}

/// Suspends somebody and ends their sessions, or ends the suspension. Returns them, if the viewer may
/// see them then.
///
/// # Errors
/// [`DomainError::Forbidden`] for anybody but an administrator; nobody there, oneself; a shard that
/// is unavailable.
pub async fn suspend(
    op: &Operation,
    user: UserId,
    suspended: bool,
) -> Result<Option<User>, DomainError> {
    let viewer = op.require_viewer()?;
    mutate(
        op,
        Mutation {
            name: if suspended { "userSuspend" } else { "userUnsuspend" },
            user: viewer.user_id,
            shard: op.domain.cluster.shard_of_id(user),
            input: &user,
        },
        async {
            if !is_admin(op).await? {
                return Err(DomainError::Forbidden);
            }
            if viewer.user_id == user {
                return Err(DomainError::rejected(
                    UserErrorCode::Invalid,
                    "userId",
                    "nobody can suspend themselves",
                ));
            }
            relations::of_viewer(op).await
        },
        async |tx, relations| {
            set_suspended(tx, user, suspended).await?;
            if suspended {
                return Ok(None);
            }
            let found = user_rows::get_many(tx, &[user]).await?;
            let shown = found.into_iter().next().filter(|_| !relations.is_blocked_by(user));
            Ok(shown.map(User::from))
        },
    )
    .await
}

/// The same by an operator at the console, who needs no account.
///
/// # Errors
/// Nobody there; a shard that is unavailable.
pub async fn suspend_by_operator(
    op: &Operation,
    user: UserId,
    suspended: bool,
) -> Result<(), DomainError> {
    let shard = op.domain.cluster.shard_of_id(user);
    write(op, shard, async |tx| set_suspended(tx, user, suspended).await).await
}

/// Makes somebody an administrator, or no longer one. Only operators may: there is no mutation for
/// it.
///
/// # Errors
/// Nobody there; a shard that is unavailable.
pub async fn grant(op: &Operation, user: UserId, is_admin: bool) -> Result<(), DomainError> {
    let shard = op.domain.cluster.shard_of_id(user);
    write(op, shard, async |tx| {
        if user_rows::set_admin(tx, user, is_admin).await? {
            return Ok(());
        }
        Err(nobody())
    })
    .await
}

/// Gives somebody a new password, which is returned and nowhere kept, and ends their sessions. Only
/// operators may: for who has lost theirs.
///
/// # Errors
/// Nobody there; a shard that is unavailable.
pub async fn reset_password(op: &Operation, user: UserId) -> Result<String, DomainError> {
    let password = random_password();
    let hash = op.domain.identity.hash(password.clone()).await?;
    let shard = op.domain.cluster.shard_of_id(user);
    write(op, shard, async |tx| {
        if !user_rows::set_password_hash(tx, user, &hash).await? {
            return Err(nobody());
        }
        let now = tx.now();
        session_rows::revoke_all(tx, user, now).await?;
        Ok(())
    })
    .await?;
    Ok(password)
}

/// Four groups of five letters and digits, without those that look alike: 98 bits.
fn random_password() -> String {
    const LETTERS: &[u8] = b"abcdefghjkmnpqrstuvwxyz23456789";
    let mut random = rand::rng();
    let groups = (0..4).map(|_| {
        let letters = (0..5).filter_map(|_| LETTERS.choose(&mut random));
        letters.map(|letter| char::from(*letter)).collect::<String>()
    });
    groups.collect::<Vec<_>>().join("-")
}

fn nobody() -> DomainError {
    DomainError::rejected(UserErrorCode::NotFound, "userId", "there is no such user")
}

/// Hides a user and ends their sessions, or ends that.
async fn set_suspended(tx: &mut Tx, user: UserId, suspended: bool) -> Result<(), DomainError> {
    let now = tx.now();
    let version = user_rows::suspend(tx, user, suspended.then_some(now)).await?;
    let version = version.ok_or_else(nobody)?;
    tx.emit(Event::UserUpdated { user_id: user }, version);
    tx.invalidate::<User>(user, version);
    if suspended {
        session_rows::revoke_all(tx, user, now).await?;
    }
    Ok(())
}
