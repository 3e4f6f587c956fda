//! What administrators may do.

use super::idempotency::{Request, once};
use super::users::User;
use super::{Domain, DomainError, Operation, UserErrorCode};
use crate::ids::{Id, UserId};
use crate::outbox::Messages;
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

/// Suspends somebody and ends their sessions, or ends the suspension.
///
/// # Errors
/// [`DomainError::Forbidden`] for anybody but an administrator; nobody there, oneself; a shard that
/// is away.
pub async fn suspend(
    op: &Operation,
    domain: &Domain,
    user: UserId,
    suspended: bool,
) -> Result<UserId, DomainError> {
    let viewer = op.require_viewer()?;
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
    let (shard, now) = (domain.cluster.shard_of_id(user), domain.clock.now());
    let operation = if suspended { "userSuspend" } else { "userUnsuspend" };
    let request = Request { user: viewer.user_id, client_key: op.client_key.as_deref(), operation };
    let committed = domain
        .cluster
        .write(
            shard,
            op.deadline,
            async |connection: &mut Connection| -> Result<i64, DomainError> {
                once(connection, request, &user, async |connection: &mut Connection| {
                    let version =
                        user_rows::suspend(connection, user.as_i64(), suspended.then_some(now))
                            .await?;
                    let missing = || {
                        DomainError::rejected(
                            UserErrorCode::NotFound,
                            "userId",
                            "there is no such user",
                        )
                    };
                    let version = version.ok_or_else(missing)?;
                    if suspended {
                        session_rows::revoke_all(connection, user.as_i64(), now).await?;
                    }
                    Messages::new(shard, now, op.traceparent.as_deref())
                        .event(Event::UserUpdated { user_id: user }, version)
                        .append(connection)
                        .await?;
                    Ok(version)
                })
                .await
            },
        )
        .await?;
    op.wrote(shard, committed.lsn, domain.clock.now_ms());
    op.told(domain.redis.invalidate::<User>(&[(user.as_i64(), committed.value)]).await);
    Ok(user)
}
