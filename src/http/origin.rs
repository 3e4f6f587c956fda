//! Which browsers' pages may use the API. A client that is no browser sends no origin, and is not
//! meant.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header, request};
use tower_http::cors::{AllowOrigin, CorsLayer};

use super::identity::{CONSISTENCY, IDEMPOTENCY_KEY};
use plaza_config::ServerConfig;

/// Whether a page of the request's origin may use the API.
pub fn is_allowed(server: &ServerConfig, headers: &HeaderMap) -> bool {
    headers
        .get(header::ORIGIN)
        .is_none_or(|origin| origin.to_str().is_ok_and(|origin| allows(server, origin)))
}

fn allows(server: &ServerConfig, origin: &str) -> bool {
    let named = std::iter::once(&server.public_url).chain(&server.allowed_origins);
    named.into_iter().any(|allowed| origin == allowed.trim_end_matches('/'))
        || (server.development && is_loopback(origin))
}

/// Whether an origin is on this machine: development servers have ports of their own.
fn is_loopback(origin: &str) -> bool {
    let host = origin.strip_prefix("http://").unwrap_or_default();
    let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
    matches!(host, "localhost" | "127.0.0.1" | "[::1]")
}

/// The CORS response: these origins, these methods and headers, no cookies.
pub fn cors(server: &ServerConfig) -> CorsLayer {
    let server = server.clone();
    let origins = move |origin: &HeaderValue, _: &request::Parts| {
        origin.to_str().is_ok_and(|origin| allows(&server, origin))
    };
    let named = |name: &'static str| HeaderName::from_static(name);
    CorsLayer::new()
        .allow_origin(AllowOrigin::predicate(origins))
        .allow_methods([Method::GET, Method::POST, Method::PUT])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            named(IDEMPOTENCY_KEY),
            named(CONSISTENCY),
            named("plaza-explain"),
            named("graphql-require-preflight"),
            named("apollo-require-preflight"),
            named("traceparent"),
            // Those of OpenTelemetry's, Sentry's and Apollo's clients: taken, and not needed.
            named("tracestate"),
            named("baggage"),
            named("sentry-trace"),
            named("apollographql-client-name"),
            named("apollographql-client-version"),
            named("x-apollo-operation-name"),
            named("x-request-id"),
        ])
        .expose_headers([
            named(CONSISTENCY),
            named("x-request-id"),
            header::RETRY_AFTER,
            header::WWW_AUTHENTICATE,
        ])
        .max_age(Duration::from_secs(600))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_loopback() {
        for own in ["http://localhost:5173", "http://127.0.0.1:4000", "http://[::1]:1"] {
            assert!(is_loopback(own), "{own}");
        }
        for other in [
            "http://localhost.evil.com",
            "https://evil.com",
            "http://127.0.0.1.evil.com:80",
            "null",
            "",
        ] {
            assert!(!is_loopback(other), "{other}");
        }
    }

    #[test]
    fn a_page_elsewhere_is_refused_and_no_page_is_not() {
        let server = ServerConfig {
            allowed_origins: vec!["https://shop.example".to_owned()],
            development: false,
            ..ServerConfig::default()
        };
        let of = |origin: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            if let Some(origin) = origin {
                headers.insert(header::ORIGIN, HeaderValue::from_static(origin));
            }
            is_allowed(&server, &headers)
        };
        assert!(of(None) && of(Some("https://shop.example")) && of(Some("http://127.0.0.1:4000")));
        for foreign in [
            "https://evil.example",
            "null",
            "http://localhost:5173",
            "https://shop.example.evil.example",
        ] {
            assert!(!of(Some(foreign)), "{foreign}");
        }
    }
}
