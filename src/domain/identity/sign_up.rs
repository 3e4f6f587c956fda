//! Making an account: a claim on the handle's shard, a claim on the e-mail address's, then the
//! user.
//!
//! There is no transaction over the three. A sign-up that stops in between leaves claims without a
//! user; a minute later they may be taken over. One that is repeated with the same idempotency key
//! and input goes on with the id that its first try claimed; if that has made the user already, the
//! password must be the user's, for a key is no secret.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::Rng;
use sha2::Digest;

use super::limits::Try;
use super::name::{email_of, handle_of};
use super::passwords::Passwords;
use super::sessions::begin_session;
use super::{Authenticated, is_reserved, limits};
use crate::users::User;
use crate::{Domain, DomainError, Operation, UserError, UserErrorCode, text, write};
use plaza_base::ids::{Bucket, UserId};
use plaza_protocol::events::Event;
use plaza_stores::postgres::claims::{self, Claim};
use plaza_stores::postgres::users as user_rows;

/// What a sign-up asks.
#[derive(Debug, Clone)]
pub struct SignUp {
    /// 3 to 30 of a-z, 0-9 and _, not reserved; capitals are folded.
    pub handle: String,
    /// Up to 254 characters.
    pub email: String,
    /// 8 characters to 1,024 bytes; neither well known nor one of the names beside it.
    pub password: String,
    /// Name as shown.
    pub display_name: String,
}

async fn checked(passwords: &Passwords, mut input: SignUp) -> Result<SignUp, DomainError> {
    let mut errors = Vec::new();
    let mut refuse = |code, field: &str, message: &str| {
        errors.push(UserError::field(code, field, message));
    };
    match handle_of(&input.handle) {
        Some(handle) if is_reserved(&handle) => {
            refuse(UserErrorCode::Taken, "handle", "is not free: choose another one");
        }
        Some(handle) => input.handle = handle,
        None => refuse(
            UserErrorCode::Invalid,
            "handle",
            "must have 3 to 30 characters of a-z, 0-9 and _",
        ),
    }
    match email_of(&input.email) {
        Some(email) => input.email = email,
        None => refuse(
            UserErrorCode::Invalid,
            "email",
            "must be an e-mail address of at most 254 characters",
        ),
    }
    match text::checked("displayName", &input.display_name, text::DISPLAY_NAME) {
        Ok(name) => input.display_name = name,
        Err(error) => errors.push(error),
    }
    let names = [&input.handle, &input.email, &input.display_name].map(String::clone);
    match passwords.chosen(input.password.clone(), names).await? {
        Ok(password) => input.password = password,
        Err(error) => errors.push(error),
    }
    if errors.is_empty() { Ok(input) } else { Err(DomainError::Rejected(errors)) }
}

fn taken(field: &str) -> DomainError {
    DomainError::rejected(UserErrorCode::Taken, field, "is taken")
}

fn conflict() -> DomainError {
    DomainError::Rejected(vec![UserError {
        code: UserErrorCode::IdempotencyConflict,
        message: "this idempotency key was used with another input".to_owned(),
        path: Vec::new(),
    }])
}

/// What a repeated sign-up is recognised by: its key, and a fingerprint of its input. The password
/// is left out: a fast hash of one must not be stored.
fn retry_key(client_key: &str, input: &SignUp) -> String {
    let fingerprint = sha2::Sha256::digest(format!("{}\0{}", input.email, input.display_name));
    format!("{client_key}/{}", URL_SAFE_NO_PAD.encode(fingerprint))
}

/// Whether a claim was made with the same client key, whatever the input.
fn same_client_key(held: Option<&str>, ours: Option<&str>) -> bool {
    let client_key = |key: Option<&str>| {
        key.and_then(|key| key.rsplit_once('/')).map(|(client_key, _)| client_key.to_owned())
    };
    client_key(held).is_some_and(|held| client_key(ours) == Some(held))
}

