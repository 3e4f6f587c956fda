//! Views of posts, in windows of a minute, an hour and a day, per post and per author: what the log
//! of views comes to.
//!
//! A view is counted in one row a kind: its minute's, until [`fold`] adds old minutes to their hour
//! and old hours to their day. So a series of hours is the hours and the minutes that are not
//! folded yet, and no view is in it twice.

pub mod fold;
mod progress;
pub mod projector;
mod write;

pub use write::{Recent, add, add_knowing};

use std::collections::BTreeMap;

use diesel::QueryableByName;
use diesel::sql_types::{Array, BigInt, Binary, SmallInt};
use diesel_async::RunQueryDsl;

use super::sketch::Sketch;
use plaza_base::ids::{Id, PostId, UserId};
use plaza_protocol::views::View;
use plaza_stores::StoreError;
use plaza_stores::postgres::Connection;
use plaza_stores::postgres::prepared::{prepared, sql};

/// Whose views.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// One post's.
    Post,
    /// A user's: of all their posts together.
    Author,
}

/// How long a window is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Size {
    /// A minute.
    Minute,
    /// An hour.
    Hour,
    /// A day, UTC.
    Day,
}

impl Kind {
    fn code(self) -> i16 {
        match self {
            Self::Post => 0,
            Self::Author => 1,
        }
    }
}

impl Size {
    fn code(self) -> i16 {
        match self {
            Self::Minute => 0,
            Self::Hour => 1,
            Self::Day => 2,
        }
    }

    /// Its length in seconds.
    pub fn seconds(self) -> i64 {
        match self {
            Self::Minute => 60,
            Self::Hour => 3_600,
            Self::Day => 86_400,
        }
    }

    /// When the window began that a moment is in; Unix seconds both.
    pub fn start_of(self, at_s: i64) -> i64 {
        at_s.div_euclid(self.seconds()) * self.seconds()
    }
}

/// Which window: a subject's, of a kind, of a size, from Unix second on. Sorted so that writers
/// lock rows in one order.
type Key = (i64, i16, i16, i64);

/// What is in a window.
#[derive(Debug, Clone, Default)]
pub struct Window {
    /// Views.
    pub views: i64,
    /// Who viewed.
    pub viewers: Sketch,
}

/// Windows to be added to those that are stored.
#[derive(Debug, Default)]
pub struct Windows(BTreeMap<Key, Window>);

impl Windows {
    /// Counts a view in its minute, for its post and for its author.
    pub fn count(&mut self, view: &View) {
        let minute = Size::Minute.start_of(view.at_ms.div_euclid(1_000));
        for (subject, kind) in
            [(view.post_id.as_i64(), Kind::Post), (view.author_id.as_i64(), Kind::Author)]
        {
            let window =
                self.0.entry((subject, kind.code(), Size::Minute.code(), minute)).or_default();
            window.views += 1;
            window.viewers.insert(view.viewer);
        }
    }

