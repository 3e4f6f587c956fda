//! The order of a relay's steps, without a server: what is read is sent when a replica has it, and
//! marked when its broker has confirmed it.

use std::collections::HashSet;

use chrono::{DateTime, Utc};

use plaza_base::seeded::{Bug, bug};
use plaza_stores::postgres::outbox::OutboxRow;

/// What is to be done next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// Read the oldest unsent rows, and say what they are.
    Read,
    /// Wait until a replica has them, and say so.
    Confirm,
    /// Send them, and say of each whether it was confirmed.
    Send,
    /// Mark these as sent, and say so.
    Mark(Vec<i64>),
}

#[derive(Debug, Default)]
enum At {
    #[default]
    Idle,
    Read,
    Confirmed,
    Sent(Vec<i64>),
}

/// Rows on their way to one broker. What is not said to it, because the process or a connection
/// ended, has no effect: whoever begins again reads what is not marked.
#[derive(Debug, Default)]
pub(super) struct Sending {
    rows: Vec<OutboxRow>,
    at: At,
}

impl Sending {
    /// What is to be done next.
    pub(super) fn step(&self) -> Step {
        match &self.at {
            At::Idle => Step::Read,
            At::Read => Step::Confirm,
            At::Confirmed => Step::Send,
            At::Sent(ids) => Step::Mark(ids.clone()),
        }
    }

    /// The rows that are under way.
    pub(super) fn rows(&self) -> &[OutboxRow] {
        &self.rows
    }

    /// When the first of them was written.
    pub(super) fn oldest(&self) -> DateTime<Utc> {
        self.rows.iter().map(|row| row.created_at).min().unwrap_or_default()
    }

    /// These are unsent, in order; none too.
    pub(super) fn read(&mut self, unsent: Vec<OutboxRow>) {
        self.at = if unsent.is_empty() { At::Idle } else { At::Read };
        self.rows = unsent;
    }

    /// A replica has all that was read.
    pub(super) fn confirmed(&mut self) {
        self.at = match &self.at {
            At::Read if bug(Bug::RelayMarksBeforeSending) => {
                At::Sent(self.rows.iter().map(|row| row.id).collect())
            }
            _ => At::Confirmed,
        };
    }

    /// They were sent; of each, whether its broker has it.
    pub(super) fn sent(&mut self, confirmed: &[bool]) {
        self.at = At::Sent(markable(&self.rows, confirmed));
        if bug(Bug::RelayMarksBeforeSending) {
            self.at = At::Idle;
        }
    }

    /// It is not known of any whether its broker has it.
    pub(super) fn failed(&mut self) {
        self.at = At::Idle;
    }

    /// They are marked.
    pub(super) fn marked(&mut self) {
        self.at = if bug(Bug::RelayMarksBeforeSending) { At::Confirmed } else { At::Idle };
    }
}

/// The ids that may be marked: those that were confirmed, up to each key's first that was not.
fn markable(unsent: &[OutboxRow], confirmed: &[bool]) -> Vec<i64> {
    let mut held_back: HashSet<&str> = HashSet::new();
    let mut ids = Vec::with_capacity(unsent.len());
    for (row, confirmed) in unsent.iter().zip(confirmed) {
        if *confirmed && !held_back.contains(row.key.as_str()) {
            ids.push(row.id);
        } else {
            held_back.insert(&row.key);
        }
    }
    ids
}

#[cfg(test)]
mod simulation;

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: i64, key: &str) -> OutboxRow {
        OutboxRow {
            id,
            topic: "posts".into(),
            key: key.into(),
            payload: String::new(),
            created_at: DateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn nothing_of_a_key_is_marked_after_one_that_was_not_confirmed() {
        let rows = [row(1, "a"), row(2, "b"), row(3, "a"), row(4, "b")];
        assert_eq!(markable(&rows, &[true, false, true, true]), [1, 3]);
    }

    #[test]
    fn rows_are_confirmed_then_sent_then_marked() {
        let mut sending = Sending::default();
        assert_eq!(sending.step(), Step::Read);
        sending.read(Vec::new());
        assert_eq!(sending.step(), Step::Read);
        sending.read(vec![row(1, "a"), row(2, "b")]);
        assert_eq!(sending.step(), Step::Confirm);
        sending.confirmed();
        assert_eq!(sending.step(), Step::Send);
        sending.sent(&[false, true]);
        assert_eq!(sending.step(), Step::Mark(vec![2]));
        sending.marked();
        assert_eq!(sending.step(), Step::Read);
    }
}
