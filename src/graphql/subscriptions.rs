//! Subscriptions: each event comes with a cursor; given back as `after`, it brings what came since, in order, once.

use std::fmt::Display;
use std::sync::Arc;

use async_graphql::{Context, ID, Subscription, Variables};
use futures_util::stream::{self, Stream, StreamExt};

use super::connection::Edge;
use super::context::{RequestContext, Scope};
use super::cursors::{List, numbers};
use super::document::runs::Runs;
use super::error::{ErrorCode, fault};
use super::ids::argument;
use super::notifications::types::Notification;
use super::orders::types::Order;
use super::plan::{Answer, Event, Group};
use super::posts::types::Post;
use plaza_base::ids::OrderId;
use plaza_domain::live::{Arrival, HomeCursor, HomeWatch};
use plaza_domain::notifications::NotificationWatch;
use plaza_domain::orders::OrderWatch;
use plaza_domain::{DomainError, Operation, Viewer};

type Events<T> = Result<Edge<T>, async_graphql::Error>;

/// A stream of events that a viewer listens to. It goes on from the cursors of older versions too:
/// what was missed while the servers were updated must not be lost.
fn stream_of(context: &RequestContext, field: &'static str, of: impl Display, old: &str) -> List {
    List::sealed_by(&context.domain().identity.seals, field, of).taking_old(old)
}

/// The version or id that `after` names; 0 is before the first.
fn number(list: &List, after: Option<&str>) -> async_graphql::Result<Option<i64>> {
    let can_be = |number: i64| (number >= 0).then_some(number);
    list.open(
        after,
        |place| can_be(numbers::<1>(place)?.into_iter().next()?),
        |text| can_be(text.parse().ok()?),
    )
}

fn begin(ctx: &Context<'_>) -> async_graphql::Result<(Arc<RequestContext>, Viewer)> {
    let context = Arc::clone(ctx.data::<Arc<RequestContext>>()?);
    let viewer = context.viewer.ok_or_else(|| fault(&DomainError::Unauthenticated))?;
    Ok((context, viewer))
}

/// The operation of one poll; its results are resolved by the same operation, so that shared rows
/// are read once.
fn begin_look(context: &RequestContext, scope: &mut Option<Arc<Scope>>) -> Arc<Operation> {
    Arc::clone(&scope.insert(context.for_event()).op)
}

/// A viewer's home, and the place from which on they want its posts.
fn home_of(
    context: &RequestContext,
    viewer: Viewer,
    after: Option<&str>,
) -> async_graphql::Result<(List, Option<HomeCursor>)> {
    let list = stream_of(context, "Subscription.homeUpdated", viewer.user_id, "home");
    let read = |place: &[u8]| HomeCursor::decode(std::str::from_utf8(place).ok()?);
    let seals = &context.domain().identity.seals;
    let page = List::sealed_by(seals, "Viewer.home", viewer.user_id);
    let cursor = match page.open_row(after) {
        Ok(Some(newest)) => Some(HomeCursor::of_page(newest)),
        Ok(None) | Err(_) => list.open(after, read, HomeCursor::decode)?,
    };
    Ok((list, cursor))
}

/// New posts of a viewer's home, answered as a plan says. The same as
/// `Subscription`'s stream, resolved once for all who ask the same and are answered alike.
pub struct HomeEvents {
    context: Arc<RequestContext>,
    viewer: Viewer,
    runs: Arc<Runs>,
    group: Arc<Group>,
    list: List,
    after: Option<HomeCursor>,
    watch: Option<HomeWatch>,
}

impl HomeEvents {
    /// Those of a subscription; `None` when the library is to run it: it has no plan, or cannot
    /// begin.
    pub fn of(
        runs: &Arc<Runs>,
        variables: &Variables,
        context: &Arc<RequestContext>,
    ) -> Option<Self> {
        let live = runs.live().filter(|_| !context.wants_general_engine)?;
        let (viewer, after) = (context.viewer?, live.after(variables));
        let (list, after) = home_of(context, viewer, after.as_deref()).ok()?;
        let group = live.group(variables);
        let (context, runs) = (Arc::clone(context), Arc::clone(runs));
        Some(Self { context, viewer, runs, group, list, after, watch: None })
    }

    /// The next one, when it has come and is paid for; `None` when its answer is too large.
    pub async fn next(&mut self) -> Option<Answer> {
        let domain = self.context.domain();
        let watch = match &mut self.watch {
            Some(watch) => watch,
            none => {
                let user = self.viewer.user_id;
                none.insert(Box::pin(HomeWatch::begin(domain, user, self.after)).await)
            }
        };
        self.context.pay_event().await;
        let arrival = watch.next(|| self.context.event(), domain).await;
        Box::pin(self.answer(arrival)).await
    }

