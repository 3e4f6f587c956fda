//! What workers do by themselves: comparing what is stored, and deleting what is old.

use schemars::JsonSchema;
use serde::Deserialize;

/// `ledger.*`: how workers compare what is stored.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LedgerConfig {
    /// Interval between two runs, in seconds; 0: none. One worker runs the ledger at a time.
    pub every_s: u64,
    /// Number of rows of each shard that each law reads in a run; the next run continues there.
    pub rows: i64,
}

impl Default for LedgerConfig {
    fn default() -> Self {
        Self { every_s: 3_600, rows: 100_000 }
    }
}

impl LedgerConfig {
    pub(crate) fn wrong(self) -> Option<&'static str> {
        (self.rows <= 0).then_some("ledger.rows must be above 0")
    }
}

/// `notifications.*`: how long notifications are kept.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NotificationsConfig {
    /// Days for which a read notification is kept, at least 8.
    pub keep_read_days: u32,
    /// Number of notifications older than 8 days that are kept for a user, read or not, at least
    /// 1,000; the oldest are deleted first.
    pub most: i64,
}

impl Default for NotificationsConfig {
    fn default() -> Self {
        Self { keep_read_days: 90, most: 5_000 }
    }
}

impl NotificationsConfig {
    pub(crate) fn wrong(self) -> Option<&'static str> {
        if self.keep_read_days < 8 {
            return Some("notifications.keep_read_days must be at least 8");
        }
        (self.most < 1_000).then_some("notifications.most must be at least 1000")
    }
}
