//! Adding windows to those that are stored.

use std::collections::HashMap;

use diesel::sql_types::{Array, BigInt, Binary, SmallInt};
use diesel_async::RunQueryDsl;

use super::{Key, StoredRow, Windows};
use crate::sketch::Sketch;
use plaza_stores::StoreError;
use plaza_stores::postgres::Connection;
use plaza_stores::postgres::prepared::{prepared, sql};

/// The columns of some windows' keys.
#[derive(Default)]
struct Keys {
    subjects: Vec<i64>,
    kinds: Vec<i16>,
    sizes: Vec<i16>,
    starts: Vec<i64>,
}

impl Keys {
    fn push(&mut self, (subject, kind, size, start): Key) {
        self.subjects.push(subject);
        self.kinds.push(kind);
        self.sizes.push(size);
        self.starts.push(start);
    }
}

/// Sketches of a shard's windows as they are stored, kept by the only process that writes them:
/// what it knows it need not read again.
#[derive(Debug, Default)]
pub struct Recent(HashMap<Key, Sketch>);

impl Recent {
    /// Forgets windows that began before this Unix second.
    pub fn forget_before(&mut self, start_s: i64) {
        self.0.retain(|(_, _, _, start), _| *start >= start_s);
    }
}

/// Rows to be written.
#[derive(Default)]
struct Rows {
    keys: Keys,
    views: Vec<i64>,
    viewers: Vec<Vec<u8>>,
}

/// Adds windows to those stored on this shard, whoever else does so at the same time: the counts
/// are added, which locks the rows, and then those sketches are written that hold somebody new. Two
/// statements at most, however many windows.
///
/// # Errors
/// The server's.
pub async fn add(connection: &mut Connection, windows: &Windows) -> Result<(), StoreError> {
    add_knowing(connection, windows, &mut Recent::default()).await
}

/// The same for the only process that writes this shard's newest windows: those it knows take one
/// statement, and one version of each row. When this fails, or the transaction around it, `recent`
/// is not to be used again.
///
/// # Errors
/// The server's.
pub async fn add_knowing(
    connection: &mut Connection,
    windows: &Windows,
    recent: &mut Recent,
) -> Result<(), StoreError> {
    let (mut known, mut unknown) = (Rows::default(), Rows::default());
    for (key, window) in &windows.0 {
        let (rows, viewers) = match recent.0.get_mut(key) {
            None => (&mut unknown, window.viewers.to_bytes()),
            Some(held) => {
                let somebody_new = held.merge(&window.viewers);
                (&mut known, if somebody_new { held.to_bytes() } else { Vec::new() })
            }
        };
        rows.keys.push(*key);
        rows.views.push(window.views);
        rows.viewers.push(viewers);
    }
    if !known.views.is_empty() {
        prepared(
            sql("INSERT INTO view_windows AS w (subject_id, kind, size, starts_at, views, viewers)
                 SELECT subject_id, kind, size, to_timestamp(starts_at), views, viewers
                 FROM unnest($1::bigint[], $2::smallint[], $3::smallint[], $4::bigint[], $5::bigint[], $6::bytea[])
                      AS n(subject_id, kind, size, starts_at, views, viewers)
                 ON CONFLICT (subject_id, kind, size, starts_at) DO UPDATE SET views = w.views + excluded.views,
                     viewers = CASE WHEN excluded.viewers = '' THEN w.viewers ELSE excluded.viewers END")
            .bind::<Array<BigInt>, _>(known.keys.subjects)
            .bind::<Array<SmallInt>, _>(known.keys.kinds)
            .bind::<Array<SmallInt>, _>(known.keys.sizes)
            .bind::<Array<BigInt>, _>(known.keys.starts)
            .bind::<Array<BigInt>, _>(known.views)
            .bind::<Array<Binary>, _>(known.viewers),
        )
        .execute(connection)
        .await?;
    }
    if unknown.views.is_empty() {
        return Ok(());
    }
    let stored: Vec<StoredRow> = prepared(
        sql("INSERT INTO view_windows AS w (subject_id, kind, size, starts_at, views, viewers)
             SELECT subject_id, kind, size, to_timestamp(starts_at), views, viewers
             FROM unnest($1::bigint[], $2::smallint[], $3::smallint[], $4::bigint[], $5::bigint[], $6::bytea[])
                  AS n(subject_id, kind, size, starts_at, views, viewers)
             ON CONFLICT (subject_id, kind, size, starts_at) DO UPDATE SET views = w.views + excluded.views
             RETURNING subject_id, kind, size, extract(epoch FROM starts_at)::bigint AS starts_at, views, viewers")
        .bind::<Array<BigInt>, _>(unknown.keys.subjects)
        .bind::<Array<SmallInt>, _>(unknown.keys.kinds)
        .bind::<Array<SmallInt>, _>(unknown.keys.sizes)
        .bind::<Array<BigInt>, _>(unknown.keys.starts)
        .bind::<Array<BigInt>, _>(unknown.views)
        .bind::<Array<Binary>, _>(unknown.viewers),
    )
    .load(connection)
    .await?;
    let mut changed = Rows::default();
    for row in stored {
        let Some(window) = windows.0.get(&row.key()) else { continue };
        let mut sketch = Sketch::from_bytes(&row.viewers);
        if sketch.merge(&window.viewers) {
            changed.keys.push(row.key());
            changed.viewers.push(sketch.to_bytes());
        }
        recent.0.insert(row.key(), sketch);
    }
    if changed.viewers.is_empty() {
        return Ok(());
    }
    prepared(
        sql("UPDATE view_windows w SET viewers = n.viewers
             FROM unnest($1::bigint[], $2::smallint[], $3::smallint[], $4::bigint[], $5::bytea[]) AS n(subject_id, kind, size, starts_at, viewers)
             WHERE w.subject_id = n.subject_id AND w.kind = n.kind AND w.size = n.size AND w.starts_at = to_timestamp(n.starts_at)")
        .bind::<Array<BigInt>, _>(changed.keys.subjects)
        .bind::<Array<SmallInt>, _>(changed.keys.kinds)
        .bind::<Array<SmallInt>, _>(changed.keys.sizes)
        .bind::<Array<BigInt>, _>(changed.keys.starts)
        .bind::<Array<Binary>, _>(changed.viewers),
    )
    .execute(connection)
    .await?;
    Ok(())
}
