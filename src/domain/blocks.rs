//! Blocks: the blocker's side is the truth, on the blocker's shard; the blocked user's shard
//! learns of it by the event.

use super::users::{self, User};
use super::{
    DomainError, Mutation, Operation, Page, PageRequest, UserErrorCode, mutate, relations,
};
use plaza_base::ids::{Id, UserId};
use plaza_protocol::events::Event;
use plaza_stores::postgres::{blocks as store, follows as follow_rows, users as user_rows};

/// The viewer blocks somebody, and no longer follows them; blocked already is fine. The other
/// follows the viewer no longer either. Returns the other, if the viewer may see them.
///
/// # Errors
/// Oneself; the viewer's shard is unavailable.
pub async fn block(op: &Operation, blocked: UserId) -> Result<Option<User>, DomainError> {
    if op.require_viewer()?.user_id == blocked {
        return Err(DomainError::rejected(
            UserErrorCode::Invalid,
            "userId",
            "nobody can block themselves",
        ));
    }
    let found = async {
        if users::rows(op, &[blocked]).await?.is_empty() {
            return Err(DomainError::rejected(
                UserErrorCode::NotFound,
                "userId",
                "there is no such user",
            ));
        }
        users::seen(op, blocked).await
    };
    change(op, blocked, ("userBlock", true), found).await
}

/// The viewer ends a block; none is fine. Returns the other, if the viewer may see them.
///
/// # Errors
/// The viewer's shard is unavailable.
pub async fn unblock(op: &Operation, blocked: UserId) -> Result<Option<User>, DomainError> {
    let found = users::seen(op, blocked);
    change(op, blocked, ("userUnblock", false), found).await
}

/// Users the viewer blocks, newest block first, from either end; cursor = block id.
///
/// # Errors
/// [`DomainError::Unauthenticated`]; the viewer's shard is unavailable.
pub async fn of_viewer(op: &Operation, page: PageRequest) -> Result<Page<UserId>, DomainError> {
    let viewer = op.require_viewer()?.user_id;
    let shard = op.domain.cluster.shard_of_id(viewer);
    let rows = op
        .domain
        .cluster
        .read(&op.reads, shard, async |connection| {
            store::page(connection, viewer, page.newest_first()).await
        })
        .await?;
    Ok(Page::from_rows(rows, page.first))
}

async fn change(
    op: &Operation,
    blocked: UserId,
    (name, active): (&'static str, bool),
    found: impl Future<Output = Result<Option<User>, DomainError>> + Send,
) -> Result<Option<User>, DomainError> {
    let blocker = op.require_viewer()?.user_id;
    let shard = op.domain.cluster.shard_of_id(blocker);
    mutate(
        op,
        Mutation { name, user: blocker, shard, input: &blocked },
        found,
        async |tx, person| {
            let (blocker_id, blocked_id) = (blocker, blocked);
            let (version, event) = if active {
                let begun = store::begin(tx, blocker.bucket(), blocker, blocked).await?;
                (begun, Event::UserBlocked { blocker_id, blocked_id })
            } else {
                let ended = store::end(tx, blocker, blocked).await?;
                (ended, Event::UserUnblocked { blocker_id, blocked_id })
            };
            let Some(version) = version else { return Ok(person) };
            tx.emit(event, version);
            let ended = match active {
                true => follow_rows::deactivate(tx, blocker, blocked).await?,
                false => None,
            };
            if let Some(edge) = ended {
                user_rows::raise_activity(tx, blocker, edge.added()).await?;
                let event = Event::UserUnfollowed { follower_id: blocker, followee_id: blocked };
                tx.emit(event, edge.version);
            }
            let versions = user_rows::raise_relations(tx, blocker)
                .await?
                .ok_or(DomainError::Unauthenticated)?;
            relations::changed(tx, blocker, versions);
            Ok(person)
        },
    )
    .await
}

/// Whether the viewer blocks these users; none when anonymous.
///
/// # Errors
/// The viewer's shard is unavailable.
pub async fn viewer_blocks(
    op: &Operation,
    ids: &[UserId],
) -> Result<std::collections::HashSet<UserId>, DomainError> {
    let relations = relations::of_viewer(op).await?;
    Ok(ids.iter().copied().filter(|id| relations.blocks(*id)).collect())
}
