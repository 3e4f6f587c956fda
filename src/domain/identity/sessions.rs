//! Sessions: one a log-in.

use chrono::{DateTime, Utc};

use super::limits::Try;
use super::name::Name;
use super::refresh::{Secret, ends_at};
use super::{Authenticated, Device};
use crate::{Domain, DomainError, Mutation, Operation, UserError, UserErrorCode, Viewer, mutate};
use plaza_base::ids::{Bucket, Id, SessionId, UserId};
use plaza_stores::postgres::{claims, sessions as store, users as user_rows};

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

/// Tokens of a session.
pub(super) fn authenticated(
    domain: &Domain,
    user: UserId,
    session: SessionId,
    secret: &Secret,
) -> Result<Authenticated, DomainError> {
    let viewer = Viewer { user_id: user, session_id: session };
    let (access_token, expires_at) = domain.identity.tokens.issue(domain.clock.now(), viewer)?;
    Ok(Authenticated {
        viewer,
        access_token,
        refresh_token: secret.token(session),
        expires_at,
        device_token: Device { user, session }.token(domain),
    })
}

/// A new session for somebody who has proven who they are.
pub(super) async fn begin_session(
    op: &Operation,
    user: UserId,
) -> Result<Authenticated, DomainError> {
    let secret = Secret::new();
    let now = op.domain.clock.now();
    let expires_at = ends_at(&op.domain.identity, now, now);
    let shard = op.domain.cluster.shard_of_id(user);
    let committed = op
        .domain
        .cluster
        .write(shard, op.deadline, async |connection| -> Result<SessionId, DomainError> {
            Ok(store::insert(
                connection,
                user.bucket(),
                user,
                &secret.hash(),
                expires_at,
                op.user_agent.as_deref(),
            )
            .await?
            .id)
        })
        .await?;
    op.wrote(shard, committed.lsn, op.domain.clock.now_ms());
    authenticated(&op.domain, user, committed.value, &secret)
}

/// Logs in by handle (or e-mail address) and password. Somebody who does not exist is answered as
/// slowly as a wrong password. A client that was logged in here before may say so, by its
/// `device_token` or by an access token that is still good: it counts by itself, so that nobody
/// else's guesses keep it out.
///
/// # Errors
/// [`UserErrorCode::InvalidCredentials`]; too many wrong passwords; a shard that is unavailable.
pub async fn log_in(
    op: &Operation,
    name: &str,
    password: String,
    device_token: Option<&str>,
) -> Result<Authenticated, DomainError> {
    if !super::passwords::can_be(&password) {
        return Err(wrong());
    }
    // Nothing is done, nor any key made, for what cannot be a name.
    let name = Name::parse(name).ok_or_else(wrong)?;
    let _place = op.domain.identity.passwords.place()?;
    let of_session =
        op.viewer.map(|viewer| Device { user: viewer.user_id, session: viewer.session_id });
    let known = device_token.and_then(|token| Device::of_token(&op.domain, token)).or(of_session);
    let mut tried = Try::begin(op, known).await?;
    let session = op.primary();
    let shard = op.domain.cluster.shard_of(Bucket::of_text(name.text()));
    let claim = op
        .domain
        .cluster
        .read(&session, shard, async |connection| match &name {
            Name::Handle(handle) => claims::handle_claim(connection, handle).await,
            Name::Email(email) => claims::email_claim(connection, email).await,
        })
        .await?;
    tried.at_account(op, claim.as_ref().map(|claim| claim.user_id), name.text()).await?;
    let mut hash = None;
    if let Some(claim) = &claim {
        let id = claim.user_id;
        let shard = op.domain.cluster.shard_of_id(claim.user_id);
        hash = op
            .domain
            .cluster
            .read(&session, shard, async |connection| {
                user_rows::password_hash(connection, id).await
            })
            .await?;
    }
    let right = op.domain.identity.passwords.verify(password, hash).await?;
    let Some(claim) = claim.filter(|_| right) else { return Err(wrong()) };
    tried.was_right(&op.domain).await;
    let shard = op.domain.cluster.shard_of_id(claim.user_id);
    let rows = op
        .domain
        .cluster
        .read(&session, shard, async |connection| {
            user_rows::get_many(connection, &[claim.user_id]).await
        })
        .await?;
    if rows.iter().any(|user| user.suspended) {
        return Err(DomainError::rejected(
            UserErrorCode::NotAllowed,
            "handle",
            "this account is suspended",
        ));
    }
    begin_session(op, claim.user_id).await
}

