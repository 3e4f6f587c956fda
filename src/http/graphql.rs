//! The GraphQL endpoint: GraphQL over HTTP, and nothing else.

use std::net::{IpAddr, SocketAddr};
use std::sync::LazyLock;

use async_graphql::parser::types::OperationType;
use axum::Extension;
use axum::body::Body;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{ConnectInfo, Query, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use http_body_util::{BodyExt, LengthLimitError, Limited as LimitedBody};

use super::answer::{Accept, Refusal, not_run, ran, refusal, refused};
use super::execute::{Asked, Refused, execute};
use super::identity::{CONSISTENCY, check_token, request_context, sealed_consistency};
use super::limits::{Payer, client_address};
use super::prepare::{Incoming, prepare};
use super::{RequestId, Served, origin, websocket};
use plaza_app::App;
use plaza_domain::operation::ConsistencyToken;
use plaza_graphql::error::ErrorCode;
use plaza_graphql::schema::sdl;

/// The header that asks for an explanation.
const EXPLAIN: &str = "plaza-explain";

fn bad_request(message: &str) -> Refusal {
    refusal(StatusCode::BAD_REQUEST, ErrorCode::BadUserInput, message)
}

fn accepted(served: &Served, headers: &HeaderMap) -> Result<Accept, Refusal> {
    if !origin::is_allowed(&served.app.config.server, headers) {
        return Err(refusal(
            StatusCode::FORBIDDEN,
            ErrorCode::Forbidden,
            "pages of this origin may not use the API",
        ));
    }
    let message = "plaza answers in application/json or application/graphql-response+json";
    Accept::of(headers)
        .ok_or_else(|| refusal(StatusCode::NOT_ACCEPTABLE, ErrorCode::BadUserInput, message))
}

fn reads_pages(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/html"))
}

/// The schema in GraphQL's own language, for generators of code.
pub async fn schema_text() -> Response {
    static TEXT: LazyLock<String> = LazyLock::new(sdl);
    let headers = [
        (header::CONTENT_TYPE, "application/graphql; charset=utf-8"),
        (header::CACHE_CONTROL, "public, max-age=300"),
    ];
    (headers, TEXT.as_str()).into_response()
}

/// Anything but GET and POST.
pub async fn by_another_method() -> Response {
    refusal(StatusCode::METHOD_NOT_ALLOWED, ErrorCode::BadUserInput, "send a POST").into_response()
}

/// Queries by GET, for caches on the way. A header that browsers do not send across origins by
/// themselves must say that it is meant.
pub async fn by_get(
    State(served): State<Served>,
    Extension(id): Extension<RequestId>,
    peer: Option<Extension<ConnectInfo<SocketAddr>>>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
    Query(parameters): Query<Vec<(String, String)>>,
) -> Response {
    let address = client_address(
        &served.app.config.server.trusted_proxies,
        peer.map(|Extension(peer)| peer.0),
        &headers,
    );
    if let Ok(upgrade) = upgrade {
        return websocket::accept(served, id, address, &headers, upgrade);
    }
    // Somebody who has typed the address into a browser.
    if reads_pages(&headers) && !parameters.iter().any(|(name, _)| name == "query") {
        return Redirect::temporary("/graphiql").into_response();
    }
    let incoming = || -> Result<(Accept, Incoming), Refusal> {
        let accept = accepted(&served, &headers)?;
        if !headers.contains_key("graphql-require-preflight")
            && !headers.contains_key("apollo-require-preflight")
        {
            return Err(bad_request("a query by GET needs the header graphql-require-preflight"));
        }
        let parameter = |name: &str| {
            parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
        };
        let object = |name: &str| match parameter(name).filter(|text| !text.is_empty()) {
            Some(text) => serde_json::from_str(&text)
                .map_err(|_| bad_request(&format!("`{name}` is not a JSON object"))),
            None => Ok(None),
        };
        let (variables, extensions) = (object("variables")?, object("extensions")?);
        Ok((
            accept,
            Incoming {
                query: parameter("query"),
                operation_name: parameter("operationName"),
                variables,
                extensions,
            },
        ))
    };
    match incoming() {
        Ok((accept, incoming)) => {
            run(&served, RequestMeta { id, address, accept, may_change: false }, &headers, incoming)
                .await
        }
        Err(refused) => refused.into_response(),
    }
}

/// Queries and mutations.
pub async fn by_post(
    State(served): State<Served>,
    Extension(id): Extension<RequestId>,
    peer: Option<Extension<ConnectInfo<SocketAddr>>>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    match read(&served, &headers, body).await {
        Ok((accept, incoming)) => {
            let address = client_address(
                &served.app.config.server.trusted_proxies,
                peer.map(|Extension(peer)| peer.0),
                &headers,
            );
            run(&served, RequestMeta { id, address, accept, may_change: true }, &headers, incoming)
                .await
        }
        Err(refused) => refused.into_response(),
    }
}

async fn read(
    served: &Served,
    headers: &HeaderMap,
    body: Body,
) -> Result<(Accept, Incoming), Refusal> {
    let accept = accepted(served, headers)?;
    let incoming = read_body(served, headers, body).await;
    Ok((accept, incoming.map_err(|refused| refused.taken_as(accept))?))
}

async fn read_body(served: &Served, headers: &HeaderMap, body: Body) -> Result<Incoming, Refusal> {
    let content_type =
        headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut parts = content_type.split(';').map(|part| part.trim().to_ascii_lowercase());
    let is_json = parts.next().is_some_and(|name| name == "application/json");
    let is_utf8 = parts.all(|parameter| {
        parameter
            .strip_prefix("charset=")
            .is_none_or(|charset| charset.trim_matches('"') == "utf-8")
    });
    if !is_json || !is_utf8 || headers.contains_key(header::CONTENT_ENCODING) {
        let message = "send application/json in UTF-8, not compressed";
        return Err(refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE, ErrorCode::BadUserInput, message));
    }
    let limit = served.app.config.server.body_limit;
    let bytes = match tokio::time::timeout(
        served.app.config.request_deadline(),
        LimitedBody::new(body, limit).collect(),
    )
    .await
    {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            let message = format!("a body may have {limit} bytes");
            return Err(refusal(
                StatusCode::PAYLOAD_TOO_LARGE,
                ErrorCode::QueryTooComplex,
                message,
            ));
        }
        Ok(Err(_)) => return Err(bad_request("the body could not be read")),
        Err(_) => {
            return Err(refusal(
                StatusCode::REQUEST_TIMEOUT,
                ErrorCode::Timeout,
                "the body did not come in time",
            ));
        }
    };
    // Some writers begin UTF-8 with a byte order mark.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf".as_slice()).unwrap_or(&bytes);
    if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[') {
        return Err(bad_request("one operation a request: batches are not taken"));
    }
    serde_json::from_slice(bytes)
        .map_err(|_| bad_request("the body is not a GraphQL request in JSON"))
}

