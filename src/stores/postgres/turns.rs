//! How many statements one request has under way on one shard: fewer, the more it has sent.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Semaphore, SemaphorePermit};

/// Statements that one request has under way on a shard, at most; the others wait for these. A
/// request of many lists is as quick by then, and whoever asks little waits behind a few of its
/// statements, not behind all.
const AT_ONCE: usize = 8;

/// Statements of one request on a shard that have all its turns. Each one after them takes a turn
/// away for good, down to one: otherwise twenty requests of sixty lists keep eight statements each
/// in front of everybody else's for as long as they last.
const UNHURRIED: usize = 2 * AT_ONCE;

/// One request's turns on one shard.
#[derive(Debug)]
pub(super) struct Turns {
    free: Semaphore,
    taken: AtomicUsize,
}

impl Default for Turns {
    fn default() -> Self {
        Self { free: Semaphore::new(AT_ONCE), taken: AtomicUsize::new(0) }
    }
}

impl Turns {
    /// Waits for a turn, which is held until what it returns is dropped.
    pub(super) async fn next(&self) -> Option<Turn<'_>> {
        // They are never closed.
        let permit = self.free.acquire().await.ok()?;
        let before = self.taken.fetch_add(1, Ordering::Relaxed);
        let last = (UNHURRIED..UNHURRIED + AT_ONCE - 1).contains(&before);
        Some(Turn { permit: Some(permit), last })
    }
}

/// A statement's turn, until it is dropped.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    permit: Option<SemaphorePermit<'a>>,
    /// Nobody has it afterwards.
    last: bool,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if self.last {
            self.permit.take().into_iter().for_each(SemaphorePermit::forget);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_sends_much_has_one_statement_under_way_in_the_end() {
        let turns = Turns::default();
        for sent in 0..200 {
            let turn = turns.next().await;
            assert!(turn.is_some_and(|turn| turn.permit.is_some()));
            let left = AT_ONCE - (sent + 1_usize).saturating_sub(UNHURRIED).min(AT_ONCE - 1);
            assert_eq!(turns.free.available_permits(), left, "after {} statements", sent + 1);
        }
    }
}
