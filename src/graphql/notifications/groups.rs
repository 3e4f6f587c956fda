//! Notifications in groups, as a list.

use std::sync::Arc;

use async_graphql::{ID, Object};

use super::types::{Notification, NotificationKind};
use crate::connection::{Connection, Edge, PageInfo, first_of};
use crate::context::Scope;
use crate::cursors::{Cursor, List, numbers};
use crate::error::fault;
use crate::ids::global_text;
use crate::users::types::User;
use plaza_domain::notifications::groups::{self, Group, Groups, Place};

/// A group of notifications.
#[derive(Debug, Clone)]
pub struct NotificationGroup {
    group: Arc<Group>,
    latest: Notification,
    scope: Arc<Scope>,
}

impl NotificationGroup {
    /// The noun in its global id; what follows is the viewer's number, and what the notifications
    /// have in common.
    pub const NOUN: &'static str = "NotificationGroup";

    fn of(group: Group, scope: &Arc<Scope>) -> Self {
        let latest = Notification::new(group.latest.clone(), scope);
        Self { group: Arc::new(group), latest, scope: Arc::clone(scope) }
    }

    /// One of the viewer's own by what follows the noun in its id; `None` for any other.
    ///
    /// # Errors
    /// The viewer's shard is unavailable.
    pub async fn load(scope: &Arc<Scope>, text: &str) -> async_graphql::Result<Option<Self>> {
        let Some((owner, key)) = text.split_once(':') else { return Ok(None) };
        if scope.op.viewer.is_none_or(|viewer| viewer.user_id.to_string() != owner) {
            return Ok(None);
        }
        let group = groups::by_key(&scope.op, key).await;
        Ok(group.map_err(|error| fault(&error))?.map(|group| Self::of(group, scope)))
    }
}

/// Notifications of one kind from one day (UTC) about the same object, shown as one: "A, B and 12
/// others like your post".
#[Object]
impl NotificationGroup {
    /// Global id, stable while the group grows.
    pub async fn id(&self) -> ID {
        let owner = self.group.latest.user_id;
        global_text(Self::NOUN, &format!("{owner}:{}", self.group.key))
    }

    /// Kind shared by the notifications of the group.
    async fn kind(&self) -> NotificationKind {
        self.latest.public_kind()
    }

    /// The newest notification of the group; its objects are those of the whole group.
    async fn latest(&self) -> &Notification {
        &self.latest
    }

    /// Users who acted most recently, most recent first, at most 3.
    async fn actors(&self) -> Option<async_graphql::Result<Vec<User>>> {
        let load = self.group.actors.iter().map(|actor| User::load(&self.scope, *actor));
        let loaded = futures_util::future::try_join_all(load).await;
        Some(loaded.map(|people| people.into_iter().flatten().collect()))
    }

    /// Number of distinct users who acted.
    async fn actor_count(&self) -> i32 {
        i32::try_from(self.group.actor_count).unwrap_or(i32::MAX)
    }

    /// Number of notifications in the group.
    async fn notification_count(&self) -> i32 {
        i32::try_from(self.group.count).unwrap_or(i32::MAX)
    }

    /// Whether the newest notification of the group is unread.
    async fn is_unread(&self) -> bool {
        self.group.is_unread
    }
}

fn cursor(list: &List, place: Place) -> Cursor {
    list.numbers(&[place.newest, place.latest])
}

fn place(list: &List, after: Option<&str>) -> async_graphql::Result<Option<Place>> {
    let read = |place: &[u8]| {
        let [newest, latest] = numbers(place)?;
        (newest > 0 && latest > 0).then_some(Place { newest, latest })
    };
    list.open(after, read, |_| None)
}

/// A page of the viewer's notifications in groups.
///
/// # Errors
/// Arguments that cannot be; a shard that is unavailable.
pub async fn page(
    scope: &Arc<Scope>,
    first: i32,
    after: Option<&str>,
) -> async_graphql::Result<Connection<NotificationGroup>> {
    let first = first_of(first)?;
    let viewer = scope.op.require_viewer().map_err(|error| fault(&error))?;
    let list = List::new(scope, "Viewer.notificationGroups", viewer.user_id);
    let place = place(&list, after)?;
    let Groups { items, has_next } =
        groups::of_viewer(&scope.op, first, place).await.map_err(|error| fault(&error))?;
    let end = items.last().map(|(place, _)| cursor(&list, *place));
    let node = |(place, group): (Place, Group)| {
        let node = NotificationGroup::of(group, scope);
        Edge { cursor: cursor(&list, place), node }
    };
    let edges: Vec<Edge<NotificationGroup>> = items.into_iter().map(node).collect();
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
    use crate::cursors::seals_of_a_test;

    #[test]
    fn a_cursor_survives_and_nothing_else_is_one() {
        let list = List::sealed_by(&seals_of_a_test(), "Viewer.notificationGroups", 1);
        let here = Place { newest: 9, latest: 7 };
        assert_eq!(place(&list, Some(&cursor(&list, here).sealed())).unwrap(), Some(here));
        for bad in [
            String::new(),
            "x".to_owned(),
            cursor(&list, Place { newest: -9, latest: 7 }).sealed(),
            list.row(9).sealed(),
        ] {
            assert!(place(&list, Some(&bad)).is_err(), "{bad}");
        }
    }
}
