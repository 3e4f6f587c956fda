//! Who asks, and what they have seen: from the request's headers to a [`RequestContext`].

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};

use super::Served;
use super::answer::{Refusal, refusal};
use plaza_app::App;
use plaza_domain::operation::ConsistencyToken;
use plaza_graphql::context::{RequestContext, is_client_key};
use plaza_graphql::error::ErrorCode;
use plaza_telemetry::trace;

/// The header in which the consistency token travels, both ways.
pub const CONSISTENCY: &str = "plaza-consistency";
/// The header in which a client names a mutation, so that it can be sent again.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// The header in which a proxy says that it has made the idempotency key: `proxy`. A proxy always
/// sets or removes it. Whoever sends it without one only waives the check that their own key names
/// one thing.
const KEY_SOURCE: &str = "x-plaza-key";
/// The header in which a proxy says which attempt at the same request this is, from 1.
const ATTEMPT: &str = "x-plaza-attempt";
/// The header in which a proxy that cannot number its attempts (nginx makes a request's headers
/// once, for all of them) says when it began the first: Unix seconds with milliseconds.
const BEGAN: &str = "x-plaza-began";
/// A request that its proxy began so long ago may be a second attempt: the server that had the
/// first may have been killed in its COMMIT. A first one that is late by so much pays for one
/// lookup of an answer that is not there. A younger one is told by Redis, which remembers what was
/// here; by this age alone while Redis is unavailable.
const LATER_ATTEMPT_MS: i64 = 100;

/// Longest name of a client that is kept.
const MAX_USER_AGENT: usize = 200;

/// The public keys that access tokens are signed with.
pub async fn jwks(State(served): State<Served>) -> Json<serde_json::Value> {
    Json(served.app.domain.identity.jwks())
}

/// Reads the headers; what the session has written lately is not asked for yet. Whether an access
/// token that is not good matters is for [`check_token`].
///
/// # Errors
/// 400 for headers that cannot be.
pub fn request_context(app: &App, headers: &HeaderMap) -> Result<RequestContext, Refusal> {
    let mut context = RequestContext::new(app.domain.clone(), app.config.request_deadline());
    context.traceparent = Some(trace::traceparent());
    context.client_key = client_key(headers)?;
    context.key_is_proxys = headers.get(KEY_SOURCE).is_some_and(|source| source == "proxy");
    context.attempt = attempt(headers, app.domain.clock.now_ms());
    context.is_unnumbered = headers.contains_key(BEGAN);
    let user_agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    context.user_agent = user_agent.map(|text| text.chars().take(MAX_USER_AGENT).collect());
    context.token = seen_by(app, headers).ok_or_else(|| {
        refusal(
            StatusCode::BAD_REQUEST,
            ErrorCode::BadUserInput,
            "the Plaza-Consistency header is none that this service gave out, or is of an older \
             version: forget it and send the request again without it",
        )
    })?;
    if !headers.contains_key(header::AUTHORIZATION) {
        return Ok(context);
    }
    let token = access_token(headers);
    let identity = &app.domain.identity;
    let holder = token.and_then(|token| identity.holder_of(&app.domain.clock, token));
    context.viewer = holder.map(|holder| holder.viewer);
    context.access_ends = holder.map(|holder| holder.until);
    if context.viewer.is_none() {
        context.refused_token = Some(token.and_then(|token| identity.named_by(token)));
    }
    Ok(context)
}

/// The access token that a request brings; none where it brings several.
fn access_token(headers: &HeaderMap) -> Option<&str> {
    let mut authorizations = headers.get_all(header::AUTHORIZATION).iter();
    let only = authorizations.next().filter(|_| authorizations.next().is_none())?;
    only.to_str().ok().and_then(bearer)
}

