//! Refresh tokens: opaque, stored as a hash, and good once.
//!
//! A token's successor follows from it and a key of the servers'. So whoever presents a spent token
//! within the grace, another tab or a client whose answer was lost, is given the same successor as
//! the first, and both go on. Afterwards a spent token is a copy, and ends its session.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use rand::RngCore;
use sha2::Digest;

use super::seals::derived;
use super::{Authenticated, Identity};
use crate::{Domain, DomainError, Operation, UserErrorCode};
use plaza_base::ids::{Id, SessionId};
use plaza_stores::postgres::{Connection, sessions as store};

/// Random bytes in a refresh token.
const SECRET_BYTES: usize = 32;

/// How long a retry of the same mutation (same idempotency key) is known for one: longer than any
/// client, or nginx, goes on trying.
const RETRIED: TimeDelta = TimeDelta::seconds(60);

/// Most successors that are gone through: as often as several tabs may trade one after the other
/// within the grace.
const MOST_SUCCESSORS: usize = 16;

/// What makes a token's successor: the first key makes it, all of them are known by it.
pub(super) struct Successors {
    keys: Vec<hmac::Key>,
}

impl std::fmt::Debug for Successors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Successors").field("keys", &self.keys.len()).finish_non_exhaustive()
    }
}

impl Successors {
    pub(super) fn new(secrets: &[Vec<u8>]) -> Self {
        let key = |secret: &Vec<u8>| {
            let bytes = derived(secret, "plaza: refresh tokens, 1");
            hmac::Key::new(hmac::HMAC_SHA256, bytes.as_ref())
        };
        Self { keys: secrets.iter().map(key).collect() }
    }
}

/// The secret part of a token.
pub(super) struct Secret {
    bytes: [u8; SECRET_BYTES],
}

impl Secret {
    pub(super) fn new() -> Self {
        let mut bytes = [0; SECRET_BYTES];
        rand::rng().fill_bytes(&mut bytes);
        Self { bytes }
    }

    /// What is stored of it.
    pub(super) fn hash(&self) -> Vec<u8> {
        sha2::Sha256::digest(self.bytes).to_vec()
    }

    /// The token: the session's id and the secret.
    pub(super) fn token(&self, session: SessionId) -> String {
        let mut token = session.as_i64().to_be_bytes().to_vec();
        token.extend_from_slice(&self.bytes);
        URL_SAFE_NO_PAD.encode(token)
    }

    fn parse(token: &str) -> Option<(SessionId, Self)> {
        let token = Some(token).filter(|token| token.len() <= 128)?;
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (id, secret) = bytes.split_first_chunk::<8>()?;
        let id = i64::from_be_bytes(*id);
        (id > 0).then_some((SessionId::from_i64(id), Self { bytes: secret.try_into().ok()? }))
    }

    /// What may come after it, by each key; the first is the one that does.
    fn successors(&self, session: SessionId, by: &Successors) -> impl Iterator<Item = Self> {
        let mut of = session.as_i64().to_be_bytes().to_vec();
        of.extend_from_slice(&self.bytes);
        by.keys.iter().filter_map(move |key| {
            Some(Self { bytes: hmac::sign(key, &of).as_ref().try_into().ok()? })
        })
    }
}

/// When a session that takes tokens now ends: never after its last day.
pub(super) fn ends_at(
    identity: &Identity,
    began: DateTime<Utc>,
    now: DateTime<Utc>,
) -> DateTime<Utc> {
    (now + TimeDelta::seconds(identity.refresh_ttl_s))
        .min(began + TimeDelta::seconds(identity.session_max_s))
}

/// What a refresh came to.
enum Refreshed {
    Given(store::SessionRow, Secret),
    /// The token was used before, and too long ago.
    Reused,
    Unknown,
}

/// Trades a refresh token for new tokens; the old one is used up. One that comes again within the
/// grace, or as a retry of the same mutation, is given the same next one; one that comes later was
/// copied: its session ends, since it is not known who has the copy.
///
/// # Errors
/// [`UserErrorCode::InvalidCredentials`] for one that is unknown, used up, revoked or expired; its
/// shard is unavailable.
pub async fn refresh(op: &Operation, refresh_token: &str) -> Result<Authenticated, DomainError> {
    let refused = || {
        DomainError::rejected(
            UserErrorCode::InvalidCredentials,
            "refreshToken",
            "the refresh token is not (or no longer) good: log in again",
        )
    };
    let (id, held) = Secret::parse(refresh_token).ok_or_else(refused)?;
    let shard = op.domain.cluster.shard_of_id(id);
    let committed = op
        .domain
        .cluster
        .write(shard, op.deadline, async |connection| trade(connection, op, id, &held).await)
        .await?;
    op.wrote(shard, committed.lsn, op.domain.clock.now_ms());
    match committed.value {
        Refreshed::Given(row, next) => {
            super::sessions::authenticated(&op.domain, row.user_id, id, &next)
        }
        Refreshed::Reused => {
            tracing::warn!(
                session = id.as_i64(),
                "a refresh token was used twice: its session has ended"
            );
            op.domain.identity.revocations.end(id);
            Err(refused())
        }
        Refreshed::Unknown => Err(refused()),
    }
}

