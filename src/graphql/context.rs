//! What resolvers get: an operation with loaders of its own. A query has one for all its fields; each mutation field has its own, since it has
//! an idempotency key of its own and its payload must show what it has just written.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use async_graphql::Value;
use chrono::{DateTime, Utc};
use parking_lot::Mutex;
use tokio::time::Instant;

use super::error::ErrorCode;
use super::loaders::Loaders;
use super::output::Budget;
use plaza_base::ids::SessionId;
use plaza_config::MAX_RESPONSE_BYTES;
use plaza_domain::mutation::{KeySource, name_of};
use plaza_domain::operation::ConsistencyToken;
use plaza_domain::purse::Purse;
use plaza_domain::{Domain, Operation, Viewer};

/// An operation, and the loaders that read for it.
#[derive(Debug)]
pub struct Scope {
    /// Who asks, how fresh, until when.
    pub op: Arc<Operation>,
    /// One batch per kind and level.
    pub loaders: Loaders,
}

/// How the bucket that paid for a request stands.
#[derive(Debug, Clone, Copy)]
pub struct Points {
    /// What the request was charged.
    pub cost: u64,
    /// What the bucket holds when full.
    pub limit: u64,
    /// What it holds now.
    pub remaining: u64,
    /// When it will be full again if nothing more is asked.
    pub reset_at: DateTime<Utc>,
}

/// A number that stays with an address, on every server.
fn number_of(address: IpAddr) -> u64 {
    let mut hasher = DefaultHasher::new();
    address.hash(&mut hasher);
    hasher.finish()
}

/// One request.
pub struct RequestContext {
    domain: Arc<Domain>,
    /// Who asks.
    pub viewer: Option<Viewer>,
    /// When the access token that says so ends; a socket keeps that itself.
    pub access_ends: Option<DateTime<Utc>>,
    /// There was an access token that is not (or no longer) good, and the request went on without
    /// it; whom it names, where it is one of ours.
    pub refused_token: Option<Option<Viewer>>,
    /// What the client has already seen.
    pub token: ConsistencyToken,
    /// The session's writes are not known: read primaries.
    pub primary_only: bool,
    /// The request's idempotency key.
    pub client_key: Option<String>,
    /// Whether a proxy has made it, for a request that came without one.
    pub key_is_proxys: bool,
    /// Which attempt of the proxy's this is at the same request, from 1.
    pub attempt: u32,
    /// Whether a proxy passes it on that does not number its attempts: the same request may come
    /// again, under the same id.
    pub is_unnumbered: bool,
    /// W3C trace context.
    pub traceparent: Option<String>,
    /// Where the request comes from.
    pub address: Option<IpAddr>,
    /// What the client calls itself.
    pub user_agent: Option<String>,
    /// What it was charged.
    pub points: Option<Points>,
    /// Whether its answer says where everything came from.
    pub wants_explanation: bool,
    /// Whether it runs through the library though a plan covers it.
    pub wants_general_engine: bool,
    /// When it must be over, whatever of it has begun.
    pub until: Instant,
    /// What is left of the bytes that its answer may have.
    pub output: Budget,
    /// What the events of a subscription are paid from.
    pub purse: Option<Purse>,
    worked: AtomicU64,
    /// How many fields of a mutation were begun.
    begun: AtomicUsize,
    timeout: Duration,
    scopes: Mutex<Vec<Arc<Scope>>>,
    query: Mutex<Option<Arc<Scope>>>,
}

impl RequestContext {
    /// A request by nobody in particular; the fields say the rest.
    pub fn new(domain: Arc<Domain>, timeout: Duration) -> Self {
        Self {
            domain,
            viewer: None,
            access_ends: None,
            refused_token: None,
            token: ConsistencyToken::default(),
            primary_only: false,
            client_key: None,
            key_is_proxys: false,
            attempt: 1,
            is_unnumbered: false,
            traceparent: None,
            address: None,
            user_agent: None,
            points: None,
            wants_explanation: false,
            wants_general_engine: false,
            until: Instant::now() + timeout,
            output: Budget::new(MAX_RESPONSE_BYTES),
            purse: None,
            worked: AtomicU64::new(0),
            begun: AtomicUsize::new(0),
            timeout,
            scopes: Mutex::default(),
            query: Mutex::default(),
        }
    }

