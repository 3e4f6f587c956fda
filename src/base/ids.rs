//! Typed ids. An id is a positive 64-bit integer: 41 bits of milliseconds since [`EPOCH_MS`], 10
//! bits of bucket, 12 bits of sequence (`next_id` in migrations/ issues them). Ids sort by time,
//! and routing one to its shard needs no I/O.

use std::fmt;

use chrono::{DateTime, Utc};
use diesel::deserialize::{FromSql, FromSqlRow};
use diesel::pg::{Pg, PgValue};
use diesel::serialize::{Output, ToSql};
use diesel::sql_types::BigInt;
use serde::{Deserialize, Serialize};

use crate::digest::leading_u64;

/// 2025-01-01T00:00:00Z in Unix milliseconds: the zero of an id's time part.
pub const EPOCH_MS: i64 = 1_735_689_600_000;
/// How many buckets the key space is cut into. Ids hold buckets, never shards, so shards can be
/// added without renaming a row.
pub const BUCKETS: u16 = 1024;

const SEQUENCE_BITS: u32 = 12;
const BUCKET_BITS: u32 = 10;

/// One of the [`BUCKETS`] slices of the key space: the unit that is placed on a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Bucket(u16);

impl Bucket {
    /// The bucket with this number, modulo [`BUCKETS`].
    pub fn new(number: u64) -> Self {
        Self(u16::try_from(number % u64::from(BUCKETS)).unwrap_or_default())
    }

    /// The bucket that a text (a handle, an e-mail address) hashes to. Stable for ever: claims are
    /// found by it.
    pub fn of_text(text: &str) -> Self {
        use sha2::Digest;
        Self::new(leading_u64(&sha2::Sha256::digest(text.as_bytes())))
    }

    /// Its number, 0 to 1023.
    pub fn number(self) -> u16 {
        self.0
    }
}

/// An id as stored: what all the typed ids wrap.
pub trait Id: Copy + Eq + Ord + std::hash::Hash + fmt::Debug + Send + Sync + 'static {
    /// The type's name in a global id (`User`, `Post` ..).
    const NOUN: &'static str;
    /// Wraps a stored id.
    fn from_i64(value: i64) -> Self;
    /// The stored id.
    fn as_i64(self) -> i64;

    /// The bucket that the row, and everything that lives beside it, is in.
    fn bucket(self) -> Bucket {
        bucket_of(self.as_i64())
    }

    /// When the id was issued, to the millisecond.
    fn created_at(self) -> DateTime<Utc> {
        created_at(self.as_i64())
    }
}

/// The bucket part of a raw id.
pub fn bucket_of(id: i64) -> Bucket {
    Bucket::new((id.unsigned_abs() >> SEQUENCE_BITS) & u64::from(BUCKETS - 1))
}

/// The time part of a raw id.
pub fn created_at(id: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis((id >> (BUCKET_BITS + SEQUENCE_BITS)) + EPOCH_MS)
        .unwrap_or(DateTime::UNIX_EPOCH)
}

/// Puts an id together. Only bulk loading does this here; live ids come from the shard's own
/// `next_id`.
pub fn compose(unix_ms: i64, bucket: Bucket, sequence: u16) -> i64 {
    let time = (unix_ms - EPOCH_MS).max(0);
    (time << (BUCKET_BITS + SEQUENCE_BITS))
        | (i64::from(bucket.number()) << SEQUENCE_BITS)
        | i64::from(sequence & 0x0fff)
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $noun:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, FromSqlRow)]
        #[serde(transparent)]
        pub struct $name(i64);

        impl FromSql<BigInt, Pg> for $name {
            fn from_sql(bytes: PgValue<'_>) -> diesel::deserialize::Result<Self> {
                <i64 as FromSql<BigInt, Pg>>::from_sql(bytes).map(Self)
            }
        }

        impl ToSql<BigInt, Pg> for $name {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> diesel::serialize::Result {
                <i64 as ToSql<BigInt, Pg>>::to_sql(&self.0, out)
            }
        }

        impl Id for $name {
            const NOUN: &'static str = $noun;
            fn from_i64(value: i64) -> Self { Self(value) }
            fn as_i64(self) -> i64 { self.0 }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { write!(f, concat!($noun, "({})"), self.0) }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { write!(f, "{}", self.0) }
        }
    )*};
}

ids! {
    /// A user.
    UserId = "User";
    /// A log-in on one device; in its user's bucket.
    SessionId = "Session";
    /// A post; in its author's bucket.
    PostId = "Post";
    /// A comment; in the bucket of the post it is on.
    CommentId = "Comment";
    /// Something for sale; in its seller's bucket.
    ProductId = "Product";
    /// An order; in its buyer's bucket.
    OrderId = "Order";
    /// A follow, in the follower's bucket: what lists of users are ordered by.
    FollowId = "Follow";
    /// An image; in its owner's bucket.
    ImageId = "Image";
    /// A notification; in its recipient's bucket.
    NotificationId = "Notification";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_survive_composition() {
        let id = compose(EPOCH_MS + 123_456_789, Bucket::new(777), 4095);
        assert!(id > 0);
        assert_eq!(bucket_of(id).number(), 777);
        assert_eq!(created_at(id).timestamp_millis(), EPOCH_MS + 123_456_789);
    }

    #[test]
    fn ids_sort_by_time_whatever_the_bucket() {
        assert!(
            compose(EPOCH_MS + 2, Bucket::new(0), 0)
                > compose(EPOCH_MS + 1, Bucket::new(1023), 4095)
        );
    }

    #[test]
    fn text_buckets_are_stable() {
        assert_eq!(Bucket::of_text("alice"), Bucket::of_text("alice"));
        assert_eq!(Bucket::of_text("alice").number(), 175);
    }
}
