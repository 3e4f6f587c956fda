//! Blocks: the blocker's side is the truth, on the blocker's shard; the blocked person's shard
//! learns of it by the event.

use super::idempotency::{Request, once};
use super::{Domain, DomainError, Operation, UserErrorCode, relations};
use crate::ids::{Id, UserId};
use crate::outbox::Messages;
use crate::protocol::events::Event;
use crate::stores::postgres::users::Versions;
use crate::stores::postgres::{
    Connection, blocks as store, follows as follow_rows, users as user_rows,
};

/// The viewer blocks somebody, and no longer follows them; blocked already is fine. The other
/// follows the viewer no longer either.
///
/// # Errors
/// Oneself; the viewer's shard is away.
pub async fn block(
    op: &Operation,
    domain: &Domain,
    blocked: UserId,
) -> Result<UserId, DomainError> {
    if op.require_viewer()?.user_id == blocked {
        return Err(DomainError::rejected(
            UserErrorCode::Invalid,
            "userId",
            "nobody can block themselves",
        ));
    }
    if super::users::rows(op, domain, &[blocked]).await?.is_empty() {
        return Err(DomainError::rejected(
            UserErrorCode::NotFound,
            "userId",
            "there is no such user",
        ));
    }
    change(op, domain, blocked, "userBlock", true).await
}

/// The viewer ends a block; none is fine.
///
/// # Errors
/// The viewer's shard is away.
pub async fn unblock(
    op: &Operation,
    domain: &Domain,
    blocked: UserId,
) -> Result<UserId, DomainError> {
    change(op, domain, blocked, "userUnblock", false).await
}

async fn change(
    op: &Operation,
    domain: &Domain,
    blocked: UserId,
    operation: &'static str,
    active: bool,
) -> Result<UserId, DomainError> {
    let blocker = op.require_viewer()?.user_id;
    let shard = domain.cluster.shard_of_id(blocker);
    let request = Request { user: blocker, client_key: op.client_key.as_deref(), operation };
    let committed = domain
        .cluster
        .write(
            shard,
            op.deadline,
            async |connection: &mut Connection| -> Result<Option<Versions>, DomainError> {
                once(connection, request, &blocked, async |connection: &mut Connection| {
                    let version = if active {
                        store::begin(
                            connection,
                            blocker.bucket(),
                            blocker.as_i64(),
                            blocked.as_i64(),
                        )
                        .await?
                    } else {
                        store::end(connection, blocker.as_i64(), blocked.as_i64()).await?
                    };
                    let Some(version) = version else { return Ok(None) };
                    let mut messages =
                        Messages::new(shard, domain.clock.now(), op.traceparent.as_deref());
                    messages = messages.event(
                        if active {
                            Event::UserBlocked { blocker_id: blocker, blocked_id: blocked }
                        } else {
                            Event::UserUnblocked { blocker_id: blocker, blocked_id: blocked }
                        },
                        version,
                    );
                    let ended = if active {
                        follow_rows::deactivate(connection, blocker.as_i64(), blocked.as_i64())
                            .await?
                    } else {
                        None
                    };
                    if let Some(edge) = ended {
                        user_rows::raise_activity(connection, blocker.as_i64()).await?;
                        messages = messages.event(
                            Event::UserUnfollowed { follower_id: blocker, followee_id: blocked },
                            edge.version,
                        );
                    }
                    messages.append(connection).await?;
                    let versions = user_rows::raise_relations(connection, blocker.as_i64()).await?;
                    Ok(Some(versions.ok_or(DomainError::Unauthenticated)?))
                })
                .await
            },
        )
        .await?;
    op.wrote(shard, committed.lsn, domain.clock.now_ms());
    if let Some(versions) = committed.value {
        relations::changed(op, domain, blocker, versions).await;
    }
    Ok(blocked)
}

/// Whether the viewer blocks these people; none when anonymous.
///
/// # Errors
/// The viewer's shard is away.
pub async fn viewer_blocks(
    op: &Operation,
    domain: &Domain,
    ids: &[UserId],
) -> Result<std::collections::HashSet<UserId>, DomainError> {
    let relations = relations::of_viewer(op, domain).await?;
    Ok(ids.iter().copied().filter(|id| relations.blocks(*id)).collect())
}
