//! Bugs that are put in on purpose, each of which breaks a guarantee: so that it is known which of
//! the checks would see it. A build for users has none of them: [`bug`] is `false` there, and what
//! it guards is not compiled into anything.
//!
//! With the feature `seeded-bugs` a process has the one that `PLAZA_SEEDED_BUG` names. In debug
//! builds a test puts one in for its own thread, with [`during`].

#[cfg(debug_assertions)]
use std::cell::Cell;

/// A bug, by what it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// The relay marks rows as sent, then sends them.
    RelayMarksBeforeSending,
    /// The projector applies what comes whatever the aggregate's version.
    ProjectorIgnoresVersions,
    /// A redelivered order is charged once more.
    SagaPaysTwice,
    /// A value that was loaded before an invalidation is stored after it.
    CacheFilledAfterInvalidation,
    /// A replayed mutation is done once more under its key.
    KeyIgnoredOnReplay,
    /// A replica answers before it has what the client has written.
    TokenNotAwaited,
    /// The fan-out leaves out a page of followers.
    FanOutDropsPage,
    /// A like counts twice.
    CountsAddedTwice,
    /// Whom the recipient has blocked still causes notifications.
    BlockedPersonNotifies,
    /// Stock stays sold when its money is given back.
    RefundKeepsStock,
    /// Messages are written after the commit, in a transaction of their own.
    OutboxOutsideTransaction,
    /// A process goes on by a map that is not in force any more.
    OldMapGoesOn,
}

impl Bug {
    /// All of them, by their names.
    pub const ALL: [(Self, &'static str); 12] = [
        (Self::RelayMarksBeforeSending, "relay-marks-before-sending"),
        (Self::ProjectorIgnoresVersions, "projector-ignores-versions"),
        (Self::SagaPaysTwice, "saga-pays-twice"),
        (Self::CacheFilledAfterInvalidation, "cache-filled-after-invalidation"),
        (Self::KeyIgnoredOnReplay, "key-ignored-on-replay"),
        (Self::TokenNotAwaited, "token-not-awaited"),
        (Self::FanOutDropsPage, "fan-out-drops-page"),
        (Self::CountsAddedTwice, "counts-added-twice"),
        (Self::BlockedPersonNotifies, "blocked-person-notifies"),
        (Self::RefundKeepsStock, "refund-keeps-stock"),
        (Self::OutboxOutsideTransaction, "outbox-outside-transaction"),
        (Self::OldMapGoesOn, "old-map-goes-on"),
    ];

    /// The bug of a name.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == name).map(|(bug, _)| *bug)
    }
}

#[cfg(debug_assertions)]
thread_local! {
    static IN: Cell<Option<Bug>> = const { Cell::new(None) };
}

/// Whether this bug is in.
#[cfg(any(debug_assertions, feature = "seeded-bugs"))]
pub fn bug(bug: Bug) -> bool {
    let chosen = None;
    #[cfg(debug_assertions)]
    let chosen = chosen.or_else(|| IN.get());
    #[cfg(feature = "seeded-bugs")]
    let chosen = chosen.or_else(of_process);
    chosen == Some(bug)
}

/// Whether this bug is in: never.
#[cfg(not(any(debug_assertions, feature = "seeded-bugs")))]
pub const fn bug(_bug: Bug) -> bool {
    false
}

/// The one that the environment names.
#[cfg(feature = "seeded-bugs")]
fn of_process() -> Option<Bug> {
    static CHOSEN: std::sync::OnceLock<Option<Bug>> = std::sync::OnceLock::new();
    #[expect(
        clippy::disallowed_methods,
        reason = "no setting of plaza's: builds for users lack it"
    )]
    *CHOSEN.get_or_init(|| Bug::of_name(&std::env::var("PLAZA_SEEDED_BUG").unwrap_or_default()))
}

/// Does something with this bug in, on this thread.
#[cfg(debug_assertions)]
pub fn during<T>(bug: Bug, work: impl FnOnce() -> T) -> T {
    let before = IN.replace(Some(bug));
    let done = work();
    IN.set(before);
    done
}

#[cfg(all(test, debug_assertions))]
mod tests {
    use super::*;

    #[test]
    fn a_bug_is_in_where_it_was_put_and_nowhere_else() {
        for (in_it, name) in Bug::ALL {
            assert_eq!(Bug::of_name(name), Some(in_it));
            let found: Vec<Bug> = during(in_it, || {
                Bug::ALL.map(|(is_in, _)| is_in).into_iter().filter(|b| bug(*b)).collect()
            });
            assert_eq!(found, [in_it]);
            assert!(!bug(in_it));
        }
        assert_eq!(Bug::of_name(""), None);
    }
}
