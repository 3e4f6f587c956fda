//! User rows.

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, BigInt, Bool, Integer, Jsonb, Nullable, Text, Timestamptz};
use diesel::{OptionalExtension, QueryableByName};
use diesel_async::RunQueryDsl;
use serde::{Deserialize, Serialize};

use super::images::Picture;
use super::pool::Connection;
use super::prepared::{prepared, sql};
use crate::StoreError;
use crate::redis::cache::Cached;
use plaza_base::ids::{Bucket, UserId};

/// A user, as others see them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, QueryableByName)]
pub struct User {
    /// Id.
    #[diesel(sql_type = BigInt)]
    pub id: UserId,
    /// Unique, lower case.
    #[diesel(sql_type = Text)]
    pub handle: String,
    /// Name as shown.
    #[diesel(sql_type = Text)]
    pub display_name: String,
    /// What they say of themselves.
    #[diesel(sql_type = Text)]
    pub bio: String,
    /// Whether only those they let follow them see what they write.
    #[diesel(sql_type = Bool)]
    pub is_private: bool,
    /// Whether nobody sees them at present.
    #[diesel(sql_type = Bool)]
    pub suspended: bool,
    /// The image they are shown with.
    #[diesel(sql_type = Nullable<Jsonb>)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub avatar: Option<Picture>,
    /// Rises with each edit.
    #[diesel(sql_type = BigInt)]
    pub version: i64,
}

impl Cached for User {
    type Key = UserId;
    const KIND: &'static str = "user";
    const LOCAL: bool = true;
    fn version(&self) -> i64 {
        self.version
    }
}

/// Rows by id.
///
/// # Errors
/// The server's.
pub async fn get_many(
    mut connection: &Connection,
    ids: &[UserId],
) -> Result<Vec<User>, StoreError> {
    Ok(prepared(
        sql("SELECT id, handle, display_name, bio, is_private, suspended_at IS NOT NULL AS suspended, avatar, version
             FROM users WHERE id = ANY($1)")
        .bind::<Array<BigInt>, _>(ids),
    )
    .load(&mut connection)
    .await?)
}

#[derive(QueryableByName)]
struct IdRow {
    #[diesel(sql_type = BigInt)]
    id: UserId,
}

/// A new id in this bucket, from the shard's own sequence.
///
/// # Errors
/// The server's; a clock that stepped back.
pub async fn next_id(connection: &mut Connection, bucket: Bucket) -> Result<UserId, StoreError> {
    let row: IdRow =
        prepared(sql("SELECT next_id($1) AS id").bind::<Integer, _>(i32::from(bucket.number())))
            .get_result(connection)
            .await?;
    Ok(row.id)
}

/// A row to be.
#[derive(Debug)]
pub struct NewUser<'a> {
    /// Id.
    pub id: UserId,
    /// Lower case.
    pub handle: &'a str,
    /// Lower case.
    pub email: &'a str,
    /// Name as shown.
    pub display_name: &'a str,
    /// PHC string.
    pub password_hash: &'a str,
}

/// Inserts a user; false when the id is there already. Of two tries at the same moment one may meet
/// the other's handle before its id, so no constraint is named.
///
/// # Errors
/// The server's.
pub async fn insert(connection: &mut Connection, user: &NewUser<'_>) -> Result<bool, StoreError> {
    let inserted = prepared(
        sql("INSERT INTO users (id, handle, email, display_name, password_hash) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING")
            .bind::<BigInt, _>(user.id)
            .bind::<Text, _>(user.handle)
            .bind::<Text, _>(user.email)
            .bind::<Text, _>(user.display_name)
            .bind::<Text, _>(user.password_hash),
    )
    .execute(connection)
    .await?;
    Ok(inserted == 1)
}

#[derive(QueryableByName)]
struct HashRow {
    #[diesel(sql_type = Text)]
    password_hash: String,
}

