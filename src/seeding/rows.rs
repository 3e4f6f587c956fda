//! Rows on their way to shards, in PostgreSQL's COPY text format.

use std::collections::BTreeMap;
use std::fmt::{Display, Write};

use plaza_base::ids::Bucket;
use plaza_stores::postgres::{ShardIndex, ShardMap};

/// A table and its columns, in the order rows are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Table {
    /// Name.
    pub name: &'static str,
    /// Columns, with commas.
    pub columns: &'static str,
    /// Which `incoming` rows are taken where some of them may be there already, in SQL; all of
    /// them: `true`.
    pub taken: &'static str,
}

/// One row's text, escaped.
#[derive(Debug, Default)]
pub struct Row(String);

impl Row {
    /// Adds a value that needs no escaping.
    #[must_use]
    pub fn plain(mut self, value: impl Display) -> Self {
        self.separate();
        let _ = write!(self.0, "{value}");
        self
    }

    /// Adds a text.
    #[must_use]
    pub fn text(mut self, value: &str) -> Self {
        self.separate();
        for c in value.chars() {
            match c {
                '\\' => self.0.push_str("\\\\"),
                '\t' => self.0.push_str("\\t"),
                '\n' => self.0.push_str("\\n"),
                '\r' => self.0.push_str("\\r"),
                c => self.0.push(c),
            }
        }
        self
    }

    fn separate(&mut self) {
        if !self.0.is_empty() {
            self.0.push('\t');
        }
    }
}

/// Rows of one table for one shard.
#[derive(Debug, Default, Clone)]
pub struct Text {
    /// COPY text.
    pub text: String,
    /// Lines in it.
    pub rows: u64,
}

/// Rows of one table, by shard.
#[derive(Debug)]
pub struct Rows {
    /// Where they go.
    pub table: Table,
    /// Text by shard.
    pub by_shard: BTreeMap<ShardIndex, Text>,
}

impl Rows {
    /// No rows yet.
    pub fn new(table: Table) -> Self {
        Self { table, by_shard: BTreeMap::new() }
    }

    /// Adds a row to the shard of a bucket.
    pub fn add(&mut self, map: &ShardMap, bucket: Bucket, row: Row) {
        let of = self.by_shard.entry(map.shard_of(bucket)).or_default();
        of.text.push_str(&row.0);
        of.text.push('\n');
        of.rows += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_escaped() {
        assert_eq!(Row::default().plain(1).text("a\tb\\c\n").0, "1\ta\\tb\\\\c\\n");
    }
}
