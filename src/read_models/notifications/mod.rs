//! Notifications: that somebody follows a user, likes, comments on, reposts or quotes a post of
//! theirs, mentions or answers them, has bought from them; how an order of theirs ended.
//!
//! A notification follows its cause. What may end and begin again (a like, a repost, a follow, a
//! request) carries the version of its cause: an end withdraws the row, a new beginning comes as a
//! new notification with a new id, and what comes late or twice is older than the row and changes
//! nothing. A withdrawn row stays, so that the version is known. What happens once (a comment, an
//! order) has version 0.

mod kind;
mod read;

use std::collections::HashMap;

use async_trait::async_trait;
use diesel::QueryableByName;
use diesel::sql_types::{Array, BigInt, Bool, Text};
use diesel_async::RunQueryDsl;

use super::distinct;
use super::projection::{Effect, Projection};
use plaza_base::ids::{Bucket, Id, PostId, ProductId, UserId};
use plaza_protocol::envelope::EventEnvelope;
use plaza_protocol::events::{Aggregate, Event};
use plaza_protocol::routing::Topic;
use plaza_stores::StoreError;
use plaza_stores::postgres::prepared::{prepared, sql};
use plaza_stores::postgres::{ShardIndex, Transaction};

pub use kind::Kind;
pub use read::{NotificationRow, Part, Wanted, get_many, newest, newest_id, since};

/// The projection.
#[derive(Debug)]
pub struct Notifications;

/// A notification as an event leaves it. Whose a post's or product's notification is is looked up:
/// the event does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Change {
    /// Whose; 0: the author's of the post, or the seller's of the product.
    user: i64,
    post: i64,
    product: i64,
    kind: Kind,
    /// Who did it; 0: nobody in particular.
    actor: i64,
    subject: i64,
    /// Who has another notification of it; 0: nobody.
    unless: i64,
    /// Of the cause, comparable between all causes of the same row; 0: it happens once.
    version: i64,
    /// Whether the cause is so, or is so no longer.
    active: bool,
}

impl Change {
    fn by(actor: UserId, kind: Kind) -> Self {
        Self { actor: actor.as_i64(), ..Self::by_nobody(kind) }
    }

    fn by_nobody(kind: Kind) -> Self {
        Self {
            user: 0,
            post: 0,
            product: 0,
            kind,
            actor: 0,
            subject: 0,
            unless: 0,
            version: 0,
            active: true,
        }
    }

    /// About a post of the recipient's.
    fn on(self, post: PostId) -> Self {
        Self { post: post.as_i64(), subject: post.as_i64(), ..self }
    }

    fn to(self, user: UserId) -> Self {
        Self { user: user.as_i64(), ..self }
    }

    fn about(self, subject: impl Id) -> Self {
        Self { subject: subject.as_i64(), ..self }
    }

    fn begins(self, version: i64) -> Self {
        Self { version, ..self }
    }

    fn ends(self, version: i64) -> Self {
        Self { version, active: false, ..self }
    }

    fn key(&self) -> (i64, i64, i64, Kind, i64, i64) {
        (self.user, self.post, self.product, self.kind, self.actor, self.subject)
    }

    /// Whether this changes what another has left.
    fn follows(&self, held: &Self) -> bool {
        self.version > held.version || (self.version == held.version && held.active && !self.active)
    }
}

