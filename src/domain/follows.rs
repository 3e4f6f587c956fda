//! Who follows whom. The follower's side is the truth; the followee's is a projection of the edge's
//! events.

use std::collections::HashMap;

use futures_util::future::try_join;

use super::users::User;
use super::{
    DomainError, Mutation, Operation, Page, PageRequest, Tx, UserErrorCode, mutate, mutate_from,
    policy, relations, users,
};
use plaza_base::ids::{FollowId, Id, UserId};
use plaza_protocol::events::Event;
use plaza_read_models::followers as followers_model;
use plaza_stores::StoreError;
use plaza_stores::postgres::Connection;
use plaza_stores::postgres::{blocks as block_rows, follows as store, users as user_rows};

/// Most users one may follow.
pub const MAX_FOLLOWING: i64 = 10_000;

/// The viewer follows `followee`; already following is fine. Returns them, if the viewer may see
/// them.
///
/// # Errors
/// Oneself, somebody who does not exist, too many; a shard that is unavailable.
pub async fn follow(op: &Operation, followee: UserId) -> Result<Option<User>, DomainError> {
    let viewer = op.require_viewer()?;
    if viewer.user_id == followee {
        return Err(DomainError::rejected(
            UserErrorCode::Invalid,
            "userId",
            "nobody can follow themselves",
        ));
    }
    change(op, followee, "userFollow", followed(op, followee)).await
}

/// How the viewer may follow somebody, and whom.
async fn followed(op: &Operation, followee: UserId) -> Result<(Change, Option<User>), DomainError> {
    let follower = op.require_viewer()?.user_id;
    let primary = op.primary();
    let raw = [followee];
    let (found, blocked) = op
        .domain
        .cluster
        .read(
            &primary,
            op.domain.cluster.shard_of_id(followee),
            async |connection| -> Result<_, StoreError> {
                let connection: &Connection = connection;
                let found = user_rows::get_many(connection, &raw);
                try_join(found, block_rows::stands(connection, followee, follower)).await
            },
        )
        .await?;
    let Some(person) = found.into_iter().next().filter(|person| !person.suspended && !blocked)
    else {
        return Err(not_there());
    };
    if relations::of_viewer(op).await?.blocks(followee) {
        return Err(DomainError::rejected(
            UserErrorCode::NotAllowed,
            "userId",
            "unblock them first",
        ));
    }
    let change = if person.is_private { Change::Request } else { Change::Begin };
    Ok((change, Some(person.into())))
}

fn not_there() -> DomainError {
    DomainError::rejected(UserErrorCode::NotFound, "userId", "there is no such user")
}

/// Whether a block stands now.
async fn is_blocked(op: &Operation, blocker: UserId, blocked: UserId) -> Result<bool, DomainError> {
    let primary = op.primary();
    let shard = op.domain.cluster.shard_of_id(blocker);
    let read = op.domain.cluster.read(&primary, shard, async |connection| {
        block_rows::stands(connection, blocker, blocked).await
    });
    Ok(read.await?)
}

/// The viewer no longer follows `followee`; not following is fine. Returns them, if the viewer may
/// see them.
///
/// # Errors
/// The viewer's shard is unavailable.
pub async fn unfollow(op: &Operation, followee: UserId) -> Result<Option<User>, DomainError> {
    let seen = async { Ok((Change::End, users::seen(op, followee).await?)) };
    change(op, followee, "userUnfollow", seen).await
}

/// What happens to an edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Begin,
    Request,
    End,
}

async fn change(
    op: &Operation,
    followee: UserId,
    name: &'static str,
    asked: impl Future<Output = Result<(Change, Option<User>), DomainError>> + Send,
) -> Result<Option<User>, DomainError> {
    let follower = op.require_viewer()?.user_id;
    let shard = op.domain.cluster.shard_of_id(follower);
    mutate_from(
        op,
        Mutation { name, user: follower, shard, input: &followee },
        asked,
        async |connection, (change, person)| {
            let turned = turned(connection, (follower, followee), change).await?;
            Ok((change, person, turned))
        },
        async |tx, (change, person, turned)| {
            // Nothing changed: the activity version stays, for no event would bring the counts up
            // to it.
            let Some(Turned { edge, versions, may }) = turned else { return Ok(person) };
            let versions = match versions {
                Some(versions) => Some(versions),
                None => user_rows::raise_activity(tx, follower, edge.added()).await?,
            };
            let versions = versions.filter(|versions| versions.activity > 0);
            let versions = versions.ok_or(DomainError::Unauthenticated)?;
            if let Some(may) = may {
                check_may_follow(op, may, follower, followee).await?;
            }
            tx.emit(event(follower, followee, edge.id, change), edge.version);
            relations::changed(tx, follower, versions);
            Ok(person)
        },
    )
    .await
}

/// An edge that was changed.
struct Turned {
    edge: store::Edge,
    /// The follower's, if they were raised with it.
    versions: Option<user_rows::Versions>,
    /// Whether it may have begun.
    may: Option<store::MayFollow>,
}

/// Changes an edge; `None` when it is so already. One that begins locks the follower's row, so that
/// two follows at once cannot pass the limit together: the second counts the first.
async fn turned(
    connection: &Connection,
    (follower, followee): (UserId, UserId),
    change: Change,
) -> Result<Option<Turned>, StoreError> {
    if change == Change::End {
        let edge = store::deactivate(connection, follower, followee).await?;
        return Ok(edge.map(|edge| Turned { edge, versions: None, may: None }));
    }
    let is_request = change == Change::Request;
    let begun = store::begin(connection, follower.bucket(), follower, followee, is_request);
    let (begun, may) = try_join(begun, store::may_follow(connection, follower, followee)).await?;
    Ok(begun.map(|store::Begun { edge, versions }| Turned {
        edge,
        versions: Some(versions),
        may: Some(may),
    }))
}

