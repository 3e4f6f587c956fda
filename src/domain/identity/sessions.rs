//! Sessions: one a log-in. A refresh token is opaque, stored as a hash, and good once.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use rand::RngCore;
use sha2::Digest;

use super::{Authenticated, limits};
use crate::domain::users::is_handle;
use crate::domain::{
    Domain, DomainError, Mutation, Operation, Tx, UserError, UserErrorCode, Viewer, mutate,
};
use crate::ids::{Bucket, Id, SessionId, UserId};
use crate::stores::postgres::{
    Connection, ReadSession, claims, sessions as store, users as user_rows,
};

/// Random bytes in a refresh token.
const SECRET_BYTES: usize = 32;

/// A session of the viewer's.
#[derive(Debug, Clone)]
pub struct Session {
    /// Id.
    pub id: SessionId,
    /// When it ends unless it is refreshed.
    pub expires_at: DateTime<Utc>,
    /// When tokens were last taken from it.
    pub last_used_at: DateTime<Utc>,
    /// What the client called itself.
    pub user_agent: Option<String>,
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

fn authenticated(
    domain: &Domain,
    user: UserId,
    session: SessionId,
    secret: &Secret,
) -> Result<Authenticated, DomainError> {
    let viewer = Viewer { user_id: user, session_id: session };
    let (access_token, expires_at) = domain.identity.tokens.issue(domain.clock.now(), viewer)?;
    Ok(Authenticated { viewer, access_token, refresh_token: secret.token(session), expires_at })
}

/// A new session for somebody who has proven who they are.
pub(super) async fn begin_session(
    op: &Operation,
    domain: &Domain,
    user: UserId,
) -> Result<Authenticated, DomainError> {
    let secret = Secret::new();
    let expires_at = domain.clock.now() + TimeDelta::seconds(domain.identity.refresh_ttl_s);
    let shard = domain.cluster.shard_of_id(user);
    let committed = domain
        .cluster
        .write(
            shard,
            op.deadline,
            async |connection: &mut Connection| -> Result<SessionId, DomainError> {
                Ok(store::insert(
                    connection,
                    user.bucket(),
                    user.as_i64(),
                    &secret.hash(),
                    expires_at,
                    op.user_agent.as_deref(),
                )
                .await?
                .id)
            },
        )
        .await?;
    op.wrote(shard, committed.lsn, domain.clock.now_ms());
    authenticated(domain, user, committed.value, &secret)
}

/// Logs in by handle and password. Somebody who does not exist is answered as slowly as a wrong
/// password.
///
/// # Errors
/// [`UserErrorCode::InvalidCredentials`]; a shard that is away.
pub async fn log_in(
    op: &Operation,
    domain: &Domain,
    handle: &str,
    password: String,
) -> Result<Authenticated, DomainError> {
    if super::passwords::checked(&password).is_err() {
        return Err(wrong());
    }
    let handle = handle.trim().to_lowercase();
    let _place = domain.identity.passwords.place()?;
    limits::may_try(op, domain, &handle).await?;
    let session = ReadSession::primary(domain.cluster.len());
    let shard = domain.cluster.shard_of(Bucket::of_text(&handle));
    let claim = if is_handle(&handle) {
        domain
            .cluster
            .read(&session, shard, async |connection: &mut Connection| {
                claims::handle_claim(connection, &handle).await
            })
            .await?
    } else {
        None
    };
    let mut hash = None;
    if let Some(claim) = &claim {
        let id = claim.user_id.as_i64();
        let shard = domain.cluster.shard_of_id(claim.user_id);
        hash = domain
            .cluster
            .read(&session, shard, async |connection: &mut Connection| {
                user_rows::password_hash(connection, id).await
            })
            .await?;
    }
    let right = domain.identity.passwords.verify(password, hash).await?;
    let Some(claim) = claim.filter(|_| right) else { return Err(wrong()) };
    limits::was_right(op, domain, &handle).await;
    let raw = [claim.user_id.as_i64()];
    let shard = domain.cluster.shard_of_id(claim.user_id);
    let rows = domain
        .cluster
        .read(&session, shard, async |connection: &mut Connection| {
            user_rows::get_many(connection, &raw).await
        })
        .await?;
    if rows.iter().any(|user| user.suspended) {
        return Err(DomainError::rejected(
            UserErrorCode::NotAllowed,
            "handle",
            "this account is suspended",
        ));
    }
    begin_session(op, domain, claim.user_id).await
}

/// How long a retry of a refresh is known for one: longer than any client, or nginx, goes on
/// trying.
const RETRIED: TimeDelta = TimeDelta::seconds(60);

/// What a refresh came to.
enum Refreshed {
    Rotated(store::SessionRow),
    /// The token was used before, by somebody else or at another time.
    Reused,
    Unknown,
}

/// Trades a refresh token for new tokens; the old one is used up. One that comes a second time was
/// copied: its session ends, since nobody can tell who has the copy. A retry of the same mutation
/// (its answer was lost on the way) gets new tokens instead.
///
/// # Errors
/// [`UserErrorCode::InvalidCredentials`] for one that is unknown, used up, revoked or expired; its
/// shard is away.
pub async fn refresh(
    op: &Operation,
    domain: &Domain,
    refresh_token: &str,
) -> Result<Authenticated, DomainError> {
    let refused = || {
        DomainError::rejected(
            UserErrorCode::InvalidCredentials,
            "refreshToken",
            "the refresh token is not (or no longer) good",
        )
    };
    let (id, held) = Secret::parse(refresh_token).ok_or_else(refused)?;
    let next = Secret::new();
    let now = domain.clock.now();
    let expires_at = now + TimeDelta::seconds(domain.identity.refresh_ttl_s);
    let shard = domain.cluster.shard_of_id(id);
    let committed = domain
        .cluster
        .write(
            shard,
            op.deadline,
            async |connection: &mut Connection| -> Result<Refreshed, DomainError> {
                let (raw, hash, key) = (id.as_i64(), held.hash(), op.client_key.as_deref());
                if let Some(row) =
                    store::rotate(connection, raw, &hash, &next.hash(), now, expires_at).await?
                {
                    store::spend(connection, raw, &hash, key, &next.hash(), now).await?;
                    return Ok(Refreshed::Rotated(row));
                }
                let Some(spent) = store::spent(connection, raw, &hash).await? else {
                    return Ok(Refreshed::Unknown);
                };
                if key.is_some()
                    && spent.client_key.as_deref() == key
                    && now - spent.spent_at < RETRIED
                {
                    // What the first try gave out was lost on the way, unless it was used since.
                    if let Some(row) = store::rotate(
                        connection,
                        raw,
                        &spent.next_hash,
                        &next.hash(),
                        now,
                        expires_at,
                    )
                    .await?
                    {
                        store::spend(connection, raw, &hash, key, &next.hash(), now).await?;
                        return Ok(Refreshed::Rotated(row));
                    }
                }
                store::revoke_one(connection, raw, now).await?;
                Ok(Refreshed::Reused)
            },
        )
        .await?;
    op.wrote(shard, committed.lsn, domain.clock.now_ms());
    match committed.value {
        Refreshed::Rotated(row) => authenticated(domain, row.user_id, row.id, &next),
        Refreshed::Reused => {
            tracing::warn!(
                session = id.as_i64(),
                "a refresh token was used twice: its session has ended"
            );
            domain.identity.revocations.end(id);
            Err(refused())
        }
        Refreshed::Unknown => Err(refused()),
    }
}

/// Ends the viewer's session: its tokens are good for nothing, here at once and on every other
/// server within a second. True when it was alive.
///
/// # Errors
/// [`DomainError::Unauthenticated`]; the viewer's shard is away.
pub async fn log_out(op: &Operation, domain: &Domain) -> Result<bool, DomainError> {
    let viewer = op.require_viewer()?;
    revoke(op, domain, viewer.session_id).await
}

/// Ends one of the viewer's sessions. True when it was alive and theirs.
///
/// # Errors
/// [`DomainError::Unauthenticated`]; the viewer's shard is away.
pub async fn revoke(
    op: &Operation,
    domain: &Domain,
    session: SessionId,
) -> Result<bool, DomainError> {
    let user = op.require_viewer()?.user_id;
    let was_alive = mutate(
        op,
        domain,
        Mutation {
            name: "sessionRevoke",
            user,
            shard: domain.cluster.shard_of_id(user),
            input: &session,
        },
        async { Ok(()) },
        async |tx: &mut Tx, ()| {
            let now = tx.now();
            Ok(store::revoke(tx, session.as_i64(), user.as_i64(), now).await?)
        },
    )
    .await?;
    if was_alive {
        domain.identity.revocations.end(session);
    }
    Ok(was_alive)
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
        .read(&op.reads, shard, async |connection: &mut Connection| {
            store::live(connection, viewer.user_id.as_i64(), now).await
        })
        .await?;
    let session = |row: store::SessionRow| Session {
        id: row.id,
        expires_at: row.expires_at,
        last_used_at: row.last_used_at,
        is_current: row.id == viewer.session_id,
        user_agent: row.user_agent,
    };
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
