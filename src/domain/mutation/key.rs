//! The key of a mutation: who made it, where it is claimed, and what is stored under it.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::Digest;

use super::Mutation;
use super::tx::Effects;
use crate::{DomainError, Operation, UserError, UserErrorCode};
use plaza_base::ids::UserId;
use plaza_base::seeded::{Bug, bug};
use plaza_stores::StoreError;
use plaza_stores::postgres::idempotency_keys::{Key, Stored};

/// Longest name that is stored as it is, in bytes; a longer one is stored as its hash.
const LONGEST: usize = 200;

/// Who made an operation's idempotency key. A client's names one mutation of theirs, wherever that
/// writes; a proxy's is new with each request, and comes again only when the proxy itself sends the
/// request again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum KeySource {
    /// The client, for this very field.
    #[default]
    Field,
    /// The client, for a request.
    Request {
        /// What this field's use of the key is claimed as on the client's own shard: its place in
        /// the request, whatever the field is called in the response.
        claim: String,
    },
    /// The proxy, for a request of a client that gave none.
    Proxy,
}

impl KeySource {
    /// The source of a request's own key, for the field at a place, counted from 0.
    pub fn of_request(key: &str, place: usize, is_proxys: bool) -> Self {
        match is_proxys {
            true => Self::Proxy,
            false => Self::Request { claim: bounded(format!("{key} {place}")) },
        }
    }
}

/// The name of a request's key for one of its fields, which is called `alias` in the response.
pub fn name_of(key: &str, alias: &str) -> String {
    bounded(format!("{key}/{alias}"))
}

/// No longer than an index takes. A space is in no client's key, so no client's key is a hash.
fn bounded(name: String) -> String {
    if name.len() <= LONGEST {
        return name;
    }
    let hash = sha2::Sha256::digest(name.as_bytes());
    hash.iter().fold("sha256 ".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

/// What is stored beside a finished mutation.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Answer {
    value: serde_json::Value,
    /// What it made old.
    pub(super) effects: Effects,
}

/// What is stored on the shard of whoever sent a key: the name that its answer is stored under.
#[derive(Debug, Serialize, Deserialize)]
struct Claim {
    claims: String,
}

/// What a row says of a key.
pub(super) enum Standing {
    /// Nothing was done under it.
    New,
    /// What was answered.
    Answered(Answer),
}

fn corrupt(error: serde_json::Error) -> DomainError {
    DomainError::Internal(format!("idempotency: {error}"))
}

pub(super) fn conflict() -> DomainError {
    DomainError::Rejected(vec![UserError {
        code: UserErrorCode::IdempotencyConflict,
        message: "this idempotency key was used with another input".to_owned(),
        path: Vec::new(),
    }])
}

impl Answer {
    pub(super) fn of<T: Serialize>(
        value: &T,
        effects: &Effects,
    ) -> Result<serde_json::Value, DomainError> {
        let value = serde_json::to_value(value).map_err(corrupt)?;
        serde_json::to_value(Self { value, effects: effects.clone() }).map_err(corrupt)
    }

    pub(super) fn into_value<T: DeserializeOwned>(self) -> Result<(T, Effects), DomainError> {
        Ok((serde_json::from_value(self.value).map_err(corrupt)?, self.effects))
    }
}

/// A mutation's key at work.
#[derive(Debug)]
pub(super) struct Named {
    pub(super) user: UserId,
    operation: &'static str,
    payload_hash: Vec<u8>,
    /// Under which its answer is stored.
    pub(super) name: String,
    /// Under which it is claimed on the user's own shard.
    pub(super) claimed_as: Option<String>,
    /// Whether it may have come before.
    pub(super) may_repeat: bool,
}

impl Named {
    /// The key of this mutation; `None` when it has none, and is new each time.
    pub(super) fn of<P: Serialize>(
        op: &Operation,
        mutation: &Mutation<'_, P>,
        is_on_own_shard: bool,
    ) -> Result<Option<Self>, DomainError> {
        let Some(name) = &op.client_key else { return Ok(None) };
        let payload = serde_json::to_vec(mutation.input).map_err(corrupt)?;
        let claimed_as = match &op.key_source {
            KeySource::Proxy => None,
            // There its own row says what it names.
            KeySource::Field => (!is_on_own_shard).then(|| name.clone()),
            KeySource::Request { claim } => Some(claim.clone()),
        };
        Ok(Some(Self {
            user: mutation.user,
            operation: mutation.name,
            payload_hash: sha2::Sha256::digest(payload).to_vec(),
            name: name.clone(),
            claimed_as,
            may_repeat: op.key_source != KeySource::Proxy || op.attempt > 1,
        }))
    }

    /// As a row under one of its names.
    pub(super) fn key<'a>(&'a self, name: &'a str) -> Key<'a> {
        let (operation, payload_hash) = (self.operation, &self.payload_hash);
        Key { user: self.user, name, operation, payload_hash }
    }

    /// What its claim is stored as.
    pub(super) fn claim(&self) -> Result<serde_json::Value, DomainError> {
        serde_json::to_value(Claim { claims: self.name.clone() }).map_err(corrupt)
    }

    /// Takes the claim that stands, which may be an earlier one.
    ///
    /// # Errors
    /// `IDEMPOTENCY_CONFLICT` when it names another mutation, or another input.
    pub(super) fn heed(&mut self, claim: Stored) -> Result<(), DomainError> {
        if !claim.names_the_same(&self.key(&self.name)) {
            return Err(conflict());
        }
        if let Ok(Claim { claims }) = serde_json::from_value(claim.answer) {
            self.name = claims;
        }
        self.may_repeat = !claim.is_new;
        Ok(())
    }

    /// What a row under its name says.
    ///
    /// # Errors
    /// `IDEMPOTENCY_CONFLICT` when it names another mutation, or another input.
    pub(super) fn read(&self, stored: Option<Stored>) -> Result<Standing, DomainError> {
        let Some(stored) = stored.filter(|_| !bug(Bug::KeyIgnoredOnReplay)) else {
            return Ok(Standing::New);
        };
        if !stored.names_the_same(&self.key(&self.name)) {
            return Err(conflict());
        }
        // A claim may lie where answers do, once its shard has taken the other's rows over.
        if serde_json::from_value::<Claim>(stored.answer.clone()).is_ok() {
            return Ok(Standing::New);
        }
        // Anything else was stored by an earlier version of plaza: done, and not known what.
        let answer = serde_json::from_value(stored.answer);
        let unknown = || StoreError::OutcomeUnknown("a key that an earlier version stored".into());
        Ok(Standing::Answered(answer.map_err(|_| unknown())?))
    }
}

#[cfg(test)]
mod simulation;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_bounded_and_none_is_another() {
        let long = "k".repeat(200);
        assert_eq!(name_of("k", "like"), "k/like");
        let names = [
            name_of(&long, "a"),
            name_of(&long, "b"),
            name_of("k", &"a".repeat(100_000)),
            name_of("k", &"a".repeat(100_001)),
        ];
        for name in &names {
            assert!(name.len() <= LONGEST && name.contains(' '), "{name}");
        }
        let distinct: std::collections::BTreeSet<&String> = names.iter().collect();
        assert_eq!(distinct.len(), names.len());
    }

    #[test]
    fn only_a_proxys_first_attempt_is_known_to_be_new() {
        let claim = |place| KeySource::of_request("k", place, false);
        assert_ne!(claim(0), claim(1));
        assert_eq!(KeySource::of_request("k", 0, true), KeySource::Proxy);
    }
}
