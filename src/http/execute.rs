//! One way from a prepared operation to its response, whichever transport brought it: admit,
//! charge, run until the deadline, give back what was not used, record what was written. The
//! transports keep what is theirs: `graphql.rs` status codes and headers, `websocket` frames.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use async_graphql::parser::types::OperationType;
use async_graphql::{ServerError, Value};
use futures_util::FutureExt;
use tokio::time::{Instant, timeout_at};

use super::engine::{Answer, answer_of};
use super::limits::{Charged, Limited, Payer, pay};
use super::operations::kind_name;
use super::persisted::{self, NewText};
use super::prepare::{NotRun, Prepared, ToRun};
use super::{Admitted, RequestId, Served};
use plaza_domain::operation::ConsistencyToken;
use plaza_domain::{Operation, Viewer, moderation};
use plaza_graphql::context::RequestContext;
use plaza_graphql::cost::{DELIVERY, LOOKUPS, STATEMENT};
use plaza_graphql::document::Problem;
use plaza_graphql::error::{ErrorCode, after_another_attempt, complete};
use plaza_graphql::output::{Budget, Rendered};
use plaza_stores::work::{Work as StoreWork, counted};
use plaza_telemetry::trace;

/// Every part of an operation ends at the operation's own deadline; what goes on for so much longer
/// is a fault of ours, and its client is answered without it.
pub(crate) const GRACE: Duration = Duration::from_millis(300);

/// A prepared operation, and who sent it.
pub struct Asked {
    /// What is to run.
    pub prepared: Prepared,
    /// Who asks, what they have seen. `wants_explanation` is what the client wants; whether it may
    /// have it is decided here.
    pub context: RequestContext,
    /// Whose bucket pays.
    pub payer: Payer,
    /// Names the request in logs and in faults.
    pub request_id: RequestId,
}

/// What an operation came to.
#[derive(Debug)]
pub struct Executed {
    /// The response as it is sent, its errors complete with codes.
    pub rendered: Rendered,
    /// What it has written or seen: already recorded with the session, and for the client to keep.
    pub written: Option<ConsistencyToken>,
}

/// Why an operation has no response.
#[derive(Debug)]
pub struct Refused {
    /// The code.
    pub code: ErrorCode,
    /// In words.
    pub message: String,
    /// In how many whole seconds it may be sent again, where that is known.
    pub retry_after_s: Option<u64>,
    /// The request, for faults of ours.
    pub request_id: Option<RequestId>,
    /// All mistakes in the text or the variables, when it was these.
    problems: Vec<Problem>,
}

impl Refused {
    pub(crate) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            retry_after_s: None,
            request_id: None,
            problems: Vec::new(),
        }
    }

    /// One that may be tried again in so many seconds.
    pub(crate) fn until_later(code: ErrorCode, message: &str, seconds: u64) -> Self {
        Self { retry_after_s: Some(seconds), ..Self::new(code, message) }
    }

    fn panicked(id: &RequestId) -> Self {
        tracing::error!(request_id = %id.0, "an operation panicked");
        Self { request_id: Some(id.clone()), ..Self::new(ErrorCode::Internal, "internal error") }
    }

    pub(crate) fn late(kind: OperationType) -> Self {
        if kind == OperationType::Mutation {
            return Self::new(
                ErrorCode::OutcomeUnknown,
                "not done in time, and it is not known how far it came: try again with the same \
                 idempotency key",
            );
        }
        Self::new(ErrorCode::Timeout, "not done in time: try again")
    }

    /// As errors of a response: at least one.
    pub fn errors(mut self) -> Vec<ServerError> {
        if self.problems.is_empty() {
            return vec![self.error()];
        }
        std::mem::take(&mut self.problems).into_iter().map(Problem::server_error).collect()
    }

    fn error(&self) -> ServerError {
        let mut error = self.code.server_error(self.message.clone());
        let extensions = error.extensions.get_or_insert_with(Default::default);
        if let Some(seconds) = self.retry_after_s {
            extensions.set("retryAfter", seconds);
        }
        if let Some(id) = &self.request_id {
            extensions.set("requestId", id.0.as_ref());
        }
        error
    }
}

impl From<NotRun> for Refused {
    fn from(refused: NotRun) -> Self {
        Self {
            retry_after_s: (refused.code == ErrorCode::Overloaded).then_some(1),
            problems: refused.problems,
            ..Self::new(refused.code, refused.message)
        }
    }
}

