//! Users and their profiles.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use super::cached::{self, Load};
use super::{DomainError, Mutation, Operation, images, mutate, policy, text};
use plaza_base::ids::{Bucket, ImageId, UserId};
use plaza_protocol::events::Event;
use plaza_protocol::jobs::Job;
use plaza_stores::StoreError;
use plaza_stores::postgres::{
    Connection, ShardIndex, claims, images as image_rows, users as store,
};
use plaza_stores::redis::Shared;

/// A user; copies are one row.
pub type User = Shared<store::User>;

impl Load for User {
    async fn load(
        connection: &mut Connection,
        ids: &[UserId],
    ) -> Result<Vec<(UserId, Self)>, StoreError> {
        let rows = store::get_many(connection, ids).await?;
        Ok(rows.into_iter().map(|user| (user.id, user.into())).collect())
    }
}

/// Users by id that the viewer may see; the others are left out.
///
/// # Errors
/// A shard that is unavailable.
pub async fn get_many(
    op: &Operation,
    ids: &[UserId],
) -> Result<HashMap<UserId, User>, DomainError> {
    let rows = rows(op, ids).await?;
    policy::visible_users(op, rows).await
}

/// A user, if the viewer may see them: what a mutation about them answers with.
///
/// # Errors
/// A shard that is unavailable.
pub(super) async fn seen(op: &Operation, id: UserId) -> Result<Option<User>, DomainError> {
    Ok(get_many(op, &[id]).await?.remove(&id))
}

/// Users by id, whoever asks, through the cache: for rules to decide by.
///
/// # Errors
/// A shard that is unavailable.
pub(super) async fn rows(
    op: &Operation,
    ids: &[UserId],
) -> Result<HashMap<UserId, User>, DomainError> {
    let (mut known, unknown) = op.remembered(ids);
    if !unknown.is_empty() {
        let read = cached::get(op, &unknown).await?;
        op.remember(&unknown, &read);
        known.extend(read);
    }
    Ok(known)
}

/// Whether a text, already in lower case, can be somebody's handle.
pub fn is_handle(text: &str) -> bool {
    (3..=30).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

/// The user with this handle, in any case, if the viewer may see them.
///
/// # Errors
/// The shard of the handle's claim, or the user's, is unavailable.
pub async fn by_handle(op: &Operation, handle: &str) -> Result<Option<UserId>, DomainError> {
    let Some(user) = row_by_handle(op, handle).await? else { return Ok(None) };
    let id = user.id;
    let visible = policy::visible_users(op, HashMap::from([(id, user)])).await?;
    Ok(visible.contains_key(&id).then_some(id))
}

/// The user with this handle, in any case, suspended or not: for operators.
///
/// # Errors
/// The shard of the handle's claim, or the user's, is unavailable.
pub async fn row_by_handle(op: &Operation, handle: &str) -> Result<Option<User>, DomainError> {
    let handle = handle.to_ascii_lowercase();
    if !is_handle(&handle) {
        return Ok(None);
    }
    let shard = op.domain.cluster.shard_of(Bucket::of_text(&handle));
    let claim = op
        .domain
        .cluster
        .read(&op.reads, shard, async |connection| claims::handle_claim(connection, &handle).await)
        .await?;
    let Some(claim) = claim else { return Ok(None) };
    // A claim may be that of a sign-up that never finished.
    let found = rows(op, &[claim.user_id]).await?.remove(&claim.user_id);
    Ok(found.filter(|user| user.handle == handle))
}

/// The users with these handles (in lower case) that the viewer may see; one statement a shard for
/// the claims, and one for the users.
///
/// # Errors
/// A shard that is unavailable.
pub(super) async fn by_handles(
    op: &Operation,
    handles: &[String],
) -> Result<HashMap<String, UserId>, DomainError> {
    let mut by_shard: BTreeMap<ShardIndex, Vec<String>> = BTreeMap::new();
    for handle in handles.iter().filter(|handle| is_handle(handle)) {
        by_shard
            .entry(op.domain.cluster.shard_of(Bucket::of_text(handle)))
            .or_default()
            .push(handle.clone());
    }
    let reads = by_shard.iter().map(|(shard, handles)| {
        op.domain.cluster.read(&op.reads, *shard, async |connection| {
            claims::claimed_handles(connection, handles).await
        })
    });
    let claimed: Vec<claims::ClaimedHandle> =
        futures_util::future::try_join_all(reads).await?.into_iter().flatten().collect();
    let ids: Vec<UserId> = claimed.iter().map(|claim| claim.user_id).collect();
    let people = get_many(op, &ids).await?;
    // A claim may be that of a sign-up that never finished.
    let is_theirs = |claim: &claims::ClaimedHandle| {
        people.get(&claim.user_id).is_some_and(|user| user.handle == claim.handle)
    };
    Ok(claimed.into_iter().filter(is_theirs).map(|claim| (claim.handle, claim.user_id)).collect())
}

/// A profile edit; `None` leaves a field as it is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ProfileUpdate {
    /// Name as shown.
    pub display_name: Option<String>,
    /// What they say of themselves.
    pub bio: Option<String>,
    /// Whether only those they let follow them see what they write.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_private: Option<bool>,
    /// The image they are shown with; `Some(None)` for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub avatar: Option<Option<ImageId>>,
}

