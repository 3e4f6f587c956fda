//! The front end: what Vite has built, served from a folder. Nothing in it is loaded from anywhere
//! else, and the browser is told so.

use std::path::{Path, PathBuf};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use tower_http::services::ServeDir;
use tower_http::set_header::SetResponseHeaderLayer;

use super::{Served, graphiql};

/// What the pages may load: themselves. The editor starts its workers from blobs and styles its
/// text inline; what is about to be uploaded is shown from a blob.
const POLICY: &str = "default-src 'self'; script-src 'self'; worker-src 'self' blob:; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' ws: wss:; frame-ancestors 'none'; base-uri 'none'; \
    form-action 'self'";

/// The demo's own addresses; it reads them itself.
const DEMO: &[&str] = &[
    "/",
    "/p/{id}",
    "/u/{handle}",
    "/shop",
    "/shop/{id}",
    "/orders",
    "/notifications",
    "/sessions",
    "/login",
    "/signup",
    "/notifications/all",
    "/notifications/preferences",
    "/search",
    "/p/{id}/quote",
    "/tag/{name}",
    "/analytics",
];

/// Routes of the playground, the demo and what both load.
pub fn routes(folder: &Path) -> Router<Served> {
    // Names of assets hold their hash: they never change.
    let immutable = SetResponseHeaderLayer::overriding(
        header::CACHE_CONTROL,
        HeaderValue::from_static("public, max-age=31536000, immutable"),
    );
    let assets = Router::new()
        .nest_service("/assets", ServeDir::new(folder.join("assets")))
        .layer(immutable);
    let demo = DEMO.iter().fold(Router::new(), |router, path| router.route(path, get(demo)));
    let policy = SetResponseHeaderLayer::if_not_present(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(POLICY),
    );
    Router::new().merge(demo).route("/graphiql", get(playground)).merge(assets).layer(policy)
}

async fn page(file: PathBuf) -> Option<Response> {
    let text = tokio::fs::read_to_string(file).await.ok()?;
    Some(([(header::CACHE_CONTROL, "no-cache")], Html(text)).into_response())
}

async fn playground(State(served): State<Served>) -> Response {
    match page(served.app.config.server.web_folder.join("graphiql.html")).await {
        Some(page) => page,
        None => graphiql::page().await.into_response(),
    }
}

/// Whatever is nowhere: to a browser the demo says so, in its own words.
pub async fn nowhere(State(served): State<Served>, method: Method, headers: HeaderMap) -> Response {
    let reads_pages = headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|accept| accept.contains("text/html"));
    let said = if method == Method::GET && reads_pages {
        page(served.app.config.server.web_folder.join("index.html")).await
    } else {
        None
    };
    match said {
        Some(mut page) => {
            *page.status_mut() = StatusCode::NOT_FOUND;
            page.headers_mut()
                .insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
            page
        }
        None => (StatusCode::NOT_FOUND, "there is nothing here\n").into_response(),
    }
}

async fn demo(State(served): State<Served>) -> Response {
    let missing = || {
        (
            StatusCode::NOT_FOUND,
            "the front end is not built: run `make web`; the API is at /graphql\n",
        )
            .into_response()
    };
    page(served.app.config.server.web_folder.join("index.html")).await.unwrap_or_else(missing)
}

#[cfg(test)]
mod tests {
    use super::DEMO;
    use crate::domain::identity::is_reserved;

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