impl From<Limited> for Refused {
    fn from(limited: Limited) -> Self {
        Self {
            retry_after_s: Some(limited.retry_after_s),
            ..Self::new(Limited::CODE, limited.message())
        }
    }
}

/// What is run, as metrics and traces call it.
#[derive(Debug, Clone)]
struct Named {
    kind: OperationType,
    /// Of a closed list.
    name: Arc<str>,
}

impl Named {
    /// Begins its part of a trace.
    fn span(&self) -> trace::Span {
        let kind = kind_name(self.kind);
        let mut span =
            trace::part(trace::Kind::Internal, || format!("{kind} {}", self.name).into());
        span.set("graphql.operation.type", || kind.into());
        span
    }

    /// Counts it, as `ok`, `error` or `late`.
    fn count(&self, began: Instant, outcome: &'static str) {
        let (kind, name) = (kind_name(self.kind), &self.name);
        let took = began.elapsed().as_secs_f64();
        tracing::debug!(kind, operation = %name, outcome, took_ms = took * 1_000.0, "answered");
        metrics::counter!("plaza_graphql_requests_total", "kind" => kind, "operation" => Arc::clone(name), "outcome" => outcome)
            .increment(1);
        metrics::histogram!("plaza_graphql_seconds", "kind" => kind, "operation" => Arc::clone(name))
            .record(took);
    }
}

/// Runs a query or a mutation. Dropped, a query stops where it is; a mutation that has begun goes
/// on to its end, and what it has not used is given back even if nobody hears of it.
///
/// # Errors
/// `OVERLOADED` (nothing was charged), `RATE_LIMITED`, `TIMEOUT` (nothing was changed),
/// `OUTCOME_UNKNOWN` (a mutation that is not done in time and goes on), `INTERNAL`.
pub async fn execute(served: &Served, asked: Asked) -> Result<Executed, Refused> {
    let Asked { prepared, mut context, payer, request_id } = asked;
    let Prepared { to_run, kind, name, cost, spent, read, proves_itself: _, new_text } = prepared;
    context.output = Budget::new(served.app.config.server.max_response_bytes);
    let named = Named { kind, name };
    let until = context.until + GRACE;
    let is_mutation = kind == OperationType::Mutation;
    let may_be_again = is_mutation && context.is_unnumbered && context.attempt == 1;
    let request = may_be_again.then_some(&*request_id.0);
    let before = async {
        // A place first: who is refused one has not paid for anything.
        let place = match served.admit().await {
            Ok(place) => place,
            Err(refused) => {
                if let Some(request) = request
                    && served.app.domain.redis.was_here(request).await.unwrap_or(false)
                {
                    context.attempt = 2;
                }
                return Err(refused.into());
            }
        };
        let charged = pay(&served.app, &mut context, payer, (cost, read), request).await?;
        if context.wants_explanation {
            context.wants_explanation = may_be_explained(served, context.viewer).await;
        }
        Ok::<_, Refused>((place, charged))
    };
    // Nothing has begun, whatever it is.
    let late = |_| Err(Refused::late(OperationType::Query));
    let before = timeout_at(until, before).await.unwrap_or_else(late);
    let is_later = is_mutation && context.attempt > 1;
    let (place, charged) = before.map_err(|refused| match refused.code {
        // What another server began may be in its COMMIT still.
        ErrorCode::Overloaded | ErrorCode::Timeout | ErrorCode::RateLimited if is_later => {
            Refused::late(kind)
        }
        _ => refused,
    })?;
    let work = Work {
        served: served.clone(),
        context: Arc::new(context),
        request_id: request_id.clone(),
        named: named.clone(),
        until,
        charged,
        spent,
        new_text,
        _place: place,
    };
    let began = Instant::now();
    let outcome = if kind == OperationType::Mutation {
        // Between a commit and what must follow it nothing may stop, whoever leaves or gives up.
        let outcome = served.app.tasks.to_the_end(work.run(to_run));
        timeout_at(until, outcome).await.map(Result::ok)
    } else {
        let running = timeout_at(until, AssertUnwindSafe(work.run(to_run)).catch_unwind()).await;
        if running.is_err() {
            named.count(began, "late");
        }
        running.map(Result::ok)
    };
    match outcome {
        Ok(Some(executed)) => executed,
        Ok(None) => Err(Refused::panicked(&request_id)),
        Err(_) => Err(Refused::late(kind)),
    }
}

