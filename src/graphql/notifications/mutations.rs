//! What has been seen, and what is wanted.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

use super::preferences::{self, NotificationPreference, NotificationPreferenceInput};
use crate::domain::notifications::settings;
use crate::domain::{DomainError, UserErrorCode};
use crate::graphql::context::mutation_scope;
use crate::graphql::error::{UserError, fault, payload};
use crate::graphql::ids::input;
use crate::graphql::viewer::types::Viewer;

/// Most preferences in one mutation.
const MAX_PREFERENCES: usize = 50;

/// Up to where.
#[derive(InputObject)]
pub struct NotificationsMarkReadInput {
    /// The newest notification that the viewer has seen, one of theirs. What was read before stays read.
    up_to: ID,
    /// Names this mutation, as the `Idempotency-Key` header does: sent again with the same key it answers as before and does nothing.
    #[graphql(default)]
    client_key: Option<String>,
}

/// What is unread now.
#[derive(SimpleObject)]
pub struct NotificationsMarkReadPayload {
    /// The viewer, whose `unreadNotificationCount` has changed.
    viewer: Option<Viewer>,
    /// Why not.
    user_errors: Vec<UserError>,
}

/// Which kinds, from whom.
#[derive(InputObject)]
pub struct NotificationPreferencesUpdateInput {
    /// Kinds to be chosen anew, at most 50; the last of a kind holds. Others stay as they are.
    preferences: Vec<NotificationPreferenceInput>,
    /// Names this mutation, as the `Idempotency-Key` header does: sent again with the same key it answers as before and does nothing.
    #[graphql(default)]
    client_key: Option<String>,
}

/// What is wanted now.
#[derive(SimpleObject)]
pub struct NotificationPreferencesUpdatePayload {
    /// Every kind there is.
    preferences: Option<Vec<NotificationPreference>>,
    /// Why not.
    user_errors: Vec<UserError>,
}

/// Mutations of notifications.
#[derive(Debug, Default)]
pub struct NotificationMutations;

#[Object]
impl NotificationMutations {
    /// The viewer has seen their notifications up to one of them.
    async fn notifications_mark_read(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Up to where.")] input: NotificationsMarkReadInput,
    ) -> Option<async_graphql::Result<NotificationsMarkReadPayload>> {
        let done = async {
            let scope = mutation_scope(ctx)?;
            let result =
                async { settings::mark_read(&scope.op, self::input("upTo", &input.up_to)?).await };
            let (done, user_errors) = payload(result.await)?;
            let viewer =
                scope.op.viewer.filter(|_| done.is_some()).map(|viewer| Viewer::of(viewer, &scope));
            Ok(NotificationsMarkReadPayload { viewer, user_errors })
        };
        Some(done.await)
    }

    /// The viewer chooses from whom they want which kinds of notifications: in lists, counts and live. What has come already is shown or hidden with them.
    async fn notification_preferences_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which kinds, from whom.")] input: NotificationPreferencesUpdateInput,
    ) -> Option<async_graphql::Result<NotificationPreferencesUpdatePayload>> {
        let done = async {
            let scope = mutation_scope(ctx)?;
            let result = async {
                if input.preferences.len() > MAX_PREFERENCES {
                    return Err(DomainError::rejected(
                        UserErrorCode::Invalid,
                        "preferences",
                        format!("at most {MAX_PREFERENCES}"),
                    ));
                }
                let choices =
                    input.preferences.iter().map(NotificationPreferenceInput::choice).collect();
                settings::choose(&scope.op, choices).await
            };
            let (done, user_errors) = payload(result.await)?;
            let preferences = match done {
                Some(()) => {
                    let settings =
                        settings::of_viewer(&scope.op).await.map_err(|error| fault(&error))?;
                    Some(preferences::all(&settings))
                }
                None => None,
            };
            Ok(NotificationPreferencesUpdatePayload { preferences, user_errors })
        };
        Some(done.await)
    }
}