/// Edits the viewer's own profile; the viewer as they are then.
///
/// # Errors
/// Texts out of bounds, an image that cannot be shown; the user's shard is unavailable.
pub async fn update(op: &Operation, update: ProfileUpdate) -> Result<User, DomainError> {
    let viewer = op.require_viewer()?;
    let mut errors = Vec::new();
    let mut check = |field, value: Option<String>, bounds| {
        value.and_then(|value| {
            text::checked(field, &value, bounds).map_err(|error| errors.push(error)).ok()
        })
    };
    let update = ProfileUpdate {
        display_name: check("displayName", update.display_name, text::DISPLAY_NAME),
        bio: check("bio", update.bio, text::BIO),
        is_private: update.is_private,
        avatar: update.avatar,
    };
    if !errors.is_empty() {
        return Err(DomainError::Rejected(errors));
    }
    let id = viewer.user_id;
    mutate(
        op,
        Mutation {
            name: "profileUpdate",
            user: id,
            shard: op.domain.cluster.shard_of_id(id),
            input: &update,
        },
        async { Ok(()) },
        async |tx, ()| {
            let (name, bio) = (update.display_name.as_deref(), update.bio.as_deref());
            let version = store::update(tx, id, name, bio, update.is_private)
                .await?
                .ok_or(DomainError::Unauthenticated)?;
            tx.emit(Event::UserUpdated { user_id: id }, version);
            tx.invalidate::<User>(id, version);
            let replaced = match update.avatar {
                Some(avatar) => replace_avatar(tx, id, avatar).await?,
                None => None,
            };
            if let Some(old) = replaced {
                let job = Job::ImageDelete { names: images::files_of(&[old]) };
                tx.enqueue(job, format!("user:{id}/avatar/{version}"));
            }
            if update.is_private == Some(false) {
                let job = Job::FollowRequestsGrant { user_id: id, above: 0 };
                tx.enqueue(job, format!("user:{id}/follow_requests/public/{version}"));
            }
            let now = store::get_many(tx, &[id]).await?;
            now.into_iter().next().map(User::from).ok_or(DomainError::Unauthenticated)
        },
    )
    .await
}

/// Shows a user, whose row is locked, with another image, or with none; the one before, whose
/// files are to go.
async fn replace_avatar(
    connection: &mut Connection,
    id: UserId,
    avatar: Option<ImageId>,
) -> Result<Option<images::Picture>, DomainError> {
    let before = store::lock_avatar(connection, id).await?;
    if before.as_ref().map(|before| before.id) == avatar {
        return Ok(None);
    }
    let chosen: Vec<ImageId> = avatar.into_iter().collect();
    let taken =
        images::take(connection, id, images::Purpose::Avatar, &chosen, "avatarImageId").await?;
    let taken = taken.first().map(|picture| serde_json::json!(picture));
    store::set_avatar(connection, id, taken.as_ref()).await?;
    if let Some(before) = &before {
        image_rows::forget(connection, &[before.id]).await?;
    }
    Ok(before)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handles_are_short_and_plain() {
        for good in ["abc", "a_1", "_0_", "a23456789012345678901234567890"] {
            assert!(is_handle(good), "{good}");
        }
        for bad in [
            "",
            "ab",
            "Abc",
            "a b",
            "a-b",
            "a\0b",
            "\u{e9}t\u{e9}",
            "a234567890123456789012345678901",
        ] {
            assert!(!is_handle(bad), "{bad}");
        }
    }
}
