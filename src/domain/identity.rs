//! Sign-up, log-in, sessions, tokens.
use super::{Domain, DomainError, Operation, Viewer};
use crate::ids::UserId;
use chrono::{DateTime, Utc};

/// Password hashing (argon2id on its own threads behind a semaphore) and token keys (EdDSA).
#[derive(Debug)]
pub struct Identity {}
impl Identity {
    /// Reads the signing key file.
    pub fn new(config: &crate::config::AuthConfig) -> Result<Self, DomainError> { todo!() }
    /// The viewer an access token (JWT, EdDSA, `aud` plaza, `iss` plaza, kid) names; `None` when it is not good (expired, forged, malformed).
    pub fn viewer_of(&self, clock: &crate::clock::Clock, access_token: &str) -> Option<Viewer> { todo!() }
    /// The public keys as a JWKS document.
    pub fn jwks(&self) -> serde_json::Value { todo!() }
    /// Makes a key file (PKCS#8 PEM, mode 600) unless there is one.
    pub fn generate_key_file(path: &std::path::Path) -> std::io::Result<bool> { todo!() }
    /// argon2id PHC string of a password.
    pub async fn hash(&self, password: String) -> Result<String, DomainError> { todo!() }
}
/// A successful sign-up, log-in or refresh.
#[derive(Debug, Clone)]
pub struct Authenticated { /// Who.
    pub viewer: Viewer, /// JWT.
    pub access_token: String, /// Opaque.
    pub refresh_token: String, /// When the access token ends.
    pub expires_at: DateTime<Utc> }
/// What a sign-up asks.
#[derive(Debug, Clone)]
pub struct SignUp { /// 3 to 30 of a-z, 0-9, _ (case folded).
    pub handle: String, /// Up to 254 characters.
    pub email: String, /// 8 to 1,024 bytes.
    pub password: String, /// Name as shown.
    pub display_name: String }
/// Makes an account and logs it in.
pub async fn sign_up(op: &Operation, domain: &Domain, input: SignUp) -> Result<Authenticated, DomainError> { todo!() }
/// Logs in by handle and password.
pub async fn log_in(op: &Operation, domain: &Domain, handle: &str, password: String) -> Result<Authenticated, DomainError> { todo!() }
/// Trades a refresh token for new tokens; the old one is used up.
pub async fn refresh(op: &Operation, domain: &Domain, refresh_token: &str) -> Result<Authenticated, DomainError> { todo!() }
/// Ends the viewer's session. True when it was alive.
pub async fn log_out(op: &Operation, domain: &Domain) -> Result<bool, DomainError> { todo!() }
/// A session of the viewer's.
#[derive(Debug, Clone)]
pub struct Session { /// Id.
    pub id: crate::ids::SessionId, /// End.
    pub expires_at: DateTime<Utc>, /// The one asking.
    pub is_current: bool }
/// The viewer's live sessions.
pub async fn sessions(op: &Operation, domain: &Domain) -> Result<Vec<Session>, DomainError> { todo!() }
