//! What serves clients: addresses, tokens, limits.

use std::net::SocketAddr;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use super::defaults;
use super::network::Network;

/// Bytes that a response may have unless configured otherwise.
pub const MAX_RESPONSE_BYTES: usize = 4 * 1024 * 1024;

/// `server.*`: the public HTTP endpoint.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ServerConfig {
    /// Address on which GraphQL is served.
    pub listen: SocketAddr,
    /// Public URL of the service (nginx), used in links and allowed as an origin.
    pub public_url: String,
    /// Maximum size of a request body, in bytes.
    pub body_limit: usize,
    /// Maximum size of a response body, in bytes; larger responses are refused with
    /// `QUERY_TOO_COMPLEX`.
    pub max_response_bytes: usize,
    /// Deadline of an operation, in milliseconds. The commit may take 0.3 s longer; both together
    /// must stay below the 4 s that nginx allows an attempt.
    pub deadline_ms: u64,
    /// Whether responses of text from 1 KiB on are compressed by gzip for clients that take it.
    /// For a plaza without nginx in front, which does that.
    pub compress: bool,
    /// Maximum number of concurrent requests. Further requests wait up to 40 ms and are then
    /// refused with `OVERLOADED` and `Retry-After`.
    pub max_in_flight: usize,
    /// Whether everyone may use introspection and explanations. For development; `make up` sets it.
    pub development: bool,
    /// JSON file of hash (or any id) to text. If set, only these documents run.
    #[schemars(example = "trusted-documents.json")]
    pub trusted_documents: Option<PathBuf>,
    /// Networks of proxies whose `X-Forwarded-For` is trusted, in CIDR notation.
    #[schemars(with = "Vec<String>", extend("default" = ["127.0.0.0/8", "::1/128"]))]
    pub trusted_proxies: Vec<Network>,
    /// Origins of web pages that may use the API, besides `public_url`.
    pub allowed_origins: Vec<String>,
    /// Contact for security reports, a `mailto:` or `https:` URL, published at
    /// `/.well-known/security.txt`. Without it the page does not exist.
    #[schemars(example = "mailto:security@example.org")]
    pub security_contact: Option<String>,
    /// Folder of the built front end.
    pub web_folder: PathBuf,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 4101)),
            public_url: "http://127.0.0.1:4000".to_owned(),
            body_limit: 64 * 1024,
            max_response_bytes: MAX_RESPONSE_BYTES,
            deadline_ms: 2_500,
            compress: false,
            max_in_flight: 96,
            development: false,
            trusted_documents: None,
            trusted_proxies: this_machine(),
            allowed_origins: Vec::new(),
            security_contact: None,
            web_folder: PathBuf::from("web/dist"),
        }
    }
}

fn this_machine() -> Vec<Network> {
    ["127.0.0.0/8", "::1/128"].into_iter().filter_map(Network::parse).collect()
}

/// `admin.*`: the port for health and metrics.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AdminConfig {
    /// Address on which `/livez`, `/readyz`, `/metrics` and the operator's page are served. It has
    /// no authentication.
    pub listen: SocketAddr,
    /// Networks from which the operator's page and `/operator.json` are served, in CIDR notation;
    /// other addresses get 403. `kubectl port-forward` connects from 127.0.0.1.
    #[schemars(with = "Vec<String>", extend("default" = ["127.0.0.0/8", "::1/128"]))]
    pub operators: Vec<Network>,
}

impl Default for AdminConfig {
    fn default() -> Self {
        Self { listen: SocketAddr::from(([127, 0, 0, 1], 4201)), operators: this_machine() }
    }
}

