//! The playground.

use axum::http::header;
use axum::response::{Html, IntoResponse};

/// GraphiQL with queries to begin with. The page itself is plaza's; GraphiQL's script and style are
/// loaded from a public CDN (esm.sh) by the browser, so the editor needs the internet; without it
/// the page says so and shows how to ask with curl. It is what there is in development until `web/`
/// is built, and nowhere else: those scripts can read what the front end keeps on this origin,
/// tokens among it.
pub async fn page() -> impl IntoResponse {
    // The policy of the built pages would forbid the CDN.
    let policy = "default-src 'self' https://esm.sh 'unsafe-inline' 'unsafe-eval' data: blob:";
    ([(header::CONTENT_SECURITY_POLICY, policy)], Html(include_str!("graphiql.html")))
}
