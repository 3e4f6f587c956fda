//! What people are told of: that somebody follows them, likes, comments on, passes on or quotes a
//! post of theirs, mentions or answers them, has bought from them; how an order of theirs ended.

use async_trait::async_trait;
use diesel::QueryableByName;
use diesel::sql_types::{Array, BigInt, Nullable, Text};
use diesel_async::RunQueryDsl;

use super::distinct;
use super::projection::{Effects, Projection};
use crate::ids::{Bucket, Id, NotificationId, PostId, ProductId, UserId};
use crate::protocol::envelope::EventEnvelope;
use crate::protocol::events::{Aggregate, Event};
use crate::protocol::routing::Topic;
use crate::stores::StoreError;
use crate::stores::postgres::prepared::{prepared, sql};
use crate::stores::postgres::{Connection, ShardIndex, Transaction};

/// One thing a person is told.
#[derive(Debug, Clone, QueryableByName)]
pub struct NotificationRow {
    /// Id.
    #[diesel(sql_type = BigInt)]
    pub id: NotificationId,
    /// Who is told.
    #[diesel(sql_type = BigInt)]
    pub user_id: UserId,
    /// The kind's name.
    #[diesel(sql_type = Text)]
    pub kind: String,
    /// Who did it; 0: nobody in particular.
    #[diesel(sql_type = BigInt)]
    pub actor_id: i64,
    /// The post, comment or order it is about; 0: none.
    #[diesel(sql_type = BigInt)]
    pub subject_id: i64,
    /// The product it is about.
    #[diesel(sql_type = Nullable<BigInt>)]
    pub product_id: Option<i64>,
}

