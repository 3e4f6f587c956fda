//! Runs a subscription: what its events cost, and what reading through them costs.

use std::sync::Arc;

use futures_util::stream::{Stream, StreamExt};
use tokio::time::timeout_at;

use crate::Served;
use crate::execute::{Asked, GRACE, Refused, event_of, points};
use crate::limits::{Payer, pay};
use crate::persisted;
use crate::prepare::Prepared;
use plaza_domain::purse::{Purse, events_at_once};
use plaza_graphql::context::RequestContext;
use plaza_graphql::error::{ErrorCode, complete, was_not_run};
use plaza_graphql::output::{Budget, Rendered};
use plaza_stores::work::{Work as StoreWork, counted_stream};
use plaza_telemetry::metrics::GaugeGuard;

/// Begins a subscription; it ends when it is dropped.
///
/// # Errors
/// `RATE_LIMITED`; `TIMEOUT`.
pub async fn subscribe(
    served: &Served,
    asked: Asked,
) -> Result<impl Stream<Item = Rendered> + Send + 'static, Refused> {
    let Asked { prepared, mut context, payer, request_id } = asked;
    let Prepared { to_run, kind, name, cost, read, mut new_text, .. } = prepared;
    let most = served.app.config.server.max_response_bytes;
    context.output = Budget::new(most);
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
    let (redis, refunds, payer) = (&served.app.domain.redis, &served.app.refunds, &charged.payer);
    context.purse = Some(Purse::new(redis, refunds, payer.name(), payer.bucket(), cost, paid));
    let served = served.clone();
    let context = Arc::new(context);
    let request = to_run.request().data(Arc::clone(&context));
    let counted = GaugeGuard::new(metrics::gauge!("plaza_subscriptions"));
    let events = metrics::counter!("plaza_subscription_events_total", "operation" => name);
    let work = Arc::<StoreWork>::default();
    let responses = counted_stream(Arc::clone(&work), served.schema.execute_stream(request));
    let bill =
        Bill { served: served.clone(), context: Arc::clone(&context), work, payer: charged.payer };
    Ok(responses.then(move |mut response| {
        let _while_it_runs = &counted;
        events.increment(1);
        complete(&mut response.errors, &request_id.0, context.traceparent.as_deref());
        let new_text = new_text.take().filter(|_| !was_not_run(&response));
        let rendered = Rendered::of(response, most).unwrap_or_else(|| {
            event_of(Refused::new(ErrorCode::QueryTooComplex, context.output.message()))
        });
        let (served, payer) = (served.clone(), bill.payer.clone());
        let owed = bill.owed();
        async move {
            if let Some(new_text) = new_text {
                persisted::keep(&served, payer.name(), new_text).await;
            }
            if owed > 0 {
                payer.owe(&served.app, owed).await;
            }
            rendered
        }
    }))
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
