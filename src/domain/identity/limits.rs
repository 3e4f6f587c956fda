//! How often one may be wrong. Only failures count: a household that logs in all day is let in all
//! day.

use super::Limits;
use crate::config::LimitsConfig;
use crate::domain::{Domain, DomainError, Operation};
use crate::stores::redis::rate_limit::{Bucket, Standing};

impl Limits {
    pub(super) fn of(config: &LimitsConfig) -> Self {
        // Points are thousandths of a try, so that slow buckets fill steadily.
        let tries = |count: u64, per_minute: u64| Bucket {
            capacity: count * TRY,
            per_second: (per_minute * TRY / 60).max(1),
        };
        Self {
            account: tries(config.account_failures, 1),
            address: tries(config.address_failures, config.address_failures / 10),
            sign_ups: tries(config.address_sign_ups, config.address_sign_ups / 60),
        }
    }
}

/// What a try costs.
const TRY: u64 = 1_000;

async fn take(domain: &Domain, who: &str, bucket: Bucket) -> Result<(), DomainError> {
    match domain.redis.take_points(who, bucket, TRY, 0).await {
        Standing { taken: true, .. } => Ok(()),
        Standing { left, .. } => {
            Err(DomainError::Limited { retry_after_s: bucket.until(TRY, left).as_secs().max(1) })
        }
    }
}

fn address(op: &Operation) -> String {
    op.address.map_or_else(|| "nowhere".to_owned(), crate::config::network::household)
}

/// What a try at an account counts against: the account's bucket, and the address's.
fn buckets(op: &Operation, domain: &Domain, handle: &str) -> [(String, Bucket); 2] {
    let limits = &domain.identity.limits;
    [(format!("la:{handle}"), limits.account), (format!("li:{}", address(op)), limits.address)]
}

/// Whether another password may be tried for this account from here.
///
/// # Errors
/// [`DomainError::Limited`].
pub(super) async fn may_try(
    op: &Operation,
    domain: &Domain,
    handle: &str,
) -> Result<(), DomainError> {
    // Taken before the password is looked at, so that many tries at once count as many; given back
    // when it was right.
    for (who, bucket) in buckets(op, domain, handle) {
        take(domain, &who, bucket).await?;
    }
    Ok(())
}

/// The password was right: what [`may_try`] took is given back.
pub(super) async fn was_right(op: &Operation, domain: &Domain, handle: &str) {
    for (who, bucket) in buckets(op, domain, handle) {
        domain.redis.take_points(&who, bucket, 0, TRY).await;
    }
}

/// Whether another account may be made from here.
///
/// # Errors
/// [`DomainError::Limited`].
pub(super) async fn may_sign_up(op: &Operation, domain: &Domain) -> Result<(), DomainError> {
    take(domain, &format!("su:{}", address(op)), domain.identity.limits.sign_ups).await
}