/// Makes an account and logs it in.
///
/// # Errors
/// Fields out of bounds, a handle or address that is taken, a key that came before with another
/// input; one of the three shards is unavailable.
pub async fn sign_up(op: &Operation, input: SignUp) -> Result<Authenticated, DomainError> {
    let passwords = &op.domain.identity.passwords;
    let _place = passwords.place()?;
    let input = checked(passwords, input).await?;
    let key = op.client_key.as_deref().map(|client_key| retry_key(client_key, &input));
    if let Some(key) = &key
        && let Some(authenticated) = done_before(op, key, &input).await?
    {
        return Ok(authenticated);
    }
    limits::may_sign_up(op).await?;
    let password_hash = op.domain.identity.passwords.hash(input.password.clone()).await?;
    let (user, resumed) = claim_handle(op, &input.handle, key.as_deref()).await?;
    if resumed && let Some(authenticated) = log_in_again(op, user, &input).await? {
        return Ok(authenticated);
    }
    if !claim_email(op, &input.email, user).await? {
        let shard = op.domain.cluster.shard_of(Bucket::of_text(&input.handle));
        op.domain
            .cluster
            .write(shard, op.deadline, async |connection| -> Result<(), DomainError> {
                Ok(claims::release_handle(connection, &input.handle, user).await?)
            })
            .await?;
        return Err(taken("email"));
    }
    let shard = op.domain.cluster.shard_of_id(user);
    let is_made = write(op, shard, async |tx| {
        let row = user_rows::NewUser {
            id: user,
            handle: &input.handle,
            email: &input.email,
            display_name: &input.display_name,
            password_hash: &password_hash,
        };
        let is_made = user_rows::insert(tx, &row).await?;
        if is_made {
            tx.emit(Event::UserCreated { user_id: user, handle: input.handle.clone() }, 1);
            // Somebody may have asked for this user or handle a moment ago, and its absence be
            // remembered.
            tx.invalidate::<User>(user, 1);
        }
        Ok(is_made)
    })
    .await?;
    if !is_made {
        // The first try was only slow, and has made the user in the meantime.
        return log_in_again(op, user, &input).await?.ok_or_else(conflict);
    }
    begin_session(op, user).await
}

/// Answers a sign-up that was done before, under its key: it makes no account, so it is a try of a
/// password and not of a sign-up.
async fn done_before(
    op: &Operation,
    key: &str,
    input: &SignUp,
) -> Result<Option<Authenticated>, DomainError> {
    let session = op.primary();
    let shard = op.domain.cluster.shard_of(Bucket::of_text(&input.handle));
    let held = op.domain.cluster.read(&session, shard, async |connection| {
        claims::handle_claim(connection, &input.handle).await
    });
    let Some(held) = held.await?.filter(|held| held.client_key.as_deref() == Some(key)) else {
        return Ok(None);
    };
    let mut tried = Try::begin(op, None).await?;
    tried.at_account(op, Some(held.user_id), &input.handle).await?;
    let authenticated = log_in_again(op, held.user_id, input).await?;
    tried.was_right(&op.domain).await;
    Ok(authenticated)
}

/// Logs a repeated sign-up in to the account that its first try made, if the password is that
/// account's; `None` when there is none yet.
async fn log_in_again(
    op: &Operation,
    user: UserId,
    input: &SignUp,
) -> Result<Option<Authenticated>, DomainError> {
    let session = op.primary();
    let shard = op.domain.cluster.shard_of_id(user);
    let hash = op
        .domain
        .cluster
        .read(&session, shard, async |connection| user_rows::password_hash(connection, user).await)
        .await?;
    let Some(hash) = hash else { return Ok(None) };
    if !op.domain.identity.passwords.verify(input.password.clone(), Some(hash)).await? {
        return Err(conflict());
    }
    begin_session(op, user).await.map(Some)
}

/// Whether the user that a claim is for exists.
async fn exists(domain: &Domain, claim: &Claim) -> Result<bool, DomainError> {
    let session = domain.primary();
    let shard = domain.cluster.shard_of_id(claim.user_id);
    let found = domain
        .cluster
        .read(&session, shard, async |connection| {
            user_rows::get_many(connection, &[claim.user_id]).await
        })
        .await?;
    Ok(!found.is_empty())
}

