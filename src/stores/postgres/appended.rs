//! Whose outboxes have got rows: so that their relays need not wait until they poll by themselves.

use std::collections::BTreeSet;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::routing::ShardIndex;

/// The shards whose outboxes this process has written to and whose relays it has not woken.
#[derive(Debug, Default)]
pub struct Appended {
    shards: Mutex<BTreeSet<ShardIndex>>,
    some: Notify,
}

impl Appended {
    /// After a commit.
    pub(super) fn add(&self, shard: ShardIndex) {
        self.shards.lock().insert(shard);
        self.some.notify_one();
    }

    /// Waits until there are some, and takes them.
    pub async fn take(&self) -> BTreeSet<ShardIndex> {
        loop {
            let taken = std::mem::take(&mut *self.shards.lock());
            if !taken.is_empty() {
                return taken;
            }
            self.some.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn shards_are_taken_once() {
        let list = Appended::default();
        for shard in [2, 1, 2] {
            list.add(ShardIndex(shard));
        }
        assert_eq!(list.take().await, BTreeSet::from([ShardIndex(1), ShardIndex(2)]));
        let (taken, ()) = tokio::join!(list.take(), async { list.add(ShardIndex(3)) });
        assert_eq!(taken, BTreeSet::from([ShardIndex(3)]));
    }
}
