//! Analytics that authors and sellers get of their own: how often, by how many, how much. Nobody
//! else but administrators is.

use chrono::{DateTime, TimeDelta, Utc};

use super::posts::Post;
use super::products::Product;
use super::{DomainError, Operation, UserErrorCode, moderation};
use plaza_base::ids::{Id, UserId};
use plaza_read_models::sales_windows::{self, SalesWindowRow};
use plaza_read_models::sketch::Sketch;
use plaza_read_models::view_windows::fold::{HOURS_KEPT_S, MINUTES_KEPT_S};
use plaza_read_models::view_windows::{self, Kind};
use plaza_stores::work;

pub use plaza_read_models::sales_windows::TopRow as TopProduct;
pub use plaza_read_models::view_windows::{Size, TopRow as TopPost};

/// Windows that a series may have.
pub const LONGEST: i64 = 100;

/// A stretch of time cut into windows: the last so many up to the one that holds a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// How long each window is.
    pub size: Size,
    /// The first window's beginning, Unix seconds.
    pub from_s: i64,
    /// The last window's end, Unix seconds.
    pub to_s: i64,
}

impl Range {
    /// The last `windows` windows up to the one that holds `to`, or now.
    ///
    /// # Errors
    /// Fewer than 1 or more than [`LONGEST`]; a `to` that is not yet, or so long ago that windows
    /// of this size are no longer kept.
    pub fn last(
        windows: i32,
        size: Size,
        to: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> Result<Self, DomainError> {
        let windows = i64::from(windows);
        if !(1..=LONGEST).contains(&windows) {
            return Err(DomainError::rejected(
                UserErrorCode::Invalid,
                "last",
                format!("must be 1 to {LONGEST}"),
            ));
        }
        let to = to.unwrap_or(now);
        if to > now + TimeDelta::minutes(1) {
            return Err(DomainError::rejected(
                UserErrorCode::Invalid,
                "to",
                "must not be in the future",
            ));
        }
        let to_s = size.start_of(to.timestamp()) + size.seconds();
        let range = Self { size, from_s: to_s - windows * size.seconds(), to_s };
        let kept = match size {
            // Whole hours, and whole days, of them are there.
            Size::Minute => MINUTES_KEPT_S,
            Size::Hour => HOURS_KEPT_S,
            Size::Day => i64::MAX / 2,
        };
        if range.from_s < now.timestamp() - kept {
            let message = format!(
                "windows of this size are kept for {} hours: ask for longer ones",
                kept / 3_600
            );
            return Err(DomainError::rejected(UserErrorCode::Invalid, "to", message));
        }
        Ok(range)
    }

    /// When each window begins, oldest first; Unix seconds.
    pub fn starts(&self) -> impl Iterator<Item = i64> + use<> {
        let (from, to, step) = (self.from_s, self.to_s, self.size.seconds());
        std::iter::successors(Some(from), move |start| Some(start + step))
            .take_while(move |start| *start < to)
    }
}

/// Views of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ViewWindow {
    /// When it begins, Unix seconds.
    pub starts_at_s: i64,
    /// Views.
    pub views: i64,
    /// Different users, about.
    pub viewers: i64,
}

/// Views over a range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ViewSeries {
    /// Views of all windows.
    pub views: i64,
    /// Different users over all windows, about.
    pub reach: i64,
    /// Every window, also those without views, oldest first.
    pub windows: Vec<ViewWindow>,
}

/// That the viewer may see what only `owner` may: they are the owner, or an administrator.
///
/// # Errors
/// [`DomainError::Unauthenticated`], [`DomainError::Forbidden`]; the viewer's shard is unavailable.
pub async fn require_owner(op: &Operation, owner: UserId) -> Result<(), DomainError> {
    match op.require_viewer()?.user_id == owner || moderation::is_admin(op).await? {
        true => Ok(()),
        false => Err(DomainError::Forbidden),
    }
}

/// Views of a post; for its author.
///
/// # Errors
/// As [`require_owner`]; the post's shard is unavailable.
pub async fn views_of_post(
    op: &Operation,
    post: &Post,
    range: Range,
) -> Result<ViewSeries, DomainError> {
    require_owner(op, post.author_id).await?;
    views(op, (post.id.as_i64(), Kind::Post), range).await
}

/// Views of all posts of a user; for them.
///
/// # Errors
/// As [`require_owner`]; their shard is unavailable.
pub async fn views_of_author(
    op: &Operation,
    author: UserId,
    range: Range,
) -> Result<ViewSeries, DomainError> {
    require_owner(op, author).await?;
    views(op, (author.as_i64(), Kind::Author), range).await
}

async fn views(
    op: &Operation,
    subject: (i64, Kind),
    range: Range,
) -> Result<ViewSeries, DomainError> {
    let shard = op.domain.cluster.shard_of(plaza_base::ids::bucket_of(subject.0));
    let span = (range.from_s, range.to_s);
    let found = op
        .domain
        .cluster
        .read(&op.reads, shard, async |connection| {
            view_windows::series(connection, subject, range.size, span).await
        })
        .await?;
    let (mut everybody, mut windows, mut views) = (Sketch::default(), Vec::new(), 0);
    for starts_at_s in range.starts() {
        let window = found.get(&starts_at_s).cloned().unwrap_or_default();
        everybody.merge(&window.viewers);
        views += window.views;
        windows.push(ViewWindow {
            starts_at_s,
            views: window.views,
            viewers: window.viewers.count(),
        });
    }
    work::lookups(windows.len());
    Ok(ViewSeries { views, reach: everybody.count(), windows })
}

