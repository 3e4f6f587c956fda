//! Who asks, as a type.

use std::sync::Arc;

use async_graphql::{Context, ID, Object, SimpleObject};
use chrono::{DateTime, SubsecRound, Utc};

use crate::analytics::types::ViewerAnalytics;
use crate::connection::Connection;
use crate::context::Scope;
use crate::cursors::List;
use crate::error::fault;
use crate::ids::{global, global_text};
use crate::lists::Listing;
use crate::notifications::groups::{self, NotificationGroup};
use crate::notifications::preferences::{self, NotificationPreference};
use crate::notifications::types::Notification;
use crate::orders::types::Order;
use crate::output;
use crate::posts::types::Post;
use crate::users::types::User;
use plaza_base::ids::{Id, SessionId};
use plaza_domain::{
    Viewer as DomainViewer, blocks, follow_requests, identity, notifications, orders, timelines,
};

/// A session of the viewer, started by a sign-up or log-in.
#[derive(Debug, Clone, SimpleObject)]
pub struct Session {
    /// Global id of the session.
    #[graphql(owned)]
    pub id: ID,
    /// Time at which the session started.
    created_at: DateTime<Utc>,
    /// Time of the latest refresh, or of the log-in.
    last_used_at: DateTime<Utc>,
    /// Time at which the session expires unless it is refreshed.
    expires_at: DateTime<Utc>,
    /// `User-Agent` header of the log-in; null if there was none.
    user_agent: Option<String>,
    /// Whether it is the session of this request.
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
    /// The viewer's shard is unavailable.
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
    /// The noun in its global id; the number is the user's.
    pub const NOUN: &'static str = "Viewer";

    /// The viewer of this scope.
    pub fn of(viewer: DomainViewer, scope: &Arc<Scope>) -> Self {
        Self { viewer, scope: Arc::clone(scope) }
    }
}

/// The authenticated user, with data that only they may see.
#[Object]
impl Viewer {
    /// Global id of the viewer, distinct from that of `user` and valid for the viewer only.
    pub async fn id(&self) -> ID {
        global_text(Self::NOUN, &self.viewer.user_id.to_string())
    }

    /// The viewer's public profile.
    async fn user(&self) -> Option<async_graphql::Result<User>> {
        User::load(&self.scope, self.viewer.user_id).await.transpose()
    }