async fn trade(
    connection: &mut Connection,
    op: &Operation,
    id: SessionId,
    held: &Secret,
) -> Result<Refreshed, DomainError> {
    let identity = &op.domain.identity;
    let now = op.domain.clock.now();
    let ends_at = ends_at(identity, id.created_at(), now);
    let (hash, key) = (held.hash(), op.client_key.as_deref());
    let next = held
        .successors(id, &identity.successors)
        .next()
        .ok_or_else(|| DomainError::Internal("no key for refresh tokens".to_owned()))?;
    if let Some(row) = store::rotate(connection, id, &hash, &next.hash(), now, ends_at).await? {
        store::spend(connection, id, &hash, key, &next.hash(), now).await?;
        return Ok(Refreshed::Given(row, next));
    }
    let Some(spent) = store::spent(connection, id, &hash).await? else {
        return Ok(Refreshed::Unknown);
    };
    let is_retry = key.is_some() && spent.client_key.as_deref() == key;
    let grace = if is_retry { RETRIED.max(identity.refresh_grace) } else { identity.refresh_grace };
    let within = now - spent.spent_at < grace;
    if within
        && let Some((row, newest)) =
            newest(connection, &op.domain, id, held, &spent.next_hash).await?
    {
        return Ok(Refreshed::Given(row, newest));
    }
    // What an older version gave out follows from nothing: it was lost on the way, unless it was
    // used since.
    if within
        && is_retry
        && let Some(row) =
            store::rotate(connection, id, &spent.next_hash, &next.hash(), now, ends_at).await?
    {
        store::spend(connection, id, &hash, key, &next.hash(), now).await?;
        return Ok(Refreshed::Given(row, next));
    }
    store::revoke_one(connection, id, now).await?;
    Ok(Refreshed::Reused)
}

/// The session's token of now, as it follows from a spent one whose successor has this hash. Every
/// one between was spent within the grace, too.
async fn newest(
    connection: &mut Connection,
    domain: &Domain,
    id: SessionId,
    held: &Secret,
    next_hash: &[u8],
) -> Result<Option<(store::SessionRow, Secret)>, DomainError> {
    let identity = &domain.identity;
    let now = domain.clock.now();
    let (mut held, mut next_hash) = (Secret { bytes: held.bytes }, next_hash.to_vec());
    for _ in 0..MOST_SUCCESSORS {
        let next = held.successors(id, &identity.successors).find(|next| {
            aws_lc_rs::constant_time::verify_slices_are_equal(&next.hash(), &next_hash).is_ok()
        });
        let Some(next) = next else { return Ok(None) };
        if let Some(row) = store::current(connection, id, &next_hash, now).await? {
            return Ok(Some((row, next)));
        }
        let spent = store::spent(connection, id, &next_hash).await?;
        let Some(spent) = spent.filter(|spent| now - spent.spent_at < identity.refresh_grace)
        else {
            return Ok(None);
        };
        (held, next_hash) = (next, spent.next_hash);
    }
    Ok(None)
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
        for bad in ["", "AAAA", &"A".repeat(60_000)] {
            assert!(Secret::parse(bad).is_none());
        }
    }

    #[test]
    fn a_successor_follows_from_the_token_the_session_and_the_key() {
        let by = |secrets: &[&str]| {
            Successors::new(&secrets.iter().map(|s| s.as_bytes().to_vec()).collect::<Vec<_>>())
        };
        let first = |secret: &Secret, session, by: &Successors| {
            secret.successors(SessionId::from_i64(session), by).next().unwrap().hash()
        };
        let secret = Secret::new();
        let next = first(&secret, 1, &by(&["a"]));
        assert_eq!(next, first(&secret, 1, &by(&["a", "b"])), "on every server the same");
        assert_ne!(next, first(&secret, 2, &by(&["a"])));
        assert_ne!(next, first(&Secret::new(), 1, &by(&["a"])));
        assert_ne!(next, first(&secret, 1, &by(&["b"])));
        // After the signing key was changed, what the last one made is still known.
        let changed = by(&["b", "a"]);
        let known: Vec<_> =
            secret.successors(SessionId::from_i64(1), &changed).map(|next| next.hash()).collect();
        assert!(known.contains(&next));
    }
}