    /// The rules.
    pub fn domain(&self) -> &Arc<Domain> {
        &self.domain
    }

    fn scope(
        &self,
        viewer: Option<Viewer>,
        client_key: Option<(String, KeySource)>,
        seen: &ConsistencyToken,
    ) -> Arc<Scope> {
        self.scope_of(self.operation(viewer, client_key, seen))
    }

    fn operation(
        &self,
        viewer: Option<Viewer>,
        client_key: Option<(String, KeySource)>,
        seen: &ConsistencyToken,
    ) -> Operation {
        // All that a request does shares its deadline: ten mutations have no ten deadlines.
        let left = self.until.saturating_duration_since(Instant::now());
        let mut op = Operation::request(&self.domain, viewer, seen, left);
        if let Some((name, source)) = client_key {
            (op.client_key, op.key_source) = (Some(name), source);
        }
        op.attempt = self.attempt;
        op.address = self.address;
        if let (None, Some(address)) = (viewer, self.address) {
            op.reads = op.reads.of_client(number_of(address));
        }
        op.user_agent.clone_from(&self.user_agent);
        op.traceparent.clone_from(&self.traceparent);
        if self.primary_only {
            op.reads.read_primary_only();
            op.bypass_cache = true;
        }
        op
    }

    fn scope_of(&self, op: Operation) -> Arc<Scope> {
        let op = Arc::new(op);
        let scope = Arc::new(Scope { loaders: Loaders::new(&op), op });
        self.scopes.lock().push(Arc::clone(&scope));
        scope
    }

    /// Points for work that its answer does not show: they are not given back.
    pub fn worked(&self) -> u64 {
        self.worked.load(Ordering::Relaxed)
    }

    /// The scope that all fields of a query share.
    pub fn for_query(&self) -> Arc<Scope> {
        let mut query = self.query.lock();
        let begin = || {
            let mut op = self.operation(self.viewer, None, &self.token);
            op.remember_people();
            self.scope_of(op)
        };
        Arc::clone(query.get_or_insert_with(begin))
    }

    /// A scope for one mutation field; it sees what the fields before it have written.
    pub fn for_mutation(&self, response_key: &str, own_key: Option<String>) -> Arc<Scope> {
        // The fields of a mutation are begun one after another, in the request's order.
        let place = self.begun.fetch_add(1, Ordering::Relaxed);
        let of_request = |key: &String| {
            (name_of(key, response_key), KeySource::of_request(key, place, self.key_is_proxys))
        };
        let key = own_key
            .map(|key| (key, KeySource::Field))
            .or_else(|| self.client_key.as_ref().map(of_request));
        let mut op = self.operation(self.viewer, key, &self.seen());
        op.remember_people();
        self.scope_of(op)
    }

    /// A scope for a user whom a field has just logged in: it reads as that user.
    pub fn for_logged_in(&self, viewer: Viewer) -> Arc<Scope> {
        self.scope(Some(viewer), None, &self.seen())
    }

    /// A scope for one event of a subscription: nothing is shared with the event before, and nothing is kept. The event has
    /// happened and is delivered once: what a lagging replica lacks would be missing for good.
    pub fn for_event(&self) -> Arc<Scope> {
        self.of_event(self.event())
    }

    /// The operation of one event.
    pub fn event(&self) -> Arc<Operation> {
        let mut op = Operation::as_of_now(&self.domain, self.viewer, self.timeout);
        op.traceparent.clone_from(&self.traceparent);
        op.remember_people();
        Arc::new(op)
    }

