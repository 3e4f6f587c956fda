//! What administrators may do.

use std::sync::Arc;

use super::relations::{self, Relations};
use super::users::User;
use super::{Domain, DomainError, Mutation, Operation, Tx, UserErrorCode, mutate};
use crate::ids::{Id, UserId};
use crate::protocol::events::Event;
use crate::stores::postgres::{
    Connection, ReadSession, sessions as session_rows, users as user_rows,
};

/// Whether the viewer is an administrator, asked at the primary.
///
/// # Errors
/// The viewer's shard is away.
pub async fn is_admin(op: &Operation, domain: &Domain) -> Result<bool, DomainError> {
    let Some(viewer) = op.viewer else { return Ok(false) };
    let primary = ReadSession::primary(domain.cluster.len());
    let (id, shard) = (viewer.user_id.as_i64(), domain.cluster.shard_of_id(viewer.user_id));
    Ok(domain
        .cluster
        .read(&primary, shard, async |connection: &mut Connection| {
            user_rows::is_admin(connection, id).await
        })
        .await?)
}

/// Suspends somebody and ends their sessions, or ends the suspension. Returns them, if the viewer may
/// see them then.
///
/// # Errors
/// [`DomainError::Forbidden`] for anybody but an administrator; nobody there, oneself; a shard that
/// is away.
pub async fn suspend(
    op: &Operation,
    domain: &Domain,
    user: UserId,
    suspended: bool,
) -> Result<Option<User>, DomainError> {
    let viewer = op.require_viewer()?;
    mutate(
        op,
        domain,
        Mutation {
            name: if suspended { "userSuspend" } else { "userUnsuspend" },
            user: viewer.user_id,
            shard: domain.cluster.shard_of_id(user),
            input: &user,
        },
        async {
            if !is_admin(op, domain).await? {
                return Err(DomainError::Forbidden);
            }
            if viewer.user_id == user {
                return Err(DomainError::rejected(
                    UserErrorCode::Invalid,
                    "userId",
                    "nobody can suspend themselves",
                ));
            }
            relations::of_viewer(op, domain).await
        },
        async |tx: &mut Tx, relations: Arc<Relations>| {
            let now = tx.now();
            let version = user_rows::suspend(tx, user.as_i64(), suspended.then_some(now)).await?;
            let missing = || {
                DomainError::rejected(UserErrorCode::NotFound, "userId", "there is no such user")
            };
            let version = version.ok_or_else(missing)?;
            tx.emit(Event::UserUpdated { user_id: user }, version);
            tx.invalidate::<User>(user, version);
            if suspended {
                session_rows::revoke_all(tx, user.as_i64(), now).await?;
                return Ok(None);
            }
            let found = user_rows::get_many(tx, &[user.as_i64()]).await?;
            Ok(found.into_iter().next().filter(|_| !relations.is_blocked_by(user)))
        },
    )
    .await
}