    fn merge(&mut self, key: Key, views: i64, viewers: &Sketch) {
        let window = self.0.entry(key).or_default();
        window.views += views;
        window.viewers.merge(viewers);
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

#[derive(QueryableByName)]
struct StoredRow {
    #[diesel(sql_type = BigInt)]
    subject_id: i64,
    #[diesel(sql_type = SmallInt)]
    kind: i16,
    #[diesel(sql_type = SmallInt)]
    size: i16,
    #[diesel(sql_type = BigInt)]
    starts_at: i64,
    #[diesel(sql_type = BigInt)]
    views: i64,
    #[diesel(sql_type = Binary)]
    viewers: Vec<u8>,
}

impl StoredRow {
    fn key(&self) -> Key {
        (self.subject_id, self.kind, self.size, self.starts_at)
    }
}

/// A subject's windows from one Unix second to before another, as windows of this size, oldest
/// first; those without views are left out.
///
/// # Errors
/// The server's.
pub async fn series(
    connection: &mut Connection,
    (subject, kind): (i64, Kind),
    size: Size,
    (from, to): (i64, i64),
) -> Result<BTreeMap<i64, Window>, StoreError> {
    let rows: Vec<StoredRow> = prepared(
        sql("SELECT subject_id, kind, size, extract(epoch FROM starts_at)::bigint AS starts_at, views, viewers FROM view_windows
             WHERE subject_id = $1 AND kind = $2 AND size <= $3 AND starts_at >= to_timestamp($4) AND starts_at < to_timestamp($5)")
        .bind::<BigInt, _>(subject)
        .bind::<SmallInt, _>(kind.code())
        .bind::<SmallInt, _>(size.code())
        .bind::<BigInt, _>(from)
        .bind::<BigInt, _>(to),
    )
    .load(connection)
    .await?;
    let mut found: BTreeMap<i64, Window> = BTreeMap::new();
    for row in rows {
        let window = found.entry(size.start_of(row.starts_at)).or_default();
        window.views += row.views;
        window.viewers.merge(&Sketch::from_bytes(&row.viewers));
    }
    Ok(found)
}

/// A post and how often it was viewed.
#[derive(Debug, Clone, Copy, QueryableByName)]
pub struct TopRow {
    /// Post.
    #[diesel(sql_type = BigInt)]
    pub post_id: PostId,
    /// Views.
    #[diesel(sql_type = BigInt)]
    pub views: i64,
}

/// An author's posts with the most views from one Unix second to before another, most first; by
/// windows of this size and shorter ones.
///
/// # Errors
/// The server's.
pub async fn top_posts(
    connection: &mut Connection,
    author: UserId,
    size: Size,
    (from, to): (i64, i64),
    limit: i64,
) -> Result<Vec<TopRow>, StoreError> {
    Ok(prepared(
        sql("SELECT p.id AS post_id, sum(w.views)::bigint AS views
             FROM posts p JOIN view_windows w ON w.subject_id = p.id AND w.kind = 0 AND w.size <= $2
             WHERE p.author_id = $1 AND NOT p.deleted AND w.starts_at >= to_timestamp($3) AND w.starts_at < to_timestamp($4)
             GROUP BY p.id ORDER BY sum(w.views) DESC, p.id DESC LIMIT $5")
        .bind::<BigInt, _>(author)
        .bind::<SmallInt, _>(size.code())
        .bind::<BigInt, _>(from)
        .bind::<BigInt, _>(to)
        .bind::<BigInt, _>(limit),
    )
    .load(connection)
    .await?)
}

/// What became of a partition's records on this shard.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// In windows.
    pub counted: i64,
    /// Too late for theirs.
    pub late: i64,
    /// No views.
    pub unreadable: i64,
    /// The newest view seen, in Unix milliseconds.
    pub watermark: i64,
}

/// A row of the same.
#[derive(Debug, Clone, Copy, QueryableByName)]
pub struct TotalsRow {
    /// The partition; -1 for what was counted without the log.
    #[diesel(sql_type = diesel::sql_types::Integer)]
    pub partition: i32,
    /// In windows.
    #[diesel(sql_type = BigInt)]
    pub counted: i64,
    /// Too late for theirs.
    #[diesel(sql_type = BigInt)]
    pub late: i64,
    /// No views.
    #[diesel(sql_type = BigInt)]
    pub unreadable: i64,
    /// The newest view seen, in Unix milliseconds.
    #[diesel(sql_type = BigInt)]
    pub watermark: i64,
}

/// Adds to this shard's totals.
///
/// # Errors
/// The server's.
pub async fn add_totals(
    connection: &mut Connection,
    totals: &BTreeMap<i32, Totals>,
) -> Result<(), StoreError> {
    let of = |part: fn(&Totals) -> i64| totals.values().map(part).collect::<Vec<i64>>();
    prepared(
        sql("INSERT INTO view_totals AS t (partition, counted, late, unreadable, watermark)
             SELECT * FROM unnest($1::integer[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[])
             ON CONFLICT (partition) DO UPDATE SET counted = t.counted + excluded.counted, late = t.late + excluded.late,
                 unreadable = t.unreadable + excluded.unreadable, watermark = greatest(t.watermark, excluded.watermark)")
        .bind::<Array<diesel::sql_types::Integer>, _>(totals.keys().copied().collect::<Vec<i32>>())
        .bind::<Array<BigInt>, _>(of(|totals| totals.counted))
        .bind::<Array<BigInt>, _>(of(|totals| totals.late))
        .bind::<Array<BigInt>, _>(of(|totals| totals.unreadable))
        .bind::<Array<BigInt>, _>(of(|totals| totals.watermark)),
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// This shard's totals.
///
/// # Errors
/// The server's.
pub async fn totals(connection: &mut Connection) -> Result<Vec<TotalsRow>, StoreError> {
    Ok(prepared(sql("SELECT partition, counted, late, unreadable, watermark FROM view_totals"))
        .load(connection)
        .await?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use plaza_base::ids::UserId;

    #[test]
    fn a_view_is_in_one_window_of_its_post_and_one_of_its_author() {
        let view = |post, at_ms| View {
            post_id: PostId::from_i64(post),
            author_id: UserId::from_i64(9),
            viewer: 77 << 50,
            at_ms,
        };
        let mut windows = Windows::default();
        [view(1, 59_999), view(1, 60_000), view(2, 119_999), view(2, 119_999)]
            .iter()
            .for_each(|view| windows.count(view));
        let found: Vec<(Key, i64)> =
            windows.0.iter().map(|(key, window)| (*key, window.views)).collect();
        assert_eq!(
            found,
            [
                ((1, 0, 0, 0), 1),
                ((1, 0, 0, 60), 1),
                ((2, 0, 0, 60), 2),
                ((9, 1, 0, 0), 1),
                ((9, 1, 0, 60), 3)
            ]
        );
        assert_eq!(windows.0[&(9, 1, 0, 60)].viewers.count(), 1);
    }
}