/// A person's notifications below an id, newest first.
///
/// # Errors
/// The server's.
pub async fn page(
    connection: &mut Connection,
    user: i64,
    below: i64,
    limit: i64,
) -> Result<Vec<NotificationRow>, StoreError> {
    Ok(prepared(
        sql("SELECT id, user_id, kind, actor_id, subject_id, product_id FROM notifications
             WHERE user_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3")
        .bind::<BigInt, _>(user)
        .bind::<BigInt, _>(below)
        .bind::<BigInt, _>(limit),
    )
    .load(connection)
    .await?)
}

/// A person's notifications above an id, oldest first.
///
/// # Errors
/// The server's.
pub async fn since(
    connection: &mut Connection,
    user: i64,
    above: i64,
    limit: i64,
) -> Result<Vec<NotificationRow>, StoreError> {
    Ok(prepared(
        sql("SELECT id, user_id, kind, actor_id, subject_id, product_id FROM notifications
             WHERE user_id = $1 AND id > $2 ORDER BY id LIMIT $3")
        .bind::<BigInt, _>(user)
        .bind::<BigInt, _>(above)
        .bind::<BigInt, _>(limit),
    )
    .load(connection)
    .await?)
}

/// A notification with what its group goes by.
#[derive(Debug, Clone, QueryableByName)]
pub struct Listed {
    /// The notification.
    #[diesel(embed)]
    pub notification: NotificationRow,
    /// The post that the comment it is about is on.
    #[diesel(sql_type = Nullable<BigInt>)]
    pub post_id: Option<i64>,
}

/// A person's notifications up to an id, newest first, each with the post it is about.
///
/// # Errors
/// The server's.
pub async fn newest(
    connection: &mut Connection,
    user: i64,
    up_to: i64,
    limit: i64,
) -> Result<Vec<Listed>, StoreError> {
    Ok(prepared(
        sql("SELECT n.id, n.user_id, n.kind, n.actor_id, n.subject_id, n.product_id, c.post_id
             FROM (SELECT * FROM notifications WHERE user_id = $1 AND id <= $2 ORDER BY id DESC LIMIT $3) n
             LEFT JOIN comments c ON n.kind = 'COMMENTED' AND c.id = n.subject_id
             ORDER BY n.id DESC")
        .bind::<BigInt, _>(user)
        .bind::<BigInt, _>(up_to)
        .bind::<BigInt, _>(limit),
    )
    .load(connection)
    .await?)
}

/// A person's newest notifications above an id but for some kinds, newest first.
///
/// # Errors
/// The server's.
pub async fn unread(
    connection: &mut Connection,
    user: i64,
    above: i64,
    but: &[String],
    limit: i64,
) -> Result<Vec<NotificationRow>, StoreError> {
    Ok(prepared(
        sql("SELECT id, user_id, kind, actor_id, subject_id, product_id FROM notifications
             WHERE user_id = $1 AND id > $2 AND kind <> ALL($3) ORDER BY id DESC LIMIT $4")
        .bind::<BigInt, _>(user)
        .bind::<BigInt, _>(above)
        .bind::<Array<Text>, _>(but)
        .bind::<BigInt, _>(limit),
    )
    .load(connection)
    .await?)
}

/// Notifications by id.
///
/// # Errors
/// The server's.
pub async fn get_many(
    connection: &mut Connection,
    ids: &[i64],
) -> Result<Vec<NotificationRow>, StoreError> {
    Ok(prepared(
        sql("SELECT id, user_id, kind, actor_id, subject_id, product_id FROM notifications WHERE id = ANY($1)")
            .bind::<Array<BigInt>, _>(ids),
    )
    .load(connection)
    .await?)
}

/// The projection.
#[derive(Debug)]
pub struct Notifications;

/// A row to be. Whom a post's or product's notification is for is looked up: the event does not
/// say.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
struct Told {
    user: i64,
    post: i64,
    product: i64,
    kind: &'static str,
    actor: i64,
    subject: i64,
    /// Whoever is told of it otherwise.
    unless: i64,
}

fn told(event: &Event) -> Option<Told> {
    Some(match event {
        Event::UserFollowed { follower_id, followee_id, .. } => Told {
            user: followee_id.as_i64(),
            kind: "FOLLOWED",
            actor: follower_id.as_i64(),
            ..Told::default()
        },
        Event::UserFollowRequested { follower_id, followee_id, .. } => Told {
            user: followee_id.as_i64(),
            kind: "FOLLOW_REQUESTED",
            actor: follower_id.as_i64(),
            ..Told::default()
        },
        Event::PostLiked { post_id, user_id } => {
            let post = post_id.as_i64();
            Told { post, kind: "LIKED", actor: user_id.as_i64(), subject: post, ..Told::default() }
        }
        Event::PostCommented { post_id, comment_id, author_id } => Told {
            post: post_id.as_i64(),
            kind: "COMMENTED",
            actor: author_id.as_i64(),
            subject: comment_id.as_i64(),
            ..Told::default()
        },
        Event::PostReplied { post_id, comment_id, author_id, answered_id } => {
            let (post, unless) = (post_id.as_i64(), answered_id.as_i64());
            Told {
                post,
                kind: "COMMENTED",
                actor: author_id.as_i64(),
                subject: comment_id.as_i64(),
                unless,
                ..Told::default()
            }
        }
        Event::CommentAnswered { user_id, author_id, comment_id } => Told {
            user: user_id.as_i64(),
            kind: "REPLY",
            actor: author_id.as_i64(),
            subject: comment_id.as_i64(),
            ..Told::default()
        },
        Event::UserMentioned { user_id, author_id, post_id, comment_id } => {
            let subject = comment_id.map_or(post_id.as_i64(), Id::as_i64);
            Told {
                user: user_id.as_i64(),
                kind: "MENTION",
                actor: author_id.as_i64(),
                subject,
                ..Told::default()
            }
        }
        Event::PostReposted { author_id, original_id, .. } => {
            let post = original_id.as_i64();
            Told {
                post,
                kind: "REPOST",
                actor: author_id.as_i64(),
                subject: post,
                ..Told::default()
            }
        }
        Event::PostQuoted { quote_id, author_id, quoted_id } => Told {
            post: quoted_id.as_i64(),
            kind: "QUOTE",
            actor: author_id.as_i64(),
            subject: quote_id.as_i64(),
            ..Told::default()
        },
        Event::ProductSold { product_id, order_id, .. } => Told {
            product: product_id.as_i64(),
            kind: "ORDERED",
            subject: order_id.as_i64(),
            ..Told::default()
        },
        Event::OrderStatusChanged { order_id, buyer_id, status } => {
            let kind = match status.as_str() {
                "CONFIRMED" => "ORDER_CONFIRMED",
                "REJECTED" => "ORDER_REJECTED",
                "REFUNDED" => "ORDER_REFUNDED",
                _ => return None,
            };
            Told { user: buyer_id.as_i64(), kind, subject: order_id.as_i64(), ..Told::default() }
        }
        _ => return None,
    })
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
            Aggregate::Mention(user, ..) | Aggregate::Answer(user, _) => Some(user.bucket()),
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
    ) -> Result<(), StoreError> {
        let connection: &mut Connection = transaction;
        let told: Vec<Told> = events.iter().filter_map(|event| told(&event.event)).collect();
        if told.is_empty() {
            return Ok(());
        }
        let column = |of: fn(&Told) -> i64| told.iter().map(of).collect::<Vec<i64>>();
        prepared(
            sql("INSERT INTO notifications (id, user_id, kind, actor_id, subject_id, product_id)
                 SELECT next_id(((r.recipient >> 12) & 1023)::integer), r.recipient, r.kind, r.actor, r.subject, nullif(r.product, 0)
                 FROM (SELECT coalesce(nullif(t.user_id, 0), p.author_id, g.seller_id) AS recipient, t.*
                       FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[])
                            WITH ORDINALITY AS t(user_id, post, product, kind, actor, subject, unless, place)
                       LEFT JOIN posts p ON p.id = t.post LEFT JOIN products g ON g.id = t.product
                       ORDER BY place) r
                 WHERE r.recipient IS NOT NULL AND r.recipient <> r.actor AND r.recipient <> r.unless
                 ON CONFLICT (user_id, kind, actor_id, subject_id) DO NOTHING")
            .bind::<Array<BigInt>, _>(column(|told| told.user))
            .bind::<Array<BigInt>, _>(column(|told| told.post))
            .bind::<Array<BigInt>, _>(column(|told| told.product))
            .bind::<Array<Text>, _>(told.iter().map(|told| told.kind).collect::<Vec<_>>())
            .bind::<Array<BigInt>, _>(column(|told| told.actor))
            .bind::<Array<BigInt>, _>(column(|told| told.subject))
            .bind::<Array<BigInt>, _>(column(|told| told.unless)),
        )
        .execute(connection)
        .await?;
        Ok(())
    }

    async fn after_commit(
        &self,
        effects: &dyn Effects,
        events: &[EventEnvelope],
    ) -> Result<(), StoreError> {
        let told: Vec<Told> = events.iter().filter_map(|event| told(&event.event)).collect();
        let ids = |of: fn(&Told) -> i64| distinct(told.iter().map(of).filter(|id| *id != 0));
        let people: Vec<UserId> = ids(|told| told.user).into_iter().map(UserId::from_i64).collect();
        let posts: Vec<PostId> = ids(|told| told.post).into_iter().map(PostId::from_i64).collect();
        let products: Vec<ProductId> =
            ids(|told| told.product).into_iter().map(ProductId::from_i64).collect();
        effects.notified(&people, &posts, &products).await?;
        let buyers = events.iter().filter_map(|event| match event.event {
            Event::OrderPlaced { buyer_id, .. } | Event::OrderStatusChanged { buyer_id, .. } => {
                Some(buyer_id)
            }
            _ => None,
        });
        effects.orders_changed(&distinct(buyers)).await
    }
}
