//! Who may see what, in one place: every row that leaves the domain for a viewer goes through here.
//!
//! A user is seen by all but those they block, and by nobody while suspended. What they have made
//! (posts, comments, products, whom they follow) is not seen by those they block or who block them,
//! nor, when they are private, by those who do not follow them; themselves they see whole.

use std::collections::{HashMap, HashSet};

use super::relations::{self, Relations};
use super::users::{self, User};
use super::{DomainError, Operation, Viewer};
use plaza_base::ids::UserId;

fn is_self(viewer: Option<Viewer>, user: &User) -> bool {
    viewer.is_some_and(|viewer| viewer.user_id == user.id)
}

/// Whether a user may be shown to the viewer at all.
pub fn user_is_visible(viewer: Option<Viewer>, relations: &Relations, user: &User) -> bool {
    !user.suspended && (is_self(viewer, user) || !relations.is_blocked_by(user.id))
}

/// Whether what a user has made for everybody may be shown to the viewer: comments, products.
pub fn voice_is_visible(viewer: Option<Viewer>, relations: &Relations, user: &User) -> bool {
    user_is_visible(viewer, relations, user)
        && (is_self(viewer, user) || !relations.blocks(user.id))
}

/// Whether what a user has made for those who follow them may be shown to the viewer: posts, whom
/// they follow, who follows them.
pub fn content_is_visible(viewer: Option<Viewer>, relations: &Relations, user: &User) -> bool {
    voice_is_visible(viewer, relations, user)
        && (!user.is_private || is_self(viewer, user) || relations.follows(user.id))
}

/// Which of these users pass one of the rules above.
///
/// # Errors
/// A shard that is unavailable.
pub async fn passing(
    op: &Operation,
    people: impl IntoIterator<Item = UserId>,
    rule: fn(Option<Viewer>, &Relations, &User) -> bool,
) -> Result<HashSet<UserId>, DomainError> {
    let people: Vec<UserId> = people.into_iter().collect::<HashSet<_>>().into_iter().collect();
    if people.is_empty() {
        return Ok(HashSet::new());
    }
    let (rows, relations) =
        futures_util::future::try_join(users::rows(op, &people), relations::of_viewer(op)).await?;
    Ok(rows
        .into_values()
        .filter(|user| rule(op.viewer, &relations, user))
        .map(|user| user.id)
        .collect())
}

/// Whether one user passes a rule.
///
/// # Errors
/// A shard that is unavailable.
pub async fn passes(
    op: &Operation,
    person: UserId,
    rule: fn(Option<Viewer>, &Relations, &User) -> bool,
) -> Result<bool, DomainError> {
    Ok(passing(op, [person], rule).await?.contains(&person))
}

/// The users who may be shown.
///
/// # Errors
/// The viewer's shard is unavailable.
pub async fn visible_users(
    op: &Operation,
    rows: HashMap<UserId, User>,
) -> Result<HashMap<UserId, User>, DomainError> {
    let relations = relations::of_viewer(op).await?;
    Ok(rows.into_iter().filter(|(_, user)| user_is_visible(op.viewer, &relations, user)).collect())
}
