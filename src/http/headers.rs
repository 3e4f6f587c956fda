//! What every response says about itself, so that it holds with nginx in front and without.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use plaza_config::ServerConfig;
use plaza_config::network::Network;

/// What browsers may do with a response of ours, whatever it is: take it for nothing but what it
/// says it is; send other sites no more of an address than its origin.
const ALWAYS: [(HeaderName, &str); 2] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "strict-origin-when-cross-origin"),
];
/// The same of what can be shown by itself: share no window with pages of other origins; use none
/// of the machine's devices. A script, a style or a font is never asked: a page of ten of them is
/// 2 KB lighter without.
const SHOWN: [(HeaderName, &str); 2] = [
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
    let worker = request.uri().path().contains("worker") || request.uri().path() == "/sw.js";
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in &ALWAYS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if is_part(headers) && !worker {
        headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(NO_PAGE));
    } else {
        for (name, value) in &SHOWN {
            headers.insert(name, HeaderValue::from_static(value));
        }
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

/// Whether it is a script, a style or a font: a part of a page, which has the page's policy. A
/// worker is none: it has its own.
fn is_part(headers: &HeaderMap) -> bool {
    let of = headers.get(header::CONTENT_TYPE).and_then(|of| of.to_str().ok()).unwrap_or_default();
    ["text/javascript", "text/css", "font/"].iter().any(|part| of.starts_with(part))
}

fn if_absent(headers: &mut HeaderMap, name: HeaderName, value: &'static str) {
    headers.entry(name).or_insert(HeaderValue::from_static(value));
}

/// Refuses a request for a name of the internet on a port that is for operators alone (421): a page
/// whose name was made to lead here would read it from within an operator's browser. An address, a
/// name without dots and a name of an inner domain are one's own.
pub async fn only_by_an_inner_name(request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    if host.is_none_or(is_inner) { next.run(request).await } else { refused_name() }
}

fn refused_name() -> Response {
    let message = "this port is reached by an address or a name of an inner network\n";
    (StatusCode::MISDIRECTED_REQUEST, message).into_response()
}

/// Refuses who connects from none of these networks (403): the page names servers, queues and
/// operations, which who gathers metrics need not see.
pub async fn only_from(
    State(operators): State<Arc<[Network]>>,
    request: Request,
    next: Next,
) -> Response {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let peer = peer.map(|peer| peer.0.ip().to_canonical());
    if peer.is_some_and(|peer| operators.iter().any(|network| network.contains(peer))) {
        return next.run(request).await;
    }
    let message = "the operator's page is served to the networks of admin.operators\n";
    (StatusCode::FORBIDDEN, message).into_response()
}

fn is_inner(host: &str) -> bool {
    const DOMAINS: [&str; 5] = [".svc", ".local", ".internal", ".localhost", ".home.arpa"];
    let Ok(authority) = host.parse::<Authority>() else { return false };
    let name = authority.host().trim_end_matches('.').to_ascii_lowercase();
    let is_address = name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
    is_address || !name.contains('.') || DOMAINS.iter().any(|domain| name.ends_with(domain))
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use tower::ServiceExt;

    use super::*;

    /// What the admin port answers to whoever comes from there.
    async fn asked_from(peer: &str, path: &str) -> Response {
        let router = crate::admin_router(&crate::tests::app());
        let peer = SocketAddr::new(peer.parse().unwrap(), 40_000);
        let request = axum::http::Request::builder().uri(path).header(header::HOST, "10.1.2.3");
        let request = request.extension(ConnectInfo(peer)).body(Body::empty()).unwrap();
        router.oneshot(request).await.unwrap()
    }

    #[tokio::test]
    async fn who_gathers_metrics_from_elsewhere_sees_no_operators_page() {
        for (peer, path, status) in [
            ("127.0.0.1", "/", StatusCode::OK),
            ("::ffff:127.0.0.1", "/", StatusCode::OK),
            ("::1", "/", StatusCode::OK),
            ("10.9.8.7", "/", StatusCode::FORBIDDEN),
            ("10.9.8.7", "/operator.json", StatusCode::FORBIDDEN),
            ("10.9.8.7", "/metrics", StatusCode::OK),
            ("10.9.8.7", "/livez", StatusCode::OK),
        ] {
            let answer = asked_from(peer, path).await;
            assert_eq!(answer.status(), status, "{peer} {path}");
            let policy = answer.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
            assert!(policy.contains("frame-ancestors 'none'"), "{peer} {path}: {policy}");
        }
    }

    #[tokio::test]
    async fn scripts_styles_and_fonts_are_spared_what_only_pages_are_asked() {
        let policy = |of: &'static str| {
            let router: Router = Router::new().fallback(move || async move {
                ([(header::CONTENT_TYPE, of), (header::CONTENT_SECURITY_POLICY, "x")], "")
            });
            hardened(router, &ServerConfig::default())
        };
        for (path, of, shown) in [
            ("/assets/a.js", "text/javascript", false),
            ("/assets/a.css", "text/css", false),
            ("/assets/a.woff2", "font/woff2", false),
            ("/assets/a.worker-x.js", "text/javascript", true),
            ("/sw.js", "text/javascript", true),
            ("/", "text/html; charset=utf-8", true),
            ("/assets/a.svg", "image/svg+xml", true),
        ] {
            let request = axum::http::Request::builder().uri(path).body(Body::empty()).unwrap();
            let headers = policy(of).oneshot(request).await.unwrap().headers().clone();
            assert_eq!(headers.contains_key("permissions-policy"), shown, "{path}");
            assert_eq!(headers[header::CONTENT_SECURITY_POLICY] == "x", shown, "{path}");
            assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff", "{path}");
        }
    }

    #[test]
    fn names_of_the_internet_are_not_ones_own() {
        for inner in [
            "127.0.0.1:4201",
            "10.1.2.3",
            "[::1]:4201",
            "localhost:4201",
            "plaza-admin:4201",
            "api.plaza.svc:4201",
            "api.plaza.svc.cluster.local:4201",
            "host.docker.internal:4201",
        ] {
            assert!(is_inner(inner), "{inner}");
        }
        for outer in [
            "evil.example:4201",
            "127.0.0.1.evil.example",
            "svc.example",
            "localhost.evil.example:4201",
            "",
            "a b",
        ] {
            assert!(!is_inner(outer), "{outer}");
        }
    }
}
