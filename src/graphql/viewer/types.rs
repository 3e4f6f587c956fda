//! Who asks, as a type.

use std::sync::Arc;

use async_graphql::{ID, Object, SimpleObject};
use chrono::{DateTime, SubsecRound, Utc};

use crate::domain::{
    Viewer as DomainViewer, blocks, follow_requests, identity, notifications, orders, timelines,
};
use crate::graphql::analytics::types::ViewerAnalytics;
use crate::graphql::connection::Connection;
use crate::graphql::context::Scope;
use crate::graphql::cursors::List;
use crate::graphql::error::fault;
use crate::graphql::ids::{global, global_text};
use crate::graphql::notifications::groups::{self, NotificationGroup};
use crate::graphql::notifications::preferences::{self, NotificationPreference};
use crate::graphql::notifications::types::Notification;
use crate::graphql::orders::types::Order;
use crate::graphql::posts::types::Post;
use crate::graphql::users::types::User;
use crate::ids::{Id, SessionId};

/// One of the viewer's log-ins.
#[derive(Debug, Clone, SimpleObject)]
pub struct Session {
    /// The global id.
    #[graphql(owned)]
    pub id: ID,
    /// When it began.
    created_at: DateTime<Utc>,
    /// When tokens were last taken from it.
    last_used_at: DateTime<Utc>,
    /// When it ends unless it is refreshed.
    expires_at: DateTime<Utc>,
    /// What the client called itself at the log-in.
    user_agent: Option<String>,
    /// Whether it is the one that asks.
    is_current: bool,
}

impl Session {
    fn of(row: identity::Session) -> Self {
        Self {
            id: global(row.id),
            created_at: row.id.created_at(),
            last_used_at: row.last_used_at.trunc_subsecs(3),
            expires_at: row.expires_at.trunc_subsecs(3),
            user_agent: row.user_agent,
            is_current: row.is_current,
        }
    }

    /// One of the viewer's own by its id; `None` for any other, and for one that has ended.
    ///
    /// # Errors
    /// The viewer's shard is away.
    pub async fn load(scope: &Scope, id: SessionId) -> async_graphql::Result<Option<Self>> {
        if scope.op.viewer.is_none() {
            return Ok(None);
        }
        let found = identity::session(&scope.op, id).await;
        Ok(found.map_err(|error| fault(&error))?.map(Self::of))
    }
}

/// Who asks.
#[derive(Debug, Clone)]
pub struct Viewer {
    viewer: DomainViewer,
    scope: Arc<Scope>,
}

impl Viewer {
    /// The noun in its global id; the number is the person's.
    pub const NOUN: &'static str = "Viewer";

    /// The viewer of this scope.
    pub fn of(viewer: DomainViewer, scope: &Arc<Scope>) -> Self {
        Self { viewer, scope: Arc::clone(scope) }
    }
}

/// Who asks, and what only they may see.
#[Object]
impl Viewer {
    /// The global id: for the viewer alone, and not their person's.
    pub async fn id(&self) -> ID {
        global_text(Self::NOUN, &self.viewer.user_id.to_string())
    }

    /// The person.
    async fn user(&self) -> Option<async_graphql::Result<User>> {
        User::load(&self.scope, self.viewer.user_id).await.transpose()
    }

    /// The home feed: posts of the people the viewer follows and the viewer's own, newest first, down to the first one ever.
    async fn home(
        &self,
        #[graphql(desc = "How many, 1 to 100.")] first: i32,
        #[graphql(desc = "The cursor to go on from.")] after: Option<String>,
    ) -> Option<async_graphql::Result<Connection<Post>>> {
        let home = async {
            let list =
                List::new(&self.scope, "Viewer.home", self.viewer.user_id).taking_old("Post");
            let request = list.page(first, after.as_deref())?;
            let page =
                timelines::home(&self.scope.op, request).await.map_err(|error| fault(&error))?;
            Ok(list.connection(page.map(|post| Post::new(post, &self.scope)), request))
        };
        Some(home.await)
    }

    /// The viewer's orders, newest first.
    async fn orders(
        &self,
        #[graphql(desc = "How many, 1 to 100.")] first: i32,
        #[graphql(desc = "The cursor to go on from.")] after: Option<String>,
    ) -> Option<async_graphql::Result<Connection<Order>>> {
        let orders = async {
            let list =
                List::new(&self.scope, "Viewer.orders", self.viewer.user_id).taking_old("Order");
            let request = list.page(first, after.as_deref())?;
            let page =
                orders::of_viewer(&self.scope.op, request).await.map_err(|error| fault(&error))?;
            Ok(list.connection(page.map(|order| Order::new(order, &self.scope)), request))
        };
        Some(orders.await)
    }

