//! Anything by its global id.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::parser::types::Field;
use async_graphql::registry::Registry;
use async_graphql::{
    Context, ContextSelectionSet, ID, Interface, Object, OutputType, Positioned, ServerResult,
    Value,
};

use super::comments::types::Comment;
use super::context::{RequestContext, Scope, query_scope};
use super::error::ErrorCode;
use super::ids::{parse_any, parse_text};
use super::images::types::Image;
use super::notifications::groups::NotificationGroup;
use super::notifications::types::Notification;
use super::orders::types::Order;
use super::output;
use super::posts::types::Post;
use super::products::types::Product;
use super::references::types::Hashtag;
use super::users::types::User;
use super::viewer::types::{Session, Viewer};
use plaza_base::ids::{
    CommentId, Id, ImageId, NotificationId, OrderId, PostId, ProductId, SessionId, UserId,
};
use plaza_domain::{comments, notifications};

/// Most ids in one `nodes`.
const MAX_NODES: usize = 100;

/// An object with a global id.
#[derive(Debug, Clone, Interface)]
#[graphql(field(name = "id", ty = "ID", desc = "Global id of the object."))]
pub enum Node {
    /// A user of the platform.
    User(User),
    /// A post or a repost.
    Post(Post),
    /// A comment on a post.
    Comment(Comment),
    /// A product for sale.
    Product(Product),
    /// An image of the viewer.
    Image(Image),
    /// An order of the viewer.
    Order(Order),
    /// A notification of the viewer.
    Notification(Notification),
    /// A group of the viewer's notifications.
    NotificationGroup(NotificationGroup),
    /// A hashtag used in texts.
    Hashtag(Hashtag),
    /// A session of the viewer.
    Session(Session),
    /// The viewer's own `Viewer` object.
    Viewer(Viewer),
}

async fn load(scope: &Arc<Scope>, id: &str) -> async_graphql::Result<Option<Node>> {
    if let Some(name) = parse_text(Hashtag::NOUN, id) {
        return Ok(Hashtag::named(&name, scope).map(Node::Hashtag));
    }
    if let Some(key) = parse_text(NotificationGroup::NOUN, id) {
        return Ok(NotificationGroup::load(scope, &key).await?.map(Node::NotificationGroup));
    }
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
            let row = scope
                .loaders
                .get::<notifications::Notification>(NotificationId::from_i64(number))
                .await?;
            row.map(|row| Node::Notification(Notification::new(row, scope)))
        }
        CommentId::NOUN => {
            let id = CommentId::from_i64(number);
            scope
                .loaders
                .get::<comments::Comment>(id)
                .await?
                .map(|comment| Node::Comment(Comment::new(comment, scope)))
        }
        SessionId::NOUN => {
            Session::load(scope, SessionId::from_i64(number)).await?.map(Node::Session)
        }
        Viewer::NOUN => scope
            .op
            .viewer
            .filter(|viewer| viewer.user_id.as_i64() == number)
            .map(|viewer| Node::Viewer(Viewer::of(viewer, scope))),
        _ => None,
    })
}

/// Queries by global id.
#[derive(Debug, Default)]
pub struct NodeQueries;

#[Object]
impl NodeQueries {
    /// Returns the object with a global id; null if it does not exist or the viewer may not see it.
    async fn node(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Global id of the object.")] id: ID,
    ) -> Option<async_graphql::Result<Node>> {
        let found = async { load(&query_scope(ctx)?, &id).await };
        found.await.transpose()
    }

    /// Returns the objects with these global ids, in the same order; null for each that does not
    /// exist or that the viewer may not see, and null with an error beside it for each that could
    /// not be loaded.
    async fn nodes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Global ids, at most 100.")] ids: Vec<ID>,
    ) -> async_graphql::Result<Repeated> {
        if ids.len() > MAX_NODES {
            return Err(ErrorCode::BadUserInput.error(format!("at most {MAX_NODES} ids")));
        }
        let scope = query_scope(ctx)?;
        let mut places: HashMap<&str, usize> = HashMap::new();
        let firsts: Vec<usize> = ids
            .iter()
            .enumerate()
            .map(|(place, id)| *places.entry(id.as_str()).or_insert(place))
            .collect();
        let found = ids.iter().zip(&firsts).enumerate().map(async |(place, (id, first))| {
            if *first == place { load(&scope, id).await.transpose() } else { None }
        });
        Ok(Repeated { found: futures_util::future::join_all(found).await, firsts })
    }
}

/// What was found for a list of ids: an id that comes again is resolved once, with all that is
/// asked of it, and shown at each of its places.
struct Repeated {
    /// At the first place of each id, what it names.
    found: Vec<Option<async_graphql::Result<Node>>>,
    /// For each place, the first one of the same id.
    firsts: Vec<usize>,
}

type Nodes = Vec<Option<Node>>;

impl OutputType for Repeated {
    fn type_name() -> Cow<'static, str> {
        <Nodes as OutputType>::type_name()
    }

    fn qualified_type_name() -> String {
        <Nodes as OutputType>::qualified_type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        <Nodes as OutputType>::create_type_info(registry)
    }

    async fn resolve(
        &self,
        ctx: &ContextSelectionSet<'_>,
        field: &Positioned<Field>,
    ) -> ServerResult<Value> {
        let places = self.found.iter().zip(&self.firsts).enumerate();
        let resolved = places.map(async |(place, (found, first))| {
            if *first != place {
                return Ok(None);
            }
            let ctx = ctx.with_index(place);
            let value = OutputType::resolve(found, &ctx, field).await;
            value.map(Some).map_err(|error| ctx.set_error_path(error))
        });
        let resolved = futures_util::future::try_join_all(resolved).await?;
        let context = ctx.data_opt::<Arc<RequestContext>>();
        let mut values = Vec::with_capacity(resolved.len());
        for (place, first) in self.firsts.iter().enumerate() {
            let value = match resolved.get(*first) {
                Some(Some(value)) if *first == place => value.clone(),
                Some(Some(value)) => {
                    // An id that could not be loaded has its error at each of its places.
                    if let Some(Some(Err(error))) = self.found.get(*first) {
                        let error = error.clone().into_server_error(field.pos);
                        ctx.add_error(ctx.with_index(place).set_error_path(error));
                    }
                    output::copy(context, value)
                        .map_err(|error| ctx.set_error_path(error.into_server_error(field.pos)))?
                }
                _ => Value::Null,
            };
            values.push(value);
        }
        Ok(Value::List(values))
    }
}
