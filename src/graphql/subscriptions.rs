//! Subscriptions: each event comes with a cursor; given back as `after`, it brings what came since, in order, once.

use std::sync::Arc;

use async_graphql::{Context, ID, Subscription};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::stream::{self, Stream, StreamExt};

use super::connection::Edge;
use super::context::{RequestContext, Scope};
use super::error::{ErrorCode, fault};
use super::ids::argument;
use super::notifications::types::Notification;
use super::orders::types::Order;
use super::posts::types::Post;
use crate::domain::live::{HomeCursor, HomeWatch};
use crate::domain::notifications::NotificationWatch;
use crate::domain::orders::OrderWatch;
use crate::domain::{DomainError, Operation, Viewer};
use crate::ids::OrderId;

type Events<T> = Result<Edge<T>, async_graphql::Error>;

fn encode(kind: &str, place: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!("v1:{kind}:{place}"))
}

fn decode(kind: &str, cursor: &str) -> Option<String> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    Some(
        std::str::from_utf8(&bytes)
            .ok()?
            .strip_prefix("v1:")?
            .strip_prefix(kind)?
            .strip_prefix(':')?
            .to_owned(),
    )
}

/// The place that `after` names.
fn place<T>(
    kind: &str,
    after: Option<&str>,
    parse: impl Fn(&str) -> Option<T>,
) -> async_graphql::Result<Option<T>> {
    let Some(after) = after else { return Ok(None) };
    let found = decode(kind, after).and_then(|text| parse(&text));
    found.map(Some).ok_or_else(|| {
        ErrorCode::BadUserInput.error("`after` is not a cursor of this subscription")
    })
}

fn number(text: &str) -> Option<i64> {
    text.parse().ok().filter(|number| *number >= 0)
}

fn begin(ctx: &Context<'_>) -> async_graphql::Result<(Arc<RequestContext>, Viewer)> {
    let context = Arc::clone(ctx.data::<Arc<RequestContext>>()?);
    let viewer = context.viewer.ok_or_else(|| fault(&DomainError::Unauthenticated))?;
    Ok((context, viewer))
}

/// The operation of one look; what the look finds is resolved by the same, so that what both need is read once.
fn begin_look(context: &RequestContext, scope: &mut Arc<Scope>) -> Arc<Operation> {
    *scope = context.for_event();
    Arc::clone(&scope.op)
}

/// What is told over a WebSocket.
#[derive(Debug, Default)]
pub struct Subscription;

/// What is told over a WebSocket as it happens. Each event has a cursor: given back as `after`, it brings what came since, in order, once. An operation has one root field.
/// Each event costs the points that its selection costs; while the viewer's points do not suffice, events wait, and come in order once they do.
#[Subscription]
impl Subscription {
    /// Posts as they come to the viewer's home feed: those of the people the viewer follows.
    async fn home_updated(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "The last cursor seen: what came since comes first. Left out: from now on."
        )]
        after: Option<String>,
    ) -> async_graphql::Result<impl Stream<Item = Events<Post>>> {
        let (context, viewer) = begin(ctx)?;
        let cursor = place("home", after.as_deref(), HomeCursor::decode)?;
        let watch = HomeWatch::begin(context.domain(), viewer.user_id, cursor).await;
        Ok(stream::unfold((watch, context), |(mut watch, context)| async move {
            context.pay_event().await;
            let mut scope = context.for_event();
            let (cursor, post) =
                watch.next(|| begin_look(&context, &mut scope), context.domain()).await;
            let node = Post::new(post, &scope);
            Some((Ok(Edge { cursor: encode("home", &cursor.encode()), node }), (watch, context)))
        }))
    }

    /// An order of the viewer's: as it is now, and whenever its status changes. Completes when it is settled.
    async fn order_updated(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which.")] order_id: ID,
        #[graphql(desc = "The last cursor seen: nothing comes until the order has changed since.")]
        after: Option<String>,
    ) -> async_graphql::Result<impl Stream<Item = Events<Order>>> {
        let (context, viewer) = begin(ctx)?;
        let order = argument::<OrderId>(&order_id)?;
        let version = place("order", after.as_deref(), number)?;
        let watch = OrderWatch::begin(context.domain(), viewer, order, version)
            .await
            .map_err(|error| fault(&error))?;
        let watch = watch.ok_or_else(|| ErrorCode::BadUserInput.error("there is no such order"))?;
        Ok(stream::unfold((watch, context), |(mut watch, context)| async move {
            context.pay_event().await;
            let row = watch.next(context.domain()).await?;
            let cursor = encode("order", &row.version.to_string());
            let node = Order::new(row, &context.for_event());
            Some((Ok(Edge { cursor, node }), (watch, context)))
        }))
    }

    /// The viewer's notifications as they come.
    async fn notification_received(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "The last cursor seen: what came since comes first. Left out: from now on."
        )]
        after: Option<String>,
    ) -> async_graphql::Result<impl Stream<Item = Events<Notification>>> {
        let (context, viewer) = begin(ctx)?;
        let last = place("notification", after.as_deref(), number)?;
        let watch = NotificationWatch::begin(context.domain(), viewer, last).await;
        let events = stream::unfold((watch, context), |(mut watch, context)| async move {
            context.pay_event().await;
            let mut scope = context.for_event();
            let row = watch.next(|| begin_look(&context, &mut scope), context.domain()).await;
            let node = Notification::new(row, &scope);
            Some((node, (watch, context)))
        });
        Ok(events.filter_map(|node| async move {
            let node = node?;
            Some(Ok(Edge { cursor: encode("notification", &node.raw_id().to_string()), node }))
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_of_one_subscription() {
        let cursor = encode("order", "7");
        assert_eq!(place("order", Some(&cursor), number).unwrap(), Some(7));
        assert!(place("notification", Some(&cursor), number).is_err());
        assert!(place("order", Some("x"), number).is_err());
        assert_eq!(place("order", None, number).unwrap(), None);
    }
}
