//! Who asks, as a type.

use std::sync::Arc;

use async_graphql::{ID, Object, SimpleObject};
use chrono::{DateTime, Utc};

use crate::domain::{Viewer as DomainViewer, identity, orders, timelines};
use crate::graphql::connection::{Connection, connection, page};
use crate::graphql::context::Scope;
use crate::graphql::error::fault;
use crate::graphql::ids::global;
use crate::graphql::orders::types::Order;
use crate::graphql::posts::types::Post;
use crate::graphql::users::types::User;

/// One of the viewer's log-ins.
#[derive(Debug, Clone, SimpleObject)]
pub struct Session {
    /// The global id.
    id: ID,
    /// When it ends unless it is refreshed.
    expires_at: DateTime<Utc>,
    /// Whether it is the one that asks.
    is_current: bool,
}

/// Who asks.
#[derive(Debug, Clone)]
pub struct Viewer {
    viewer: DomainViewer,
    scope: Arc<Scope>,
}

impl Viewer {
    /// The viewer of this scope.
    pub fn of(viewer: DomainViewer, scope: &Arc<Scope>) -> Self {
        Self { viewer, scope: Arc::clone(scope) }
    }
}

/// Who asks, and what only they may see.
#[Object]
impl Viewer {
    /// The person.
    async fn user(&self) -> Option<async_graphql::Result<User>> {
        User::load(&self.scope, self.viewer.user_id).await.transpose()
    }

    /// The home feed: posts of the people the viewer follows, newest first, down to the first one ever.
    async fn home(
        &self,
        #[graphql(desc = "How many, 1 to 100.")] first: i32,
        #[graphql(desc = "The cursor to go on from.")] after: Option<String>,
    ) -> Option<async_graphql::Result<Connection<Post>>> {
        let home = async {
            let request = page::<Post>(first, after.as_deref())?;
            let page = timelines::home(&self.scope.op, &self.scope.domain, request).await.map_err(|error| fault(&error))?;
            Ok(connection(page.map(|post| Post::new(post, &self.scope)), request))
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
            let request = page::<Order>(first, after.as_deref())?;
            let page = orders::of_viewer(&self.scope.op, &self.scope.domain, request).await.map_err(|error| fault(&error))?;
            Ok(connection(page.map(|order| Order::new(order, &self.scope)), request))
        };
        Some(orders.await)
    }

    /// The viewer's log-ins that have not ended, newest first, at most 100.
    async fn sessions(&self) -> Option<async_graphql::Result<Vec<Session>>> {
        let sessions = identity::sessions(&self.scope.op, &self.scope.domain).await.map_err(|error| fault(&error));
        let session = |row: identity::Session| Session { id: global(row.id), expires_at: row.expires_at, is_current: row.is_current };
        Some(sessions.map(|rows| rows.into_iter().map(session).collect()))
    }
}
