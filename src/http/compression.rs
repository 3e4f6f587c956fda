//! Compression of what is made for a request, where no proxy in front does it
//! (`server.compress`): by gzip, from the size at which it is worth the time. Assets come
//! compressed from their files.

use std::io::Write;

use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use flate2::write::GzEncoder;
use http_body_util::BodyExt;

use super::pages::accepts;

/// Fewer bytes fit into a packet or two: there is nothing to gain.
const WORTH_IT: u64 = 1_024;
/// As nginx does it: a higher level takes twice the time for a few percent.
const LEVEL: Compression = Compression::new(4);
/// What is text. Events come one by one, and are not held back to be compressed.
const KINDS: [&str; 6] = [
    "application/json",
    "application/graphql-response+json",
    "application/graphql",
    "application/manifest+json",
    "text/html",
    "text/plain",
];

const VARIES: &str = "accept-encoding";

/// Compresses a response whose client takes gzip.
pub async fn compressed(request: Request, next: Next) -> Response {
    let takes_gzip = accepts(request.headers(), "gzip");
    let mut response = next.run(request).await;
    if !is_text(response.headers()) || response.headers().contains_key(header::CONTENT_ENCODING) {
        return response;
    }
    vary(response.headers_mut());
    let length = response.body().size_hint().exact();
    if takes_gzip && length.is_some_and(|bytes| bytes >= WORTH_IT) {
        gzip(response).await
    } else {
        response
    }
}

fn is_text(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default().trim();
    KINDS.iter().any(|known| kind.eq_ignore_ascii_case(known))
}

/// Says to caches on the way that there are two responses, where nothing says so yet.
fn vary(headers: &mut HeaderMap) {
    let said = headers.get_all(header::VARY).iter().filter_map(|value| value.to_str().ok());
    if !said.flat_map(|all| all.split(',')).any(|each| each.trim().eq_ignore_ascii_case(VARIES)) {
        headers.append(header::VARY, HeaderValue::from_static(VARIES));
    }
}

async fn gzip(response: Response) -> Response {
    let (mut head, body) = response.into_parts();
    let Ok(whole) = body.collect().await else {
        // Its length was known, so it is in memory; a client that gets nothing tries again.
        return axum::http::StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let plain = whole.to_bytes();
    let text = plain.clone();
    let packed = tokio::task::spawn_blocking(move || {
        let mut encoder = GzEncoder::new(Vec::new(), LEVEL);
        encoder.write_all(&text)?;
        encoder.finish()
    });
    let Ok(Ok(packed)) = packed.await else {
        return Response::from_parts(head, Body::from(plain));
    };
    head.headers.remove(header::CONTENT_LENGTH);
    head.headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    weaken(&mut head.headers);
    Response::from_parts(head, Body::from(packed))
}

/// Other bytes than those that a strong tag names.
fn weaken(headers: &mut HeaderMap) {
    let tag = headers.get(header::ETAG).and_then(|tag| tag.to_str().ok());
    let weak = tag.filter(|tag| !tag.starts_with("W/")).map(|tag| format!("W/{tag}"));
    if let Some(weak) = weak.and_then(|weak| HeaderValue::from_str(&weak).ok()) {
        headers.insert(header::ETAG, weak);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn that_it_varies_is_said_once() {
        let said = |before: &'static str| {
            let before = HeaderValue::from_static(before);
            let mut headers = HeaderMap::from_iter([(header::VARY, before)]);
            vary(&mut headers);
            headers.get_all(header::VARY).iter().count()
        };
        assert_eq!((said("origin"), said("Origin, Accept-Encoding")), (2, 1));
    }

    #[test]
    fn a_tag_of_other_bytes_is_weak() {
        let weakened = |tag: &'static str| {
            let tag = HeaderValue::from_static(tag);
            let mut headers = HeaderMap::from_iter([(header::ETAG, tag)]);
            weaken(&mut headers);
            headers.get(header::ETAG).unwrap().to_str().unwrap().to_owned()
        };
        assert_eq!(weakened("\"a\""), "W/\"a\"");
        assert_eq!(weakened("W/\"a\""), "W/\"a\"");
    }
}
