//! The bytes of images, in and out. Who may send or fetch what, the address says: it was given out
//! by GraphQL, is signed, and ends.

use axum::Router;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use serde::Deserialize;

use super::answer::{Refusal, refusal};
use super::{Served, origin};
use plaza_domain::DomainError;
use plaza_domain::images::{Refused, object_name, receive};
use plaza_graphql::error::ErrorCode;
use plaza_telemetry::trace;

/// What a file may do when it is opened by itself: nothing.
const POLICY: &str = "default-src 'none'; sandbox";

/// The routes of images.
pub fn routes() -> Router<Served> {
    Router::new()
        .route("/media/uploads/{token}", put(upload).get(may_upload))
        .route("/media/images/{file}", get(fetch))
}

fn refused(why: &Refused) -> Refusal {
    let (status, code) = match why {
        Refused::Address => (StatusCode::FORBIDDEN, ErrorCode::Forbidden),
        Refused::Ended => (StatusCode::GONE, ErrorCode::BadUserInput),
        Refused::Taken => (StatusCode::CONFLICT, ErrorCode::BadUserInput),
        Refused::Length { .. } => (StatusCode::BAD_REQUEST, ErrorCode::BadUserInput),
        Refused::Broken => (StatusCode::BAD_REQUEST, ErrorCode::BadUserInput),
        Refused::Slow => (StatusCode::REQUEST_TIMEOUT, ErrorCode::Timeout),
        Refused::Busy => (StatusCode::SERVICE_UNAVAILABLE, ErrorCode::Overloaded),
        Refused::Domain(DomainError::Store(_)) => {
            return refusal(
                StatusCode::SERVICE_UNAVAILABLE,
                ErrorCode::ShardUnavailable,
                "not taken for the moment: send it again",
            )
            .retry_after(1);
        }
        Refused::Domain(_) => {
            return refusal(
                StatusCode::INTERNAL_SERVER_ERROR,
                ErrorCode::Internal,
                "internal error",
            );
        }
    };
    let refusal = refusal(status, code, why.to_string());
    if matches!(why, Refused::Busy) { refusal.retry_after(1) } else { refusal }
}

/// By which nginx asks whether bytes may be sent; nobody else has a use for it.
const ASKS: &str = "x-plaza-may-upload";

/// Whether bytes may be sent to an address: nginx asks before it reads any, and takes 403 for no.
/// What is refused here is refused again, in other words, when the bytes are sent.
async fn may_upload(
    State(served): State<Served>,
    Path(token): Path<String>,
    headers: HeaderMap,
) -> Response {
    if !headers.contains_key(ASKS) {
        return (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "PUT")]).into_response();
    }
    let domain = &served.app.domain;
    let ends = domain.images.links.uploaded(&token).map(|(_, ends)| ends);
    if ends.is_some_and(|ends| ends > domain.clock.now()) {
        return StatusCode::NO_CONTENT.into_response();
    }
    let message = Refused::Address.to_string();
    refusal(StatusCode::FORBIDDEN, ErrorCode::Forbidden, message).into_response()
}

/// Takes an image's bytes, whatever they are called: what they are is found out later.
async fn upload(
    State(served): State<Served>,
    Path(token): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    if !origin::is_allowed(&served.app.config.server, &headers) {
        return refusal(
            StatusCode::FORBIDDEN,
            ErrorCode::Forbidden,
            "pages of this origin may not use the API",
        )
        .into_response();
    }
    let length = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.parse().ok());
    let app = served.app.clone();
    let traceparent = trace::traceparent();
    // To the end, also when the client is gone: what was written so far is deleted.
    let outcome = served.app.tasks.to_the_end(async move {
        let mut op = app.internal(app.config.request_deadline());
        op.traceparent = Some(traceparent);
        receive(&op, &token, length, body.into_data_stream()).await
    });
    match outcome.await {
        Ok(Ok(())) => StatusCode::NO_CONTENT.into_response(),
        Ok(Err(why)) => {
            if let Refused::Domain(error) = &why {
                tracing::warn!(%error, "an upload was not taken");
            }
            refused(&why).into_response()
        }
        Err(_) => refusal(StatusCode::INTERNAL_SERVER_ERROR, ErrorCode::Internal, "internal error")
            .into_response(),
    }
}

/// What an address of a file says.
#[derive(Deserialize)]
struct Proof {
    until: i64,
    proof: String,
}

fn plain(status: StatusCode, text: &'static str) -> Response {
    (status, [(header::CACHE_CONTROL, "no-store")], text).into_response()
}

/// Gives out a file. Under its address it never changes, so whoever has it need not ask again
/// before the address ends.
async fn fetch(
    State(served): State<Served>,
    Path(file): Path<String>,
    proof: Result<Query<Proof>, QueryRejection>,
    headers: HeaderMap,
) -> Response {
    let domain = &served.app.domain;
    let left = proof.ok().and_then(|Query(proof)| {
        domain.images.links.may_fetch(&file, proof.until, &proof.proof, domain.clock.now())
    });
    let Some(left) = left else {
        return plain(StatusCode::FORBIDDEN, "this address is not good, or no longer\n");
    };
    let tag = format!("\"{file}\"");
    let cache = format!("public, max-age={left}, immutable");
    if headers
        .get(header::IF_NONE_MATCH)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|known| known.contains(&tag))
    {
        return (StatusCode::NOT_MODIFIED, [(header::ETAG, tag), (header::CACHE_CONTROL, cache)])
            .into_response();
    }
    let opened = match domain.objects.open(&object_name(&file)).await {
        Ok(Some(opened)) => opened,
        Ok(None) => return plain(StatusCode::NOT_FOUND, "this image is gone\n"),
        Err(error) => {
            tracing::warn!(%error, "an image could not be read");
            return plain(
                StatusCode::SERVICE_UNAVAILABLE,
                "images cannot be read for the moment\n",
            );
        }
    };
    let kind = if file.ends_with(".webp") { "image/webp" } else { "image/jpeg" };
    let mut response = Response::new(Body::from_stream(opened.bytes));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(opened.length));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    for (name, value) in [(header::ETAG, tag), (header::CACHE_CONTROL, cache)] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
    response
}