/// What an event means for notifications. The match names every event: a new one is decided on
/// when it is made.
fn changes(event: &Event, version: i64) -> Vec<Change> {
    match event {
        Event::UserFollowed { follower_id, followee_id, .. } => vec![
            Change::by(*follower_id, Kind::FollowRequested).to(*followee_id).ends(version),
            Change::by(*follower_id, Kind::Followed).to(*followee_id).begins(version),
        ],
        Event::UserFollowRequested { follower_id, followee_id, .. } => {
            vec![Change::by(*follower_id, Kind::FollowRequested).to(*followee_id).begins(version)]
        }
        Event::UserUnfollowed { follower_id, followee_id } => {
            [Kind::FollowRequested, Kind::Followed]
                .map(|kind| Change::by(*follower_id, kind).to(*followee_id).ends(version))
                .to_vec()
        }
        // Requests' ids rise, and each is granted once at most.
        Event::UserFollowAccepted { follower_id, followee_id, follow_id } => {
            let accepted = Change::by(*followee_id, Kind::FollowAccepted).to(*follower_id);
            vec![accepted.begins(follow_id.as_i64())]
        }
        Event::PostLiked { post_id, user_id } => {
            vec![Change::by(*user_id, Kind::Liked).on(*post_id).begins(version)]
        }
        Event::PostUnliked { post_id, user_id } => {
            vec![Change::by(*user_id, Kind::Liked).on(*post_id).ends(version)]
        }
        // Every repost is an aggregate of its own: of two by the same user, the newer id.
        Event::PostReposted { repost_id, author_id, original_id } => {
            let repost = Change::by(*author_id, Kind::Repost).on(*original_id);
            vec![repost.begins(repost_id.as_i64())]
        }
        Event::PostUnreposted { repost_id, author_id, original_id } => {
            let repost = Change::by(*author_id, Kind::Repost).on(*original_id);
            vec![repost.ends(repost_id.as_i64())]
        }
        Event::PostQuoted { quote_id, author_id, quoted_id } => {
            let quote = Change::by(*author_id, Kind::Quote).on(*quoted_id).about(*quote_id);
            vec![quote.begins(version)]
        }
        Event::PostUnquoted { quote_id, author_id, quoted_id } => {
            let quote = Change::by(*author_id, Kind::Quote).on(*quoted_id).about(*quote_id);
            vec![quote.ends(version)]
        }
        Event::PostCommented { post_id, comment_id, author_id } => {
            vec![Change::by(*author_id, Kind::Commented).on(*post_id).about(*comment_id)]
        }
        Event::PostReplied { post_id, comment_id, author_id, answered_id } => {
            let comment = Change::by(*author_id, Kind::Commented).on(*post_id).about(*comment_id);
            vec![Change { unless: answered_id.as_i64(), ..comment }]
        }
        Event::CommentAnswered { user_id, author_id, comment_id } => {
            vec![Change::by(*author_id, Kind::Reply).to(*user_id).about(*comment_id)]
        }
        Event::UserMentioned { user_id, author_id, post_id, comment_id } => {
            let mention = Change::by(*author_id, Kind::Mention).to(*user_id);
            vec![match comment_id {
                Some(comment) => mention.about(*comment),
                None => mention.about(*post_id),
            }]
        }
        Event::ProductSold { product_id, order_id, .. } => {
            let sold = Change::by_nobody(Kind::Ordered).about(*order_id);
            vec![Change { product: product_id.as_i64(), ..sold }]
        }
        Event::ProductReturned { product_id, order_id, .. } => {
            let returned = Change::by_nobody(Kind::OrderRefunded).about(*order_id);
            vec![Change { product: product_id.as_i64(), ..returned }]
        }
        Event::OrderStatusChanged { order_id, buyer_id, status } => {
            let kind = match status.as_str() {
                "CONFIRMED" => Kind::OrderConfirmed,
                "REJECTED" => Kind::OrderRejected,
                "REFUNDED" => Kind::OrderRefunded,
                _ => return Vec::new(),
            };
            vec![Change::by_nobody(kind).to(*buyer_id).about(*order_id)]
        }
        // That a post is deleted is on the recipient's shard, and is asked when they read.
        Event::PostDeleted { .. }
        | Event::PostCreated { .. }
        | Event::UserCreated { .. }
        | Event::UserUpdated { .. }
        | Event::UserBlocked { .. }
        | Event::UserUnblocked { .. }
        | Event::ProductCreated { .. }
        | Event::ProductStockChanged { .. }
        | Event::OrderPlaced { .. } => Vec::new(),
    }
}

/// What a batch leaves of each notification, in the order in which it was left.
fn left(events: &[EventEnvelope]) -> Vec<Change> {
    let mut places: HashMap<_, usize> = HashMap::new();
    let mut left: Vec<Option<Change>> = Vec::new();
    for change in events.iter().flat_map(|event| changes(&event.event, event.version)) {
        let held = places.get(&change.key()).and_then(|place| left.get_mut(*place));
        match held {
            Some(held) if held.is_some_and(|held| !change.follows(&held)) => continue,
            Some(held) => *held = None,
            None => {}
        }
        places.insert(change.key(), left.len());
        left.push(Some(change));
    }
    left.into_iter().flatten().collect()
}

