//! Addresses that say for themselves what they are good for: signed, and ending. Whoever has one
//! may use it, so a read of an image costs no check of who may see whom; that it ends soon is what
//! bounds how long an image outlives its visibility.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};

use super::{Image, Picture, Size, State};
use crate::DomainError;
use crate::identity::Keys;
use plaza_base::ids::{Id, ImageId};
use plaza_config::MediaConfig;

/// Bytes of a signature: 128 bits.
const PROOF: usize = 16;
/// Longest upload token that is verified.
const MAX_TOKEN: usize = 100;

/// How long an address is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifetime {
    /// What a user writes: some minutes.
    Content,
    /// A user: some hours.
    Person,
}

/// Signs addresses and checks them. The keys are those that sign access tokens, put to another use:
/// every server has them.
pub struct Links {
    signing: hmac::Key,
    accepted: Vec<hmac::Key>,
    content_s: i64,
    person_s: i64,
    upload: TimeDelta,
}

impl std::fmt::Debug for Links {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Links").field("accepted", &self.accepted.len()).finish_non_exhaustive()
    }
}

/// A key for addresses from a private key's file.
fn key_from(pem: &[u8]) -> hmac::Key {
    let derived = hmac::sign(
        &hmac::Key::new(hmac::HMAC_SHA256, pem.trim_ascii()),
        b"plaza: addresses of images, 1",
    );
    hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref())
}

impl Links {
    /// Signs by the first key and accepts all.
    ///
    /// # Errors
    /// No key at all.
    pub fn new(media: &MediaConfig, keys: &Keys) -> Result<Self, DomainError> {
        let accepted: Vec<hmac::Key> = keys.secrets().iter().map(|pem| key_from(pem)).collect();
        let signing = accepted.first().cloned();
        Ok(Self {
            signing: signing.ok_or_else(|| DomainError::Internal("no key".to_owned()))?,
            accepted,
            content_s: i64::from(media.content_link_s),
            person_s: i64::from(media.person_link_s),
            upload: TimeDelta::seconds(i64::from(media.upload_ttl_s)),
        })
    }

    fn proof(&self, text: &str) -> String {
        URL_SAFE_NO_PAD.encode(
            hmac::sign(&self.signing, text.as_bytes()).as_ref().get(..PROOF).unwrap_or_default(),
        )
    }

    fn holds(&self, text: &str, proof: &str) -> bool {
        let Ok(proof) = URL_SAFE_NO_PAD.decode(proof) else { return false };
        let is_of = |key: &hmac::Key| {
            let signed = hmac::sign(key, text.as_bytes());
            signed.as_ref().get(..PROOF).is_some_and(|right| {
                aws_lc_rs::constant_time::verify_slices_are_equal(right, &proof).is_ok()
            })
        };
        self.accepted.iter().any(is_of)
    }

    /// Where a file of a picture is, from the origin's root. The same for everybody for a while, so
    /// that it is cached.
    pub fn picture(
        &self,
        picture: &Picture,
        size: Size,
        lifetime: Lifetime,
        now: DateTime<Utc>,
    ) -> String {
        let window = match lifetime {
            Lifetime::Content => self.content_s,
            Lifetime::Person => self.person_s,
        };
        let file = size.file(&picture.key, &picture.format);
        let until = (now.timestamp().div_euclid(window) + 2) * window;
        let proof = self.proof(&format!("get {file} {until}"));
        format!("/media/images/{file}?until={until}&proof={proof}")
    }

    /// Where a file of an image is, once there is one.
    pub fn image(
        &self,
        image: &Image,
        size: Size,
        lifetime: Lifetime,
        now: DateTime<Utc>,
    ) -> Option<String> {
        match &image.state {
            State::Ready(picture) => Some(self.picture(picture, size, lifetime, now)),
            _ => None,
        }
    }

    /// For how many seconds yet a file may be fetched; `None` when it may not.
    pub fn may_fetch(
        &self,
        file: &str,
        until: i64,
        proof: &str,
        now: DateTime<Utc>,
    ) -> Option<i64> {
        let left = until.saturating_sub(now.timestamp());
        (left > 0 && self.holds(&format!("get {file} {until}"), proof)).then_some(left)
    }

    /// When the address for an image's bytes ends.
    pub fn upload_ends(&self, id: ImageId) -> DateTime<Utc> {
        id.created_at() + self.upload
    }

    /// Where an image's bytes are sent, from the origin's root: the same whenever it is asked for.
    pub fn upload(&self, id: ImageId) -> String {
        let named = format!("{}-{}", id, self.upload_ends(id).timestamp());
        format!("/media/uploads/{named}-{}", self.proof(&format!("put {named}")))
    }

    /// Which image an upload token is for, and when it ends; `None` when it is none of ours.
    pub fn uploaded(&self, token: &str) -> Option<(ImageId, DateTime<Utc>)> {
        let mut parts = Some(token).filter(|token| token.len() <= MAX_TOKEN)?.splitn(3, '-');
        let (id, until, proof) = (parts.next()?, parts.next()?, parts.next()?);
        if !self.holds(&format!("put {id}-{until}"), proof) {
            return None;
        }
        let id = id.parse().ok().filter(|id: &i64| *id > 0)?;
        Some((ImageId::from_i64(id), DateTime::from_timestamp(until.parse().ok()?, 0)?))
    }
}
