//! Whose outboxes have got rows: so that their relays need not wait until they look by themselves.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

use super::routing::ShardIndex;

tokio::task_local! {
    static APPENDED: Cell<bool>;
}

/// Says that the transaction at work in this task has rows for the outbox. Outside of one nobody is
/// told, and the relay finds them when it looks.
pub fn appended() {
    let _outside = APPENDED.try_with(|appended| appended.set(true));
}

/// Does a transaction's work; whether it has said that it [`appended`].
pub(super) async fn noticing<T>(work: impl Future<Output = T>) -> (T, bool) {
    APPENDED
        .scope(Cell::new(false), async {
            let value = work.await;
            (value, APPENDED.get().get())
        })
        .await
}

/// The shards whose outboxes this process has written to and nobody has been told of.
#[derive(Debug, Default)]
pub struct Appended {
    shards: Mutex<BTreeSet<ShardIndex>>,
    some: Notify,
}

impl Appended {
    /// After a commit.
    pub(super) fn add(&self, shard: ShardIndex) {
        self.shards.lock().unwrap_or_else(PoisonError::into_inner).insert(shard);
        self.some.notify_one();
    }

    /// Waits until there are some, and takes them.
    pub async fn take(&self) -> BTreeSet<ShardIndex> {
        loop {
            let taken =
                std::mem::take(&mut *self.shards.lock().unwrap_or_else(PoisonError::into_inner));
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
    async fn work_that_appends_is_noticed_and_shards_are_taken_once() {
        assert_eq!(noticing(async { 1 }).await, (1, false));
        assert_eq!(noticing(async { appended() }).await, ((), true));
        appended();

        let list = Appended::default();
        for shard in [2, 1, 2] {
            list.add(ShardIndex(shard));
        }
        assert_eq!(list.take().await, BTreeSet::from([ShardIndex(1), ShardIndex(2)]));
        let (taken, ()) = tokio::join!(list.take(), async { list.add(ShardIndex(3)) });
        assert_eq!(taken, BTreeSet::from([ShardIndex(3)]));
    }
}
