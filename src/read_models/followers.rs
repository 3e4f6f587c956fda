//! The followee's side of follows, the count of followers, and the switch between pushing and
//! pulling an author's posts.

use std::collections::BTreeMap;

use async_trait::async_trait;
use diesel::QueryableByName;
use diesel::sql_types::{Array, BigInt, Bool};
use diesel_async::RunQueryDsl;

use super::projection::{Effect, Projection};
use super::{distinct, follow_requests};
use plaza_base::ids::{Bucket, Id, UserId};
use plaza_outbox::Messages;
use plaza_protocol::envelope::EventEnvelope;
use plaza_protocol::events::{Aggregate, Event};
use plaza_protocol::jobs::Job;
use plaza_protocol::routing::Topic;
use plaza_stores::StoreError;
use plaza_stores::postgres::keyset::Keyset;
use plaza_stores::postgres::prepared::{prepared, sql};
use plaza_stores::postgres::{Connection, ShardIndex, Transaction};

#[derive(QueryableByName)]
struct PageRow {
    #[diesel(sql_type = BigInt)]
    follow_id: i64,
    #[diesel(sql_type = BigInt)]
    follower_id: UserId,
}

/// (follow id, follower id), by follow id.
///
/// # Errors
/// The server's.
pub async fn page(
    connection: &mut Connection,
    followee: UserId,
    keyset: Keyset,
) -> Result<Vec<(i64, UserId)>, StoreError> {
    let statement = if keyset.descending {
        sql("SELECT follow_id, follower_id FROM followers
             WHERE followee_id = $1 AND active AND follow_id < $2 ORDER BY follow_id DESC LIMIT $3")
    } else {
        sql("SELECT follow_id, follower_id FROM followers
             WHERE followee_id = $1 AND active AND follow_id > $2 ORDER BY follow_id LIMIT $3")
    };
    let rows: Vec<PageRow> = prepared(
        statement
            .bind::<BigInt, _>(followee)
            .bind::<BigInt, _>(keyset.beyond)
            .bind::<BigInt, _>(keyset.limit),
    )
    .load(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.follow_id, row.follower_id)).collect())
}

#[derive(QueryableByName)]
struct IdRow {
    #[diesel(sql_type = BigInt)]
    id: UserId,
}

/// Follower ids above `after`, ascending: the fan-out's walk.
///
/// # Errors
/// The server's.
pub async fn chunk(
    connection: &mut Connection,
    followee: UserId,
    after: Option<UserId>,
    limit: i64,
) -> Result<Vec<UserId>, StoreError> {
    let rows: Vec<IdRow> = prepared(
        sql("SELECT follower_id AS id FROM followers WHERE followee_id = $1 AND active AND follower_id > $2 ORDER BY follower_id LIMIT $3")
            .bind::<BigInt, _>(followee)
            .bind::<BigInt, _>(after.map_or(0, Id::as_i64))
            .bind::<BigInt, _>(limit),
    )
    .load(connection)
    .await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

/// The projection.
#[derive(Debug)]
pub struct Followers {
    /// Followers from which an author is pulled.
    pub pull_from: i64,
    /// Followers below which an author is pushed again.
    pub push_below: i64,
}

/// What a batch leaves of each edge: (followee, follower) ▶ (follow id, active). An end does not
/// carry the follow's id; 0 stands for "as it was".
fn edges(events: &[EventEnvelope]) -> BTreeMap<(UserId, UserId), (i64, bool)> {
    let mut edges = BTreeMap::new();
    for event in events {
        match &event.event {
            Event::UserFollowed { follower_id, followee_id, follow_id } => {
                edges.insert((*followee_id, *follower_id), (follow_id.as_i64(), true));
            }
            Event::UserUnfollowed { follower_id, followee_id } => {
                let edge = edges.entry((*followee_id, *follower_id)).or_insert((0, false));
                edge.1 = false;
            }
            _ => {}
        }
    }
    edges
}

fn followee_of(event: &Event) -> Option<UserId> {
    match event {
        Event::UserFollowed { followee_id, .. }
        | Event::UserFollowRequested { followee_id, .. }
        | Event::UserUnfollowed { followee_id, .. } => Some(*followee_id),
        _ => None,
    }
}

#[async_trait]
impl Projection for Followers {
    fn name(&self) -> &'static str {
        "followers"
    }

    fn topics(&self) -> &'static [Topic] {
        &[Topic::Edges]
    }

    fn target(&self, aggregate: Aggregate) -> Option<Bucket> {
        match aggregate {
            Aggregate::Edge(_, followee) => Some(followee.bucket()),
            Aggregate::User(_)
            | Aggregate::Block(..)
            | Aggregate::Post(_)
            | Aggregate::Share(..)
            | Aggregate::Mention(..)
            | Aggregate::Answer(..)
            | Aggregate::Acceptance(..)
            | Aggregate::Product(_)
            | Aggregate::Order(_) => None,
        }
    }

    async fn commit(
        &self,
        transaction: &mut Transaction,
        shard: ShardIndex,
        events: &[EventEnvelope],
    ) -> Result<Vec<Effect>, StoreError> {
        follow_requests::write(transaction, events).await?;
        follow_requests::grant_late(transaction, shard, events).await?;
        let edges = edges(events);
        let mut columns: (Vec<UserId>, Vec<UserId>, Vec<i64>, Vec<bool>) = Default::default();
        for ((followee, follower), (follow, active)) in &edges {
            columns.0.push(*followee);
            columns.1.push(*follower);
            columns.2.push(*follow);
            columns.3.push(*active);
        }
        // Each statement within sees what was before all of it.
        prepared(
            sql("WITH edges AS (
                     SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::boolean[])
                     AS e(followee_id, follower_id, follow_id, active)),
                 stored AS (
                     INSERT INTO followers AS f (followee_id, follower_id, follow_id, active)
                     SELECT * FROM edges
                     ON CONFLICT (followee_id, follower_id) DO UPDATE
                     SET follow_id = CASE WHEN excluded.follow_id = 0 THEN f.follow_id
                                          ELSE excluded.follow_id END,
                         active = excluded.active),
                 added AS (
                     SELECT e.followee_id AS user_id,
                            sum(e.active::int - coalesce(f.active, false)::int) AS followers
                     FROM edges e LEFT JOIN followers f USING (followee_id, follower_id)
                     GROUP BY e.followee_id)
                 INSERT INTO follower_counts AS c (user_id, follower_count)
                 SELECT a.user_id, a.followers
                      + CASE WHEN EXISTS (SELECT 1 FROM follower_counts k WHERE k.user_id = a.user_id)
                             THEN 0
                             ELSE (SELECT count(*) FROM followers f
                                   WHERE f.followee_id = a.user_id AND f.active) END
                 FROM added a
                 ON CONFLICT (user_id) DO UPDATE
                 SET follower_count = c.follower_count + excluded.follower_count,
                     version = c.version + 1")
            .bind::<Array<BigInt>, _>(&columns.0)
            .bind::<Array<BigInt>, _>(&columns.1)
            .bind::<Array<BigInt>, _>(&columns.2)
            .bind::<Array<Bool>, _>(&columns.3),
        )
        .execute(&mut **transaction)
        .await?;
        let followees = distinct(columns.0);
        self.switch(transaction, shard, &followees, events).await?;
        Ok(self.effects(events))
    }

    fn effects(&self, events: &[EventEnvelope]) -> Vec<Effect> {
        let followees = distinct(events.iter().filter_map(|event| followee_of(&event.event)));
        let followers = distinct(events.iter().filter_map(|event| match event.event {
            Event::UserFollowed { follower_id, .. }
            | Event::UserFollowRequested { follower_id, .. }
            | Event::UserUnfollowed { follower_id, .. } => Some(follower_id),
            _ => None,
        }));
        let changed = followees.into_iter().map(Effect::ProfileChanged);
        changed.chain(followers.into_iter().map(Effect::FollowsChanged)).collect()
    }
}