/// `auth.*`: tokens and passwords.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AuthConfig {
    /// File with the Ed25519 private key (PKCS#8 PEM) that signs access tokens; `plaza keygen`
    /// creates one.
    #[schemars(example = ".local/signing-key.pem")]
    pub signing_key_file: PathBuf,
    /// Files with further keys (PEM) whose tokens are accepted: the next key before it signs, the
    /// previous one until its tokens have expired.
    #[serde(default)]
    pub accepted_key_files: Vec<PathBuf>,
    /// Lifetime of an access token, in seconds.
    #[serde(default = "defaults::access_s")]
    pub access_ttl_s: u64,
    /// Lifetime of a refresh token, in seconds.
    #[serde(default = "defaults::refresh_s")]
    pub refresh_ttl_s: u32,
    /// Time for which a used refresh token returns the same successor, in seconds; later use ends
    /// its session. 0 disables the grace.
    #[serde(default = "defaults::refresh_grace_s")]
    pub refresh_grace_s: u32,
    /// Maximum lifetime of a session after its log-in, in seconds.
    #[serde(default = "defaults::session_max_s")]
    pub session_max_s: u32,
    /// Concurrent password hashes per process.
    #[serde(default = "defaults::hashers")]
    pub parallel_hashes: usize,
    /// Memory of an argon2id hash, in KiB.
    #[serde(default = "defaults::argon2_kib")]
    pub argon2_kib: u32,
}

/// `limits.*`: rate limits. A request is charged the most that it may cost; what it did not use is
/// refunded.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsConfig {
    /// Capacity of a logged-in viewer's bucket, in points.
    pub viewer_points: u64,
    /// Refill of a viewer's bucket, in points per second.
    pub viewer_points_per_s: u64,
    /// Capacity of an address's bucket for anonymous requests, in points.
    pub address_points: u64,
    /// Refill of an address's bucket, in points per second.
    pub address_points_per_s: u64,
    /// Wrong passwords in a row for one account from one address (IPv6: its /64); then one more per
    /// minute. A device that was logged in before is counted separately.
    pub account_failures: u64,
    /// Wrong passwords for one account from all addresses; then a tenth of it per minute. Beyond
    /// that, each unknown address has one attempt in about eight minutes.
    pub account_failures_anywhere: u64,
    /// Wrong passwords from one address (IPv6: its /64); then a tenth of it per minute.
    pub address_failures: u64,
    /// Sign-ups from one address (IPv6: its /64) per hour, refused ones included, since each
    /// reveals whether its e-mail address has an account.
    pub address_sign_ups: u64,
    /// Uploads that a user may start per hour.
    pub images_per_hour: u64,
    /// Posts, quotes and reposts of a user per hour.
    pub posts_per_hour: u64,
    /// Comments of a user per hour.
    pub comments_per_hour: u64,
    /// Follows, unfollows, blocks and unblocks of a user per hour.
    pub follows_per_hour: u64,
    /// Likes and unlikes of a user per hour.
    pub likes_per_hour: u64,
    /// Users whom a user may mention per hour.
    pub mentions_per_hour: u64,
    /// Orders that a user places, cancels or refunds per hour.
    pub orders_per_hour: u64,
    /// Other changes of a user per hour: of the profile, of settings, of images and products,
    /// answers to follow requests, deletions, notifications marked as read.
    pub changes_per_hour: u64,
    /// Products that a user offers per hour.
    pub products_per_hour: u64,
    /// Open WebSockets per server from one address (IPv6: its /64).
    pub sockets_per_address: usize,
    /// Time within which the client of a new WebSocket must send `connection_init`, in
    /// milliseconds.
    pub socket_init_ms: u64,
    /// Concurrent operations on one WebSocket.
    pub subscriptions_per_socket: usize,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            viewer_points: 300_000,
            viewer_points_per_s: 5_000,
            address_points: 500_000,
            address_points_per_s: 20_000,
            account_failures: 10,
            account_failures_anywhere: 100,
            address_failures: 100,
            address_sign_ups: 20,
            images_per_hour: 200,
            posts_per_hour: 1_000,
            comments_per_hour: 2_000,
            follows_per_hour: 2_000,
            likes_per_hour: 5_000,
            mentions_per_hour: 1_000,
            orders_per_hour: 3_000,
            products_per_hour: 1_000,
            changes_per_hour: 3_000,
            sockets_per_address: 1_000,
            socket_init_ms: 10_000,
            subscriptions_per_socket: 50,
        }
    }
}
