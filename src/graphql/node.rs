//! Anything by its global id.

use std::sync::Arc;

use async_graphql::{Context, ID, Interface, Object};

use super::comments::types::Comment;
use super::context::{Scope, query_scope};
use super::error::ErrorCode;
use super::ids::parse_any;
use super::images::types::Image;
use super::notifications::types::Notification;
use super::orders::types::Order;
use super::posts::types::Post;
use super::products::types::Product;
use super::users::types::User;
use crate::ids::{CommentId, Id, ImageId, NotificationId, OrderId, PostId, ProductId, UserId};

/// Most ids in one `nodes`.
const MAX_NODES: usize = 100;

/// Anything with a global id.
#[derive(Debug, Clone, Interface)]
#[graphql(field(name = "id", ty = "ID", desc = "The global id."))]
pub enum Node {
    /// A person.
    User(User),
    /// A post.
    Post(Post),
    /// A comment.
    Comment(Comment),
    /// A product.
    Product(Product),
    /// An image of the viewer's.
    Image(Image),
    /// An order of the viewer's.
    Order(Order),
    /// A notification of the viewer's.
    Notification(Notification),
}

async fn load(scope: &Arc<Scope>, id: &str) -> async_graphql::Result<Option<Node>> {
    let Some((noun, number)) = parse_any(id) else {
        return Err(ErrorCode::BadUserInput.error("this is not an id"));
    };
    Ok(match noun.as_str() {
        UserId::NOUN => User::load(scope, UserId::from_i64(number)).await?.map(Node::User),
        PostId::NOUN => Post::load(scope, PostId::from_i64(number)).await?.map(Node::Post),
        ProductId::NOUN => {
            Product::load(scope, ProductId::from_i64(number)).await?.map(Node::Product)
        }
        ImageId::NOUN => Image::load(scope, ImageId::from_i64(number)).await?.map(Node::Image),
        OrderId::NOUN => Order::load(scope, OrderId::from_i64(number)).await?.map(Node::Order),
        NotificationId::NOUN => {
            let row = scope.loaders.notification(NotificationId::from_i64(number)).await?;
            row.and_then(|row| Notification::new(row, scope)).map(Node::Notification)
        }
        CommentId::NOUN => {
            let id = CommentId::from_i64(number);
            scope
                .loaders
                .comment(id)
                .await?
                .map(|comment| Node::Comment(Comment::new(comment, scope)))
        }
        _ => None,
    })
}

/// Queries by global id.
#[derive(Debug, Default)]
pub struct NodeQueries;

#[Object]
impl NodeQueries {
    /// Anything by its id; null when it is not there, or not for the viewer.
    async fn node(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "A global id.")] id: ID,
    ) -> Option<async_graphql::Result<Node>> {
        let found = async { load(&query_scope(ctx)?, &id).await };
        found.await.transpose()
    }

    /// Many things by their ids, in the same order; null for each that is not there, or not for the viewer, and with an error beside it for each
    /// that could not be had.
    async fn nodes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "At most 100 global ids.")] ids: Vec<ID>,
    ) -> async_graphql::Result<Vec<Option<async_graphql::Result<Node>>>> {
        if ids.len() > MAX_NODES {
            return Err(ErrorCode::BadUserInput.error(format!("at most {MAX_NODES} ids")));
        }
        let scope = query_scope(ctx)?;
        let found = futures_util::future::join_all(ids.iter().map(|id| load(&scope, id))).await;
        Ok(found.into_iter().map(Result::transpose).collect())
    }
}
