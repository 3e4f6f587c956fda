//! Making an account: a claim on the handle's shard, a claim on the e-mail address's, then the user.
//!
//! There is no transaction over the three. A sign-up that stops in between leaves claims without a user; a minute later they may be taken
//! over. One that is repeated with the same idempotency key goes on with the id that its first try claimed.

use rand::Rng;

use super::sessions::begin_session;
use super::{Authenticated, passwords};
use crate::domain::users::User;
use crate::domain::{Domain, DomainError, Operation, UserError, UserErrorCode, text};
use crate::ids::{Bucket, Id, UserId};
use crate::outbox::Messages;
use crate::protocol::events::Event;
use crate::stores::postgres::claims::{self, Claim};
use crate::stores::postgres::{Connection, ReadSession, users as user_rows};

/// What a sign-up asks.
#[derive(Debug, Clone)]
pub struct SignUp {
    /// 3 to 30 of a-z, 0-9 and _; capitals are folded.
    pub handle: String,
    /// Up to 254 characters.
    pub email: String,
    /// 8 to 1,024 bytes.
    pub password: String,
    /// Name as shown.
    pub display_name: String,
}

fn checked(mut input: SignUp) -> Result<SignUp, DomainError> {
    let mut errors = Vec::new();
    input.handle = input.handle.trim().to_lowercase();
    let letters = input.handle.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if !(3..=30).contains(&input.handle.len()) || !letters {
        errors.push(UserError::field(UserErrorCode::Invalid, "handle", "must have 3 to 30 characters of a-z, 0-9 and _"));
    }
    input.email = input.email.trim().to_lowercase();
    if !plausible(&input.email) {
        errors.push(UserError::field(UserErrorCode::Invalid, "email", "must be an e-mail address of at most 254 characters"));
    }
    if let Err(error) = passwords::checked(&input.password) {
        errors.push(error);
    }
    match text::checked("displayName", &input.display_name, text::DISPLAY_NAME) {
        Ok(name) => input.display_name = name,
        Err(error) => errors.push(error),
    }
    if errors.is_empty() { Ok(input) } else { Err(DomainError::Rejected(errors)) }
}

/// Whether it looks like an address: only a letter that arrives proves one.
fn plausible(email: &str) -> bool {
    let Some((local, domain)) = email.split_once('@') else { return false };
    let clean = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_graphic() && !matches!(c, '"' | '(' | ')' | ',' | ':' | ';' | '<' | '>' | '@' | '[' | '\\' | ']'));
    email.len() <= 254 && local.len() <= 64 && clean(local) && clean(domain) && !domain.starts_with('.') && !domain.ends_with('.')
}

fn taken(field: &str) -> DomainError {
    DomainError::rejected(UserErrorCode::Taken, field, "is taken")
}

/// Makes an account and logs it in.
///
/// # Errors
/// Fields out of bounds, a handle or address that is taken; one of the three shards is away.
pub async fn sign_up(op: &Operation, domain: &Domain, input: SignUp) -> Result<Authenticated, DomainError> {
    let input = checked(input)?;
    let password_hash = domain.identity.passwords.hash(input.password.clone()).await?;
    let user = claim_handle(op, domain, &input.handle).await?;
    if !claim_email(op, domain, &input.email, user).await? {
        let shard = domain.cluster.shard_of(Bucket::of_text(&input.handle));
        domain
            .cluster
            .write(shard, op.deadline, async |connection: &mut Connection| -> Result<(), DomainError> {
                Ok(claims::release_handle(connection, &input.handle, user.as_i64()).await?)
            })
            .await?;
        return Err(taken("email"));
    }
    let shard = domain.cluster.shard_of_id(user);
    let committed = domain
        .cluster
        .write(shard, op.deadline, async |connection: &mut Connection| -> Result<(), DomainError> {
            let row = user_rows::NewUser {
                id: user.as_i64(),
                handle: &input.handle,
                email: &input.email,
                display_name: &input.display_name,
                password_hash: &password_hash,
            };
            if user_rows::insert(connection, &row).await? {
                Messages::new(shard, domain.clock.now(), op.traceparent.as_deref())
                    .event(Event::UserCreated { user_id: user, handle: input.handle.clone() }, 1)
                    .append(connection)
                    .await?;
            }
            Ok(())
        })
        .await?;
    op.wrote(shard, committed.lsn, domain.clock.now_ms());
    // Somebody may have asked for this user or handle a moment ago, and its absence be remembered.
    op.told(domain.redis.invalidate::<User>(&[(user.as_i64(), 1)]).await);
    begin_session(op, domain, user).await
}

