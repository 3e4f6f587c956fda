//! Sessions: one a log-in. A refresh token is opaque, stored as a hash, and good once.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use rand::RngCore;
use sha2::Digest;

use super::Authenticated;
use crate::domain::users::is_handle;
use crate::domain::{Domain, DomainError, Operation, UserError, UserErrorCode, Viewer};
use crate::ids::{Bucket, Id, SessionId, UserId};
use crate::stores::postgres::{Connection, ReadSession, claims, sessions as store, users as user_rows};

/// Random bytes in a refresh token.
const SECRET_BYTES: usize = 32;

/// A session of the viewer's.
#[derive(Debug, Clone)]
pub struct Session {
    /// Id.
    pub id: SessionId,
    /// When it ends unless it is refreshed.
    pub expires_at: DateTime<Utc>,
    /// The one that asks.
    pub is_current: bool,
}

fn wrong() -> DomainError {
    DomainError::Rejected(vec![UserError {
        code: UserErrorCode::InvalidCredentials,
        message: "wrong handle or password".to_owned(),
        path: vec!["input".to_owned()],
    }])
}

struct Secret {
    bytes: [u8; SECRET_BYTES],
}

impl Secret {
    fn new() -> Self {
        let mut bytes = [0; SECRET_BYTES];
        rand::rng().fill_bytes(&mut bytes);
        Self { bytes }
    }

    fn hash(&self) -> Vec<u8> {
        sha2::Sha256::digest(self.bytes).to_vec()
    }

    /// The token: the session's id and the secret.
    fn token(&self, session: SessionId) -> String {
        let mut token = session.as_i64().to_be_bytes().to_vec();
        token.extend_from_slice(&self.bytes);
        URL_SAFE_NO_PAD.encode(token)
    }

    fn parse(token: &str) -> Option<(SessionId, Self)> {
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (id, secret) = bytes.split_first_chunk::<8>()?;
        let id = i64::from_be_bytes(*id);
        (id > 0).then_some((SessionId::from_i64(id), Self { bytes: secret.try_into().ok()? }))
    }
}

fn authenticated(domain: &Domain, user: UserId, session: SessionId, secret: &Secret) -> Result<Authenticated, DomainError> {
    let viewer = Viewer { user_id: user, session_id: session };
    let (access_token, expires_at) = domain.identity.tokens.issue(domain.clock.now(), viewer)?;
    Ok(Authenticated { viewer, access_token, refresh_token: secret.token(session), expires_at })
}

/// A new session for somebody who has proven who they are.
pub(super) async fn begin_session(op: &Operation, domain: &Domain, user: UserId) -> Result<Authenticated, DomainError> {
    let secret = Secret::new();
    let expires_at = domain.clock.now() + TimeDelta::seconds(domain.identity.refresh_ttl_s);
    let shard = domain.cluster.shard_of_id(user);
    let committed = domain
        .cluster
        .write(shard, op.deadline, async |connection: &mut Connection| -> Result<SessionId, DomainError> {
            Ok(store::insert(connection, user.bucket(), user.as_i64(), &secret.hash(), expires_at).await?.id)
        })
        .await?;
    op.wrote(shard, committed.lsn, domain.clock.now_ms());
    authenticated(domain, user, committed.value, &secret)
}

/// Logs in by handle and password. Somebody who does not exist is answered as slowly as a wrong password.
///
/// # Errors
/// [`UserErrorCode::InvalidCredentials`]; a shard that is away.
pub async fn log_in(op: &Operation, domain: &Domain, handle: &str, password: String) -> Result<Authenticated, DomainError> {
    if super::passwords::checked(&password).is_err() {
        return Err(wrong());
    }
    let handle = handle.trim().to_lowercase();
    let session = ReadSession::primary(domain.cluster.len());
    let shard = domain.cluster.shard_of(Bucket::of_text(&handle));
    let claim = if is_handle(&handle) {
        domain.cluster.read(&session, shard, async |connection: &mut Connection| claims::handle_claim(connection, &handle).await).await?
    } else {
        None
    };
    let mut hash = None;
    if let Some(claim) = &claim {
        let id = claim.user_id.as_i64();
        let shard = domain.cluster.shard_of_id(claim.user_id);
        hash = domain
            .cluster
            .read(&session, shard, async |connection: &mut Connection| user_rows::password_hash(connection, id).await)
            .await?;
    }
    let right = domain.identity.passwords.verify(password, hash).await?;
    match claim {
        Some(claim) if right => begin_session(op, domain, claim.user_id).await,
        _ => Err(wrong()),
    }
}

