//! Image rows.

use diesel::deserialize::{FromSql, FromSqlRow};
use diesel::pg::{Pg, PgValue};
use diesel::sql_types::{Array, BigInt, Binary, Integer, Jsonb, Nullable, Text};
use diesel::{OptionalExtension, QueryableByName};
use diesel_async::RunQueryDsl;
use serde::{Deserialize, Serialize};

use super::pool::Connection;
use super::prepared::{prepared, sql};
use crate::StoreError;
use plaza_base::ids::{Bucket, ImageId, UserId};

/// An image as it is shown: what a post or a user is stored with. It never changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, FromSqlRow)]
pub struct Picture {
    /// Id.
    pub id: ImageId,
    /// What its files are named by.
    pub key: String,
    /// `jpg` or `webp`.
    pub format: String,
    /// Pixels of the largest file.
    pub width: i32,
    /// Pixels of the largest file.
    pub height: i32,
    /// What it shows, in words; may be empty.
    pub alt: String,
    /// Its average colour, `#rrggbb`.
    pub color: String,
}

/// The images of one post, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, FromSqlRow)]
#[serde(transparent)]
pub struct Pictures(pub Vec<Picture>);

fn from_json<T: serde::de::DeserializeOwned>(bytes: PgValue<'_>) -> diesel::deserialize::Result<T> {
    Ok(serde_json::from_value(<serde_json::Value as FromSql<Jsonb, Pg>>::from_sql(bytes)?)?)
}

impl FromSql<Jsonb, Pg> for Picture {
    fn from_sql(bytes: PgValue<'_>) -> diesel::deserialize::Result<Self> {
        from_json(bytes)
    }
}

impl FromSql<Jsonb, Pg> for Pictures {
    fn from_sql(bytes: PgValue<'_>) -> diesel::deserialize::Result<Self> {
        from_json(bytes)
    }
}

/// How far an image is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromSqlRow)]
pub enum ImageState {
    /// Nothing was sent for it yet.
    AwaitingUpload,
    /// What was sent is being processed.
    Processing,
    /// It has its files.
    Ready,
    /// What was sent is none that is taken.
    Rejected,
}

impl FromSql<Text, Pg> for ImageState {
    fn from_sql(bytes: PgValue<'_>) -> diesel::deserialize::Result<Self> {
        match bytes.as_bytes() {
            b"AWAITING_UPLOAD" => Ok(Self::AwaitingUpload),
            b"PROCESSING" => Ok(Self::Processing),
            b"READY" => Ok(Self::Ready),
            b"REJECTED" => Ok(Self::Rejected),
            other => Err(format!("an image is {:?}", String::from_utf8_lossy(other)).into()),
        }
    }
}

/// An image on its way, or there.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct Image {
    /// Id.
    #[diesel(sql_type = BigInt)]
    pub id: ImageId,
    /// Whose.
    #[diesel(sql_type = BigInt)]
    pub owner_id: UserId,
    /// `POST` or `AVATAR`.
    #[diesel(sql_type = Text)]
    pub purpose: String,
    /// How far it is.
    #[diesel(sql_type = Text)]
    pub state: ImageState,
    /// Bytes that were announced.
    #[diesel(sql_type = Integer)]
    pub byte_count: i32,
    /// What its files are named by.
    #[diesel(sql_type = Text)]
    pub object_key: String,
    /// What it shows, in words.
    #[diesel(sql_type = Text)]
    pub alt_text: String,
    /// The name of what was sent, once it was.
    #[diesel(sql_type = Nullable<Text>)]
    pub upload: Option<String>,
    /// SHA-256 of what was sent.
    #[diesel(sql_type = Nullable<Binary>)]
    pub content_hash: Option<Vec<u8>>,
    /// Why it was rejected.
    #[diesel(sql_type = Nullable<Text>)]
    pub rejection: Option<String>,
    /// Once it is READY.
    #[diesel(sql_type = Nullable<Jsonb>)]
    pub picture: Option<Picture>,
}

#[derive(QueryableByName)]
struct IdRow {
    #[diesel(sql_type = BigInt)]
    id: ImageId,
}

