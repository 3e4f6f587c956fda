//! Notifications told together, as a list.

use std::sync::Arc;

use async_graphql::Object;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::types::{Notification, NotificationKind};
use crate::domain::notifications::groups::{self, Group, Groups, Place};
use crate::graphql::connection::{Connection, Edge, PageInfo, first_of};
use crate::graphql::context::Scope;
use crate::graphql::error::{ErrorCode, fault};
use crate::graphql::users::types::User;

/// Notifications told together.
#[derive(Debug, Clone)]
pub struct NotificationGroup {
    group: Arc<Group>,
    latest: Notification,
    scope: Arc<Scope>,
}

/// What happened on one day (UTC) with the same post, or in the same way: "A, B and 12 others like your post".
#[Object]
impl NotificationGroup {
    /// What happened.
    async fn kind(&self) -> NotificationKind {
        self.latest.told_kind()
    }

    /// The newest of them: what all are about is what it is about.
    async fn latest(&self) -> &Notification {
        &self.latest
    }

    /// Who did it last, the last first, at most 3.
    async fn actors(&self) -> Option<async_graphql::Result<Vec<User>>> {
        let load = self.group.actors.iter().map(|actor| User::load(&self.scope, *actor));
        let loaded = futures_util::future::try_join_all(load).await;
        Some(loaded.map(|people| people.into_iter().flatten().collect()))
    }

    /// How many people did it.
    async fn actor_count(&self) -> i32 {
        i32::try_from(self.group.actor_count).unwrap_or(i32::MAX)
    }

    /// How many notifications are told together.
    async fn notification_count(&self) -> i32 {
        i32::try_from(self.group.count).unwrap_or(i32::MAX)
    }

    /// Whether the newest has not been marked as read.
    async fn is_unread(&self) -> bool {
        self.group.is_unread
    }
}

fn encode(place: Place) -> String {
    URL_SAFE_NO_PAD.encode(format!("v1:NotificationGroup:{}:{}", place.newest, place.latest))
}

fn decode(cursor: &str) -> Option<Place> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let (newest, latest) =
        std::str::from_utf8(&bytes).ok()?.strip_prefix("v1:NotificationGroup:")?.split_once(':')?;
    let number = |text: &str| text.parse::<i64>().ok().filter(|number| *number > 0);
    Some(Place { newest: number(newest)?, latest: number(latest)? })
}

/// A page of the viewer's notifications in groups.
///
/// # Errors
/// Arguments that cannot be; a shard that is away.
pub async fn page(
    scope: &Arc<Scope>,
    first: i32,
    after: Option<&str>,
) -> async_graphql::Result<Connection<NotificationGroup>> {
    let first = first_of(first)?;
    let place = after.map(|cursor| {
        decode(cursor)
            .ok_or_else(|| ErrorCode::BadUserInput.error("`after` is not a cursor of this list"))
    });
    let Groups { items, has_next } =
        groups::of_viewer(&scope.op, &scope.domain, first, place.transpose()?)
            .await
            .map_err(|error| fault(&error))?;
    let end = items.last().map(|(place, _)| encode(*place));
    let node = |(place, group): (Place, Group)| {
        let latest = Notification::new(group.latest.clone(), scope)?;
        let node = NotificationGroup { group: Arc::new(group), latest, scope: Arc::clone(scope) };
        Some(Edge { cursor: encode(place), node })
    };
    let edges: Vec<Edge<NotificationGroup>> = items.into_iter().filter_map(node).collect();
    Ok(Connection {
        page_info: PageInfo {
            has_next_page: has_next,
            has_previous_page: after.is_some(),
            start_cursor: edges.first().map(|edge| edge.cursor.clone()),
            end_cursor: end,
        },
        nodes: edges.iter().map(|edge| edge.node.clone()).collect(),
        edges,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_and_nothing_else_is_one() {
        let place = Place { newest: 9, latest: 7 };
        assert_eq!(decode(&encode(place)), Some(place));
        for bad in [
            "",
            "x",
            &encode(Place { newest: -9, latest: 7 }),
            &URL_SAFE_NO_PAD.encode("v1:Notification:9"),
        ] {
            assert_eq!(decode(bad), None, "{bad}");
        }
    }
}