/// Buyers whose orders have changed.
fn orders_changed(events: &[EventEnvelope]) -> Vec<Effect> {
    distinct(events.iter().filter_map(|event| match event.event {
        Event::OrderPlaced { buyer_id, .. } | Event::OrderStatusChanged { buyer_id, .. } => {
            Some(Effect::OrdersChanged(buyer_id))
        }
        _ => None,
    }))
}

#[derive(QueryableByName)]
struct ChangedRow {
    #[diesel(sql_type = BigInt)]
    user_id: UserId,
    #[diesel(sql_type = Bool)]
    active: bool,
}

#[async_trait]
impl Projection for Notifications {
    fn name(&self) -> &'static str {
        "notifications"
    }

    fn topics(&self) -> &'static [Topic] {
        &[Topic::Edges, Topic::Posts, Topic::References, Topic::Products, Topic::Orders]
    }

    fn target(&self, aggregate: Aggregate) -> Option<Bucket> {
        match aggregate {
            Aggregate::Edge(_, followee) => Some(followee.bucket()),
            Aggregate::Post(post) => Some(post.bucket()),
            Aggregate::Share(_, shared) => Some(shared.bucket()),
            Aggregate::Mention(user, ..)
            | Aggregate::Answer(user, _)
            | Aggregate::Acceptance(user, _) => Some(user.bucket()),
            Aggregate::Product(product) => Some(product.bucket()),
            // An order is in its buyer's bucket.
            Aggregate::Order(order) => Some(order.bucket()),
            Aggregate::User(_) | Aggregate::Block(..) => None,
        }
    }

    async fn commit(
        &self,
        transaction: &mut Transaction,
        _shard: ShardIndex,
        events: &[EventEnvelope],
    ) -> Result<Vec<Effect>, StoreError> {
        let left = left(events);
        if left.is_empty() {
            return Ok(orders_changed(events));
        }
        let column = |of: fn(&Change) -> i64| left.iter().map(of).collect::<Vec<i64>>();
        // An end finds what it ends: the events of a cause come in order.
        let changed: Vec<ChangedRow> = prepared(
            sql("INSERT INTO notifications AS n (id, user_id, kind, actor_id, subject_id, product_id, version, active)
                 SELECT next_id(((r.recipient >> 12) & 1023)::integer), r.recipient, r.kind, r.actor, r.subject, nullif(r.product, 0),
                        r.version, r.active
                 FROM (SELECT * FROM (
                           SELECT DISTINCT ON (recipient, kind, actor, subject) *
                           FROM (SELECT coalesce(nullif(t.user_id, 0), p.author_id, g.seller_id) AS recipient, t.*
                                 FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[],
                                             $8::bigint[], $9::boolean[])
                                      WITH ORDINALITY AS t(user_id, post, product, kind, actor, subject, unless, version, active, place)
                                 LEFT JOIN posts p ON p.id = t.post LEFT JOIN products g ON g.id = t.product) found
                           ORDER BY recipient, kind, actor, subject, place) once
                       ORDER BY place) r
                 WHERE r.recipient IS NOT NULL AND r.recipient <> r.actor AND r.recipient <> r.unless
                   AND (r.active OR EXISTS (SELECT 1 FROM notifications h WHERE h.user_id = r.recipient AND h.kind = r.kind
                                                                            AND h.actor_id = r.actor AND h.subject_id = r.subject))
                 ON CONFLICT (user_id, kind, actor_id, subject_id) DO UPDATE
                 SET id = CASE WHEN excluded.active THEN excluded.id ELSE n.id END, version = excluded.version, active = excluded.active
                 WHERE excluded.version > n.version
                    OR (excluded.version = n.version AND n.active AND NOT excluded.active)
                 RETURNING user_id, active")
            .bind::<Array<BigInt>, _>(column(|change| change.user))
            .bind::<Array<BigInt>, _>(column(|change| change.post))
            .bind::<Array<BigInt>, _>(column(|change| change.product))
            .bind::<Array<Text>, _>(left.iter().map(|change| change.kind.name()).collect::<Vec<_>>())
            .bind::<Array<BigInt>, _>(column(|change| change.actor))
            .bind::<Array<BigInt>, _>(column(|change| change.subject))
            .bind::<Array<BigInt>, _>(column(|change| change.unless))
            .bind::<Array<BigInt>, _>(column(|change| change.version))
            .bind::<Array<Bool>, _>(left.iter().map(|change| change.active).collect::<Vec<_>>()),
        )
        .load(&mut **transaction)
        .await?;
        let begun = changed.into_iter().filter(|row| row.active);
        Ok(distinct(begun.map(|row| Effect::Notified(row.user_id)).chain(orders_changed(events))))
    }

    fn effects(&self, events: &[EventEnvelope]) -> Vec<Effect> {
        let begun = left(events).into_iter().filter(|change| change.active);
        let notified = begun.flat_map(|change| {
            let user = (change.user != 0).then(|| Effect::Notified(UserId::from_i64(change.user)));
            let post =
                (change.post != 0).then(|| Effect::AuthorNotified(PostId::from_i64(change.post)));
            let product = (change.product != 0)
                .then(|| Effect::SellerNotified(ProductId::from_i64(change.product)));
            [user, post, product].into_iter().flatten()
        });
        distinct(notified.chain(orders_changed(events)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;
    use plaza_base::ids::FollowId;

    fn events(of: &[(Event, i64)]) -> Vec<EventEnvelope> {
        of.iter().map(|(event, version)| sample::event(event.clone(), *version)).collect()
    }

    /// (kind, version, active) of what is left.
    fn kept(of: &[(Event, i64)]) -> Vec<(Kind, i64, bool)> {
        left(&events(of)).iter().map(|left| (left.kind, left.version, left.active)).collect()
    }

    #[test]
    fn the_newest_version_of_a_cause_decides_in_whatever_order_they_come() {
        let (post_id, user_id) = (PostId::from_i64(7), UserId::from_i64(1));
        let like = |version| (Event::PostLiked { post_id, user_id }, version);
        let unlike = |version| (Event::PostUnliked { post_id, user_id }, version);
        assert_eq!(kept(&[like(2), unlike(3)]), [(Kind::Liked, 3, false)]);
        assert_eq!(kept(&[like(2), unlike(3), like(4)]), [(Kind::Liked, 4, true)]);
        assert_eq!(kept(&[unlike(3), like(2)]), [(Kind::Liked, 3, false)]);
        assert_eq!(kept(&[like(4), unlike(3), like(2), like(4)]), [(Kind::Liked, 4, true)]);
    }

    #[test]
    fn an_older_repost_that_ends_late_does_not_end_the_newer() {
        let (author_id, original_id) = (UserId::from_i64(1), PostId::from_i64(7));
        let repost =
            |id| Event::PostReposted { repost_id: PostId::from_i64(id), author_id, original_id };
        let unrepost =
            |id| Event::PostUnreposted { repost_id: PostId::from_i64(id), author_id, original_id };
        assert_eq!(
            kept(&[(repost(10), 1), (repost(20), 1), (unrepost(10), 2)]),
            [(Kind::Repost, 20, true)]
        );
        assert_eq!(kept(&[(repost(10), 1), (unrepost(10), 2)]), [(Kind::Repost, 10, false)]);
    }

    #[test]
    fn an_answer_ends_a_request_and_what_is_new_comes_last() {
        let (follower_id, followee_id) = (UserId::from_i64(1), UserId::from_i64(2));
        let follow_id = FollowId::from_i64(5);
        let ask = Event::UserFollowRequested { follower_id, followee_id, follow_id };
        let begin = Event::UserFollowed { follower_id, followee_id, follow_id };
        let end = Event::UserUnfollowed { follower_id, followee_id };
        assert_eq!(
            kept(&[(ask.clone(), 1), (begin, 2)]),
            [(Kind::FollowRequested, 2, false), (Kind::Followed, 2, true)]
        );
        assert_eq!(
            kept(&[(ask.clone(), 1), (end, 2), (ask, 3)]),
            [(Kind::Followed, 2, false), (Kind::FollowRequested, 3, true)]
        );
    }

    #[test]
    fn what_happens_once_is_kept_once() {
        let (user_id, author_id) = (UserId::from_i64(1), UserId::from_i64(2));
        let mention = Event::UserMentioned {
            user_id,
            author_id,
            post_id: PostId::from_i64(3),
            comment_id: None,
        };
        assert_eq!(kept(&[(mention.clone(), 1), (mention, 1)]), [(Kind::Mention, 0, true)]);
    }
}
