//! Rows of users: the second to invalidate them, after the mutation that changed them. It holds no
//! table: a process that dies between its commit and its invalidation leaves a suspended or private
//! user cached, and this ends it.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::projection::{Effect, Projection};
use plaza_base::ids::{Bucket, Id, UserId};
use plaza_protocol::envelope::EventEnvelope;
use plaza_protocol::events::{Aggregate, Event};
use plaza_protocol::routing::Topic;
use plaza_stores::StoreError;
use plaza_stores::postgres::{ShardIndex, Transaction};

/// The projection.
#[derive(Debug)]
pub struct Users;

fn user_of(event: &Event) -> Option<UserId> {
    match event.aggregate() {
        Aggregate::User(user) => Some(user),
        _ => None,
    }
}

#[async_trait]
impl Projection for Users {
    fn name(&self) -> &'static str {
        "users"
    }

    fn topics(&self) -> &'static [Topic] {
        &[Topic::Users]
    }

    fn target(&self, aggregate: Aggregate) -> Option<Bucket> {
        match aggregate {
            Aggregate::User(user) => Some(user.bucket()),
            Aggregate::Edge(..)
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
        _transaction: &mut Transaction,
        _shard: ShardIndex,
        events: &[EventEnvelope],
    ) -> Result<Vec<Effect>, StoreError> {
        Ok(self.effects(events))
    }

    fn effects(&self, events: &[EventEnvelope]) -> Vec<Effect> {
        let mut changed = BTreeMap::new();
        for event in events {
            if let Some(user) = user_of(&event.event) {
                changed.insert(user, event.version);
            }
        }
        changed.into_iter().map(|(user, version)| Effect::UserChanged { user, version }).collect()
    }
}
