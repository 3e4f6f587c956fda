//! What has been seen, and what is wanted.

use async_graphql::{Context, ID, Object, SimpleObject};

use super::preferences::{self, NotificationPreference, NotificationPreferenceInput};
use crate::context::mutation_scope;
use crate::error::{UserError, fault, payload};
use crate::ids::input;
use crate::payload::inputs;
use crate::viewer::types::Viewer;
use plaza_domain::notifications::settings;
use plaza_domain::{DomainError, UserErrorCode};

/// Most preferences in one mutation.
const MAX_PREFERENCES: usize = 50;

inputs! {
    /// Position up to which notifications are read.
    NotificationsMarkReadInput {
        /// Global id of the newest of the viewer's notifications to mark as read. Notifications that
        /// are read stay read.
        up_to: ID,
    }
}

/// Result of marking notifications as read.
#[derive(SimpleObject)]
pub struct NotificationsMarkReadPayload {
    /// The viewer, with the new `unreadNotificationCount`; null if nothing was marked.
    viewer: Option<Viewer>,
    /// Business errors that prevented the mutation; empty on success.
    user_errors: Vec<UserError>,
}

inputs! {
    /// Notification preferences to change.
    NotificationPreferencesUpdateInput {
        /// At most 50 preferences; the last one of a kind applies. Kinds that are not listed keep their
        /// preference.
        preferences: Vec<NotificationPreferenceInput>,
    }
}

/// Result of changing notification preferences.
#[derive(SimpleObject)]
pub struct NotificationPreferencesUpdatePayload {
    /// The preferences of all kinds; null if nothing was changed.
    preferences: Option<Vec<NotificationPreference>>,
    /// Business errors that prevented the mutation; empty on success.
    user_errors: Vec<UserError>,
}

/// Mutations of notifications.
#[derive(Debug, Default)]
pub struct NotificationMutations;

#[Object]
impl NotificationMutations {
    /// Marks the viewer's notifications as read, up to and including one of them.
    async fn notifications_mark_read(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The newest notification to mark as read.")]
        input: NotificationsMarkReadInput,
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

    /// Sets the users from whom the viewer receives each kind of notification. It applies to lists,
    /// counts and live events, and to notifications that exist already.
    async fn notification_preferences_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Preferences of kinds to change.")]
        input: NotificationPreferencesUpdateInput,
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
