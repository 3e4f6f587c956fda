//! How often one user, or one address, may do one thing: what no price in points bounds, because
//! the cost is not the servers' alone (whoever is mentioned, followed or sold to pays too).
//!
//! One unit: tries. Each limit is a bucket of as many tries as it names, which fills again steadily
//! in its time, and which all servers share. A try counts when it is made, whatever becomes of it;
//! a mutation that is answered as before, under its idempotency key, is none.

use std::time::Duration;

use super::{Domain, DomainError};
use plaza_base::ids::UserId;
use plaza_config::LimitsConfig;
use plaza_stores::redis::keys::BucketName;
use plaza_stores::redis::rate_limit::{Bucket, Standing};

/// What is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Posts, quotes and reposts of a user.
    Posts,
    /// Comments of a user.
    Comments,
    /// Follows, unfollows, blocks and their ends of a user.
    Follows,
    /// Likes of a user, given and taken back.
    Likes,
    /// Users whom a user mentions.
    Mentions,
    /// Orders of a user, placed, cancelled and given back.
    Orders,
    /// Products that a user offers.
    Products,
    /// Images that a user begins to upload.
    Uploads,
    /// Whatever else a user changes.
    Changes,
}

/// Points of a bucket that a try is: slow buckets fill steadily.
const TRY: u64 = 1_000;
/// The time in which every one of them fills.
const HOUR: Duration = Duration::from_secs(3_600);

/// How many of each.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    config: Hourly,
}

#[derive(Debug, Clone, Copy)]
struct Hourly {
    posts: u64,
    comments: u64,
    follows: u64,
    likes: u64,
    mentions: u64,
    orders: u64,
    products: u64,
    uploads: u64,
    changes: u64,
}

impl Limits {
    /// Those of a configuration.
    pub fn of(config: &LimitsConfig) -> Self {
        Self {
            config: Hourly {
                posts: config.posts_per_hour,
                comments: config.comments_per_hour,
                follows: config.follows_per_hour,
                likes: config.likes_per_hour,
                mentions: config.mentions_per_hour,
                orders: config.orders_per_hour,
                products: config.products_per_hour,
                uploads: config.images_per_hour,
                changes: config.changes_per_hour,
            },
        }
    }

    fn bucket(&self, limit: Limit) -> Bucket {
        let hourly = match limit {
            Limit::Posts => self.config.posts,
            Limit::Comments => self.config.comments,
            Limit::Follows => self.config.follows,
            Limit::Likes => self.config.likes,
            Limit::Mentions => self.config.mentions,
            Limit::Orders => self.config.orders,
            Limit::Products => self.config.products,
            Limit::Uploads => self.config.uploads,
            Limit::Changes => self.config.changes,
        };
        let capacity = hourly.saturating_mul(TRY);
        Bucket { capacity, per_second: (capacity / HOUR.as_secs()).max(1) }
    }
}

impl Limit {
    /// What a mutation, as it is called in the schema, is a try of.
    fn of_mutation(name: &str) -> Self {
        match name {
            "postCreate" | "postRepost" => Self::Posts,
            "commentCreate" => Self::Comments,
            "userFollow" | "userUnfollow" | "userBlock" | "userUnblock" => Self::Follows,
            "postLike" | "postUnlike" | "postUnrepost" => Self::Likes,
            "orderPlace" | "orderCancel" | "orderRefund" => Self::Orders,
            "productCreate" => Self::Products,
            "imageCreate" => Self::Uploads,
            _ => Self::Changes,
        }
    }

    /// As it is called in names of buckets.
    fn name(self) -> &'static str {
        match self {
            Self::Posts => "po",
            Self::Comments => "co",
            Self::Follows => "fo",
            Self::Likes => "li",
            Self::Mentions => "me",
            Self::Orders => "or",
            Self::Products => "pr",
            Self::Uploads => "im",
            Self::Changes => "ch",
        }
    }
}

/// Counts tries of a user.
///
/// # Errors
/// [`DomainError::Limited`] when there were too many: none of these is counted then.
pub async fn take(
    domain: &Domain,
    limit: Limit,
    user: UserId,
    tries: usize,
) -> Result<(), DomainError> {
    if tries == 0 {
        return Ok(());
    }
    let bucket = domain.limits.bucket(limit);
    let cost = u64::try_from(tries).unwrap_or(u64::MAX).saturating_mul(TRY);
    let who = BucketName::action(limit.name(), user);
    match domain.redis.take_points(&who, bucket, cost, 0).await {
        Standing { taken: true, .. } => Ok(()),
        Standing { left, .. } => {
            metrics::counter!("plaza_rate_limited_total", "payer" => "action").increment(1);
            Err(DomainError::Limited { retry_after_s: bucket.until(cost, left).as_secs().max(1) })
        }
    }
}

/// Counts a mutation.
///
/// # Errors
/// As [`take`].
pub async fn of_mutation(domain: &Domain, name: &str, user: UserId) -> Result<(), DomainError> {
    take(domain, Limit::of_mutation(name), user, 1).await
}