/// Messages in the name of a batch's last event.
pub(super) fn messages(shard: ShardIndex, last: &EventEnvelope) -> Messages {
    let now = chrono::DateTime::parse_from_rfc3339(&last.time)
        .map(|time| time.to_utc())
        .unwrap_or_default();
    Messages::new(shard, now, last.traceparent.as_deref())
}

impl Followers {
    /// Turns authors that have grown past the one threshold to pulling, and asks for those below
    /// the other to be pushed again.
    async fn switch(
        &self,
        transaction: &mut Transaction,
        shard: ShardIndex,
        users: &[UserId],
        events: &[EventEnvelope],
    ) -> Result<(), StoreError> {
        prepared(
            sql("UPDATE users u SET pull_since = now() FROM follower_counts c
                 WHERE c.user_id = u.id AND u.id = ANY($1) AND u.pull_since IS NULL AND c.follower_count >= $2")
            .bind::<Array<BigInt>, _>(users)
            .bind::<BigInt, _>(self.pull_from),
        )
        .execute(&mut **transaction)
        .await?;
        let small: Vec<IdRow> = prepared(
            sql("SELECT u.id FROM users u JOIN follower_counts c ON c.user_id = u.id
                 WHERE u.id = ANY($1) AND u.pull_since IS NOT NULL AND c.follower_count < $2")
            .bind::<Array<BigInt>, _>(users)
            .bind::<BigInt, _>(self.push_below),
        )
        .load(&mut **transaction)
        .await?;
        let Some(last) = events.last().filter(|_| !small.is_empty()) else { return Ok(()) };
        let mut messages = messages(shard, last);
        for user in small {
            let author_id = user.id;
            let job = Job::FeedResumePush { author_id };
            messages.job(job, format!("user:{author_id}/resume_push/{}", last.id));
        }
        messages.append(transaction).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::event;
    use plaza_base::ids::FollowId;

    #[test]
    fn the_last_event_of_an_edge_decides() {
        let (a, b) = (UserId::from_i64(1), UserId::from_i64(2));
        let follow = |id| Event::UserFollowed {
            follower_id: a,
            followee_id: b,
            follow_id: FollowId::from_i64(id),
        };
        let unfollow = Event::UserUnfollowed { follower_id: a, followee_id: b };
        assert_eq!(edges(&[event(unfollow.clone(), 2)]), BTreeMap::from([((b, a), (0, false))]));
        assert_eq!(
            edges(&[event(follow(7), 1), event(unfollow.clone(), 2)]),
            BTreeMap::from([((b, a), (7, false))])
        );
        assert_eq!(
            edges(&[event(unfollow, 2), event(follow(9), 3)]),
            BTreeMap::from([((b, a), (9, true))])
        );
    }
}
