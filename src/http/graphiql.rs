//! The playground.

use axum::response::Html;

/// GraphiQL with queries to begin with. The page itself is plaza's; GraphiQL's script and style are loaded from a public CDN (esm.sh) by the browser, so the
/// editor needs the internet; without it the page says so and shows how to ask with curl.
pub async fn page() -> Html<&'static str> {
    Html(include_str!("graphiql.html"))
}