/// Refuses a follow that is one too many, or of somebody whose block came, and was heard of on the
/// follower's shard, after it was asked about.
async fn check_may_follow(
    op: &Operation,
    may: store::MayFollow,
    follower: UserId,
    followee: UserId,
) -> Result<(), DomainError> {
    if may.is_blocked && is_blocked(op, followee, follower).await? {
        return Err(not_there());
    }
    if may.count > MAX_FOLLOWING {
        let message = format!("nobody can follow more than {MAX_FOLLOWING} people");
        return Err(DomainError::rejected(UserErrorCode::LimitExceeded, "userId", message));
    }
    Ok(())
}

fn event(follower_id: UserId, followee_id: UserId, follow_id: FollowId, change: Change) -> Event {
    match change {
        Change::Begin => Event::UserFollowed { follower_id, followee_id, follow_id },
        Change::Request => Event::UserFollowRequested { follower_id, followee_id, follow_id },
        Change::End => Event::UserUnfollowed { follower_id, followee_id },
    }
}

/// A request that was granted: the followee's shard learns of the follow, the follower's of the
/// answer.
pub(super) fn granted(tx: &mut Tx, follower_id: UserId, followee_id: UserId, edge: &store::Edge) {
    let follow_id = edge.id;
    tx.emit(event(follower_id, followee_id, follow_id, Change::Begin), edge.version);
    tx.emit(Event::UserFollowAccepted { follower_id, followee_id, follow_id }, 1);
}

/// The viewer lets somebody follow them who has asked to, or does not; one who has not asked is
/// fine. Returns them, if the viewer may see them.
///
/// # Errors
/// The other's shard is unavailable.
pub async fn answer_request(
    op: &Operation,
    follower: UserId,
    accept: bool,
) -> Result<Option<User>, DomainError> {
    let followee = op.require_viewer()?.user_id;
    // The edge is the follower's: their shard is the one that is written.
    let shard = op.domain.cluster.shard_of_id(follower);
    let name = if accept { "followRequestAccept" } else { "followRequestReject" };
    mutate(
        op,
        Mutation { name, user: followee, shard, input: &follower },
        users::seen(op, follower),
        async |tx, person| {
            let Some(edge) = store::answer(tx, follower, followee, accept).await? else {
                return Ok(person);
            };
            if accept {
                granted(tx, follower, followee, &edge);
            } else {
                tx.emit(event(follower, followee, edge.id, Change::End), edge.version);
            }
            if let Some(raised) = user_rows::raise_activity(tx, follower, edge.added()).await? {
                relations::changed(tx, follower, raised);
            }
            Ok(person)
        },
    )
    .await
}

/// Users a user follows, newest follow first; cursor = follow id.
///
/// # Errors
/// The user's shard is unavailable.
pub async fn following(
    op: &Operation,
    user: UserId,
    page: PageRequest,
) -> Result<Page<UserId>, DomainError> {
    if !policy::passes(op, user, policy::content_is_visible).await? {
        return Ok(Page::default());
    }
    let shard = op.domain.cluster.shard_of_id(user);
    let rows = op
        .domain
        .cluster
        .read(&op.reads, shard, async |connection| {
            store::page(connection, user, page.newest_first()).await
        })
        .await?;
    Ok(Page::from_rows(rows, page.first))
}

/// Users following a user, newest follow first; cursor = follow id. As far as the projection has
/// come.
///
/// # Errors
/// The user's shard is unavailable.
pub async fn followers(
    op: &Operation,
    user: UserId,
    page: PageRequest,
) -> Result<Page<UserId>, DomainError> {
    if !policy::passes(op, user, policy::content_is_visible).await? {
        return Ok(Page::default());
    }
    let shard = op.domain.cluster.shard_of_id(user);
    let rows = op
        .domain
        .cluster
        .read(&op.reads, shard, async |connection| {
            followers_model::page(connection, user, page.newest_first()).await
        })
        .await?;
    Ok(Page::from_rows(rows, page.first))
}

/// What is between the viewer and somebody else.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tie {
    /// The viewer follows them.
    pub follows: bool,
    /// The viewer has asked to follow them.
    pub requested: bool,
    /// They follow the viewer, as far as the projection has come.
    pub followed_by: bool,
}

/// What is between the viewer and each of these users, in one statement; nothing when anonymous.
///
/// # Errors
/// The viewer's shard is unavailable.
pub async fn viewer_ties(
    op: &Operation,
    ids: &[UserId],
) -> Result<HashMap<UserId, Tie>, DomainError> {
    let Some(viewer) = op.viewer else { return Ok(HashMap::new()) };
    let shard = op.domain.cluster.shard_of_id(viewer.user_id);
    let rows = op
        .domain
        .cluster
        .read(&op.reads, shard, async |connection| {
            store::ties(connection, viewer.user_id, ids).await
        })
        .await?;
    let tie = |row: store::TieRow| {
        let tie =
            Tie { follows: row.active, requested: row.requested, followed_by: row.followed_by };
        (row.user_id, tie)
    };
    Ok(rows.into_iter().map(tie).collect())
}
