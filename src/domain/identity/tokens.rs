//! Access tokens: JWTs signed with EdDSA, checked against the injected clock.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use quick_cache::sync::Cache;
use serde::{Deserialize, Serialize};
use sha2::Digest;

use super::keys::Keys;
use crate::{DomainError, Viewer};
use plaza_base::digest::leading_u64;
use plaza_base::ids::{Id, SessionId, UserId};
use plaza_config::AuthConfig;

/// Seconds by which clocks may differ.
const LEEWAY_S: i64 = 5;
/// The longest token that is verified, in bytes.
const MAX_BYTES: usize = 2_048;
/// Tokens whose signature a process remembers to be good.
const REMEMBERED: usize = 10_000;
const ISSUER: &str = "plaza";
const AUDIENCE: &str = "plaza";

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    sid: String,
    iat: i64,
    nbf: i64,
    exp: i64,
}

/// Whoever has an access token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holder {
    /// Whom it names.
    pub viewer: Viewer,
    /// Until when it is taken: its `exp`, and what clocks may differ by.
    pub until: DateTime<Utc>,
}

/// What a token of ours says.
#[derive(Debug, Clone, Copy)]
struct Signed {
    holder: Holder,
    /// From when it is taken, Unix seconds.
    begins: i64,
}

/// The signing key and its public half.
pub struct Tokens {
    signing: EncodingKey,
    key_id: String,
    /// Every key that tokens may be signed with; the signing one first.
    accepted: Vec<AcceptedKey>,
    ttl_s: i64,
    /// What pseudonyms are keyed with: follows from the signing key, so every server has the same.
    pseudonyms: [u8; 32],
    /// By the SHA-256 of a token: a signature is verified once, times are checked each time.
    verified: Cache<[u8; 32], Signed>,
}

/// The public half of a key.
struct AcceptedKey {
    id: String,
    public: String,
    verifying: DecodingKey,
}

impl AcceptedKey {
    fn new(public: &[u8]) -> Self {
        Self {
            id: URL_SAFE_NO_PAD
                .encode(sha2::Sha256::digest(public).as_slice().get(..8).unwrap_or_default()),
            public: URL_SAFE_NO_PAD.encode(public),
            verifying: DecodingKey::from_ed_der(public),
        }
    }
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokens").field("key_id", &self.key_id).finish_non_exhaustive()
    }
}

fn internal(error: impl std::fmt::Display) -> DomainError {
    DomainError::Internal(format!("access tokens: {error}"))
}