/// A row to be.
#[derive(Debug)]
pub struct NewImage<'a> {
    /// Whose; it is in their bucket.
    pub owner: UserId,
    /// Their bucket.
    pub bucket: Bucket,
    /// `POST` or `AVATAR`.
    pub purpose: &'a str,
    /// What its files will be named by.
    pub object_key: &'a str,
    /// Bytes to come.
    pub byte_count: i32,
    /// What it shows, in words.
    pub alt_text: &'a str,
    /// How many their owner may have at hand (not yet shown), this one too. What was rejected does
    /// not count, nor what was announced and can no longer be sent.
    pub most_at_hand: i64,
    /// The lowest id of an image whose bytes may still come.
    pub awaited_from: i64,
}

/// Inserts an image; its id. `None` when its owner has as many at hand as they may.
///
/// # Errors
/// The server's.
pub async fn insert(
    connection: &mut Connection,
    image: &NewImage<'_>,
) -> Result<Option<ImageId>, StoreError> {
    let row: Option<IdRow> = prepared(
        sql(
            "INSERT INTO images (id, owner_id, purpose, object_key, byte_count, alt_text)
             SELECT next_id($1), $2, $3, $4, $5, $6
             WHERE (SELECT count(*) FROM images WHERE owner_id = $2 AND NOT used AND state <> 'REJECTED'
                    AND (state <> 'AWAITING_UPLOAD' OR id >= $8)) < $7 RETURNING id",
        )
        .bind::<Integer, _>(i32::from(image.bucket.number()))
        .bind::<BigInt, _>(image.owner)
        .bind::<Text, _>(image.purpose)
        .bind::<Text, _>(image.object_key)
        .bind::<Integer, _>(image.byte_count)
        .bind::<Text, _>(image.alt_text)
        .bind::<BigInt, _>(image.most_at_hand)
        .bind::<BigInt, _>(image.awaited_from),
    )
    .get_result(connection)
    .await
    .optional()?;
    Ok(row.map(|row| row.id))
}

