//! Claims: what makes a handle and an e-mail address unique across shards.

use diesel::sql_types::{Array, BigInt, Bool, Nullable, Text};
use diesel::{OptionalExtension, QueryableByName};
use diesel_async::RunQueryDsl;

use super::pool::Connection;
use super::prepared::{prepared, sql};
use crate::StoreError;
use plaza_base::ids::UserId;

/// Who holds a claim.
#[derive(Debug, Clone, QueryableByName)]
pub struct Claim {
    /// The user it is for, who may not exist (yet).
    #[diesel(sql_type = BigInt)]
    pub user_id: UserId,
    /// What names the sign-up that made it: its idempotency key and a fingerprint of its input.
    #[diesel(sql_type = Nullable<Text>)]
    pub client_key: Option<String>,
    /// Old enough to be taken over if the user does not exist.
    #[diesel(sql_type = Bool)]
    pub stale: bool,
}

/// Claims a handle for `user` if it is free, and renews a claim that was made with the same key;
/// who holds it now. A renewed claim is young again, so nobody can take it over from the sign-up
/// that goes on with it.
///
/// # Errors
/// The server's.
pub async fn claim_handle(
    connection: &mut Connection,
    handle: &str,
    user: UserId,
    client_key: Option<&str>,
) -> Result<Claim, StoreError> {
    let ours: Option<Claim> = prepared(
        sql("INSERT INTO handle_claims AS held (handle, user_id, client_key) VALUES ($1, $2, $3)
             ON CONFLICT (handle) DO UPDATE SET claimed_at = now() WHERE held.client_key = excluded.client_key
             RETURNING user_id, client_key, false AS stale")
        .bind::<Text, _>(handle)
        .bind::<BigInt, _>(user)
        .bind::<Nullable<Text>, _>(client_key),
    )
    .get_result(connection)
    .await
    .optional()?;
    if let Some(ours) = ours {
        return Ok(ours);
    }
    // The statement above has locked the other's row, so it is still there.
    handle_claim(connection, handle).await?.ok_or_else(|| {
        StoreError::Corrupt(format!("the claim of {handle} was deleted while locked"))
    })
}

/// Who holds a handle.
///
/// # Errors
/// The server's.
pub async fn handle_claim(
    connection: &mut Connection,
    handle: &str,
) -> Result<Option<Claim>, StoreError> {
    Ok(prepared(
        sql("SELECT user_id, client_key, claimed_at < now() - interval '1 minute' AS stale FROM handle_claims WHERE handle = $1")
            .bind::<Text, _>(handle),
    )
    .get_result(connection)
    .await
    .optional()?)
}

/// A handle, and the user it is claimed for.
#[derive(Debug, Clone, QueryableByName)]
pub struct ClaimedHandle {
    /// The handle.
    #[diesel(sql_type = Text)]
    pub handle: String,
    /// The user, who may not exist (yet).
    #[diesel(sql_type = BigInt)]
    pub user_id: UserId,
}

/// Those of these handles that are claimed on this shard.
///
/// # Errors
/// The server's.
pub async fn claimed_handles(
    connection: &mut Connection,
    handles: &[String],
) -> Result<Vec<ClaimedHandle>, StoreError> {
    Ok(prepared(
        sql("SELECT handle, user_id FROM handle_claims WHERE handle = ANY($1)")
            .bind::<Array<Text>, _>(handles),
    )
    .load(connection)
    .await?)
}

/// Takes a stale claim over; false when somebody else was faster, or it was renewed.
///
/// # Errors
/// The server's.
pub async fn take_over_handle(
    connection: &mut Connection,
    handle: &str,
    from: UserId,
    user: UserId,
    client_key: Option<&str>,
) -> Result<bool, StoreError> {
    let taken = prepared(
        sql("UPDATE handle_claims SET user_id = $3, client_key = $4, claimed_at = now()
             WHERE handle = $1 AND user_id = $2 AND claimed_at < now() - interval '1 minute'")
        .bind::<Text, _>(handle)
        .bind::<BigInt, _>(from)
        .bind::<BigInt, _>(user)
        .bind::<Nullable<Text>, _>(client_key),
    )
    .execute(connection)
    .await?;
    Ok(taken == 1)
}

/// Gives a handle back.
///
/// # Errors
/// The server's.
pub async fn release_handle(
    connection: &mut Connection,
    handle: &str,
    user: UserId,
) -> Result<(), StoreError> {
    prepared(
        sql("DELETE FROM handle_claims WHERE handle = $1 AND user_id = $2")
            .bind::<Text, _>(handle)
            .bind::<BigInt, _>(user),
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Claims an e-mail address, or renews `user`'s own claim; `None` when it is now `user`'s, else who
/// holds it.
///
/// # Errors
/// The server's.
pub async fn claim_email(
    connection: &mut Connection,
    email: &str,
    user: UserId,
) -> Result<Option<Claim>, StoreError> {
    let claimed = prepared(
        sql("INSERT INTO email_claims AS held (email, user_id) VALUES ($1, $2)
             ON CONFLICT (email) DO UPDATE SET claimed_at = now() WHERE held.user_id = excluded.user_id")
        .bind::<Text, _>(email)
        .bind::<BigInt, _>(user),
    )
    .execute(connection)
    .await?;
    if claimed == 1 {
        return Ok(None);
    }
    email_claim(connection, email).await
}

/// Who holds an e-mail address.
///
/// # Errors
/// The server's.
pub async fn email_claim(
    connection: &mut Connection,
    email: &str,
) -> Result<Option<Claim>, StoreError> {
    Ok(prepared(
        sql("SELECT user_id, NULL::text AS client_key, claimed_at < now() - interval '1 minute' AS stale
             FROM email_claims WHERE email = $1")
        .bind::<Text, _>(email),
    )
    .get_result(connection)
    .await
    .optional()?)
}

/// Takes a stale e-mail claim over; false when somebody else was faster, or it was renewed.
///
/// # Errors
/// The server's.
pub async fn take_over_email(
    connection: &mut Connection,
    email: &str,
    from: UserId,
    user: UserId,
) -> Result<bool, StoreError> {
    let taken = prepared(
        sql("UPDATE email_claims SET user_id = $3, claimed_at = now()
             WHERE email = $1 AND user_id = $2 AND claimed_at < now() - interval '1 minute'")
        .bind::<Text, _>(email)
        .bind::<BigInt, _>(from)
        .bind::<BigInt, _>(user),
    )
    .execute(connection)
    .await?;
    Ok(taken == 1)
}
