//! The front end: what Vite has built, served from a folder. Nothing in it is loaded from anywhere
//! else, and its headers say so to the browser.

mod preview;

use std::path::{self, PathBuf};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use tower_http::services::{ServeDir, ServeFile};
use tower_http::set_header::SetResponseHeaderLayer;

use super::limits::Client;
use super::{Served, graphiql};

/// What the pages may load: themselves. The editor starts its workers from blobs and styles its
/// text inline; what is about to be uploaded is shown from a blob.
const POLICY: &str = "default-src 'self'; script-src 'self'; worker-src 'self' blob:; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; \
    form-action 'self'";

/// The demo's own addresses; it reads them itself.
const DEMO: &[&str] = &[
    "/",
    "/shop",
    "/orders",
    "/notifications",
    "/sessions",
    "/parts",
    "/login",
    "/signup",
    "/notifications/all",
    "/notifications/preferences",
    "/search",
    "/p/{id}/quote",
    "/p/{id}/likes",
    "/p/{id}/reposts",
    "/p/{id}/quotes",
    "/tag/{name}",
    "/analytics",
    "/settings",
    "/settings/blocked",
    "/requests",
    "/u/{handle}/followers",
    "/u/{handle}/following",
    "/u/{handle}/shop",
];

/// Files at the root, under names of their own.
const FIXED: &[&str] = &[
    "theme.js",
    "favicon.ico",
    "robots.txt",
    "manifest.webmanifest",
    "icon-192.png",
    "icon-512.png",
    "icon-maskable-512.png",
    "apple-touch-icon.png",
];

/// Routes of the playground, the demo and what both load.
pub fn routes(folder: &path::Path) -> Router<Served> {
    // Names of assets hold their hash: they never change.
    let immutable = SetResponseHeaderLayer::overriding(
        header::CACHE_CONTROL,
        HeaderValue::from_static("public, max-age=31536000, immutable"),
    );
    let assets = Router::new()
        .nest_service("/assets", precompressed(folder.join("assets")))
        .layer(immutable);
    let fixed = SetResponseHeaderLayer::overriding(
        header::CACHE_CONTROL,
        HeaderValue::from_static("public, max-age=3600"),
    );
    let fixed = FIXED
        .iter()
        .fold(Router::new(), |router, name| {
            router.route_service(&format!("/{name}"), precompressed_file(folder.join(name)))
        })
        .layer(fixed);
    // The demo without a network: a browser must not go on with an old one.
    let worker = SetResponseHeaderLayer::overriding(
        header::CACHE_CONTROL,
        HeaderValue::from_static("no-cache"),
    );
    let worker = Router::new()
        .route_service("/sw.js", precompressed_file(folder.join("sw.js")))
        .layer(worker);
    let demo = DEMO.iter().fold(Router::new(), |router, path| router.route(path, get(demo)));
    let demo = demo
        .route("/p/{id}", get(post))
        .route("/u/{handle}", get(person))
        .route("/shop/{id}", get(product))
        .route("/.well-known/security.txt", get(security));
    let policy = SetResponseHeaderLayer::if_not_present(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(POLICY),
    );
    Router::new()
        .merge(demo)
        .route("/graphiql", get(playground))
        .merge(assets)
        .merge(fixed)
        .merge(worker)
        .layer(policy)
}

/// A folder whose files have compressed ones beside them, made when the front end is built.
fn precompressed(folder: PathBuf) -> ServeDir {
    ServeDir::new(folder)
        .precompressed_br()
        .precompressed_gzip()
        .append_index_html_on_directories(false)
}

fn precompressed_file(file: PathBuf) -> ServeFile {
    ServeFile::new(file).precompressed_br().precompressed_gzip()
}

/// A page's HTML, for a browser that may have it already: in the smallest form there is that the
/// browser reads. `None` when the front end is not built.
async fn page(folder: &path::Path, name: &str, headers: &HeaderMap) -> Option<Response> {
    for (coding, ending) in [("br", ".br"), ("gzip", ".gz")] {
        if accepts(headers, coding)
            && let Ok(packed) = tokio::fs::read(folder.join(format!("{name}{ending}"))).await
        {
            let mut response = document(packed, headers);
            if response.status() == StatusCode::OK {
                response
                    .headers_mut()
                    .insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding));
            }
            return Some(response);
        }
    }
    Some(document(tokio::fs::read(folder.join(name)).await.ok()?, headers))
}

/// Bytes of an HTML page, or that they are still what the browser has.
fn document(bytes: Vec<u8>, headers: &HeaderMap) -> Response {
    let digest = Sha256::digest(&bytes);
    let tag = format!("\"{}\"", URL_SAFE_NO_PAD.encode(digest.get(..12).unwrap_or(&digest)));
    let known = headers.get_all(header::IF_NONE_MATCH).iter().any(|value| {
        value.to_str().is_ok_and(|tags| {
            tags.split(',').map(str::trim).any(|known| known == "*" || opaque(known) == tag)
        })
    });
    let head = [
        (header::CACHE_CONTROL, "no-cache".to_owned()),
        (header::VARY, "accept-encoding".to_owned()),
        (header::ETAG, tag),
    ];
    if known {
        return (StatusCode::NOT_MODIFIED, head).into_response();
    }
    (head, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], bytes).into_response()
}

