//! How often one may be wrong. Only failures count: a client network that logs in all day is let in
//! all day. Nobody shuts an account's door for its owner: whoever guesses is stopped where they
//! are, and what all of them do together slows down strangers, never a client that is known.

use sha2::Digest;

use super::{Device, Limits};
use crate::{Domain, DomainError, Operation};
use plaza_base::ids::UserId;
use plaza_config::LimitsConfig;
use plaza_stores::redis::rate_limit::{Bucket, Standing};

impl Limits {
    pub(super) fn of(config: &LimitsConfig) -> Self {
        // Points are thousandths of a try, so that slow buckets fill steadily.
        let tries = |count: u64, per_minute: u64| Bucket {
            capacity: count * TRY,
            per_second: (per_minute * TRY / 60).max(1),
        };
        Self {
            account: tries(config.account_failures, 1),
            anywhere: tries(
                config.account_failures_anywhere,
                config.account_failures_anywhere / 10,
            ),
            address: tries(config.address_failures, config.address_failures / 10),
            sign_ups: Bucket {
                capacity: config.address_sign_ups * TRY,
                per_second: (config.address_sign_ups * TRY / 3_600).max(1),
            },
        }
    }
}

/// What a try costs.
const TRY: u64 = 1_000;

/// What an address that is not known has left at an account that many guess at: a try, and another
/// after about eight minutes.
const SLOWED: Bucket = Bucket { capacity: TRY, per_second: 2 };

async fn take(domain: &Domain, who: &str, bucket: Bucket) -> Result<(), DomainError> {
    match domain.redis.take_points(who, bucket, TRY, 0).await {
        Standing { taken: true, .. } => Ok(()),
        Standing { left, .. } => {
            Err(DomainError::Limited { retry_after_s: bucket.until(TRY, left).as_secs().max(1) })
        }
    }
}

fn address(op: &Operation) -> String {
    op.address.map_or_else(|| "nowhere".to_owned(), plaza_config::network::client_network)
}

/// A log-in under way, and what it has taken: given back when its password was right.
pub(super) struct Try {
    known: Option<UserId>,
    taken: Vec<(String, Bucket)>,
}

impl Try {
    /// Whether another password may be tried from here, before it is known for which account. A
    /// client that says which of an account's devices it is counts by itself, and not as its
    /// address.
    ///
    /// # Errors
    /// [`DomainError::Limited`].
    pub(super) async fn begin(op: &Operation, known: Option<Device>) -> Result<Self, DomainError> {
        let mut this = Self { known: None, taken: Vec::new() };
        let limits = &op.domain.identity.limits;
        if let Some(device) = known {
            let own = format!("ld:{}:{}", device.user, device.session);
            if this.take(&op.domain, own, limits.account).await.is_ok() {
                this.known = Some(device.user);
                return Ok(this);
            }
        }
        this.take(&op.domain, format!("li:{}", address(op)), limits.address).await?;
        Ok(this)
    }

    /// Whether it may be tried for this account: `user` where there is one, under the name that
    /// the client gave.
    ///
    /// # Errors
    /// [`DomainError::Limited`].
    pub(super) async fn at_account(
        &mut self,
        op: &Operation,
        user: Option<UserId>,
        name: &str,
    ) -> Result<(), DomainError> {
        let limits = &op.domain.identity.limits;
        if self.known.is_some() {
            if self.known == user {
                return Ok(());
            }
            // A device of somebody else's is a stranger here.
            self.take(&op.domain, format!("li:{}", address(op)), limits.address).await?;
        }
        // What a client writes makes a key only by its hash. Names of nobody count as others do.
        let account = user.map_or_else(|| hashed(name), |user| user.to_string());
        let here = format!("{account}:{}", address(op));
        // Taken before the password is verified, so that many tries at once count as many.
        self.take(&op.domain, format!("lp:{here}"), limits.account).await?;
        if self.take(&op.domain, format!("la:{account}"), limits.anywhere).await.is_err() {
            self.take(&op.domain, format!("ls:{here}"), SLOWED).await?;
        }
        Ok(())
    }

    async fn take(
        &mut self,
        domain: &Domain,
        who: String,
        bucket: Bucket,
    ) -> Result<(), DomainError> {
        take(domain, &who, bucket).await?;
        self.taken.push((who, bucket));
        Ok(())
    }

    /// The password was right: what was taken is given back.
    pub(super) async fn was_right(self, domain: &Domain) {
        for (who, bucket) in self.taken {
            domain.redis.take_points(&who, bucket, 0, TRY).await;
        }
    }
}

fn hashed(name: &str) -> String {
    let digest = sha2::Sha256::digest(name);
    let hex = digest.iter().take(16).map(|byte| format!("{byte:02x}"));
    std::iter::once("?".to_owned()).chain(hex).collect()
}

/// Whether another account may be made from here. Every try counts, since each learns whether its
/// e-mail address has an account.
///
/// # Errors
/// [`DomainError::Limited`].
pub(super) async fn may_sign_up(op: &Operation) -> Result<(), DomainError> {
    take(&op.domain, &format!("su:{}", address(op)), op.domain.identity.limits.sign_ups).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_makes_a_short_key() {
        assert_eq!(hashed(&"x".repeat(60_000)).len(), 33);
        assert_ne!(hashed("ann"), hashed("anna"));
    }
}
