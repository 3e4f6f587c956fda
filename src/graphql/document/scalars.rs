//! Scalars of plaza's own whose values are checked before anything runs.

use chrono::{DateTime, Utc};

/// What is wrong with a text that is no `DateTime`.
pub const NO_DATE_TIME: &str = "DateTime is RFC 3339, as in \"2026-01-31T12:00:00Z\".";

/// Whether a text is a `DateTime`: what the scalar's own reader takes.
pub fn is_date_time(text: &str) -> bool {
    text.parse::<DateTime<Utc>>().is_ok()
}