/// Trades a refresh token for new tokens; the old one is used up.
///
/// # Errors
/// [`UserErrorCode::InvalidCredentials`] for one that is unknown, used up, revoked or expired; its shard is away.
pub async fn refresh(op: &Operation, domain: &Domain, refresh_token: &str) -> Result<Authenticated, DomainError> {
    let refused =
        || DomainError::rejected(UserErrorCode::InvalidCredentials, "refreshToken", "the refresh token is not (or no longer) good");
    let (id, held) = Secret::parse(refresh_token).ok_or_else(refused)?;
    let next = Secret::new();
    let now = domain.clock.now();
    let expires_at = now + TimeDelta::seconds(domain.identity.refresh_ttl_s);
    let shard = domain.cluster.shard_of_id(id);
    let committed = domain
        .cluster
        .write(shard, op.deadline, async |connection: &mut Connection| -> Result<Option<store::SessionRow>, DomainError> {
            Ok(store::rotate(connection, id.as_i64(), &held.hash(), &next.hash(), now, expires_at).await?)
        })
        .await?;
    op.wrote(shard, committed.lsn, domain.clock.now_ms());
    let row = committed.value.ok_or_else(refused)?;
    authenticated(domain, row.user_id, row.id, &next)
}

/// Ends the viewer's session: its refresh token is good for nothing; its access token ends by itself within minutes. True when it was alive.
///
/// # Errors
/// [`DomainError::Unauthenticated`]; the viewer's shard is away.
pub async fn log_out(op: &Operation, domain: &Domain) -> Result<bool, DomainError> {
    let viewer = op.require_viewer()?;
    let (now, shard) = (domain.clock.now(), domain.cluster.shard_of_id(viewer.session_id));
    let committed = domain
        .cluster
        .write(shard, op.deadline, async |connection: &mut Connection| -> Result<bool, DomainError> {
            Ok(store::revoke(connection, viewer.session_id.as_i64(), viewer.user_id.as_i64(), now).await?)
        })
        .await?;
    op.wrote(shard, committed.lsn, domain.clock.now_ms());
    Ok(committed.value)
}

/// The viewer's live sessions, newest first, at most 100.
///
/// # Errors
/// [`DomainError::Unauthenticated`]; the viewer's shard is away.
pub async fn sessions(op: &Operation, domain: &Domain) -> Result<Vec<Session>, DomainError> {
    let viewer = op.require_viewer()?;
    let (now, shard) = (domain.clock.now(), domain.cluster.shard_of_id(viewer.user_id));
    let rows = domain
        .cluster
        .read(&op.reads, shard, async |connection: &mut Connection| store::live(connection, viewer.user_id.as_i64(), now).await)
        .await?;
    let session = |row: store::SessionRow| Session { id: row.id, expires_at: row.expires_at, is_current: row.id == viewer.session_id };
    Ok(rows.into_iter().map(session).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refresh_token_names_its_session_and_nothing_else_is_one() {
        let secret = Secret::new();
        let (id, parsed) = Secret::parse(&secret.token(SessionId::from_i64(42))).unwrap();
        assert_eq!(id, SessionId::from_i64(42));
        assert_eq!(parsed.hash(), secret.hash());
        assert!(Secret::parse("").is_none());
        assert!(Secret::parse("AAAA").is_none());
    }
}
