//! What every response says about itself, so that it holds with nginx in front and without.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::Response;

use plaza_config::ServerConfig;

/// What browsers may do with a response of ours, whatever it is: take it for nothing but what it
/// says it is; send other sites no more of an address than its origin; share no window with pages
/// of other origins; use none of the machine's devices.
const ALWAYS: [(HeaderName, &str); 4] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "strict-origin-when-cross-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (
        HeaderName::from_static("permissions-policy"),
        "accelerometer=(), camera=(), geolocation=(), gyroscope=(), magnetometer=(), microphone=(), payment=(), usb=()",
    ),
];
/// What is no page loads nothing and is shown in nobody's frame.
const NO_PAGE: &str =
    "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";
/// For a year browsers come by TLS only, where the public address is one of TLS.
const TLS_ONLY: &str = "max-age=31536000";

/// Adds to every response of a router what browsers must know of it.
pub fn hardened<S: Clone + Send + Sync + 'static>(
    router: Router<S>,
    server: &ServerConfig,
) -> Router<S> {
    let by_tls = server.public_url.starts_with("https://");
    router.layer(axum::middleware::from_fn_with_state(by_tls, harden))
}

async fn harden(State(by_tls): State<bool>, request: Request, next: Next) -> Response {
    // Whatever comes back may hold a token, or what one viewer may see.
    let private = request.uri().path() == "/graphql" && request.method() == Method::POST;
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in &ALWAYS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if_absent(headers, header::CONTENT_SECURITY_POLICY, NO_PAGE);
    if by_tls {
        if_absent(headers, header::STRICT_TRANSPORT_SECURITY, TLS_ONLY);
    }
    if private {
        if_absent(headers, header::CACHE_CONTROL, "no-store");
    }
    response
}

fn if_absent(headers: &mut HeaderMap, name: HeaderName, value: &'static str) {
    headers.entry(name).or_insert(HeaderValue::from_static(value));
}