    /// What the viewer is told of, newest first: what is still so, from people they may see, of kinds they want. A like, repost, follow or request
    /// that was taken back is left out; made again it comes as a new notification.
    async fn notifications(
        &self,
        #[graphql(desc = "How many, 1 to 100.")] first: i32,
        #[graphql(desc = "The cursor to go on from.")] after: Option<String>,
    ) -> Option<async_graphql::Result<Connection<Notification>>> {
        let found = async {
            let list = List::new(&self.scope, "Viewer.notifications", self.viewer.user_id)
                .taking_old("Notification");
            let request = list.page(first, after.as_deref())?;
            let page = notifications::of_viewer(&self.scope.op, request)
                .await
                .map_err(|error| fault(&error))?;
            Ok(list.connection(page.map(|row| Notification::new(row, &self.scope)), request))
        };
        Some(found.await)
    }

    /// What the viewer is told of, with what belongs together told together; the groups with the newest first, of their newest 1,000 notifications.
    /// What comes while somebody pages through is not among the pages.
    async fn notification_groups(
        &self,
        #[graphql(desc = "How many, 1 to 100.")] first: i32,
        #[graphql(desc = "The cursor to go on from.")] after: Option<String>,
    ) -> Option<async_graphql::Result<Connection<NotificationGroup>>> {
        Some(groups::page(&self.scope, first, after.as_deref()).await)
    }

    /// How many notifications have come since the one that was last marked as read, of those that `notifications` lists; 100 stands for 100 and more.
    async fn unread_notification_count(&self) -> Option<async_graphql::Result<i32>> {
        let unread = notifications::groups::unread(&self.scope.op).await;
        Some(
            unread
                .map(|unread| i32::try_from(unread).unwrap_or(i32::MAX))
                .map_err(|error| fault(&error)),
        )
    }

    /// From whom the viewer wants each kind of notification.
    async fn notification_preferences(
        &self,
    ) -> Option<async_graphql::Result<Vec<NotificationPreference>>> {
        let settings = notifications::settings::of_viewer(&self.scope.op).await;
        Some(settings.map(|settings| preferences::all(&settings)).map_err(|error| fault(&error)))
    }

    /// People who ask to follow the viewer, who is private; newest first. Empty when the viewer is not private: whoever had asked follows them then.
    async fn follow_requests(
        &self,
        #[graphql(desc = "How many, 1 to 100.")] first: i32,
        #[graphql(desc = "The cursor to go on from.")] after: Option<String>,
    ) -> Option<async_graphql::Result<Connection<User>>> {
        let found = async {
            let list = List::new(&self.scope, "Viewer.followRequests", self.viewer.user_id);
            let request = list.page(first, after.as_deref())?;
            let op = &self.scope.op;
            let part = |part| follow_requests::of_viewer(op, part);
            Ok(list.connection(User::fill_page(&self.scope, request, part).await?, request))
        };
        Some(found.await)
    }

    /// People the viewer blocks, newest block first. Who blocks the viewer in turn is left out.
    async fn blocked_users(
        &self,
        #[graphql(desc = "How many, 1 to 100.")] first: i32,
        #[graphql(desc = "The cursor to go on from.")] after: Option<String>,
    ) -> Option<async_graphql::Result<Connection<User>>> {
        let found = async {
            let list = List::new(&self.scope, "Viewer.blockedUsers", self.viewer.user_id);
            let request = list.page(first, after.as_deref())?;
            let op = &self.scope.op;
            let part = |part| blocks::of_viewer(op, part);
            Ok(list.connection(User::fill_page(&self.scope, request, part).await?, request))
        };
        Some(found.await)
    }

    /// The viewer's log-ins that have not ended, newest first, at most 100.
    async fn sessions(&self) -> Option<async_graphql::Result<Vec<Session>>> {
        let sessions = identity::sessions(&self.scope.op).await.map_err(|error| fault(&error));
        Some(sessions.map(|rows| rows.into_iter().map(Session::of).collect()))
    }

    /// What the viewer is told about all their posts and products: views, reach, sales.
    async fn analytics(&self) -> ViewerAnalytics {
        ViewerAnalytics::of(self.viewer.user_id, &self.scope)
    }
}
