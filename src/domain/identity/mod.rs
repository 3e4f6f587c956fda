//! Sign-up, log-in, sessions, tokens.

mod limits;
mod passwords;
pub mod revocations;
mod sessions;
mod sign_up;
mod tokens;

use chrono::{DateTime, Utc};

use crate::config::{AuthConfig, LimitsConfig};
use crate::domain::{DomainError, Viewer};
use crate::stores::redis::rate_limit::Bucket;

pub use sessions::{Session, log_in, log_out, refresh, revoke, sessions};
pub use sign_up::{SignUp, sign_up};
pub use tokens::{Tokens, generate_key_file};

/// Password hashing and token keys.
#[derive(Debug)]
pub struct Identity {
    passwords: passwords::Passwords,
    tokens: Tokens,
    refresh_ttl_s: i64,
    /// Sessions that have ended.
    pub revocations: revocations::Revocations,
    limits: Limits,
}

/// How many wrong passwords, and sign-ups, are let through.
#[derive(Debug, Clone, Copy)]
struct Limits {
    account: Bucket,
    address: Bucket,
    sign_ups: Bucket,
}

impl Identity {
    /// Reads the signing key file.
    ///
    /// # Errors
    /// No such file, or not an Ed25519 key.
    pub fn new(config: &AuthConfig, limits: &LimitsConfig) -> Result<Self, DomainError> {
        Ok(Self {
            passwords: passwords::Passwords::new(config)?,
            tokens: Tokens::new(config)?,
            refresh_ttl_s: i64::try_from(config.refresh_ttl_s).unwrap_or(i64::MAX),
            revocations: revocations::Revocations::new(config.access_ttl_s),
            limits: Limits::of(limits),
        })
    }

    /// The viewer an access token names; `None` when it is not good: expired, forged, malformed,
    /// for somebody else, or of a session that has ended.
    pub fn viewer_of(&self, clock: &crate::clock::Clock, access_token: &str) -> Option<Viewer> {
        self.tokens
            .verify(clock.now(), access_token)
            .filter(|viewer| !self.revocations.has_ended(viewer.session_id))
    }

    /// The public keys as a JWKS document.
    pub fn jwks(&self) -> serde_json::Value {
        self.tokens.jwks()
    }

    /// A number that stands for whoever these bytes name, and does not tell them: the same on every
    /// server, until the signing key changes.
    pub fn pseudonym(&self, of: &[u8]) -> u64 {
        self.tokens.pseudonym(of)
    }

    /// argon2id of a password, as a PHC string.
    ///
    /// # Errors
    /// [`DomainError::Internal`] when hashing itself fails.
    pub async fn hash(&self, password: String) -> Result<String, DomainError> {
        self.passwords.hash(password).await
    }
}

/// A successful sign-up, log-in or refresh.
#[derive(Debug, Clone)]
pub struct Authenticated {
    /// Who.
    pub viewer: Viewer,
    /// A JWT.
    pub access_token: String,
    /// Opaque; good once.
    pub refresh_token: String,
    /// When the access token ends.
    pub expires_at: DateTime<Utc>,
}