    /// Home feed: posts of the users whom the viewer follows and the viewer's own, newest first,
    /// without a limit in age.
    async fn home(
        &self,
        #[graphql(desc = "Maximum number of items to return, 1 to 100.", default = 20)] first: i32,
        #[graphql(desc = "Cursor of the edge to start after; omit it for the first page.")]
        after: Option<String>,
    ) -> Option<async_graphql::Result<Connection<Post>>> {
        let home = async {
            let list = Listing::Home(self.viewer.user_id).of(&self.scope);
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
        #[graphql(desc = "Maximum number of items to return, 1 to 100.", default = 20)] first: i32,
        #[graphql(desc = "Cursor of the edge to start after; omit it for the first page.")]
        after: Option<String>,
        #[graphql(desc = "Number of items at the end of the list, 1 to 100, instead of `first`.")]
        last: Option<i32>,
        #[graphql(desc = "Cursor of the edge to end before; omit it for the last page.")]
        before: Option<String>,
    ) -> Option<async_graphql::Result<Connection<Order>>> {
        let orders = async {
            let list =
                List::new(&self.scope, "Viewer.orders", self.viewer.user_id).taking_old("Order");
            let from_end = (last, before.as_deref());
            let request = list.page_of_either_end((first, after.as_deref()), from_end)?;
            let page =
                orders::of_viewer(&self.scope.op, request).await.map_err(|error| fault(&error))?;
            Ok(list.connection(page.map(|order| Order::new(order, &self.scope)), request))
        };
        Some(orders.await)
    }

    /// The viewer's notifications, newest first: those that still apply, from users whom the viewer
    /// may see, and of the kinds that the viewer receives. Undoing a like, repost, follow or
    /// request removes its notification; repeating the action creates a new one.
    async fn notifications(
        &self,
        #[graphql(desc = "Maximum number of items to return, 1 to 100.", default = 20)] first: i32,
        #[graphql(desc = "Cursor of the edge to start after; omit it for the first page.")]
        after: Option<String>,
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

    /// The viewer's newest 1,000 notifications in groups, the group with the newest notification
    /// first. Notifications created while a client pages are left out of the later pages.
    async fn notification_groups(
        &self,
        #[graphql(desc = "Maximum number of items to return, 1 to 100.", default = 20)] first: i32,
        #[graphql(desc = "Cursor of the edge to start after; omit it for the first page.")]
        after: Option<String>,
    ) -> Option<async_graphql::Result<Connection<NotificationGroup>>> {
        Some(groups::page(&self.scope, first, after.as_deref()).await)
    }

    /// Number of notifications newer than the one last marked as read, of those that
    /// `notifications` lists; 100 means 100 or more.
    async fn unread_notification_count(&self) -> Option<async_graphql::Result<i32>> {
        let unread = notifications::groups::unread(&self.scope.op).await;
        Some(
            unread
                .map(|unread| i32::try_from(unread).unwrap_or(i32::MAX))
                .map_err(|error| fault(&error)),
        )
    }

    /// The viewer's preference for each kind of notification.
    async fn notification_preferences(
        &self,
    ) -> Option<async_graphql::Result<Vec<NotificationPreference>>> {
        let settings = notifications::settings::of_viewer(&self.scope.op).await;
        Some(settings.map(|settings| preferences::all(&settings)).map_err(|error| fault(&error)))
    }

    /// Users with a pending request to follow the viewer, newest first. Empty if the account is
    /// public, since pending requests are accepted when it becomes public.
    async fn follow_requests(
        &self,
        #[graphql(desc = "Maximum number of items to return, 1 to 100.", default = 20)] first: i32,
        #[graphql(desc = "Cursor of the edge to start after; omit it for the first page.")]
        after: Option<String>,
        #[graphql(desc = "Number of items at the end of the list, 1 to 100, instead of `first`.")]
        last: Option<i32>,
        #[graphql(desc = "Cursor of the edge to end before; omit it for the last page.")]
        before: Option<String>,
    ) -> Option<async_graphql::Result<Connection<User>>> {
        let found = async {
            let list = List::new(&self.scope, "Viewer.followRequests", self.viewer.user_id);
            let from_end = (last, before.as_deref());
            let request = list.page_of_either_end((first, after.as_deref()), from_end)?;
            let op = &self.scope.op;
            let part = |part| follow_requests::of_viewer(op, part);
            Ok(list.connection(User::fill_page(&self.scope, request, part).await?, request))
        };
        Some(found.await)
    }

    /// Users whom the viewer has asked to follow and who have not answered, newest request first.
    async fn sent_follow_requests(
        &self,
        #[graphql(desc = "Maximum number of items to return, 1 to 100.", default = 20)] first: i32,
        #[graphql(desc = "Cursor of the edge to start after; omit it for the first page.")]
        after: Option<String>,
        #[graphql(desc = "Number of items at the end of the list, 1 to 100, instead of `first`.")]
        last: Option<i32>,
        #[graphql(desc = "Cursor of the edge to end before; omit it for the last page.")]
        before: Option<String>,
    ) -> Option<async_graphql::Result<Connection<User>>> {
        let found = async {
            let list = List::new(&self.scope, "Viewer.sentFollowRequests", self.viewer.user_id);
            let from_end = (last, before.as_deref());
            let request = list.page_of_either_end((first, after.as_deref()), from_end)?;
            let op = &self.scope.op;
            let part = |part| follow_requests::by_viewer(op, part);
            Ok(list.connection(User::fill_page(&self.scope, request, part).await?, request))
        };
        Some(found.await)
    }

    /// Users whom the viewer blocks, most recent block first, without users who block the viewer.
    async fn blocked_users(
        &self,
        #[graphql(desc = "Maximum number of items to return, 1 to 100.", default = 20)] first: i32,
        #[graphql(desc = "Cursor of the edge to start after; omit it for the first page.")]
        after: Option<String>,
        #[graphql(desc = "Number of items at the end of the list, 1 to 100, instead of `first`.")]
        last: Option<i32>,
        #[graphql(desc = "Cursor of the edge to end before; omit it for the last page.")]
        before: Option<String>,
    ) -> Option<async_graphql::Result<Connection<User>>> {
        let found = async {
            let list = List::new(&self.scope, "Viewer.blockedUsers", self.viewer.user_id);
            let from_end = (last, before.as_deref());
            let request = list.page_of_either_end((first, after.as_deref()), from_end)?;
            let op = &self.scope.op;
            let part = |part| blocks::of_viewer(op, part);
            Ok(list.connection(User::fill_page(&self.scope, request, part).await?, request))
        };
        Some(found.await)
    }

    /// Active sessions of the viewer, newest first, at most 100.
    async fn sessions(&self, ctx: &Context<'_>) -> Option<async_graphql::Result<Vec<Session>>> {
        let sessions = identity::sessions(&self.scope.op).await.map_err(|error| fault(&error));
        let sessions = sessions.map(|rows| rows.into_iter().map(Session::of).collect());
        Some(sessions.and_then(|sessions| output::list(ctx, sessions)))
    }

    /// Analytics of all the viewer's posts and products: views, reach and sales.
    async fn analytics(&self) -> ViewerAnalytics {
        ViewerAnalytics::of(self.viewer.user_id, &self.scope)
    }
}
