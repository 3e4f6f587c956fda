//! Scalars of plaza's own whose values are checked before anything runs.

use chrono::{DateTime, Utc};

/// What is wrong with a text that is no `DateTime`.
pub const NO_DATE_TIME: &str = "DateTime is RFC 3339, as in \"2026-01-31T12:00:00Z\".";

/// Whether a text is a `DateTime`, as its description says: RFC 3339, of the years 0 to 9999. The
/// scalar's own reader takes more (signed years of any length, which no database has).
pub fn is_date_time(text: &str) -> bool {
    DateTime::parse_from_rfc3339(text).is_ok() && text.parse::<DateTime<Utc>>().is_ok()
}