/// Refuses a request whose access token is not good. An operation that `proves_itself` (a log-in, a
/// refresh) is not refused for a dead access token beside it: clients send what they have with
/// everything.
///
/// # Errors
/// 401.
pub fn check_token(context: &RequestContext, proves_itself: bool) -> Result<(), Refusal> {
    if context.refused_token.is_none() || proves_itself {
        return Ok(());
    }
    Err(refusal(
        StatusCode::UNAUTHORIZED,
        ErrorCode::Unauthenticated,
        "the access token is not (or no longer) good",
    ))
}

/// What sealed consistency tokens are for.
const CONSISTENCY_PURPOSE: &str = "consistency";

/// Most tokens of one request: more answers than that are not under way to one client.
const MAX_TOKENS: usize = 16;

/// What a client has seen, by all tokens that it sent: it holds several when requests of its ran
/// side by side, since neither answer knew of the other. `None` when we did not seal one of them.
fn seen_by(app: &App, headers: &HeaderMap) -> Option<ConsistencyToken> {
    let mut seen = ConsistencyToken::default();
    let mut tokens = 0;
    for value in headers.get_all(CONSISTENCY) {
        for text in value.to_str().ok()?.split(',') {
            tokens += 1;
            if tokens > MAX_TOKENS {
                return None;
            }
            seen.merge(&consistency_of(app, text.trim())?);
        }
    }
    Some(seen)
}

/// What a client has seen, by one token; `None` when we did not seal it.
fn consistency_of(app: &App, text: &str) -> Option<ConsistencyToken> {
    let bytes = app.domain.identity.seals.open(CONSISTENCY_PURPOSE, text)?;
    let max_lag_ms = i64::try_from(app.config.postgres.replica_max_lag_ms).unwrap_or(i64::MAX);
    let shards = app.domain.cluster.len();
    ConsistencyToken::of_bytes(&bytes, shards, app.domain.clock.now_ms(), max_lag_ms)
}

/// The token of a client that has seen so much, as it travels.
pub fn sealed_consistency(app: &App, token: &ConsistencyToken) -> String {
    app.domain.identity.seals.seal(CONSISTENCY_PURPOSE, &token.to_bytes())
}

/// The access token in `Bearer <access token>`; the scheme is in any case.
fn bearer(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim_start())
}

/// Which attempt of the proxy's a request is; the first, as far as nothing else is said.
fn attempt(headers: &HeaderMap, now_ms: i64) -> u32 {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let said = text(ATTEMPT).and_then(|attempt| attempt.parse().ok()).unwrap_or(1);
    let began_ms = text(BEGAN).and_then(|began| began.replace('.', "").parse::<i64>().ok());
    let is_late = began_ms.is_some_and(|began| now_ms.saturating_sub(began) > LATER_ATTEMPT_MS);
    said.max(if is_late { 2 } else { 1 })
}

fn client_key(headers: &HeaderMap) -> Result<Option<String>, Refusal> {
    let Some(key) = headers.get(IDEMPOTENCY_KEY) else { return Ok(None) };
    let key = key.to_str().ok().filter(|key| is_client_key(key));
    let message = "an idempotency key has 1 to 200 visible ASCII characters";
    key.map(|key| Some(key.to_owned()))
        .ok_or_else(|| refusal(StatusCode::BAD_REQUEST, ErrorCode::BadUserInput, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_is_later_when_the_proxy_says_so_or_began_long_ago() {
        let of = |name: &'static str, value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, HeaderValue::from_str(value).unwrap());
            attempt(&headers, 1_000_000_000_000)
        };
        assert_eq!(attempt(&HeaderMap::new(), 1_000_000_000_000), 1);
        assert_eq!((of(ATTEMPT, "1"), of(ATTEMPT, "2"), of(ATTEMPT, "3")), (1, 2, 3));
        assert_eq!((of(BEGAN, "999999999.900"), of(BEGAN, "999999999.700")), (1, 2));
        for odd in ["", "-1", "0", "two", "99999999999999999999", "1.5e9", "."] {
            assert_eq!((of(ATTEMPT, odd), of(BEGAN, odd).min(2)), (1, of(BEGAN, odd)), "{odd}");
        }
    }
}
