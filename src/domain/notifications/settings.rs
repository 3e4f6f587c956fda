//! What the viewer has seen, and which kinds they want.
//!
//! Both are applied when notifications are read, not when they are written: a kind that is wanted
//! again shows what it would have shown meanwhile, and whom the viewer follows, blocks or can see
//! is taken as it is now. The rows that nobody wants are few beside the events they come from.

use serde::{Deserialize, Serialize};

use super::Notification;
use crate::relations::Relations;
use crate::{DomainError, Mutation, Operation, UserErrorCode, mutate};
use plaza_base::ids::{Id, NotificationId};
use plaza_stores::postgres::notification_settings as store;

pub use plaza_stores::postgres::notification_settings::Settings;

/// From whom a kind is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Wanted {
    /// From everybody.
    Everybody,
    /// From users the viewer follows.
    Followed,
    /// From nobody.
    Nobody,
}

/// From whom a kind is wanted.
pub fn wanted(settings: &Settings, kind: &str) -> Wanted {
    let among = |kinds: &[String]| kinds.iter().any(|known| known == kind);
    if among(&settings.muted) {
        Wanted::Nobody
    } else if among(&settings.only_followed) {
        Wanted::Followed
    } else {
        Wanted::Everybody
    }
}

/// Whether a notification is one that is wanted. What nobody in particular did cannot be by
/// somebody followed, and is notified.
pub(super) fn is_wanted(settings: &Settings, relations: &Relations, row: &Notification) -> bool {
    match wanted(settings, row.kind.name()) {
        Wanted::Everybody => true,
        Wanted::Followed => row.actor.is_none_or(|actor| relations.follows(actor)),
        Wanted::Nobody => false,
    }
}

/// The settings with some kinds chosen anew.
fn with(mut settings: Settings, choices: &[(String, Wanted)]) -> Settings {
    for (kind, wanted) in choices {
        for list in [&mut settings.muted, &mut settings.only_followed] {
            list.retain(|known| known != kind);
        }
        match wanted {
            Wanted::Everybody => {}
            Wanted::Followed => settings.only_followed.push(kind.clone()),
            Wanted::Nobody => settings.muted.push(kind.clone()),
        }
    }
    settings
}

/// The viewer's settings.
///
/// # Errors
/// [`DomainError::Unauthenticated`]; the viewer's shard is unavailable.
pub async fn of_viewer(op: &Operation) -> Result<Settings, DomainError> {
    let user = op.require_viewer()?.user_id;
    Ok(op
        .domain
        .cluster
        .read(&op.reads, op.domain.cluster.shard_of_id(user), async |connection| {
            store::get(connection, user).await
        })
        .await?)
}

/// The viewer has seen their notifications up to one; those seen before stay seen.
///
/// # Errors
/// Not one of the viewer's; the viewer's shard is unavailable.
pub async fn mark_read(op: &Operation, up_to: NotificationId) -> Result<(), DomainError> {
    let user = op.require_viewer()?.user_id;
    // Notifications are in their user's bucket.
    let can_be_theirs = up_to.bucket() == user.bucket();
    mutate(
        op,
        Mutation {
            name: "notificationsMarkRead",
            user,
            shard: op.domain.cluster.shard_of_id(user),
            input: &up_to,
        },
        async { Ok(()) },
        async |tx, ()| {
            if can_be_theirs && store::mark_read(tx, user, up_to).await? {
                return Ok(());
            }
            Err(DomainError::rejected(
                UserErrorCode::NotFound,
                "upTo",
                "there is no such notification",
            ))
        },
    )
    .await
}

/// The viewer chooses from whom they want some kinds; the others stay as they are.
///
/// # Errors
/// The viewer's shard is unavailable.
pub async fn choose(op: &Operation, choices: Vec<(String, Wanted)>) -> Result<(), DomainError> {
    let user = op.require_viewer()?.user_id;
    mutate(
        op,
        Mutation {
            name: "notificationPreferencesUpdate",
            user,
            shard: op.domain.cluster.shard_of_id(user),
            input: &choices,
        },
        async { Ok(()) },
        async |tx, ()| {
            let settings = with(store::lock(tx, user).await?, &choices);
            let Settings { muted, only_followed, .. } = &settings;
            Ok(store::choose(tx, user, muted, only_followed).await?)
        },
    )
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_choice_of_a_kind_holds_and_the_others_stay() {
        let settings = with(
            Settings::default(),
            &[("LIKED".into(), Wanted::Nobody), ("FOLLOWED".into(), Wanted::Followed)],
        );
        assert_eq!(
            (wanted(&settings, "LIKED"), wanted(&settings, "FOLLOWED")),
            (Wanted::Nobody, Wanted::Followed)
        );
        assert_eq!(wanted(&settings, "COMMENTED"), Wanted::Everybody);
        let settings = with(
            settings,
            &[("LIKED".into(), Wanted::Followed), ("LIKED".into(), Wanted::Everybody)],
        );
        assert_eq!(
            (wanted(&settings, "LIKED"), wanted(&settings, "FOLLOWED")),
            (Wanted::Everybody, Wanted::Followed)
        );
        assert!(settings.muted.is_empty());
    }
}
