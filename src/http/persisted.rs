//! Texts of persisted queries: kept once they have been paid for and have run, so many an hour for
//! each payer, and believed only under their own hash.

use std::sync::Arc;

use sha2::Digest;

use super::Served;
use plaza_stores::redis::rate_limit::Bucket;

/// New texts that a payer may have kept: so many, then one in ten seconds, in thousandths. All
/// texts together are bounded, so that one who could keep any number would push everybody's out.
const NEW_TEXTS: Bucket = Bucket { capacity: 200 * NEW_TEXT, per_second: NEW_TEXT / 10 };
const NEW_TEXT: u64 = 1_000;

/// A text that came with its hash.
#[derive(Debug, Clone)]
pub struct NewText {
    /// Its SHA-256, in hex.
    pub hash: String,
    /// The text.
    pub text: Arc<str>,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether this is the text's SHA-256, in lower case hex.
pub fn is_hash_of(hash: &str, text: &str) -> bool {
    hash == hex(&sha2::Sha256::digest(text))
}

/// The text that is kept under a hash, here or in Redis.
pub async fn find(served: &Served, hash: &str) -> Option<Arc<str>> {
    // Nothing else can be one, and nothing else makes a key.
    if hash.len() != 64 || !hash.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    if let Some(known) = served.persisted.get(hash) {
        return Some(known);
    }
    let text = served.app.domain.redis.persisted_query(hash).await.ok().flatten()?;
    // What somebody else has put there is not what the client means.
    if !is_hash_of(hash, &text) {
        tracing::warn!(hash, "a persisted query has another text than its hash says");
        return None;
    }
    let text: Arc<str> = text.into();
    served.persisted.insert(hash.to_owned(), Arc::clone(&text));
    Some(text)
}

/// Keeps a text for later requests; one too many of this payer's is not kept, and its client goes
/// on sending it.
pub async fn keep(served: &Served, payer: &str, new: NewText) {
    if served.persisted.contains_key(&new.hash) {
        return;
    }
    let redis = &served.app.domain.redis;
    if !redis.take_points(&format!("pq:{payer}"), NEW_TEXTS, NEW_TEXT, 0).await.taken {
        return;
    }
    // Away: this server knows it, and the client will send it again to another.
    let _ = redis.persist_query(&new.hash, &new.text).await;
    served.persisted.insert(new.hash, new.text);
}