/// A tag without its mark of weakness, which a proxy on the way may have put there.
fn opaque(tag: &str) -> &str {
    tag.strip_prefix("W/").unwrap_or(tag)
}

/// Whether a client reads this content coding: it names it, or `*`, and not with `q=0`.
pub(super) fn accepts(headers: &HeaderMap, coding: &str) -> bool {
    let mut any = false;
    for value in headers.get_all(header::ACCEPT_ENCODING) {
        for item in value.to_str().unwrap_or_default().split(',') {
            let (name, parameters) = item.split_once(';').unwrap_or((item, ""));
            let weight = parameters.trim().strip_prefix("q=").unwrap_or("1").trim();
            let wanted = weight.parse::<f32>().is_ok_and(|weight| weight > 0.0);
            if name.trim().eq_ignore_ascii_case(coding) {
                return wanted;
            }
            any |= name.trim() == "*" && wanted;
        }
    }
    any
}

async fn playground(State(served): State<Served>, headers: HeaderMap) -> Response {
    let server = &served.app.config.server;
    match page(&server.web_folder, "graphiql.html", &headers).await {
        Some(page) => page,
        None if server.development => graphiql::page().await.into_response(),
        None => not_built(),
    }
}

/// Whatever is nowhere: to a browser that opens a page the demo says so, in its own words. What is
/// asked for as a file (an icon, a script) is answered in one line.
pub async fn nowhere(
    State(served): State<Served>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let reads_pages = headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|accept| accept.contains("text/html"));
    let file = uri.path().rsplit('/').next().is_some_and(|name| name.contains('.'))
        || uri.path().starts_with("/.well-known/");
    let said = if method == Method::GET && reads_pages && !file {
        // Not from the browser's memory: a 304 would lose the status.
        page(&served.app.config.server.web_folder, "index.html", &unconditional(headers)).await
    } else {
        None
    };
    match said {
        Some(mut page) => {
            *page.status_mut() = StatusCode::NOT_FOUND;
            page.headers_mut().remove(header::ETAG);
            page.headers_mut()
                .insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
            page
        }
        None => (StatusCode::NOT_FOUND, "there is nothing here\n").into_response(),
    }
}

fn unconditional(mut headers: HeaderMap) -> HeaderMap {
    headers.remove(header::IF_NONE_MATCH);
    headers
}

/// Whom to report a weakness to (RFC 9116), where the operator has said so.
async fn security(State(served): State<Served>) -> Response {
    let Some(contact) = &served.app.config.server.security_contact else {
        return (StatusCode::NOT_FOUND, "there is nothing here\n").into_response();
    };
    let expires = served.app.domain.clock.now() + chrono::TimeDelta::days(180);
    let expires = expires.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    let text = format!("Contact: {contact}\nExpires: {expires}\nPreferred-Languages: en\n");
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response()
}

async fn post(
    State(served): State<Served>,
    Path(id): Path<String>,
    uri: Uri,
    Client(address): Client,
    headers: HeaderMap,
) -> Response {
    about(&served, preview::of_post(&served, address, &id).await, &uri, &headers).await
}

async fn person(
    State(served): State<Served>,
    Path(handle): Path<String>,
    uri: Uri,
    Client(address): Client,
    headers: HeaderMap,
) -> Response {
    about(&served, preview::of_person(&served, address, &handle).await, &uri, &headers).await
}

async fn product(
    State(served): State<Served>,
    Path(id): Path<String>,
    uri: Uri,
    Client(address): Client,
    headers: HeaderMap,
) -> Response {
    about(&served, preview::of_product(&served, address, &id).await, &uri, &headers).await
}

/// The demo's page with what it is about in its head; the plain one when that is not known, or not
/// everybody's to know.
async fn about(
    served: &Served,
    known: Option<preview::About>,
    uri: &Uri,
    headers: &HeaderMap,
) -> Response {
    let server = &served.app.config.server;
    if let Some(known) = known
        && let Ok(text) = tokio::fs::read_to_string(server.web_folder.join("index.html")).await
    {
        let url = format!("{}{}", server.public_url.trim_end_matches('/'), uri.path());
        return document(preview::with_preview(&text, &known, &url).into_bytes(), headers);
    }
    demo(State(served.clone()), headers.clone()).await
}

async fn demo(State(served): State<Served>, headers: HeaderMap) -> Response {
    let folder = &served.app.config.server.web_folder;
    page(folder, "index.html", &headers).await.unwrap_or_else(not_built)
}

/// What stands in place of a page whose files are not there.
fn not_built() -> Response {
    let message = "the front end is not built: run `make web`; the API is at /graphql\n";
    (StatusCode::NOT_FOUND, message).into_response()
}

#[cfg(test)]
mod tests {
    use super::DEMO;
    use plaza_domain::identity::is_reserved;

    #[test]
    fn nobody_is_called_as_a_page_is() {
        let served =
            ["/graphql", "/graphiql", "/assets", "/media", "/livez", "/readyz", "/metrics"];
        let first = |path: &&str| path.split('/').nth(1).unwrap_or_default().to_owned();
        let names: Vec<String> = DEMO.iter().chain(&served).map(first).collect();
        for name in names.iter().filter(|name| name.len() >= 3) {
            assert!(is_reserved(name), "{name}");
        }
    }
}
