//! The blocked user's side of blocks: by whom. A block also ends the blocked user's follow of
//! the blocker, here, on the shard that has it.

use std::collections::BTreeMap;

use async_trait::async_trait;
use diesel::QueryableByName;
use diesel::sql_types::{Array, BigInt};
use diesel_async::RunQueryDsl;

use super::distinct;
use super::followers::messages;
use super::projection::{Effect, Projection};
use plaza_base::ids::{Bucket, Id, UserId};
use plaza_protocol::envelope::EventEnvelope;
use plaza_protocol::events::{Aggregate, Event};
use plaza_protocol::routing::Topic;
use plaza_stores::StoreError;
use plaza_stores::postgres::prepared::{prepared, sql};
use plaza_stores::postgres::{ShardIndex, Transaction};

/// The projection.
#[derive(Debug)]
pub struct BlockedBy;

/// What a batch leaves of each pair, (blocked, blocker): whether it is blocked, and the follows
/// that a block in the batch has ended, as the id below which they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Left {
    blocked: bool,
    ended_below: Option<i64>,
}

fn pairs(events: &[EventEnvelope]) -> BTreeMap<(UserId, UserId), Left> {
    let mut pairs = BTreeMap::new();
    for event in events {
        let (pair, blocked) = match &event.event {
            Event::UserBlocked { blocker_id, blocked_id } => ((*blocked_id, *blocker_id), true),
            Event::UserUnblocked { blocker_id, blocked_id } => ((*blocked_id, *blocker_id), false),
            _ => continue,
        };
        let left = pairs.entry(pair).or_insert(Left { blocked, ended_below: None });
        left.ended_below = match (blocked, left.blocked, left.ended_below) {
            // As long as it stands nobody follows anew.
            (true, ..) => Some(i64::MAX),
            // It had stood until now.
            (false, true, Some(_)) => Some(first_id_at(&event.time)),
            (false, _, ended) => ended,
        };
        left.blocked = blocked;
    }
    pairs
}

/// The least id that was given at a time.
fn first_id_at(time: &str) -> i64 {
    let time = chrono::DateTime::parse_from_rfc3339(time).unwrap_or_default();
    plaza_base::ids::compose(time.timestamp_millis(), Bucket::new(0), 0)
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
        let columns = |blocked: bool| -> (Vec<UserId>, Vec<UserId>) {
            pairs.iter().filter(|(_, left)| left.blocked == blocked).map(|(pair, _)| *pair).unzip()
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
        end_follows(transaction, shard, &pairs, events).await?;
        Ok(self.effects(events))
    }

    fn effects(&self, events: &[EventEnvelope]) -> Vec<Effect> {
        // Of the blocker too: the process that wrote the block may have died before it could tell.
        let both = pairs(events).into_keys().flat_map(|(blocked, blocker)| [blocked, blocker]);
        distinct(both).into_iter().map(Effect::FollowsChanged).collect()
    }
}

async fn end_follows(
    transaction: &mut Transaction,
    shard: ShardIndex,
    pairs: &BTreeMap<(UserId, UserId), Left>,
    events: &[EventEnvelope],
) -> Result<(), StoreError> {
    let (mut blocked, mut blockers, mut below) = (Vec::new(), Vec::new(), Vec::new());
    for ((user, blocker), left) in pairs {
        let Some(ended_below) = left.ended_below else { continue };
        blocked.push(*user);
        blockers.push(*blocker);
        below.push(ended_below);
    }
    let ended: Vec<EndedRow> = prepared(
        sql("UPDATE follows f SET active = false, requested = false, version = version + 1
             FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS b(blocked_id, blocker_id, below)
             WHERE f.follower_id = b.blocked_id AND f.followee_id = b.blocker_id
               AND (f.active OR f.requested) AND f.id < b.below
             RETURNING f.follower_id, f.followee_id, f.version")
        .bind::<Array<BigInt>, _>(blocked)
        .bind::<Array<BigInt>, _>(blockers)
        .bind::<Array<BigInt>, _>(below),
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
    let mut messages = messages(shard, last);
    for row in ended {
        let (follower_id, followee_id) = (row.follower_id, row.followee_id);
        messages.event(Event::UserUnfollowed { follower_id, followee_id }, row.version);
    }
    messages.append(transaction).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::event;

    #[test]
    fn a_block_ends_what_was_before_it_however_events_are_cut_into_batches() {
        let (a, b) = (UserId::from_i64(1), UserId::from_i64(2));
        let block = event(Event::UserBlocked { blocker_id: a, blocked_id: b }, 1);
        let unblock = event(Event::UserUnblocked { blocker_id: a, blocked_id: b }, 2);
        let of = |events: &[EventEnvelope]| pairs(events).remove(&(b, a)).unwrap();
        let then = first_id_at(&unblock.time);
        assert!(then > 0 && then < i64::MAX);
        let ended = Some(i64::MAX);
        assert_eq!(of(std::slice::from_ref(&block)), Left { blocked: true, ended_below: ended });
        assert_eq!(of(std::slice::from_ref(&unblock)), Left { blocked: false, ended_below: None });
        let both = [block.clone(), unblock.clone()];
        assert_eq!(of(&both), Left { blocked: false, ended_below: Some(then) });
        let twice = [block.clone(), unblock.clone(), unblock.clone()];
        assert_eq!(of(&twice), Left { blocked: false, ended_below: Some(then) });
        let again = [block.clone(), unblock, block];
        assert_eq!(of(&again), Left { blocked: true, ended_below: ended });
    }
}