/// A user's posts with the most views; for them.
///
/// # Errors
/// As [`require_owner`]; their shard is unavailable.
pub async fn top_posts(
    op: &Operation,
    author: UserId,
    range: Range,
    first: usize,
) -> Result<Vec<TopPost>, DomainError> {
    require_owner(op, author).await?;
    let (shard, limit) =
        (op.domain.cluster.shard_of_id(author), i64::try_from(first).unwrap_or(LONGEST));
    let span = (range.from_s, range.to_s);
    Ok(op
        .domain
        .cluster
        .read(&op.reads, shard, async |connection| {
            view_windows::top_posts(connection, author, range.size, span, limit).await
        })
        .await?)
}

/// Sales of a window.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SalesWindow {
    /// When it begins, Unix seconds.
    pub starts_at_s: i64,
    /// Orders that stand.
    pub orders: i64,
    /// Pieces that stand.
    pub units: i64,
    /// Minor units.
    pub amount: i64,
}

/// Sales over a range, in one currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SalesSeries {
    /// ISO 4217.
    pub currency: String,
    /// Every window, also those without sales, oldest first.
    pub windows: Vec<SalesWindow>,
    /// Pieces sold in the range that came back.
    pub returned_units: i64,
    /// What was given back for them, minor units.
    pub refunded: i64,
}

/// The rows of one currency, with every window of the range.
fn filled(currency: &str, range: Range, rows: &[SalesWindowRow]) -> SalesSeries {
    let own = || rows.iter().filter(|row| row.currency == currency);
    let window = |starts_at_s: i64| {
        own().find(|row| row.starts_at == starts_at_s).map_or(
            SalesWindow { starts_at_s, ..SalesWindow::default() },
            |row| SalesWindow {
                starts_at_s,
                orders: row.orders,
                units: row.quantity,
                amount: row.amount,
            },
        )
    };
    SalesSeries {
        currency: currency.to_owned(),
        windows: range.starts().map(window).collect(),
        returned_units: own().map(|row| row.returned_quantity).sum(),
        refunded: own().map(|row| row.returned_amount).sum(),
    }
}

async fn sales_rows(
    op: &Operation,
    seller: UserId,
    product: Option<&Product>,
    range: Range,
) -> Result<Vec<SalesWindowRow>, DomainError> {
    require_owner(op, seller).await?;
    let (shard, product) =
        (op.domain.cluster.shard_of_id(seller), product.map(|product| product.id));
    let (span, size_s) = ((range.from_s, range.to_s), range.size.seconds());
    Ok(op
        .domain
        .cluster
        .read(&op.reads, shard, async |connection| {
            sales_windows::of_seller(connection, seller, product, size_s, span).await
        })
        .await?)
}

/// Sales of a product; for its seller.
///
/// # Errors
/// As [`require_owner`]; the product's shard is unavailable.
pub async fn sales_of_product(
    op: &Operation,
    product: &Product,
    range: Range,
) -> Result<SalesSeries, DomainError> {
    let rows = sales_rows(op, product.seller_id, Some(product), range).await?;
    Ok(filled(&product.price.currency, range, &rows))
}

/// Sales of all products of a user, a series for each currency in which there were some; for
/// them.
///
/// # Errors
/// As [`require_owner`]; their shard is unavailable.
pub async fn sales_of_seller(
    op: &Operation,
    seller: UserId,
    range: Range,
) -> Result<Vec<SalesSeries>, DomainError> {
    let rows = sales_rows(op, seller, None, range).await?;
    let currencies: std::collections::BTreeSet<&str> =
        rows.iter().map(|row| row.currency.as_str()).collect();
    Ok(currencies.into_iter().map(|currency| filled(currency, range, &rows)).collect())
}

/// A user's products of which the most pieces were sold; for them.
///
/// # Errors
/// As [`require_owner`]; their shard is unavailable.
pub async fn top_products(
    op: &Operation,
    seller: UserId,
    range: Range,
    first: usize,
) -> Result<Vec<TopProduct>, DomainError> {
    require_owner(op, seller).await?;
    let (shard, limit) =
        (op.domain.cluster.shard_of_id(seller), i64::try_from(first).unwrap_or(LONGEST));
    let span = (range.from_s, range.to_s);
    Ok(op
        .domain
        .cluster
        .read(&op.reads, shard, async |connection| {
            sales_windows::top_products(connection, seller, span, limit).await
        })
        .await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn a_range_is_whole_windows_up_to_the_one_that_holds_the_moment() {
        let now = at("2026-03-04T05:06:07Z");
        let range = Range::last(3, Size::Hour, None, now).unwrap();
        let hours: Vec<i64> =
            [3, 4, 5].map(|hour| at("2026-03-04T00:00:00Z").timestamp() + hour * 3_600).to_vec();
        assert_eq!(range.starts().collect::<Vec<_>>(), hours);
        let day = Range::last(1, Size::Day, Some(at("2026-01-02T23:59:59Z")), now).unwrap();
        assert_eq!(day.from_s, at("2026-01-02T00:00:00Z").timestamp());
        assert_eq!(day.to_s, at("2026-01-03T00:00:00Z").timestamp());
    }

    #[test]
    fn what_cannot_be_counted_is_refused() {
        let now = at("2026-03-04T05:06:07Z");
        assert!(Range::last(0, Size::Hour, None, now).is_err());
        assert!(Range::last(101, Size::Hour, None, now).is_err());
        assert!(Range::last(1, Size::Hour, Some(at("2026-03-04T06:00:00Z")), now).is_err());
        assert!(Range::last(60, Size::Minute, Some(at("2026-03-04T01:00:00Z")), now).is_err());
        assert!(Range::last(100, Size::Hour, Some(at("2026-02-25T05:00:00Z")), now).is_err());
        assert!(Range::last(100, Size::Minute, None, now).is_ok());
        assert!(Range::last(100, Size::Day, Some(at("2025-03-04T01:00:00Z")), now).is_ok());
    }
}
