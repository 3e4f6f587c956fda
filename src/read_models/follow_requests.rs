//! Requests to follow private users, on the side of whoever is asked: filled by the followers
//! projection, which reads the same events.

use std::collections::BTreeMap;

use diesel::QueryableByName;
use diesel::sql_types::{Array, BigInt, Bool};
use diesel_async::RunQueryDsl;

use super::distinct;
use super::followers::messages;
use plaza_base::ids::{Id, UserId};
use plaza_protocol::envelope::EventEnvelope;
use plaza_protocol::events::Event;
use plaza_protocol::jobs::Job;
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

/// (follow id, follower id) of those who ask to follow a user, by follow id.
///
/// # Errors
/// The server's.
pub async fn page(
    connection: &mut Connection,
    followee: UserId,
    keyset: Keyset,
) -> Result<Vec<(i64, UserId)>, StoreError> {
    let statement = if keyset.descending {
        sql("SELECT follow_id, follower_id FROM follow_requests
             WHERE followee_id = $1 AND follow_id < $2 ORDER BY follow_id DESC LIMIT $3")
    } else {
        sql("SELECT follow_id, follower_id FROM follow_requests
             WHERE followee_id = $1 AND follow_id > $2 ORDER BY follow_id LIMIT $3")
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

/// (follow id, follower id) of those who ask to follow a user, oldest first, above a follow id.
///
/// # Errors
/// The server's.
pub async fn oldest(
    connection: &mut Connection,
    followee: UserId,
    above: i64,
    limit: i64,
) -> Result<Vec<(i64, UserId)>, StoreError> {
    let rows: Vec<PageRow> = prepared(
        sql(
            "SELECT follow_id, follower_id FROM follow_requests WHERE followee_id = $1 AND follow_id > $2 ORDER BY follow_id LIMIT $3",
        )
        .bind::<BigInt, _>(followee)
        .bind::<BigInt, _>(above)
        .bind::<BigInt, _>(limit),
    )
    .load(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.follow_id, row.follower_id)).collect())
}

#[derive(QueryableByName)]
struct PrivacyRow {
    #[diesel(sql_type = BigInt)]
    id: UserId,
    #[diesel(sql_type = Bool)]
    is_private: bool,
}

/// A request that was made while the followee became public is granted like those that waited. The
/// lock makes one of the two wait for the other: either the followee's own job sees the request, or
/// this sees that they are public.
pub(super) async fn grant_late(
    transaction: &mut Transaction,
    shard: ShardIndex,
    events: &[EventEnvelope],
) -> Result<(), StoreError> {
    let asked = distinct(events.iter().filter_map(|event| match &event.event {
        Event::UserFollowRequested { followee_id, .. } => Some(*followee_id),
        _ => None,
    }));
    let Some(last) = events.last().filter(|_| !asked.is_empty()) else { return Ok(()) };
    let people: Vec<PrivacyRow> = prepared(
        sql("SELECT id, is_private FROM users WHERE id = ANY($1) ORDER BY id FOR SHARE")
            .bind::<Array<BigInt>, _>(asked),
    )
    .load(&mut **transaction)
    .await?;
    let mut messages = messages(shard, last);
    let mut late = false;
    for person in people.into_iter().filter(|person| !person.is_private) {
        let user_id = person.id;
        let name = format!("user:{user_id}/follow_requests/late/{}", last.id);
        messages.job(Job::FollowRequestsGrant { user_id, above: 0 }, name);
        late = true;
    }
    if late { messages.append(transaction).await } else { Ok(()) }
}

/// A request stands until it is answered or taken back.
pub(super) async fn write(
    connection: &mut Connection,
    events: &[EventEnvelope],
) -> Result<(), StoreError> {
    let mut left: BTreeMap<(i64, i64), Option<i64>> = BTreeMap::new();
    for event in events {
        let (followee, follower, request) = match &event.event {
            Event::UserFollowRequested { follower_id, followee_id, follow_id } => {
                (followee_id, follower_id, Some(follow_id.as_i64()))
            }
            Event::UserFollowed { follower_id, followee_id, .. }
            | Event::UserUnfollowed { follower_id, followee_id } => {
                (followee_id, follower_id, None)
            }
            _ => continue,
        };
        left.insert((followee.as_i64(), follower.as_i64()), request);
    }
    for ((followee, follower), request) in left {
        let statement = match request {
            Some(follow) => sql("INSERT INTO follow_requests (followee_id, follower_id, follow_id) VALUES ($1, $2, $3)
                 ON CONFLICT (followee_id, follower_id) DO UPDATE SET follow_id = excluded.follow_id")
            .bind::<BigInt, _>(followee)
            .bind::<BigInt, _>(follower)
            .bind::<BigInt, _>(follow),
            None => sql("DELETE FROM follow_requests WHERE followee_id = $1 AND follower_id = $2 AND $3 = 0")
                .bind::<BigInt, _>(followee)
                .bind::<BigInt, _>(follower)
                .bind::<BigInt, _>(0),
        };
        prepared(statement).execute(connection).await?;
    }
    Ok(())
}