impl Tokens {
    /// Signs with the first key and accepts all.
    ///
    /// # Errors
    /// One that is not an Ed25519 key.
    pub fn new(config: &AuthConfig, keys: &Keys) -> Result<Self, DomainError> {
        let der = keys.signing()?;
        let accepted = keys
            .public_halves()
            .map(|half| half.map(|half| AcceptedKey::new(&half)))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            signing: EncodingKey::from_ed_der(&der),
            key_id: accepted.first().map(|key| key.id.clone()).unwrap_or_default(),
            accepted,
            ttl_s: i64::try_from(config.access_ttl_s).unwrap_or(i64::MAX),
            pseudonyms: sha2::Sha256::new()
                .chain_update(b"plaza pseudonyms")
                .chain_update(&der)
                .finalize()
                .into(),
            verified: Cache::new(REMEMBERED),
        })
    }

    /// A number that stands for a user without naming them: the same until the signing key
    /// changes.
    pub fn pseudonym(&self, of: &[u8]) -> u64 {
        let digest = sha2::Sha256::new().chain_update(self.pseudonyms).chain_update(of).finalize();
        leading_u64(&digest)
    }

    /// A token, and when it ends.
    ///
    /// # Errors
    /// When signing fails.
    pub fn issue(
        &self,
        now: DateTime<Utc>,
        viewer: Viewer,
    ) -> Result<(String, DateTime<Utc>), DomainError> {
        let expires_at = now + chrono::TimeDelta::seconds(self.ttl_s);
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: viewer.user_id.to_string(),
            sid: viewer.session_id.to_string(),
            iat: now.timestamp(),
            nbf: now.timestamp(),
            exp: expires_at.timestamp(),
        };
        let header = Header { kid: Some(self.key_id.clone()), ..Header::new(Algorithm::EdDSA) };
        Ok((jsonwebtoken::encode(&header, &claims, &self.signing).map_err(internal)?, expires_at))
    }

    /// Whom a token names, and until when it is taken, if it is ours and good now.
    pub fn verify(&self, now: DateTime<Utc>, token: &str) -> Option<Holder> {
        let Signed { holder, begins } = self.read(token)?;
        let has_begun = begins.saturating_sub(LEEWAY_S) <= now.timestamp();
        (has_begun && now < holder.until).then_some(holder)
    }

    /// Whom a token of ours names, however long ago it was good.
    pub fn of_any_age(&self, token: &str) -> Option<Viewer> {
        self.read(token).map(|signed| signed.holder.viewer)
    }

    fn read(&self, token: &str) -> Option<Signed> {
        if token.len() > MAX_BYTES {
            return None;
        }
        let digest: [u8; 32] = sha2::Sha256::digest(token).into();
        if let Some(signed) = self.verified.get(&digest) {
            return Some(signed);
        }
        let signed = self.read_anew(token)?;
        self.verified.insert(digest, signed);
        Some(signed)
    }

    fn read_anew(&self, token: &str) -> Option<Signed> {
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_audience(&[AUDIENCE]);
        validation.set_issuer(&[ISSUER]);
        validation.set_required_spec_claims(&["exp", "nbf", "aud", "iss", "sub"]);
        // The library would read the machine's clock: times are checked below, against ours.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        let key_id = jsonwebtoken::decode_header(token).ok()?.kid?;
        let key = self.accepted.iter().find(|key| key.id == key_id)?;
        let claims =
            jsonwebtoken::decode::<Claims>(token, &key.verifying, &validation).ok()?.claims;
        let viewer = Viewer {
            user_id: UserId::from_i64(claims.sub.parse().ok()?),
            session_id: SessionId::from_i64(claims.sid.parse().ok()?),
        };
        let until = DateTime::from_timestamp(claims.exp.checked_add(LEEWAY_S)?, 0)?;
        Some(Signed { holder: Holder { viewer, until }, begins: claims.nbf })
    }

    /// The public keys as a JWKS document.
    pub fn jwks(&self) -> serde_json::Value {
        let key = |key: &AcceptedKey| serde_json::json!({ "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": key.id, "x": key.public });
        serde_json::json!({ "keys": self.accepted.iter().map(key).collect::<Vec<_>>() })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use tempfile::TempDir;

    use super::super::keys::generate_key_file;
    use super::*;

    fn tokens(name: &str) -> Tokens {
        tokens_accepting(name, &[])
    }

    fn tokens_accepting(name: &str, others: &[&str]) -> Tokens {
        static FOLDER: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir().unwrap());
        let folder = FOLDER.path();
        let file = folder.join(name);
        generate_key_file(&file).unwrap();
        assert!(!generate_key_file(&file).unwrap(), "an existing key is kept");
        let others: Vec<_> =
            others.iter().map(|other| folder.join(other).to_str().unwrap().to_owned()).collect();
        let toml = format!(
            "signing_key_file = {:?}\naccepted_key_files = {others:?}",
            file.to_str().unwrap()
        );
        let config = config::Config::builder()
            .add_source(config::File::from_str(&toml, config::FileFormat::Toml))
            .build()
            .unwrap();
        let config: AuthConfig = config.try_deserialize().unwrap();
        Tokens::new(&config, &Keys::read(&config).unwrap()).unwrap()
    }

    #[test]
    fn a_token_is_good_for_ten_minutes_and_only_if_ours() {
        let (ours, others) = (tokens("ours.pem"), tokens("others.pem"));
        let viewer = Viewer { user_id: UserId::from_i64(7), session_id: SessionId::from_i64(9) };
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let (token, expires_at) = ours.issue(now, viewer).unwrap();
        assert_eq!(expires_at - now, chrono::TimeDelta::seconds(600));
        let held = ours.verify(now, &token).unwrap();
        assert_eq!((held.viewer, held.until - now), (viewer, chrono::TimeDelta::seconds(605)));
        let later = expires_at + chrono::TimeDelta::days(30);
        assert_eq!(ours.of_any_age(&token), Some(viewer), "also at {later}");
        assert_eq!(others.of_any_age(&token), None);
        assert_eq!(ours.verify(now, &token), Some(held), "its signature is remembered");
        assert_eq!(ours.verify(expires_at + chrono::TimeDelta::seconds(6), &token), None);
        assert_eq!(ours.verify(now - chrono::TimeDelta::seconds(60), &token), None);
        assert_eq!(others.verify(now, &token), None);
        assert_eq!(ours.verify(now, &format!("{token}x")), None);
        assert_eq!(ours.verify(now, "a.b.c"), None);
    }

    #[test]
    fn a_key_is_changed_without_a_rejected_token() {
        let (old, new) = (tokens("old.pem"), tokens("new.pem"));
        let viewer = Viewer { user_id: UserId::from_i64(7), session_id: SessionId::from_i64(9) };
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let (by_old, by_new) =
            (old.issue(now, viewer).unwrap().0, new.issue(now, viewer).unwrap().0);
        // First every server accepts the next key, then every server signs with it, then the old
        // one goes.
        for tokens in
            [tokens_accepting("old.pem", &["new.pem"]), tokens_accepting("new.pem", &["old.pem"])]
        {
            let named = |token: &str| tokens.verify(now, token).map(|held| held.viewer);
            assert_eq!((named(&by_old), named(&by_new)), (Some(viewer), Some(viewer)));
            assert_eq!(tokens.jwks()["keys"].as_array().unwrap().len(), 2);
        }
        let named = |token: &str| new.verify(now, token).map(|held| held.viewer);
        assert_eq!((named(&by_old), named(&by_new)), (None, Some(viewer)));
    }

    #[test]
    fn of_many_makers_one_wins_and_all_find_its_key() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        for round in 0..20 {
            let path = folder.join(format!("{round}.pem"));
            let made: Vec<(bool, String)> = std::thread::scope(|scope| {
                let make =
                    || (generate_key_file(&path).unwrap(), std::fs::read_to_string(&path).unwrap());
                let makers: Vec<_> = (0..8).map(|_| scope.spawn(make)).collect();
                makers.into_iter().map(|maker| maker.join().unwrap()).collect()
            });
            assert_eq!(made.iter().filter(|(won, _)| *won).count(), 1);
            assert!(
                made.iter()
                    .all(|(_, pem)| *pem == made[0].1
                        && pem.ends_with("-----END PRIVATE KEY-----\n"))
            );
        }
        assert_eq!(std::fs::read_dir(folder).unwrap().count(), 20, "nothing is left aside");
    }

    #[test]
    fn no_other_algorithm_is_accepted() {
        let ours = tokens("algorithm.pem");
        let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#);
        let body = URL_SAFE_NO_PAD.encode(
            r#"{"iss":"plaza","aud":"plaza","sub":"1","sid":"1","iat":0,"nbf":0,"exp":9999999999}"#,
        );
        assert_eq!(ours.verify(DateTime::UNIX_EPOCH, &format!("{none}.{body}.")), None);
        let claims = serde_json::json!({"iss":"plaza","aud":"plaza","sub":"1","sid":"1","iat":0,"nbf":0,"exp":9_999_999_999_i64});
        let forged = jsonwebtoken::encode(
            &Header::new(Algorithm::HS256),
            &claims,
            &EncodingKey::from_secret(ours.accepted[0].public.as_bytes()),
        )
        .unwrap();
        assert_eq!(ours.verify(DateTime::UNIX_EPOCH, &forged), None);
    }
}