/// Ends the viewer's session: its tokens are good for nothing, here at once and on every other
/// server within a second. True when it was alive. An access token that is no longer good is
/// enough, since the session's refresh token still is.
///
/// # Errors
/// [`DomainError::Unauthenticated`]; the viewer's shard is unavailable.
pub async fn log_out(
    op: &Operation,
    refused_token: Option<Option<Viewer>>,
) -> Result<bool, DomainError> {
    match (op.viewer, refused_token) {
        (Some(viewer), _) | (None, Some(Some(viewer))) => {
            end(op, viewer.user_id, viewer.session_id).await
        }
        // Somebody's token once, or nobody's ever: there is nothing that could be ended.
        (None, Some(None)) => Ok(false),
        (None, None) => Err(DomainError::Unauthenticated),
    }
}

/// Ends one of the viewer's sessions. True when it was alive and theirs.
///
/// # Errors
/// [`DomainError::Unauthenticated`]; the viewer's shard is unavailable.
pub async fn revoke(op: &Operation, session: SessionId) -> Result<bool, DomainError> {
    let user = op.require_viewer()?.user_id;
    let was_alive = mutate(
        op,
        Mutation {
            name: "sessionRevoke",
            user,
            shard: op.domain.cluster.shard_of_id(user),
            input: &session,
        },
        async { Ok(()) },
        async |tx, ()| {
            let now = tx.now();
            Ok(store::revoke(tx, session, user, now).await?)
        },
    )
    .await?;
    if was_alive {
        op.domain.identity.revocations.end(session);
    }
    Ok(was_alive)
}

/// Ends one session of somebody's, whether or not its access token is still good.
async fn end(op: &Operation, user: UserId, session: SessionId) -> Result<bool, DomainError> {
    let (now, shard) = (op.domain.clock.now(), op.domain.cluster.shard_of_id(user));
    let committed = op
        .domain
        .cluster
        .write(shard, op.deadline, async |connection| -> Result<bool, DomainError> {
            Ok(store::revoke(connection, session, user, now).await?)
        })
        .await?;
    op.wrote(shard, committed.lsn, op.domain.clock.now_ms());
    if committed.value {
        op.domain.identity.revocations.end(session);
    }
    Ok(committed.value)
}

/// Ends all of the viewer's sessions but the one that asks, those included that no list shows; how
/// many.
///
/// # Errors
/// [`DomainError::Unauthenticated`]; the viewer's shard is unavailable.
pub async fn revoke_others(op: &Operation) -> Result<usize, DomainError> {
    let viewer = op.require_viewer()?;
    let (user, kept) = (viewer.user_id, viewer.session_id);
    let ended: Vec<SessionId> = mutate(
        op,
        Mutation {
            name: "sessionRevokeOthers",
            user,
            shard: op.domain.cluster.shard_of_id(user),
            input: &kept,
        },
        async { Ok(()) },
        async |tx, ()| {
            let now = tx.now();
            Ok(store::revoke_others(tx, user, kept, now).await?)
        },
    )
    .await?;
    for session in &ended {
        op.domain.identity.revocations.end(*session);
    }
    Ok(ended.len())
}

/// The viewer's live sessions, newest first, at most 100.
///
/// # Errors
/// [`DomainError::Unauthenticated`]; the viewer's shard is unavailable.
pub async fn sessions(op: &Operation) -> Result<Vec<Session>, DomainError> {
    let viewer = op.require_viewer()?;
    let (now, shard) = (op.domain.clock.now(), op.domain.cluster.shard_of_id(viewer.user_id));
    let rows = op
        .domain
        .cluster
        .read(&op.reads, shard, async |connection| {
            store::live(connection, viewer.user_id, now).await
        })
        .await?;
    Ok(rows.into_iter().map(|row| shown(row, viewer)).collect())
}

/// One of the viewer's live sessions; `None` when it has ended, or is not theirs.
///
/// # Errors
/// [`DomainError::Unauthenticated`]; the viewer's shard is unavailable.
pub async fn session(op: &Operation, id: SessionId) -> Result<Option<Session>, DomainError> {
    let viewer = op.require_viewer()?;
    let (now, shard) = (op.domain.clock.now(), op.domain.cluster.shard_of_id(viewer.user_id));
    let row = op
        .domain
        .cluster
        .read(&op.reads, shard, async |connection| {
            store::live_one(connection, viewer.user_id, id, now).await
        })
        .await?;
    Ok(row.map(|row| shown(row, viewer)))
}

fn shown(row: store::SessionRow, viewer: Viewer) -> Session {
    Session {
        id: row.id,
        expires_at: row.expires_at,
        last_used_at: row.last_used_at,
        is_current: row.id == viewer.session_id,
        user_agent: row.user_agent,
    }
}