/// An operation that has a place and was paid for.
struct Work {
    served: Served,
    context: Arc<RequestContext>,
    request_id: RequestId,
    named: Named,
    until: Instant,
    charged: Charged,
    spent: u64,
    new_text: Option<NewText>,
    _place: Admitted,
}

impl Work {
    async fn run(self, to_run: ToRun) -> Result<Executed, Refused> {
        let Self { served, context, request_id, named, until, charged, spent, new_text, _place } =
            self;
        let began = Instant::now();
        let work = Arc::<StoreWork>::default();
        let running = counted(Arc::clone(&work), answer_of(&served, &context, to_run));
        let running = named.span().run(running);
        let is_query = named.kind == OperationType::Query;
        let answer = tokio::select! {
            biased;
            // A query whose answer has become too large stops; of a mutation only that part of the
            // answer fails.
            () = context.output.exceeded(), if is_query => None,
            answer = running => answer,
        };
        // Which of the two is noticed first must not matter.
        let answer = answer.filter(|_| !is_query || !context.output.is_exceeded());
        let has_run = answer.as_ref().is_some_and(Answer::has_run);
        if let Some(new_text) = new_text.filter(|_| has_run) {
            persisted::keep(&served, charged.payer.name(), new_text).await;
        }
        let shown = answer.as_ref().map_or(0, Answer::fields);
        let rendered = answer.and_then(|mut answer| {
            if named.kind == OperationType::Mutation && context.attempt > 1 {
                after_another_attempt(answer.errors());
            }
            complete(answer.errors(), &request_id.0, context.traceparent.as_deref());
            answer.rendered(context.output.most())
        });
        let used = match &rendered {
            Some(_) => spent.saturating_add(shown).saturating_add(points(&work, &context)),
            // All that was charged for has been done, and discarded; and more than was charged for,
            // when lists are longer than they usually are.
            None => charged.cost.max(points(&work, &context)).max(context.output.points()),
        };
        // Before the client hears of it: its next request must see what this one wrote.
        let ((), written) =
            tokio::join!(charged.settle(&served.app, used), record_writes(&served, &context));
        let too_large = || Refused::new(ErrorCode::QueryTooComplex, context.output.message());
        let executed = match rendered {
            Some(rendered) => Ok(Executed { rendered, written }),
            None if is_query => Err(too_large()),
            // It is done, and cannot be described: its client must know what it has written.
            None => Ok(Executed { rendered: done_but_too_large(&context.output), written }),
        };
        let outcome = match &executed {
            _ if Instant::now() > until => "late",
            Ok(executed) if executed.rendered.errors.is_empty() => "ok",
            Ok(_) | Err(_) => "error",
        };
        named.count(began, outcome);
        executed
    }
}

/// What a request has had done, in points, whatever its answer shows.
pub(crate) fn points(work: &StoreWork, context: &RequestContext) -> u64 {
    let statements = work.statements().saturating_mul(STATEMENT);
    let deliveries = work.deliveries().saturating_mul(DELIVERY);
    statements
        .saturating_add(work.lookups() / LOOKUPS)
        .saturating_add(deliveries)
        .saturating_add(context.worked())
}

/// The response to a mutation whose answer may not be sent.
fn done_but_too_large(output: &Budget) -> Rendered {
    let message = format!(
        "{}. What was asked is done: ask again with the same idempotency key and fewer fields",
        output.message()
    );
    event_of(Refused::new(ErrorCode::QueryTooComplex, message))
}

/// A response without data that is one of a stream, not a refusal of all of it.
pub(crate) fn event_of(refused: Refused) -> Rendered {
    let errors = vec![refused.error()];
    let body = serde_json::json!({ "data": Value::Null, "errors": errors }).to_string();
    Rendered { body, errors, not_run: false }
}

/// Explanations are for everybody in development, else for administrators: they describe how the
/// system is built.
async fn may_be_explained(served: &Served, viewer: Option<Viewer>) -> bool {
    let app = &served.app;
    let op = Operation::newest(&app.domain, viewer, app.config.request_deadline());
    app.config.server.development || moderation::is_admin(&op).await.unwrap_or(false)
}

/// Records what a request has written with its sessions.
async fn record_writes(served: &Served, context: &RequestContext) -> Option<ConsistencyToken> {
    let written = context.written()?;
    for session in context.sessions() {
        if let Err(error) = served.app.domain.redis.remember_writes(session, &written).await {
            tracing::debug!(%error, "a session's writes are not recorded; its client has the token");
        }
    }
    Some(written)
}
