//! Runs a subscription: what its events cost, and what reading through them costs.

use std::sync::Arc;

use futures_util::stream::{self, BoxStream, StreamExt};
use metrics::Counter;
use tokio::time::timeout_at;

use crate::engine::Answer;
use crate::execute::{Asked, GRACE, Refused, event_of, points};
use crate::limits::{Payer, pay};
use crate::persisted::{self, NewText};
use crate::prepare::{Prepared, ToRun};
use crate::{RequestId, Served};
use plaza_domain::purse::{Purse, events_at_once};
use plaza_graphql::context::RequestContext;
use plaza_graphql::error::{ErrorCode, complete};
use plaza_graphql::output::{Budget, Rendered};
use plaza_graphql::subscriptions::HomeEvents;
use plaza_stores::work::{Work as StoreWork, counted_stream};
use plaza_telemetry::metrics::GaugeGuard;

/// Begins a subscription; it ends when it is dropped.
///
/// # Errors
/// `RATE_LIMITED`; `TIMEOUT`.
pub async fn subscribe(
    served: &Served,
    asked: Asked,
) -> Result<BoxStream<'static, Rendered>, Refused> {
    let Asked { prepared, mut context, payer, request_id } = asked;
    let Prepared { to_run, kind, name, cost, read, new_text, .. } = prepared;
    context.output = Budget::new(served.app.config.server.max_response_bytes);
    let until = context.until + GRACE;
    // Some events are paid for at once, not the same number for everybody: a post that is an event
    // of very many sockets must not have all of them pay at the same moment.
    let paid = match context.viewer {
        Some(_) => {
            rand::Rng::random_range(&mut rand::rng(), 1..=events_at_once(payer.bucket(), cost))
        }
        // Only viewers subscribe: there will be no events.
        None => 0,
    };
    let before = async {
        // After a restart all sockets of a server come back at once; they take turns. A
        // subscription is bounded by its socket and needs no place: its events are at work one
        // after the other.
        let turn = served.app.domain.redis.turn().await;
        let all = cost.saturating_mul(paid.saturating_add(1));
        let charged = pay(&served.app, &mut context, payer, (all, read), None).await;
        drop(turn);
        charged
    };
    let charged = timeout_at(until, before).await.map_err(|_| Refused::late(kind))??;
    let (redis, refunds, payer) = (&served.app.domain.redis, &served.app.refunds, charged.payer);
    context.purse = Some(Purse::new(redis, refunds, payer.name(), payer.bucket(), cost, paid));
    let context = Arc::new(context);
    let work = Arc::<StoreWork>::default();
    let answers = counted_stream(Arc::clone(&work), answers(served, &context, to_run)).boxed();
    let running = Box::new(Running {
        answers,
        events: metrics::counter!("plaza_subscription_events_total", "operation" => name),
        new_text,
        request_id,
        bill: Bill { served: served.clone(), context, work, payer },
        _counted: GaugeGuard::new(metrics::gauge!("plaza_subscriptions")),
    });
    let responses = stream::unfold(running, async |mut running| {
        let response = running.next().await?;
        Some((response, running))
    });
    Ok(responses.boxed())
}

/// The answers to a subscription's events, by whichever engine; `None` for one that is too large.
fn answers(
    served: &Served,
    context: &Arc<RequestContext>,
    to_run: ToRun,
) -> BoxStream<'static, Option<Answer>> {
    if let Some(events) = HomeEvents::of(&to_run.runs, &to_run.variables, context) {
        let answers = stream::unfold(events, async |mut events| {
            let answer = events.next().await.map(Answer::Planned);
            Some((answer, events))
        });
        return answers.boxed();
    }
    let request = to_run.request().data(Arc::clone(context));
    let responses = served.schema.execute_stream(request);
    responses.map(|response| Some(Answer::General(response))).boxed()
}

/// A subscription at work.
struct Running {
    answers: BoxStream<'static, Option<Answer>>,
    events: Counter,
    /// Its text, until it is persisted: once something was run.
    new_text: Option<NewText>,
    request_id: RequestId,
    bill: Bill,
    _counted: GaugeGuard,
}

impl Running {
    /// The response to the next event.
    async fn next(&mut self) -> Option<Rendered> {
        let mut answer = self.answers.next().await?;
        self.events.increment(1);
        let context = &self.bill.context;
        if let Some(answer) = &mut answer {
            complete(answer.errors(), &self.request_id.0, context.traceparent.as_deref());
        }
        let has_run = answer.as_ref().is_none_or(Answer::has_run);
        let rendered = answer.and_then(|answer| answer.rendered(context.output.most()));
        let too_large = || Refused::new(ErrorCode::QueryTooComplex, context.output.message());
        let rendered = rendered.unwrap_or_else(|| event_of(too_large()));
        if let Some(new_text) = self.new_text.take().filter(|_| has_run) {
            let payer = self.bill.payer.name();
            Box::pin(persisted::keep(&self.bill.served, payer, new_text)).await;
        }
        let owed = self.bill.owed();
        if owed > 0 {
            Box::pin(self.bill.payer.owe(&self.bill.served.app, owed)).await;
        }
        Some(rendered)
    }
}

/// What a subscription has had done, against what its events have paid: settled with each event,
/// and when it ends, after whatever it has read through since.
struct Bill {
    served: Served,
    context: Arc<RequestContext>,
    work: Arc<StoreWork>,
    payer: Payer,
}

impl Bill {
    fn owed(&self) -> u64 {
        let worked = points(&self.work, &self.context);
        self.context.purse.as_ref().map_or(0, |purse| purse.owed(worked))
    }
}

impl Drop for Bill {
    fn drop(&mut self) {
        let owed = self.owed();
        if owed > 0 {
            let (app, payer) = (self.served.app.clone(), self.payer.clone());
            self.served.app.tasks.spawn_detached(async move { payer.owe(&app, owed).await });
        }
    }
}