/// Whether the user that a claim is for exists.
async fn exists(domain: &Domain, claim: &Claim) -> Result<bool, DomainError> {
    let raw = [claim.user_id.as_i64()];
    let session = ReadSession::primary(domain.cluster.len());
    let shard = domain.cluster.shard_of_id(claim.user_id);
    let found = domain.cluster.read(&session, shard, async |connection: &mut Connection| user_rows::get_many(connection, &raw).await).await?;
    Ok(!found.is_empty())
}

/// A new user's id, with the handle claimed for it.
async fn claim_handle(op: &Operation, domain: &Domain, handle: &str) -> Result<UserId, DomainError> {
    let bucket = Bucket::new(rand::rng().random());
    let home = domain.cluster.shard_of(bucket);
    let issued = domain
        .cluster
        .write(home, op.deadline, async |connection: &mut Connection| -> Result<i64, DomainError> {
            Ok(user_rows::next_id(connection, bucket).await?)
        })
        .await?;
    let (user, key) = (issued.value, op.client_key.as_deref());
    let shard = domain.cluster.shard_of(Bucket::of_text(handle));
    let claimed = domain
        .cluster
        .write(shard, op.deadline, async |connection: &mut Connection| -> Result<Option<Claim>, DomainError> {
            Ok(claims::claim_handle(connection, handle, user, key).await?)
        })
        .await?;
    let Some(held) = claimed.value else { return Ok(UserId::from_i64(user)) };
    if key.is_some() && held.client_key.as_deref() == key {
        return Ok(held.user_id);
    }
    if !held.stale || exists(domain, &held).await? {
        return Err(taken("handle"));
    }
    let over = domain
        .cluster
        .write(shard, op.deadline, async |connection: &mut Connection| -> Result<bool, DomainError> {
            Ok(claims::take_over_handle(connection, handle, held.user_id.as_i64(), user, key).await?)
        })
        .await?;
    if over.value { Ok(UserId::from_i64(user)) } else { Err(taken("handle")) }
}

async fn claim_email(op: &Operation, domain: &Domain, email: &str, user: UserId) -> Result<bool, DomainError> {
    let shard = domain.cluster.shard_of(Bucket::of_text(email));
    let claimed = domain
        .cluster
        .write(shard, op.deadline, async |connection: &mut Connection| -> Result<Option<Claim>, DomainError> {
            Ok(claims::claim_email(connection, email, user.as_i64()).await?)
        })
        .await?;
    let Some(held) = claimed.value else { return Ok(true) };
    if !held.stale || exists(domain, &held).await? {
        return Ok(false);
    }
    let over = domain
        .cluster
        .write(shard, op.deadline, async |connection: &mut Connection| -> Result<bool, DomainError> {
            Ok(claims::take_over_email(connection, email, held.user_id.as_i64(), user.as_i64()).await?)
        })
        .await?;
    Ok(over.value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_plausible_or_not() {
        for good in ["a@b", "first.last+tag@example.org"] {
            assert!(plausible(good), "{good}");
        }
        for bad in ["", "a", "@b", "a@", "a@b@c", "a b@c", "a@b\r\nBcc: x", "\"q\"@b", "a@.b", "a\0@b"] {
            assert!(!plausible(bad), "{bad}");
        }
        assert!(!plausible(&format!("{}@b", "a".repeat(65))));
    }

    #[test]
    fn every_field_out_of_bounds_is_told_at_once() {
        let input = SignUp { handle: "a!".into(), email: "x".into(), password: "short".into(), display_name: " ".into() };
        let Err(DomainError::Rejected(errors)) = checked(input) else { panic!("accepted") };
        assert_eq!(errors.len(), 4);
    }
}
