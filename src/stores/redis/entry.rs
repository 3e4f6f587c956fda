//! The bytes of a cached value (`cache.rs` says what they are), and which may replace which.

use serde::de::DeserializeOwned;

use super::invalidation::TOMBSTONE;
use plaza_base::seeded::{Bug, bug};

/// A value's bytes, given when it expires (Unix ms) and how long its load took (ms).
pub(super) fn encode(
    version: i64,
    (expires_ms, took_ms): (i64, i64),
    generation: &str,
    json: &str,
) -> String {
    format!("{version},{expires_ms},{took_ms},{generation}|{json}")
}

/// The newest version that what was loaded at a version may replace: its own.
pub(super) fn over(version: i64) -> i64 {
    if bug(Bug::CacheFilledAfterInvalidation) { i64::MAX } else { version }
}

/// Whether what took so long to load may be stored. A process that was frozen meanwhile may come
/// later than the tombstone of a write stands that its value does not have.
pub(super) fn may_fill(took_ms: i64) -> bool {
    u128::try_from(took_ms).is_ok_and(|took_ms| took_ms <= (TOMBSTONE / 2).as_millis())
}

/// `Some(None)`: known not to exist. `None`: not held, or a tombstone.
pub(super) fn decode<V: DeserializeOwned>(bytes: &[u8]) -> Option<Option<V>> {
    let bar = bytes.iter().position(|byte| *byte == b'|')?;
    serde_json::from_slice(bytes.get(bar + 1..).filter(|json| !json.is_empty())?).ok()
}

/// Whether held bytes, a tombstone's too, were made in this generation.
pub(super) fn is_of(bytes: &[u8], generation: &str) -> bool {
    let head = bytes.split(|byte| *byte == b'|').next().unwrap_or_default();
    head.rsplit(|byte| *byte == b',').next() == Some(generation.as_bytes()) && head.contains(&b',')
}

/// When held bytes expire (Unix ms) and how long their load took (ms), where they say so.
pub(super) fn lifetime(bytes: &[u8]) -> Option<(i64, f64)> {
    let head = bytes.split(|byte| *byte == b'|').next()?;
    let mut numbers = std::str::from_utf8(head).ok()?.split(',').skip(1);
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tombstones_and_garbage_are_misses_and_null_is_known_absence() {
        assert_eq!(decode::<i64>(b"3|7"), Some(Some(7)));
        assert_eq!(decode::<i64>(b"0|null"), Some(None));
        assert_eq!(decode::<i64>(b"3|"), None);
        assert_eq!(decode::<i64>(b"garbage"), None);
        assert_eq!(decode::<i64>(b"3,1700000000000,12,g|7"), Some(Some(7)));
    }

    #[test]
    fn a_value_belongs_to_the_generation_it_names_and_one_that_names_none_to_none() {
        assert!(is_of(b"3,1700000000000,12,g|7", "g") && is_of(b"0,,,g|null", "g"));
        for other in [b"3,1700000000000,12|7".as_slice(), b"3|7", b"g|7", b"3,1,1,h|,g|", b"", b"|"]
        {
            assert!(!is_of(other, "g") && !is_of(other, ""), "{other:?}");
        }
    }

    #[test]
    fn what_took_longer_to_load_than_tombstones_stand_is_not_stored() {
        assert!(may_fill(0) && may_fill(2_500) && !may_fill(30_000));
    }
}
