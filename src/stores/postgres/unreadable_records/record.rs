//! A record that was put aside, as it is written, kept and decided about.

use std::collections::BTreeMap;

use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Binary, Bool, Integer, Nullable, Text};
use serde::Serialize;

/// The bytes of a record that are kept, its first ones.
pub const KEPT_BYTES: usize = 65_536;

/// Where a record lies, and for whom it was put aside.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The projection.
    pub projection: String,
    /// The topic's name, without the prefix.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}/{}/{}", self.projection, self.topic, self.partition, self.offset)
    }
}

/// A record to be put aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// The topic's name, without the prefix.
    pub topic: &'static str,
    /// The partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
    /// Its bytes; the first [`KEPT_BYTES`] are kept.
    pub payload: Vec<u8>,
    /// Of an event: what it is about, and its version.
    pub of: Option<(String, i64)>,
    /// Why it was put aside.
    pub reason: String,
}

/// What is to become of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum State {
    /// Nobody has decided.
    Waiting,
    /// The projector is to try it again.
    Retry,
    /// It is left out for good.
    Skipped,
    /// It was applied after all.
    Applied,
}

impl State {
    /// Its name in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "WAITING",
            Self::Retry => "RETRY",
            Self::Skipped => "SKIPPED",
            Self::Applied => "APPLIED",
        }
    }

    /// Whether it stands in the way of its aggregate still.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Waiting | Self::Retry)
    }

    fn of(name: &str) -> Self {
        [Self::Retry, Self::Skipped, Self::Applied]
            .into_iter()
            .find(|state| state.name() == name)
            .unwrap_or(Self::Waiting)
    }
}

/// A record that was put aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordAside {
    /// Which.
    pub place: Place,
    /// Its bytes, or the first of them.
    pub payload: Vec<u8>,
    /// How many it had.
    pub length: i64,
    /// Of an event: what it is about.
    pub aggregate: Option<String>,
    /// Of an event: which version of it.
    pub version: Option<i64>,
    /// Why it was put aside, or could not be applied when it was tried last.
    pub reason: String,
    /// What is to become of it.
    pub state: State,
    /// To be applied although versions before it are missing.
    pub over_gap: bool,
    /// Who decided.
    pub decided_by: Option<String>,
    /// When, in Unix milliseconds.
    pub decided_ms: Option<i64>,
    /// When it was put aside, in Unix milliseconds.
    pub created_ms: i64,
}

/// A row of the table, as it is read.
#[derive(QueryableByName)]
pub(super) struct Row {
    #[diesel(sql_type = Text)]
    projection: String,
    #[diesel(sql_type = Text)]
    topic: String,
    #[diesel(sql_type = Integer)]
    partition: i32,
    #[diesel(sql_type = BigInt)]
    record_offset: i64,
    #[diesel(sql_type = Binary)]
    payload: Vec<u8>,
    #[diesel(sql_type = BigInt)]
    length: i64,
    #[diesel(sql_type = Nullable<Text>)]
    aggregate: Option<String>,
    #[diesel(sql_type = Nullable<BigInt>)]
    version: Option<i64>,
    #[diesel(sql_type = Text)]
    reason: String,
    #[diesel(sql_type = Text)]
    state: String,
    #[diesel(sql_type = Bool)]
    over_gap: bool,
    #[diesel(sql_type = Nullable<Text>)]
    decided_by: Option<String>,
    #[diesel(sql_type = Nullable<BigInt>)]
    decided_ms: Option<i64>,
    #[diesel(sql_type = BigInt)]
    created_ms: i64,
}

impl From<Row> for RecordAside {
    fn from(row: Row) -> Self {
        Self {
            place: Place {
                projection: row.projection,
                topic: row.topic,
                partition: row.partition,
                offset: row.record_offset,
            },
            payload: row.payload,
            length: row.length,
            aggregate: row.aggregate,
            version: row.version,
            reason: row.reason,
            state: State::of(&row.state),
            over_gap: row.over_gap,
            decided_by: row.decided_by,
            decided_ms: row.decided_ms,
            created_ms: row.created_ms,
        }
    }
}

/// One of each record, of what several shards have: what was decided last.
pub fn merged(rows: impl IntoIterator<Item = RecordAside>) -> BTreeMap<Place, RecordAside> {
    let mut merged: BTreeMap<Place, RecordAside> = BTreeMap::new();
    for row in rows {
        let rank = |row: &RecordAside| (row.decided_ms, row.state);
        match merged.get_mut(&row.place) {
            Some(held) if rank(held) >= rank(&row) => {}
            Some(held) => *held = row,
            None => {
                merged.insert(row.place.clone(), row);
            }
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    fn aside(offset: i64, state: State, decided_ms: Option<i64>) -> RecordAside {
        let place =
            Place { projection: "shares".into(), topic: "posts".into(), partition: 3, offset };
        RecordAside {
            place,
            payload: Vec::new(),
            length: 0,
            aggregate: None,
            version: None,
            reason: String::new(),
            state,
            over_gap: false,
            decided_by: None,
            decided_ms,
            created_ms: 0,
        }
    }

    #[test]
    fn of_what_several_shards_have_the_last_decision_counts() {
        let rows = [
            aside(1, State::Waiting, None),
            aside(1, State::Skipped, Some(5)),
            aside(1, State::Waiting, None),
            aside(2, State::Skipped, Some(5)),
            aside(2, State::Retry, Some(6)),
            aside(3, State::Retry, Some(6)),
            aside(3, State::Applied, Some(6)),
        ];
        let states: Vec<State> = merged(rows).into_values().map(|row| row.state).collect();
        assert_eq!(states, [State::Skipped, State::Retry, State::Applied]);
    }
}
