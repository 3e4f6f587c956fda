//! A notification, as a type.

use std::sync::Arc;

use async_graphql::{Enum, ID, Object};
use chrono::{DateTime, Utc};

use crate::domain::comments::Comment as CommentRow;
use crate::domain::notifications::Notification as Row;
use crate::graphql::comments::types::Comment;
use crate::graphql::context::Scope;
use crate::graphql::ids::global;
use crate::graphql::orders::types::Order;
use crate::graphql::posts::types::Post;
use crate::graphql::products::types::Product;
use crate::graphql::users::types::User;
use crate::ids::{CommentId, Id, OrderId, PostId, ProductId, UserId};

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "crate::domain::notifications::Kind")]
pub enum NotificationKind {
    /// `actor` follows the viewer.
    Followed,
    /// `actor` asks to follow the viewer, who is private. Shown until the request is answered or taken back.
    FollowRequested,
    /// `actor` has granted the viewer's request to follow them. Shown while the viewer follows them.
    FollowAccepted,
    /// `actor` likes `post`, the viewer's.
    Liked,
    /// `actor` wrote `comment` on a post of the viewer's.
    Commented,
    /// `actor` mentioned the viewer in `post`, or in `comment` on it.
    Mention,
    /// `actor` wrote `comment` in answer to one of the viewer's.
    Reply,
    /// `actor` passes on `post`, the viewer's.
    Repost,
    /// `actor` wrote `post`, which quotes one of the viewer's.
    Quote,
    /// Somebody bought `product` from the viewer.
    Ordered,
    /// `order`, the viewer's, is confirmed.
    OrderConfirmed,
    /// `order`, the viewer's, was refused.
    OrderRejected,
    /// `order`, the viewer's, was given back, and its money too; or, to its seller, who has no `order`: `product` came back from its buyer.
    OrderRefunded,
}

impl NotificationKind {
    /// The name, as stored and on the wire.
    pub fn name(self) -> &'static str {
        crate::domain::notifications::Kind::from(self).name()
    }
}

/// Something the viewer is told of.
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

    /// What happened, for who tells it together with others.
    pub fn told_kind(&self) -> NotificationKind {
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

    fn is(&self, kinds: &[NotificationKind]) -> bool {
        kinds.contains(&self.kind)
    }
}

/// Something the viewer is told of.
#[Object]
impl Notification {
    /// The global id.
    pub async fn id(&self) -> ID {
        global(self.row.id)
    }

    /// What happened.
    async fn kind(&self) -> NotificationKind {
        self.kind
    }

    /// When.
    async fn created_at(&self) -> DateTime<Utc> {
        self.row.id.created_at()
    }

    /// Who did it.
    async fn actor(&self) -> Option<async_graphql::Result<User>> {
        if self.row.actor_id == 0 {
            return None;
        }
        User::load(&self.scope, UserId::from_i64(self.row.actor_id)).await.transpose()
    }

    /// The post it is about.
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

    /// The comment it is about.
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

    /// The order it is about.
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

    /// The product it is about.
    async fn product(&self) -> Option<async_graphql::Result<Product>> {
        let product = ProductId::from_i64(self.row.product_id?);
        Product::load(&self.scope, product).await.transpose()
    }
}
