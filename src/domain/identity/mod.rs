//! Sign-up, log-in, sessions, tokens.

mod device;
mod keys;
mod limits;
mod name;
mod passwords;
mod refresh;
mod reserved;
pub mod revocations;
mod seals;
mod sessions;
mod sign_up;
mod tokens;

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use crate::{DomainError, Viewer};
use device::Device;
use plaza_config::{AuthConfig, LimitsConfig};
use plaza_stores::redis::rate_limit::Bucket;

pub use keys::{Keys, generate_key_file};
pub use refresh::refresh;
pub use reserved::is_reserved;
pub use seals::Seals;
pub use sessions::{Session, log_in, log_out, revoke, revoke_others, session, sessions};
pub use sign_up::{SignUp, sign_up};
pub use tokens::{Holder, Tokens};

/// Password hashing and token keys.
#[derive(Debug)]
pub struct Identity {
    passwords: passwords::Passwords,
    tokens: Tokens,
    refresh_ttl_s: i64,
    /// How long a spent refresh token is taken for another tab's, or a retry.
    refresh_grace: TimeDelta,
    /// How long a session lasts at most, however often it is refreshed.
    session_max_s: i64,
    successors: refresh::Successors,
    /// Sessions that have ended.
    pub revocations: revocations::Revocations,
    limits: Limits,
    /// What clients hold for us: cursors, consistency tokens.
    pub seals: Arc<Seals>,
}

/// How many wrong passwords, and sign-ups, are let through.
#[derive(Debug, Clone, Copy)]
struct Limits {
    /// One account from one address.
    account: Bucket,
    /// One account from everywhere together.
    anywhere: Bucket,
    address: Bucket,
    sign_ups: Bucket,
}

impl Identity {
    /// With these keys.
    ///
    /// # Errors
    /// One that is not an Ed25519 key.
    pub fn new(
        config: &AuthConfig,
        limits: &LimitsConfig,
        keys: &Keys,
    ) -> Result<Self, DomainError> {
        let secrets = keys.secrets();
        Ok(Self {
            seals: Arc::new(Seals::new(&secrets)?),
            passwords: passwords::Passwords::new(config)?,
            tokens: Tokens::new(config, keys)?,
            refresh_ttl_s: i64::from(config.refresh_ttl_s),
            refresh_grace: TimeDelta::seconds(i64::from(config.refresh_grace_s)),
            session_max_s: i64::from(config.session_max_s),
            successors: refresh::Successors::new(&secrets),
            revocations: revocations::Revocations::new(config.access_ttl_s),
            limits: Limits::of(limits),
        })
    }

    /// Whom an access token names, and until when; `None` when it is not good: expired, forged,
    /// malformed, for somebody else, or of a session that has ended.
    pub fn holder_of(
        &self,
        clock: &plaza_base::clock::Clock,
        access_token: &str,
    ) -> Option<Holder> {
        self.tokens
            .verify(clock.now(), access_token)
            .filter(|holder| !self.revocations.has_ended(holder.viewer.session_id))
    }

    /// Whom an access token of ours names, whether or not it is still good: enough to end its
    /// session, and for nothing else.
    pub fn named_by(&self, access_token: &str) -> Option<Viewer> {
        self.tokens.of_any_age(access_token)
    }

    /// The public keys as a JWKS document.
    pub fn jwks(&self) -> serde_json::Value {
        self.tokens.jwks()
    }

    /// A number that stands for whoever these bytes name, and does not reveal them: the same on
    /// every server, until the signing key changes.
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
    /// Says at later log-ins that this client was logged in before.
    pub device_token: String,
}