/// What of the request is not its text.
struct RequestMeta {
    id: RequestId,
    address: IpAddr,
    accept: Accept,
    may_change: bool,
}

async fn run(
    served: &Served,
    meta: RequestMeta,
    headers: &HeaderMap,
    incoming: Incoming,
) -> Response {
    let accept = meta.accept;
    if incoming.is_empty() {
        return bad_request("`query` is missing").taken_as(accept).into_response();
    }
    // What a dead token means is known when it is known what is asked.
    let mut context = match request_context(&served.app, headers) {
        Ok(context) => context,
        Err(refused) => return refused.taken_as(accept).into_response(),
    };
    context.address = Some(meta.address);
    let payer = Payer::of(&served.app.config.limits, context.viewer, meta.address);
    if let Err(limited) = payer.check_credit(&served.app) {
        return refused_response(accept, limited.into());
    }
    let prepared = match prepare(served, &payer, incoming).await {
        Ok(prepared) => prepared,
        Err(why) => {
            why.code.count();
            return refused(accept, why.errors());
        }
    };
    if let Err(refused) = check_token(&context, prepared.proves_itself) {
        return refused.taken_as(accept).into_response();
    }
    if !meta.may_change && prepared.kind != OperationType::Query {
        return refusal(
            StatusCode::METHOD_NOT_ALLOWED,
            ErrorCode::BadUserInput,
            "only queries go by GET",
        )
        .taken_as(accept)
        .into_response();
    }
    if prepared.kind == OperationType::Subscription {
        return not_run(
            accept,
            ErrorCode::GraphqlValidationFailed,
            "subscriptions go over a WebSocket, by graphql-transport-ws",
        );
    }
    context.wants_explanation = headers.contains_key(EXPLAIN);
    let seen = context.token.clone();
    let asked = Asked { prepared, context, payer, request_id: meta.id };
    match Box::pin(execute(served, asked)).await {
        Ok(executed) => {
            with_token(&served.app, seen, executed.written, ran(accept, executed.rendered))
        }
        Err(refused) => refused_response(accept, refused),
    }
}

/// A refusal with the status that proxies act on; any other is GraphQL's own.
fn refused_response(accept: Accept, refused: Refused) -> Response {
    let status = match refused.code {
        ErrorCode::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
        ErrorCode::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        ErrorCode::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        code => return not_run(accept, code, refused.message),
    };
    let mut response = refusal(status, refused.code, refused.message).taken_as(accept);
    if let Some(seconds) = refused.retry_after_s {
        response = response.retry_after(seconds);
    }
    if let Some(id) = &refused.request_id {
        response = response.with_request_id(id);
    }
    response.into_response()
}

/// What was written goes back with the answer, beside what the client had seen before.
fn with_token(
    app: &App,
    seen: ConsistencyToken,
    written: Option<ConsistencyToken>,
    mut response: Response,
) -> Response {
    let Some(written) = written else { return response };
    let token = seen.after(&written, app.domain.clock.now_ms());
    if let Ok(value) = HeaderValue::from_str(&sealed_consistency(app, &token)) {
        response.headers_mut().insert(HeaderName::from_static(CONSISTENCY), value);
    }
    response
}