    /// The scope of an event's operation.
    pub fn of_event(&self, op: Arc<Operation>) -> Arc<Scope> {
        self.output.reset();
        Arc::new(Scope { loaders: Loaders::new(&op), op })
    }

    /// Pays for the next event of a subscription; waits as long as that cannot be paid.
    pub async fn pay_event(&self) {
        if let Some(purse) = &self.purse {
            purse.pay().await;
        }
    }

    /// The sessions that were at work: the request's, and those it began. Each must see what was written.
    pub fn sessions(&self) -> BTreeSet<SessionId> {
        let scopes = self.scopes.lock();
        scopes.iter().filter_map(|scope| scope.op.viewer).map(|viewer| viewer.session_id).collect()
    }

    fn seen(&self) -> ConsistencyToken {
        let mut seen = self.token.clone();
        if let Some(written) = self.written() {
            seen.merge(&written);
        }
        seen
    }

    /// What the request has written, and whether it has seen more than the client's replicas may have; `None` when neither.
    pub fn written(&self) -> Option<ConsistencyToken> {
        let scopes = self.scopes.lock();
        let left_replica = scopes.iter().any(|scope| scope.op.reads.has_left_replica());
        let seen = left_replica.then(|| ConsistencyToken {
            seen_at_ms: self.domain.clock.now_ms(),
            ..Default::default()
        });
        scopes.iter().filter_map(|scope| scope.op.written()).chain(seen).reduce(
            |mut all, written| {
                all.merge(&written);
                all
            },
        )
    }
}

/// The scope of a query field.
///
/// # Errors
/// When the request was put together without a [`RequestContext`]: a fault of ours.
pub fn query_scope(ctx: &async_graphql::Context<'_>) -> async_graphql::Result<Arc<Scope>> {
    Ok(ctx.data::<Arc<RequestContext>>()?.for_query())
}

/// Counts points for work that the answer will not show.
pub fn work(ctx: &async_graphql::Context<'_>, points: u64) {
    if let Ok(context) = ctx.data::<Arc<RequestContext>>() {
        context.worked.fetch_add(points, Ordering::Relaxed);
    }
}

/// The scope of what a log-in gives back.
///
/// # Errors
/// As [`query_scope`].
pub fn logged_in_scope(
    ctx: &async_graphql::Context<'_>,
    viewer: Viewer,
) -> async_graphql::Result<Arc<Scope>> {
    Ok(ctx.data::<Arc<RequestContext>>()?.for_logged_in(viewer))
}

/// The scope of a mutation field. Its idempotency key is the one in its input, else the request's with the field's name.
///
/// # Errors
/// As [`query_scope`]; a `clientKey` that cannot be.
pub fn mutation_scope(ctx: &async_graphql::Context<'_>) -> async_graphql::Result<Arc<Scope>> {
    let own_key = match client_key_of_input(ctx) {
        Some(key) if !is_client_key(&key) => {
            return Err(
                ErrorCode::BadUserInput.error("`clientKey` has 1 to 200 visible ASCII characters")
            );
        }
        key => key,
    };
    let context = ctx.data::<Arc<RequestContext>>()?;
    if Instant::now() >= context.until {
        return Err(ErrorCode::Timeout.error("not begun in time: try again"));
    }
    Ok(context.for_mutation(ctx.field().alias().unwrap_or_else(|| ctx.field().name()), own_key))
}

/// Whether a text can be an idempotency key.
pub fn is_client_key(key: &str) -> bool {
    (1..=200).contains(&key.len()) && key.chars().all(|c| c.is_ascii_graphic())
}

fn client_key_of_input(ctx: &async_graphql::Context<'_>) -> Option<String> {
    let arguments = ctx.field().arguments().ok()?;
    let (_, input) = arguments.into_iter().find(|(name, _)| name == "input")?;
    match input {
        Value::Object(mut fields) => match fields.swap_remove("clientKey")? {
            Value::String(key) => Some(key),
            _ => None,
        },
        _ => None,
    }
}