/// The id of the user to be, with the handle claimed for it; true when an earlier try of the same
/// sign-up had claimed it.
async fn claim_handle(
    op: &Operation,
    handle: &str,
    key: Option<&str>,
) -> Result<(UserId, bool), DomainError> {
    let bucket = Bucket::new(rand::rng().random());
    let home = op.domain.cluster.shard_of(bucket);
    let issued = op
        .domain
        .cluster
        .write(home, op.deadline, async |connection| -> Result<UserId, DomainError> {
            Ok(user_rows::next_id(connection, bucket).await?)
        })
        .await?;
    let user = issued.value;
    let shard = op.domain.cluster.shard_of(Bucket::of_text(handle));
    let claimed = op
        .domain
        .cluster
        .write(shard, op.deadline, async |connection| -> Result<Claim, DomainError> {
            Ok(claims::claim_handle(connection, handle, user, key).await?)
        })
        .await?;
    // Whoever has just signed up finds themselves by their handle.
    op.wrote(shard, claimed.lsn, op.domain.clock.now_ms());
    let held = claimed.value;
    if held.user_id == user {
        return Ok((held.user_id, false));
    }
    if key.is_some() && held.client_key.as_deref() == key {
        return Ok((held.user_id, true));
    }
    if !held.stale || exists(&op.domain, &held).await? {
        return Err(if same_client_key(held.client_key.as_deref(), key) {
            conflict()
        } else {
            taken("handle")
        });
    }
    let over = op
        .domain
        .cluster
        .write(shard, op.deadline, async |connection| -> Result<bool, DomainError> {
            Ok(claims::take_over_handle(connection, handle, held.user_id, user, key).await?)
        })
        .await?;
    op.wrote(shard, over.lsn, op.domain.clock.now_ms());
    if over.value { Ok((user, false)) } else { Err(taken("handle")) }
}

async fn claim_email(op: &Operation, email: &str, user: UserId) -> Result<bool, DomainError> {
    let shard = op.domain.cluster.shard_of(Bucket::of_text(email));
    let claimed = op
        .domain
        .cluster
        .write(shard, op.deadline, async |connection| -> Result<Option<Claim>, DomainError> {
            Ok(claims::claim_email(connection, email, user).await?)
        })
        .await?;
    let Some(held) = claimed.value else { return Ok(true) };
    if !held.stale || exists(&op.domain, &held).await? {
        return Ok(false);
    }
    let over = op
        .domain
        .cluster
        .write(shard, op.deadline, async |connection| -> Result<bool, DomainError> {
            Ok(claims::take_over_email(connection, email, held.user_id, user).await?)
        })
        .await?;
    Ok(over.value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_sign_up_is_known_by_its_key_and_its_input() {
        let input = |email: &str, password: &str| SignUp {
            handle: "ann".into(),
            email: email.into(),
            password: password.into(),
            display_name: "Ann".into(),
        };
        let first = retry_key("k/signUp", &input("a@b", "one"));
        assert_eq!(
            first,
            retry_key("k/signUp", &input("a@b", "two")),
            "no password in what is stored"
        );
        let (other_input, other_key) = (
            retry_key("k/signUp", &input("c@d", "one")),
            retry_key("l/signUp", &input("a@b", "one")),
        );
        assert_ne!(first, other_input);
        assert!(same_client_key(Some(&first), Some(&other_input)));
        assert!(!same_client_key(Some(&first), Some(&other_key)));
        assert!(
            !same_client_key(None, Some(&first))
                && !same_client_key(Some(&first), None)
                && !same_client_key(None, None)
        );
    }

    #[tokio::test]
    async fn every_field_out_of_bounds_is_reported_at_once() {
        let input = SignUp {
            handle: "a!".into(),
            email: "x".into(),
            password: "short".into(),
            display_name: " ".into(),
        };
        let Err(DomainError::Rejected(errors)) = checked(&Passwords::of_a_test(), input).await
        else {
            panic!("accepted")
        };
        assert_eq!(errors.len(), 4);
    }
}
