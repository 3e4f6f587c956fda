//! The laws of one shard's rows, in pieces.

use std::time::Duration;

use super::check::Check;
use super::scope::{Scope, Stores, id_of};
use plaza_stores::StoreError;
use plaza_stores::postgres::Connection;
use plaza_stores::postgres::ledger::notified;
use plaza_stores::postgres::ledger::pieces::{Piece, Place, RowLaw, piece};

/// Rows in one statement.
const PIECE: i64 = 2_000;
/// How old a follow may be whose notification is looked for: read ones are deleted some day.
const NOTIFIED: Duration = Duration::from_secs(7 * 24 * 3_600);

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Compared {
    Rows(RowLaw),
    /// Notifications of the outbox's events.
    Events,
    /// Notifications of follows.
    Follows,
    /// Likes of notifications.
    Likes,
}

/// A law: its name, what must hold, and what is compared.
const LAWS: [(&str, &str, Compared); 12] = [
    (
        "post_counts",
        "likes and comments of posts equal their rows",
        Compared::Rows(RowLaw::PostCounts),
    ),
    (
        "user_counts",
        "posts and follows of people equal their rows",
        Compared::Rows(RowLaw::UserCounts),
    ),
    (
        "follower_counts",
        "followers of people equal their rows",
        Compared::Rows(RowLaw::FollowerCounts),
    ),
    (
        "share_counts",
        "reposts and quotes of posts equal their rows",
        Compared::Rows(RowLaw::ShareCounts),
    ),
    (
        "product_sales",
        "sales of products by the minute equal their rows",
        Compared::Rows(RowLaw::Sales),
    ),
    (
        "stock",
        "units left, held and sold are those that were offered",
        Compared::Rows(RowLaw::Stock),
    ),
    (
        "payments",
        "orders that are paid have their payment, and no others",
        Compared::Rows(RowLaw::Payments),
    ),
    ("images", "images that posts show have their row", Compared::Rows(RowLaw::PostImages)),
    ("avatars", "images that people show have their row", Compared::Rows(RowLaw::Avatars)),
    ("notifications", "likes, comments and orders of the last days are notified", Compared::Events),
    ("follow_notifications", "follows of the last days are notified", Compared::Follows),
    ("liked", "likes that were notified are there", Compared::Likes),
];

/// The names of all of them.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    LAWS.into_iter().map(|(name, ..)| name)
}

/// Applies all of them.
pub(super) async fn apply(stores: &Stores, scope: &mut Scope) -> anyhow::Result<Vec<Check>> {
    let mut shards = stores.replicas().await?;
    let since = id_of(&stores.clock, NOTIFIED);
    let mut checks = Vec::new();
    for (name, law, compared) in LAWS {
        let mut check = Check::of(name, law);
        for (number, shard) in shards.iter_mut().enumerate() {
            let mut walk = Walk { compared, since, after: scope.cursors.place(name, number) };
            let place = walk.all(shard, scope, &mut check).await?;
            scope.cursors.put(name, number, place);
        }
        checks.push(check);
    }
    Ok(checks)
}

/// A law on its way through a shard's rows.
struct Walk {
    compared: Compared,
    /// The oldest id whose notification is looked for.
    since: i64,
    after: Place,
}

impl Walk {
    /// Reads as many rows as the scope allows; where to go on, if there are more.
    async fn all(
        &mut self,
        shard: &mut Connection,
        scope: &Scope,
        check: &mut Check,
    ) -> Result<Option<Place>, StoreError> {
        if self.compared == Compared::Events && scope.rows < i64::MAX {
            // The newest, should there be more than are read: older ones were.
            let newest = notified::newest_message(shard).await?;
            self.after.0 = self.after.0.max(newest.saturating_sub(scope.rows));
        }
        let mut left = scope.rows;
        while left > 0 {
            let limit = left.min(PIECE);
            let piece = self.piece(shard, limit).await?;
            check.add(&piece);
            let Some(last) = piece.last.filter(|_| piece.rows >= limit) else { return Ok(None) };
            self.after = (last, piece.last_minor);
            left -= piece.rows;
            tokio::time::sleep(scope.pause).await;
        }
        Ok(Some(self.after))
    }

    async fn piece(&self, shard: &mut Connection, limit: i64) -> Result<Piece, StoreError> {
        match self.compared {
            Compared::Rows(law) => piece(shard, law, self.after, limit).await,
            Compared::Events => notified::of_events(shard, self.after, limit).await,
            Compared::Follows => notified::of_follows(shard, self.after, self.since, limit).await,
            Compared::Likes => notified::of_likes(shard, self.after, limit).await,
        }
    }
}
