//! Sealed texts: what a client holds for us and must neither read nor write. Encrypted and
//! authenticated, with keys derived from those that sign access tokens, which every server has.

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::DomainError;

/// The first byte of every sealed text: which form it has.
const FORM: u8 = 2;
/// The longest sealed text that is opened, in characters.
const MAX_LENGTH: usize = 1_024;

/// Seals texts and opens them. The first key seals; all of them open, so that a key can be changed
/// while texts of the last one are out.
pub struct Seals {
    keys: Vec<LessSafeKey>,
}

impl std::fmt::Debug for Seals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Seals").field("keys", &self.keys.len()).finish_non_exhaustive()
    }
}

fn internal(error: impl std::fmt::Display) -> DomainError {
    DomainError::Internal(format!("sealed texts: {error}"))
}

/// A key for one purpose from a secret.
pub(super) fn derived(secret: &[u8], purpose: &str) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.trim_ascii()), purpose.as_bytes())
}

impl Seals {
    /// From the secrets, the sealing one first.
    ///
    /// # Errors
    /// When the library refuses a key.
    pub fn new(secrets: &[Vec<u8>]) -> Result<Self, DomainError> {
        let key = |secret: &Vec<u8>| {
            let bytes = derived(secret, "plaza: sealed texts, 2");
            UnboundKey::new(&AES_256_GCM_SIV, bytes.as_ref()).map(LessSafeKey::new)
        };
        let keys: Result<_, _> = secrets.iter().map(key).collect();
        Ok(Self { keys: keys.map_err(internal)? })
    }

    /// Seals some bytes for one purpose. The same bytes give the same text: clients may compare
    /// them (the cipher is made for that, and reveals nothing but that two are equal).
    pub fn seal(&self, purpose: &str, plain: &[u8]) -> String {
        let mut bytes = plain.to_vec();
        let sealed = self.keys.first().is_some_and(|key| {
            let aad = Aad::from(purpose.as_bytes());
            key.seal_in_place_append_tag(nonce(), aad, &mut bytes).is_ok()
        });
        if !sealed {
            // The library fails only for texts longer than any of ours. What is not sealed must
            // not leave: an empty text opens nowhere.
            return String::new();
        }
        bytes.insert(0, FORM);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The bytes in a text that was sealed for this purpose; `None` for any other text.
    pub fn open(&self, purpose: &str, text: &str) -> Option<Vec<u8>> {
        if text.len() > MAX_LENGTH {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (form, sealed) = bytes.split_first()?;
        if *form != FORM {
            return None;
        }
        self.keys.iter().find_map(|key| {
            let mut tried = sealed.to_vec();
            let plain = key
                .open_in_place(nonce(), Aad::from(purpose.as_bytes()), &mut tried)
                .ok()?
                .to_vec();
            Some(plain)
        })
    }
}

/// One for all: GCM-SIV keeps what it promises when a nonce comes again, but for revealing that the
/// same was sealed twice.
fn nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; NONCE_LEN])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seals(secrets: &[&str]) -> Seals {
        let secrets: Vec<_> = secrets.iter().map(|secret| secret.as_bytes().to_vec()).collect();
        Seals::new(&secrets).unwrap()
    }

    #[test]
    fn what_was_sealed_for_one_purpose_opens_for_that_alone() {
        let ours = seals(&["a"]);
        let text = ours.seal("orders of 7", b"some bytes");
        assert_eq!(ours.open("orders of 7", &text).as_deref(), Some(&b"some bytes"[..]));
        assert_eq!(ours.open("orders of 8", &text), None);
        assert_eq!(seals(&["b"]).open("orders of 7", &text), None);
        assert_eq!(ours.seal("orders of 7", b"some bytes"), text, "the same text for the same");
        let bytes = URL_SAFE_NO_PAD.decode(&text).unwrap();
        assert!(!bytes.windows(4).any(|four| four == b"some"), "readable");
    }

    #[test]
    fn no_changed_text_opens() {
        let ours = seals(&["a"]);
        let text = ours.seal("x", &7_i64.to_be_bytes());
        let bytes = URL_SAFE_NO_PAD.decode(&text).unwrap();
        for place in 0..bytes.len() {
            for bit in 0..8 {
                let mut changed = bytes.clone();
                changed[place] ^= 1 << bit;
                assert_eq!(ours.open("x", &URL_SAFE_NO_PAD.encode(changed)), None, "{place}.{bit}");
            }
            assert_eq!(ours.open("x", &URL_SAFE_NO_PAD.encode(&bytes[..place])), None);
        }
        for bad in ["", "x", "AgAA", &"A".repeat(100_000), &format!("{text}A")] {
            assert_eq!(ours.open("x", bad), None, "{bad}");
        }
    }

    #[test]
    fn a_key_is_changed_while_its_texts_are_out() {
        let (old, new) = (seals(&["old"]), seals(&["new"]));
        let (by_old, by_new) = (old.seal("x", b"1"), new.seal("x", b"1"));
        for both in [seals(&["old", "new"]), seals(&["new", "old"])] {
            assert!(both.open("x", &by_old).is_some() && both.open("x", &by_new).is_some());
        }
        assert!(new.open("x", &by_old).is_none());
    }
}
