//! The blocked user's side of blocks: by whom. A block also ends the blocked user's follow of
//! the blocker, here, on the shard that has it.

use std::collections::BTreeMap;

use async_trait::async_trait;
use diesel::QueryableByName;
use diesel::sql_types::{Array, BigInt};
use diesel_async::RunQueryDsl;

use super::distinct;
use super::projection::{Effect, Projection};
use plaza_base::ids::{Bucket, Id, UserId};
use plaza_outbox::Messages;
use plaza_protocol::envelope::EventEnvelope;
use plaza_protocol::events::{Aggregate, Event};
use plaza_protocol::routing::Topic;
use plaza_stores::StoreError;
use plaza_stores::postgres::prepared::{prepared, sql};
use plaza_stores::postgres::{ShardIndex, Transaction};

/// The projection.
#[derive(Debug)]
pub struct BlockedBy;

/// What a batch leaves of each pair: (blocked, blocker) ▶ blocked or not.
fn pairs(events: &[EventEnvelope]) -> BTreeMap<(UserId, UserId), bool> {
    let pair = |event: &EventEnvelope| match &event.event {
        Event::UserBlocked { blocker_id, blocked_id } => Some(((*blocked_id, *blocker_id), true)),
        Event::UserUnblocked { blocker_id, blocked_id } => {
            Some(((*blocked_id, *blocker_id), false))
        }
        _ => None,
    };
    events.iter().filter_map(pair).collect()
}

#[derive(QueryableByName)]
struct EndedRow {
    #[diesel(sql_type = BigInt)]
    follower_id: UserId,
    #[diesel(sql_type = BigInt)]
    followee_id: UserId,
    #[diesel(sql_type = BigInt)]
    version: i64,
}

#[async_trait]
impl Projection for BlockedBy {
    fn name(&self) -> &'static str {
        "blocked_by"
    }

    fn topics(&self) -> &'static [Topic] {
        &[Topic::Blocks]
    }

    fn target(&self, aggregate: Aggregate) -> Option<Bucket> {
        match aggregate {
            Aggregate::Block(_, blocked) => Some(blocked.bucket()),
            Aggregate::User(_)
            | Aggregate::Edge(..)
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
        let pairs = pairs(events);
        if pairs.is_empty() {
            return Ok(self.effects(events));
        }
        let columns = |active: bool| -> (Vec<UserId>, Vec<UserId>) {
            pairs.iter().filter(|(_, is)| **is == active).map(|(pair, _)| *pair).unzip()
        };
        let ((blocked, blockers), (unblocked, unblockers)) = (columns(true), columns(false));
        prepared(
            sql("INSERT INTO blocked_by (blocked_id, blocker_id) SELECT * FROM unnest($1::bigint[], $2::bigint[]) ON CONFLICT DO NOTHING")
                .bind::<Array<BigInt>, _>(&blocked)
                .bind::<Array<BigInt>, _>(&blockers),
        )
        .execute(&mut **transaction)
        .await?;
        prepared(
            sql("DELETE FROM blocked_by b USING unnest($1::bigint[], $2::bigint[]) AS gone(blocked_id, blocker_id)
                 WHERE b.blocked_id = gone.blocked_id AND b.blocker_id = gone.blocker_id")
            .bind::<Array<BigInt>, _>(&unblocked)
            .bind::<Array<BigInt>, _>(&unblockers),
        )
        .execute(&mut **transaction)
        .await?;
        prepared(
            sql("UPDATE users SET relations_version = relations_version + 1 WHERE id = ANY($1)")
                .bind::<Array<BigInt>, _>(distinct(pairs.keys().map(|(blocked, _)| *blocked))),
        )
        .execute(&mut **transaction)
        .await?;
        end_follows(transaction, shard, &blocked, &blockers, events).await?;
        Ok(self.effects(events))
    }

    fn effects(&self, events: &[EventEnvelope]) -> Vec<Effect> {
        let blocked = pairs(events).into_keys().map(|(blocked, _)| blocked);
        distinct(blocked).into_iter().map(Effect::FollowsChanged).collect()
    }
}

async fn end_follows(
    transaction: &mut Transaction,
    shard: ShardIndex,
    blocked: &[UserId],
    blockers: &[UserId],
    events: &[EventEnvelope],
) -> Result<(), StoreError> {
    let ended: Vec<EndedRow> = prepared(
        sql("UPDATE follows f SET active = false, requested = false, version = version + 1
             FROM unnest($1::bigint[], $2::bigint[]) AS b(blocked_id, blocker_id)
             WHERE f.follower_id = b.blocked_id AND f.followee_id = b.blocker_id AND (f.active OR f.requested)
             RETURNING f.follower_id, f.followee_id, f.version")
        .bind::<Array<BigInt>, _>(blocked)
        .bind::<Array<BigInt>, _>(blockers),
    )
    .load(&mut **transaction)
    .await?;
    let Some(last) = events.last().filter(|_| !ended.is_empty()) else { return Ok(()) };
    prepared(
        sql("UPDATE users SET activity_version = activity_version + 1 WHERE id = ANY($1)")
            .bind::<Array<BigInt>, _>(distinct(ended.iter().map(|row| row.follower_id))),
    )
    .execute(&mut **transaction)
    .await?;
    let now = chrono::DateTime::parse_from_rfc3339(&last.time)
        .map(|time| time.to_utc())
        .unwrap_or_default();
    let mut messages = Messages::new(shard, now, last.traceparent.as_deref());
    for row in ended {
        let (follower_id, followee_id) = (row.follower_id, row.followee_id);
        messages.event(Event::UserUnfollowed { follower_id, followee_id }, row.version);
    }
    messages.append(transaction).await
}
