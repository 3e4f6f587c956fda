//! Numbers of digests.

/// The first eight bytes of a digest as a number, big-endian; 0 for fewer bytes.
pub fn leading_u64(digest: &[u8]) -> u64 {
    digest.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}
