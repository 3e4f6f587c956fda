//! A notification, as a type.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, Object};
use chrono::{DateTime, Utc};

use crate::comments::types::Comment;
use crate::context::Scope;
use crate::ids::global;
use crate::loaders::SoldLines;
use crate::orders::types::Order;
use crate::output;
use crate::posts::types::Post;
use crate::products::types::Product;
use crate::users::types::User;
use plaza_base::ids::{CommentId, Id, OrderId, PostId, ProductId};
use plaza_domain::comments::Comment as CommentRow;
use plaza_domain::notifications::Notification as Row;
use plaza_domain::notifications::sales::{self, SoldLine};

/// Kind of event that a notification reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "plaza_domain::notifications::Kind")]
pub enum NotificationKind {
    /// `actor` follows the viewer.
    Followed,
    /// `actor` asks to follow the viewer, whose account is private. Listed until the request is
    /// answered or withdrawn.
    FollowRequested,
    /// `actor` accepted the viewer's follow request. Listed while the viewer follows them.
    FollowAccepted,
    /// `actor` likes `post`, which the viewer wrote.
    Liked,
    /// `actor` wrote `comment` on a post of the viewer.
    Commented,
    /// `actor` mentioned the viewer in `post`, or in `comment` on it.
    Mention,
    /// `actor` wrote `comment` in reply to a comment of the viewer.
    Reply,
    /// `actor` reposted `post`, which the viewer wrote.
    Repost,
    /// `actor` wrote `post`, which quotes a post of the viewer.
    Quote,
    /// A buyer ordered `lines` from the viewer, `product` among them.
    Ordered,
    /// The viewer's `order` was confirmed.
    OrderConfirmed,
    /// The viewer's `order` was rejected.
    OrderRejected,
    /// The viewer's `order` was refunded; or, for a seller, whose notification has no `order`,
    /// `product` was returned.
    OrderRefunded,
}

impl NotificationKind {
    /// The name, as stored and on the wire.
    pub fn name(self) -> &'static str {
        plaza_domain::notifications::Kind::from(self).name()
    }
}

/// A product that was bought of the viewer.
#[derive(Debug, Clone)]
pub struct NotificationLine {
    line: SoldLine,
    scope: Arc<Scope>,
}

/// A product of the viewer in an order that a notification is about.
#[Object]
impl NotificationLine {
    /// The product that was bought.
    async fn product(&self) -> Option<async_graphql::Result<Product>> {
        Product::load(&self.scope, self.line.product).await.transpose()
    }

    /// Number of units bought, 1 to 1,000.
    async fn quantity(&self) -> i32 {
        self.line.quantity
    }
}

/// A notification of the viewer.
#[derive(Debug, Clone)]
pub struct Notification {
    row: Arc<Row>,
    kind: NotificationKind,
    scope: Arc<Scope>,
}

impl Notification {
    /// A row as a type.
    pub fn new(row: Row, scope: &Arc<Scope>) -> Self {
        Self { kind: row.kind.into(), row: Arc::new(row), scope: Arc::clone(scope) }
    }

    /// The kind, for grouping.
    pub fn public_kind(&self) -> NotificationKind {
        self.kind
    }

    /// The raw id, for cursors.
    pub fn raw_id(&self) -> i64 {
        self.row.id.as_i64()
    }

    async fn subject_post(&self) -> async_graphql::Result<Option<Post>> {
        Post::load(&self.scope, PostId::from_i64(self.row.subject_id)).await
    }

    async fn post_of_comment(&self) -> async_graphql::Result<Option<Post>> {
        match self.scope.loaders.get::<CommentRow>(CommentId::from_i64(self.row.subject_id)).await?
        {
            Some(comment) => Post::load(&self.scope, comment.post_id).await,
            None => Ok(None),
        }
    }

    /// What was bought of the viewer; `None` for what is no sale.
    async fn sold(&self) -> Option<async_graphql::Result<Vec<SoldLine>>> {
        let order = sales::order_of(&self.row)?;
        let sold = self.scope.loaders.get::<SoldLines>(order).await;
        sold.transpose()
    }

    fn is(&self, kinds: &[NotificationKind]) -> bool {
        kinds.contains(&self.kind)
    }
}

/// A notification of the viewer.
#[Object]
impl Notification {
    /// Global id of the notification.
    pub async fn id(&self) -> ID {
        global(self.row.id)
    }

    /// Kind of event that it reports.
    async fn kind(&self) -> NotificationKind {
        self.kind
    }

    /// Time at which the notification was created.
    async fn created_at(&self) -> DateTime<Utc> {
        self.row.id.created_at()
    }

    /// User who caused the notification; null if it has no actor.
    async fn actor(&self) -> Option<async_graphql::Result<User>> {
        User::load(&self.scope, self.row.actor?).await.transpose()
    }

    /// Post that it is about; null for kinds without one.
    async fn post(&self) -> Option<async_graphql::Result<Post>> {
        match self.kind {
            NotificationKind::Liked | NotificationKind::Repost | NotificationKind::Quote => {
                self.subject_post().await.transpose()
            }
            NotificationKind::Commented | NotificationKind::Reply => {
                self.post_of_comment().await.transpose()
            }
            // In a post or in a comment: an id is of one of them only.
            NotificationKind::Mention => match self.subject_post().await {
                Ok(None) => self.post_of_comment().await.transpose(),
                found => found.transpose(),
            },
            _ => None,
        }
    }

    /// Comment that it is about; null for kinds without one.
    async fn comment(&self) -> Option<async_graphql::Result<Comment>> {
        if !self.is(&[
            NotificationKind::Commented,
            NotificationKind::Reply,
            NotificationKind::Mention,
        ]) {
            return None;
        }
        let comment =
            self.scope.loaders.get::<CommentRow>(CommentId::from_i64(self.row.subject_id)).await;
        comment.map(|comment| comment.map(|comment| Comment::new(comment, &self.scope))).transpose()
    }

    /// Order that it is about; null for kinds without one.
    async fn order(&self) -> Option<async_graphql::Result<Order>> {
        if !self.is(&[
            NotificationKind::OrderConfirmed,
            NotificationKind::OrderRejected,
            NotificationKind::OrderRefunded,
        ]) {
            return None;
        }
        Order::load(&self.scope, OrderId::from_i64(self.row.subject_id)).await.transpose()
    }

    /// Product that it is about; null for kinds without one.
    async fn product(&self) -> Option<async_graphql::Result<Product>> {
        let product = ProductId::from_i64(self.row.product_id?);
        Product::load(&self.scope, product).await.transpose()
    }

    /// Products of the viewer that the order has, with their numbers of units; null for kinds that
    /// are no sale. `product` is one of them.
    async fn lines(
        &self,
        ctx: &Context<'_>,
    ) -> Option<async_graphql::Result<Vec<NotificationLine>>> {
        let of = |line| NotificationLine { line, scope: Arc::clone(&self.scope) };
        let lines = self.sold().await?.map(|sold| sold.into_iter().map(of).collect());
        Some(lines.and_then(|lines| output::list(ctx, lines)))
    }

    /// Number of units that were bought of the viewer, of all `lines`; null for kinds that are no
    /// sale.
    async fn quantity(&self) -> Option<async_graphql::Result<i32>> {
        let total = |sold: Vec<SoldLine>| sold.iter().map(|line| line.quantity).sum();
        Some(self.sold().await?.map(total))
    }
}