    async fn answer(&self, Arrival { cursor, post, by }: Arrival) -> Option<Answer> {
        let scope = self.context.of_event(by.unwrap_or_else(|| self.context.event()));
        let cursor = self.list.place(cursor.encode().as_bytes());
        let most = self.context.output.most();
        self.group.answer(&self.runs, Event { scope, post, cursor, most }).await
    }
}

/// Events pushed over a WebSocket as they happen.
#[derive(Debug, Default)]
pub struct Subscription;

/// Events pushed over a WebSocket as they happen. Each event has a cursor: passed as `after`, it
/// resumes the stream without gaps or duplicates, in order. An operation has exactly one root
/// field. Each event costs the points of its selection; while the viewer has too few points, events
/// are delayed and then delivered in order.
#[Subscription]
impl Subscription {
    /// New posts of the viewer's home feed: posts of users whom the viewer follows, and the
    /// viewer's own.
    async fn home_updated(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "Cursor of the last event received: the stream resumes after it. The cursor of an edge of `Viewer.home` is accepted too: the stream then starts with the posts newer than that one, and repeats posts of the 30 seconds before it, since some of them may have been added after the page was read. Omitted: the stream starts now."
        )]
        after: Option<String>,
    ) -> async_graphql::Result<impl Stream<Item = Events<Post>>> {
        let (context, viewer) = begin(ctx)?;
        let (list, cursor) = home_of(&context, viewer, after.as_deref())?;
        let watch = HomeWatch::begin(context.domain(), viewer.user_id, cursor).await;
        Ok(stream::unfold((watch, context, list), |(mut watch, context, list)| async move {
            context.pay_event().await;
            let Arrival { cursor, post, by } =
                watch.next(|| context.event(), context.domain()).await;
            let scope = context.of_event(by.unwrap_or_else(|| context.event()));
            let node = Post::new(post, &scope);
            let cursor = list.place(cursor.encode().as_bytes());
            Some((Ok(Edge { cursor, node }), (watch, context, list)))
        }))
    }

    /// The current state of one of the viewer's orders, then every change of its status. Completes
    /// when the order is settled.
    async fn order_updated(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Global id of the order.")] order_id: ID,
        #[graphql(
            desc = "Cursor of the last event received: nothing is sent until the order changes again."
        )]
        after: Option<String>,
    ) -> async_graphql::Result<impl Stream<Item = Events<Order>>> {
        let (context, viewer) = begin(ctx)?;
        let order = argument::<OrderId>(&order_id)?;
        let list = stream_of(&context, "Subscription.orderUpdated", order, "order");
        let version = number(&list, after.as_deref())?;
        let watch = OrderWatch::begin(context.domain(), viewer, order, version)
            .await
            .map_err(|error| fault(&error))?;
        let watch = watch.ok_or_else(|| ErrorCode::BadUserInput.error("there is no such order"))?;
        Ok(stream::unfold((watch, context, list), |(mut watch, context, list)| async move {
            context.pay_event().await;
            let row = watch.next(context.domain()).await?;
            let cursor = list.row(row.version);
            let node = Order::new(row, &context.for_event());
            Some((Ok(Edge { cursor, node }), (watch, context, list)))
        }))
    }

    /// New notifications of the viewer, as they are created.
    async fn notification_received(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "Cursor of the last event received: the stream resumes after it. Omitted: the stream starts now."
        )]
        after: Option<String>,
    ) -> async_graphql::Result<impl Stream<Item = Events<Notification>>> {
        let (context, viewer) = begin(ctx)?;
        let list = stream_of(
            &context,
            "Subscription.notificationReceived",
            viewer.user_id,
            "notification",
        );
        let last = number(&list, after.as_deref())?;
        let watch = NotificationWatch::begin(context.domain(), viewer, last).await;
        let events = stream::unfold((watch, context), |(mut watch, context)| async move {
            context.pay_event().await;
            let mut scope = None;
            let row = watch.next(|| begin_look(&context, &mut scope), context.domain()).await;
            let node = Notification::new(row, &scope.unwrap_or_else(|| context.for_event()));
            Some((node, (watch, context)))
        });
        Ok(events.map(move |node| Ok(Edge { cursor: list.row(node.raw_id()), node })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cursors::seals_of_a_test;

    #[test]
    fn a_cursor_is_of_one_subscription() {
        let seals = seals_of_a_test();
        let orders = List::sealed_by(&seals, "Subscription.orderUpdated", 1).taking_old("order");
        let cursor = orders.row(7).sealed();
        assert_eq!(number(&orders, Some(&cursor)).unwrap(), Some(7));
        assert_eq!(number(&orders, Some("djE6b3JkZXI6Nw")).unwrap(), Some(7), "an older version's");
        let others = List::sealed_by(&seals, "Subscription.notificationReceived", 1);
        assert!(number(&others, Some(&cursor)).is_err());
        assert!(number(&orders, Some("x")).is_err());
        assert_eq!(number(&orders, None).unwrap(), None);
    }
}
