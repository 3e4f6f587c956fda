//! What serves clients: addresses, tokens, limits.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Deserialize;

use super::defaults;
use super::network::Network;

/// Bytes that a response may have unless configured otherwise.
pub const MAX_RESPONSE_BYTES: usize = 4 * 1024 * 1024;

/// `server.*`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServerConfig {
    /// Where GraphQL is served.
    pub listen: SocketAddr,
    /// The address clients use (nginx's), for printing and for links.
    pub public_url: String,
    /// Largest request body in bytes.
    pub body_limit: usize,
    /// Largest response body in bytes; a larger one is refused with `QUERY_TOO_COMPLEX`.
    pub max_response_bytes: usize,
    /// Time an operation may take, in milliseconds; with its commit 0.3 s more, well below the 4 s of
    /// an attempt of nginx's.
    pub deadline_ms: u64,
    /// Requests at work at the same time; more wait for a moment (40 ms) and are refused, with the
    /// advice to come back.
    pub max_in_flight: usize,
    /// Development conveniences: introspection and explanations for everyone. Off unless said
    /// otherwise; `make up` says so.
    pub development: bool,
    /// The only queries that run, when set: a JSON file of hash (or any id) to text.
    pub trusted_documents: Option<PathBuf>,
    /// Addresses (`10.0.0.0/8`) of proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<Network>,
    /// Origins of browsers' pages that may use the API; `public_url` always may.
    pub allowed_origins: Vec<String>,
    /// Whom to tell of a weakness, a `mailto:` or `https:` address: `/.well-known/security.txt` says
    /// so; without it there is none.
    pub security_contact: Option<String>,
    /// Where the built front end is (`web/dist`).
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
            max_in_flight: 96,
            development: false,
            trusted_documents: None,
            trusted_proxies: ["127.0.0.0/8", "::1/128"]
                .into_iter()
                .filter_map(Network::parse)
                .collect(),
            allowed_origins: Vec::new(),
            security_contact: None,
            web_folder: PathBuf::from("web/dist"),
        }
    }
}

/// `admin.*`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AdminConfig {
    /// Where `/livez`, `/readyz` and `/metrics` are served.
    pub listen: SocketAddr,
}

impl Default for AdminConfig {
    fn default() -> Self {
        Self { listen: SocketAddr::from(([127, 0, 0, 1], 4201)) }
    }
}

/// `auth.*`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthConfig {
    /// The Ed25519 private key (PKCS#8 PEM) that signs access tokens; `plaza keygen` makes one.
    pub signing_key_file: PathBuf,
    /// Other keys (private or public, PEM) whose tokens are accepted too: the next one before it
    /// signs, the last one until its tokens have ended.
    #[serde(default)]
    pub accepted_key_files: Vec<PathBuf>,
    /// How long an access token lives, in seconds.
    #[serde(default = "defaults::access_s")]
    pub access_ttl_s: u64,
    /// How long a refresh token lives, in seconds.
    #[serde(default = "defaults::refresh_s")]
    pub refresh_ttl_s: u32,
    /// How long a spent refresh token is taken for one that another tab traded at the same moment,
    /// or whose answer was lost, in seconds; afterwards it ends its session. 0: at once.
    #[serde(default = "defaults::refresh_grace_s")]
    pub refresh_grace_s: u32,
    /// How long a session lasts at most after its log-in, however often it is refreshed, in
    /// seconds.
    #[serde(default = "defaults::session_max_s")]
    pub session_max_s: u32,
    /// Password hashes computed at the same time, per process.
    #[serde(default = "defaults::hashers")]
    pub parallel_hashes: usize,
    /// argon2id memory in KiB.
    #[serde(default = "defaults::argon2_kib")]
    pub argon2_kib: u32,
}

/// `limits.*`: buckets that all servers share through Redis. A request costs what it may at most
/// ask for; what it did not use is given back.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsConfig {
    /// Points a logged-in viewer's bucket holds.
    pub viewer_points: u64,
    /// Points restored to it a second.
    pub viewer_points_per_s: u64,
    /// Points that an address's bucket holds, for the anonymous.
    pub address_points: u64,
    /// Points restored to it a second.
    pub address_points_per_s: u64,
    /// Wrong passwords in a row for one account from one address (IPv6: its /64), then one more a
    /// minute. A client that was logged in before has as many of its own.
    pub account_failures: u64,
    /// Wrong passwords for one account from everywhere, then `account_failures_anywhere / 10` more
    /// a minute; beyond that every address that is not known has one try in about eight minutes.
    pub account_failures_anywhere: u64,
    /// Wrong passwords from one address (IPv6: its /64), then `address_failures / 10` more a
    /// minute.
    pub address_failures: u64,
    /// Sign-ups from one address (IPv6: its /64) in an hour, those included that are refused: each
    /// is told whether its e-mail address has an account.
    pub address_sign_ups: u64,
    /// Images that a person may begin to upload in an hour.
    pub images_per_hour: u64,
    /// Posts, quotes and reposts of a person in an hour.
    pub posts_per_hour: u64,
    /// Comments of a person in an hour.
    pub comments_per_hour: u64,
    /// Follows, unfollows, blocks and their ends of a person in an hour.
    pub follows_per_hour: u64,
    /// Likes of a person, given or taken back, in an hour.
    pub likes_per_hour: u64,
    /// People whom a person mentions in an hour.
    pub mentions_per_hour: u64,
    /// Orders of a person, placed, cancelled or given back, in an hour.
    pub orders_per_hour: u64,
    /// Products that a person offers in an hour.
    pub products_per_hour: u64,
    /// Sockets open at one server from one address (IPv6: its /64).
    pub sockets_per_address: usize,
    /// How long the client of a new socket may take to say who it is, in milliseconds.
    pub socket_init_ms: u64,
    /// Operations running on one socket.
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
            sockets_per_address: 1_000,
            socket_init_ms: 10_000,
            subscriptions_per_socket: 50,
        }
    }
}