/// A user's password hash.
///
/// # Errors
/// The server's.
pub async fn password_hash(
    connection: &mut Connection,
    id: UserId,
) -> Result<Option<String>, StoreError> {
    let row: Option<HashRow> =
        prepared(sql("SELECT password_hash FROM users WHERE id = $1").bind::<BigInt, _>(id))
            .get_result(connection)
            .await
            .optional()?;
    Ok(row.map(|row| row.password_hash))
}

#[derive(QueryableByName)]
struct VersionRow {
    #[diesel(sql_type = BigInt)]
    version: i64,
}

/// Edits a profile; the new version. `None` when there is no such user.
///
/// # Errors
/// The server's.
pub async fn update(
    connection: &mut Connection,
    id: UserId,
    display_name: Option<&str>,
    bio: Option<&str>,
    is_private: Option<bool>,
) -> Result<Option<i64>, StoreError> {
    let row: Option<VersionRow> = prepared(
        sql("UPDATE users SET display_name = coalesce($2, display_name), bio = coalesce($3, bio), is_private = coalesce($4, is_private),
                              version = version + 1 WHERE id = $1 RETURNING version")
        .bind::<BigInt, _>(id)
        .bind::<Nullable<Text>, _>(display_name)
        .bind::<Nullable<Text>, _>(bio)
        .bind::<Nullable<Bool>, _>(is_private),
    )
    .get_result(connection)
    .await
    .optional()?;
    Ok(row.map(|row| row.version))
}

#[derive(QueryableByName)]
struct AvatarRow {
    #[diesel(sql_type = Nullable<Jsonb>)]
    avatar: Option<Picture>,
}

/// Locks a user; the image they are shown with.
///
/// # Errors
/// The server's.
pub async fn lock_avatar(
    connection: &mut Connection,
    id: UserId,
) -> Result<Option<Picture>, StoreError> {
    let row: Option<AvatarRow> =
        prepared(sql("SELECT avatar FROM users WHERE id = $1 FOR UPDATE").bind::<BigInt, _>(id))
            .get_result(connection)
            .await
            .optional()?;
    Ok(row.and_then(|row| row.avatar))
}

/// Sets the image a user is shown with, in the transaction that edits the profile.
///
/// # Errors
/// The server's.
pub async fn set_avatar(
    connection: &mut Connection,
    id: UserId,
    avatar: Option<&serde_json::Value>,
) -> Result<(), StoreError> {
    prepared(
        sql("UPDATE users SET avatar = $2 WHERE id = $1")
            .bind::<BigInt, _>(id)
            .bind::<Nullable<Jsonb>, _>(avatar),
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// What cached facts about a user are measured by.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, QueryableByName)]
pub struct Versions {
    /// Rises with every post, deletion and follow: what their counts are measured by.
    #[diesel(sql_type = BigInt)]
    pub activity: i64,
    /// Rises with every act and every block: what their relations are measured by.
    #[diesel(sql_type = BigInt)]
    pub relations: i64,
}

/// What an act of a user adds to the counts on their profile.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Added {
    /// Posts that are no reposts.
    pub posts: i64,
    /// Users followed.
    pub following: i64,
}

/// Locks the user and counts one more act of theirs, with what it adds to their counts; the
/// versions after it. `None` when there is no such user. Counts that are not as of the version
/// before stay as they are: the projection of the act's event counts the rows then.
///
/// # Errors
/// The server's.
pub async fn raise_activity(
    mut connection: &Connection,
    id: UserId,
    added: Added,
) -> Result<Option<Versions>, StoreError> {
    Ok(prepared(
        sql("WITH raised AS (
                 UPDATE users SET activity_version = activity_version + 1 WHERE id = $1
                 RETURNING id, activity_version, relations_version),
             counted AS (
                 UPDATE user_counts c
                 SET post_count = c.post_count + $2, following_count = c.following_count + $3,
                     activity_version = r.activity_version
                 FROM raised r
                 WHERE c.user_id = r.id AND c.activity_version = r.activity_version - 1)
             SELECT activity_version AS activity, activity_version + relations_version AS relations
             FROM raised")
        .bind::<BigInt, _>(id)
        .bind::<BigInt, _>(added.posts)
        .bind::<BigInt, _>(added.following),
    )
    .get_result(&mut connection)
    .await
    .optional()?)
}

/// Counts one more act of each of these users, who each follow one user more. They are locked in
/// the order of their ids: two who raise some of the same users wait for each other in turn.
///
/// # Errors
/// The server's.
pub async fn raise_activity_of_many(
    connection: &mut Connection,
    ids: &[UserId],
) -> Result<(), StoreError> {
    prepared(
        sql("WITH held AS (
                 SELECT id FROM users WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE),
             raised AS (
                 UPDATE users u SET activity_version = activity_version + 1 FROM held
                 WHERE u.id = held.id RETURNING u.id, u.activity_version)
             UPDATE user_counts c
             SET following_count = c.following_count + 1, activity_version = r.activity_version
             FROM raised r WHERE c.user_id = r.id AND c.activity_version = r.activity_version - 1")
        .bind::<Array<BigInt>, _>(ids),
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Counts one more change of whom a user blocks; the versions after it. `None` when there is no
/// such user.
///
/// # Errors
/// The server's.
pub async fn raise_relations(
    connection: &mut Connection,
    id: UserId,
) -> Result<Option<Versions>, StoreError> {
    Ok(prepared(
        sql("UPDATE users SET relations_version = relations_version + 1 WHERE id = $1
             RETURNING activity_version AS activity, activity_version + relations_version AS relations")
        .bind::<BigInt, _>(id),
    )
    .get_result(connection)
    .await
    .optional()?)
}

#[derive(QueryableByName)]
struct AdminRow {
    #[diesel(sql_type = Bool)]
    is_admin: bool,
}

/// Whether a user may moderate.
///
/// # Errors
/// The server's.
pub async fn is_admin(connection: &mut Connection, id: UserId) -> Result<bool, StoreError> {
    let row: Option<AdminRow> =
        prepared(sql("SELECT is_admin FROM users WHERE id = $1").bind::<BigInt, _>(id))
            .get_result(connection)
            .await
            .optional()?;
    Ok(row.is_some_and(|row| row.is_admin))
}

/// Makes a user an administrator, or no longer one; false when there is no such user.
///
/// # Errors
/// The server's.
pub async fn set_admin(
    connection: &mut Connection,
    id: UserId,
    is_admin: bool,
) -> Result<bool, StoreError> {
    let changed = prepared(
        sql("UPDATE users SET is_admin = $2 WHERE id = $1")
            .bind::<BigInt, _>(id)
            .bind::<Bool, _>(is_admin),
    )
    .execute(connection)
    .await?;
    Ok(changed > 0)
}

/// Replaces the hash of a user's password; false when there is no such user.
///
/// # Errors
/// The server's.
pub async fn set_password_hash(
    connection: &mut Connection,
    id: UserId,
    hash: &str,
) -> Result<bool, StoreError> {
    let changed = prepared(
        sql("UPDATE users SET password_hash = $2 WHERE id = $1")
            .bind::<BigInt, _>(id)
            .bind::<Text, _>(hash),
    )
    .execute(connection)
    .await?;
    Ok(changed > 0)
}

/// Suspends a user, or lets them be seen again; the new version. `None` when there is no such
/// user.
///
/// # Errors
/// The server's.
pub async fn suspend(
    connection: &mut Connection,
    id: UserId,
    at: Option<DateTime<Utc>>,
) -> Result<Option<i64>, StoreError> {
    let row: Option<VersionRow> = prepared(
        sql("UPDATE users SET suspended_at = $2, version = version + 1 WHERE id = $1 RETURNING version")
            .bind::<BigInt, _>(id)
            .bind::<Nullable<Timestamptz>, _>(at),
    )
    .get_result(connection)
    .await
    .optional()?;
    Ok(row.map(|row| row.version))
}