/// Rows by id.
///
/// # Errors
/// The server's.
pub async fn get_many(
    connection: &mut Connection,
    ids: &[ImageId],
) -> Result<Vec<Image>, StoreError> {
    Ok(prepared(
        sql("SELECT id, owner_id, purpose, state, byte_count, object_key, alt_text, upload, content_hash, rejection,
                    CASE WHEN state = 'READY' THEN jsonb_build_object('id', id, 'key', object_key, 'format', format, 'width', width,
                                                                      'height', height, 'alt', alt_text, 'color', color) END AS picture
             FROM images WHERE id = ANY($1)")
        .bind::<Array<BigInt>, _>(ids),
    )
    .load(connection)
    .await?)
}

/// Says anew what an owner's image shows, as long as nothing shows it. False when there is no such
/// image.
///
/// # Errors
/// The server's.
pub async fn describe(
    connection: &mut Connection,
    owner: UserId,
    id: ImageId,
    alt_text: &str,
) -> Result<bool, StoreError> {
    let changed = prepared(
        sql("UPDATE images SET alt_text = $3 WHERE id = $1 AND owner_id = $2 AND NOT used")
            .bind::<BigInt, _>(id)
            .bind::<BigInt, _>(owner)
            .bind::<Text, _>(alt_text),
    )
    .execute(connection)
    .await?;
    Ok(changed == 1)
}

/// What was sent for an image is there: it is to be processed. False when something was sent
/// before.
///
/// # Errors
/// The server's.
pub async fn uploaded(
    connection: &mut Connection,
    id: ImageId,
    upload: &str,
    content_hash: &[u8],
) -> Result<bool, StoreError> {
    let changed = prepared(
        sql("UPDATE images SET state = 'PROCESSING', upload = $2, content_hash = $3 WHERE id = $1 AND state = 'AWAITING_UPLOAD'")
            .bind::<BigInt, _>(id)
            .bind::<Text, _>(upload)
            .bind::<Binary, _>(content_hash),
    )
    .execute(connection)
    .await?;
    Ok(changed == 1)
}

/// An image is ready. False when it is no longer being processed.
///
/// # Errors
/// The server's.
pub async fn ready(connection: &mut Connection, picture: &Picture) -> Result<bool, StoreError> {
    let changed = prepared(
        sql("UPDATE images SET state = 'READY', upload = NULL, format = $2, width = $3, height = $4, color = $5
             WHERE id = $1 AND state = 'PROCESSING'")
        .bind::<BigInt, _>(picture.id)
        .bind::<Text, _>(&picture.format)
        .bind::<Integer, _>(picture.width)
        .bind::<Integer, _>(picture.height)
        .bind::<Text, _>(&picture.color),
    )
    .execute(connection)
    .await?;
    Ok(changed == 1)
}

/// What was sent is no image that can be shown. False when it is no longer being processed.
///
/// # Errors
/// The server's.
pub async fn rejected(
    connection: &mut Connection,
    id: ImageId,
    rejection: &str,
) -> Result<bool, StoreError> {
    let changed = prepared(
        sql("UPDATE images SET state = 'REJECTED', upload = NULL, rejection = $2 WHERE id = $1 AND state = 'PROCESSING'")
            .bind::<BigInt, _>(id)
            .bind::<Text, _>(rejection),
    )
    .execute(connection)
    .await?;
    Ok(changed == 1)
}

#[derive(QueryableByName)]
struct PictureRow {
    #[diesel(sql_type = Jsonb)]
    picture: Picture,
}

/// Takes READY images of an owner, for this purpose, that nothing shows yet; those that were taken,
/// in no order.
///
/// # Errors
/// The server's.
pub async fn take(
    connection: &mut Connection,
    owner: UserId,
    purpose: &str,
    ids: &[ImageId],
) -> Result<Vec<Picture>, StoreError> {
    let rows: Vec<PictureRow> = prepared(
        sql("UPDATE images SET used = true WHERE id = ANY($1) AND owner_id = $2 AND purpose = $3 AND state = 'READY' AND NOT used
             RETURNING jsonb_build_object('id', id, 'key', object_key, 'format', format, 'width', width, 'height', height,
                                          'alt', alt_text, 'color', color) AS picture")
        .bind::<Array<BigInt>, _>(ids)
        .bind::<BigInt, _>(owner)
        .bind::<Text, _>(purpose),
    )
    .load(connection)
    .await?;
    Ok(rows.into_iter().map(|row| row.picture).collect())
}

/// Forgets images that are shown no longer.
///
/// # Errors
/// The server's.
pub async fn forget(connection: &mut Connection, ids: &[ImageId]) -> Result<(), StoreError> {
    prepared(sql("DELETE FROM images WHERE id = ANY($1)").bind::<Array<BigInt>, _>(ids))
        .execute(connection)
        .await?;
    Ok(())
}

/// What is left of a row that was reaped.
#[derive(Debug, Clone, QueryableByName)]
pub struct Reaped {
    /// Id.
    #[diesel(sql_type = BigInt)]
    pub id: ImageId,
    /// What its files are named by.
    #[diesel(sql_type = Text)]
    pub object_key: String,
    /// `jpg` or `webp`, when there are files.
    #[diesel(sql_type = Nullable<Text>)]
    pub format: Option<String>,
    /// The name of what was sent, when it is still there.
    #[diesel(sql_type = Nullable<Text>)]
    pub upload: Option<String>,
}

/// Deletes an image of an owner's that nothing shows, so that another can take its place: the
/// oldest that is READY, else the oldest whose id is below `given_up_before` and whose bytes have
/// not come. `None` when there is none, or others are at it.
///
/// # Errors
/// The server's.
pub async fn displace(
    connection: &mut Connection,
    owner: UserId,
    given_up_before: i64,
) -> Result<Option<Reaped>, StoreError> {
    Ok(prepared(
        sql("DELETE FROM images WHERE id = (
                 SELECT id FROM images WHERE owner_id = $1 AND NOT used
                     AND (state = 'READY' OR state = 'AWAITING_UPLOAD' AND id < $2)
                 ORDER BY state <> 'READY', id LIMIT 1 FOR UPDATE SKIP LOCKED)
             RETURNING id, object_key, format, upload")
        .bind::<BigInt, _>(owner)
        .bind::<BigInt, _>(given_up_before),
    )
    .get_result(connection)
    .await
    .optional()?)
}

/// Deletes images that nothing shows and that were made before this id, at most so many; rows that
/// another is at are left to it.
///
/// # Errors
/// The server's.
pub async fn reap(
    connection: &mut Connection,
    before: i64,
    limit: i64,
) -> Result<Vec<Reaped>, StoreError> {
    Ok(prepared(
        sql("DELETE FROM images WHERE id = ANY (ARRAY(
                 SELECT id FROM images WHERE NOT used AND id < $1 ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED))
             RETURNING id, object_key, format, upload")
        .bind::<BigInt, _>(before)
        .bind::<BigInt, _>(limit),
    )
    .load(connection)
    .await?)
}
