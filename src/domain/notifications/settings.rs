//! What the viewer has seen, and which kinds they want to be told of.
//!
//! Both are applied when notifications are read, not when they are written: a kind that is wanted
//! again shows what it would have told meanwhile, and whom the viewer follows, blocks or can see is
//! taken as it is now. The rows that nobody wants are few beside the events they come from.

use serde::{Deserialize, Serialize};

use super::Notification;
use crate::domain::idempotency::{Request, once};
use crate::domain::relations::Relations;
use crate::domain::{Domain, DomainError, Operation, UserErrorCode};
use crate::ids::{Id, NotificationId, UserId};
use crate::stores::postgres::{Connection, notification_settings as store};

pub use crate::stores::postgres::notification_settings::Settings;

/// From whom a kind is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Wanted {
    /// From everybody.
    Everybody,
    /// From people the viewer follows.
    Followed,
    /// From nobody.
    Nobody,
}

impl Settings {
    /// From whom a kind is wanted.
    pub fn wanted(&self, kind: &str) -> Wanted {
        let among = |kinds: &[String]| kinds.iter().any(|known| known == kind);
        if among(&self.muted) {
            Wanted::Nobody
        } else if among(&self.only_followed) {
            Wanted::Followed
        } else {
            Wanted::Everybody
        }
    }

    /// Whether a notification is one that is wanted. What nobody in particular did cannot be by
    /// somebody followed, and is told.
    pub(super) fn wants(&self, relations: &Relations, row: &Notification) -> bool {
        match self.wanted(&row.kind) {
            Wanted::Everybody => true,
            Wanted::Followed => {
                row.actor_id == 0 || relations.follows(UserId::from_i64(row.actor_id))
            }
            Wanted::Nobody => false,
        }
    }

    /// The same with some kinds chosen anew.
    fn with(mut self, choices: &[(String, Wanted)]) -> Self {
        for (kind, wanted) in choices {
            for list in [&mut self.muted, &mut self.only_followed] {
                list.retain(|known| known != kind);
            }
            match wanted {
                Wanted::Everybody => {}
                Wanted::Followed => self.only_followed.push(kind.clone()),
                Wanted::Nobody => self.muted.push(kind.clone()),
            }
        }
        self
    }
}

/// The viewer's settings.
///
/// # Errors
/// [`DomainError::Unauthenticated`]; the viewer's shard is away.
pub async fn of_viewer(op: &Operation, domain: &Domain) -> Result<Settings, DomainError> {
    let user = op.require_viewer()?.user_id;
    Ok(domain
        .cluster
        .read(&op.reads, domain.cluster.shard_of_id(user), async |connection: &mut Connection| {
            store::get(connection, user.as_i64()).await
        })
        .await?)
}

/// The viewer has seen their notifications up to one; those seen before stay seen.
///
/// # Errors
/// Not one of the viewer's; the viewer's shard is away.
pub async fn mark_read(
    op: &Operation,
    domain: &Domain,
    up_to: NotificationId,
) -> Result<(), DomainError> {
    let user = op.require_viewer()?.user_id;
    let shard = domain.cluster.shard_of_id(user);
    let request =
        Request { user, client_key: op.client_key.as_deref(), operation: "notificationsMarkRead" };
    let committed = domain
        .cluster
        .write(shard, op.deadline, async |connection: &mut Connection| -> Result<(), DomainError> {
            once(connection, request, &up_to, async |connection: &mut Connection| {
                if store::mark_read(connection, user.as_i64(), up_to.as_i64()).await? {
                    return Ok(());
                }
                Err(DomainError::rejected(
                    UserErrorCode::NotFound,
                    "upTo",
                    "there is no such notification",
                ))
            })
            .await
        })
        .await?;
    op.wrote(shard, committed.lsn, domain.clock.now_ms());
    Ok(())
}

/// The viewer chooses from whom they want some kinds; the others stay as they are.
///
/// # Errors
/// The viewer's shard is away.
pub async fn choose(
    op: &Operation,
    domain: &Domain,
    choices: Vec<(String, Wanted)>,
) -> Result<(), DomainError> {
    let user = op.require_viewer()?.user_id;
    let shard = domain.cluster.shard_of_id(user);
    let request = Request {
        user,
        client_key: op.client_key.as_deref(),
        operation: "notificationPreferencesUpdate",
    };
    let committed = domain
        .cluster
        .write(shard, op.deadline, async |connection: &mut Connection| -> Result<(), DomainError> {
            once(connection, request, &choices, async |connection: &mut Connection| {
                let settings = store::lock(connection, user.as_i64()).await?.with(&choices);
                Ok(store::choose(
                    connection,
                    user.as_i64(),
                    &settings.muted,
                    &settings.only_followed,
                )
                .await?)
            })
            .await
        })
        .await?;
    op.wrote(shard, committed.lsn, domain.clock.now_ms());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_choice_of_a_kind_holds_and_the_others_stay() {
        let settings = Settings::default()
            .with(&[("LIKED".into(), Wanted::Nobody), ("FOLLOWED".into(), Wanted::Followed)]);
        assert_eq!(
            (settings.wanted("LIKED"), settings.wanted("FOLLOWED")),
            (Wanted::Nobody, Wanted::Followed)
        );
        assert_eq!(settings.wanted("COMMENTED"), Wanted::Everybody);
        let settings = settings
            .with(&[("LIKED".into(), Wanted::Followed), ("LIKED".into(), Wanted::Everybody)]);
        assert_eq!(
            (settings.wanted("LIKED"), settings.wanted("FOLLOWED")),
            (Wanted::Everybody, Wanted::Followed)
        );
        assert!(settings.muted.is_empty());
    }
}
