//! Where a watcher of a home is.

use plaza_base::ids::{self, Bucket};
use plaza_stores::redis::live::Position;

/// Where a watcher of a home is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HomeCursor {
    /// The place in the stream; `None` when the post came from the feed.
    pub position: Option<Position>,
    /// The last post delivered.
    pub post: i64,
}

/// How long before the newest post of a page another one may be that came to the home only after
/// the page was read: the fan-out of an author with many followers takes seconds, and ids are in
/// the order of writing.
const OVERTAKEN_MS: i64 = 30_000;

impl HomeCursor {
    /// From a page of the home whose newest post is this one. What was written shortly before it
    /// comes again: some of it may not have been there yet.
    pub fn of_page(newest: i64) -> Self {
        let before = ids::created_at(newest).timestamp_millis() - OVERTAKEN_MS;
        Self { position: None, post: ids::compose(before, Bucket::new(0), 0).max(1) }
    }

    /// As text: `ms-number:post`, or `:post`.
    pub fn encode(&self) -> String {
        match self.position {
            Some(position) => format!("{position}:{}", self.post),
            None => format!(":{}", self.post),
        }
    }

    /// The cursor in a text; `None` when there is none.
    pub fn decode(text: &str) -> Option<Self> {
        let (position, post) = text.split_once(':')?;
        let position = if position.is_empty() { None } else { Some(Position::parse(position)?) };
        Some(Self { position, post: post.parse().ok().filter(|post| *post > 0)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_and_nothing_else_is_one() {
        for cursor in [
            HomeCursor { position: Some(Position { ms: 5, number: 6 }), post: 7 },
            HomeCursor { position: None, post: 7 },
        ] {
            assert_eq!(HomeCursor::decode(&cursor.encode()), Some(cursor));
        }
        for bad in ["", ":", "5-6", "5-6:", ":0", ":-1", "x:7", "5:7"] {
            assert_eq!(HomeCursor::decode(bad), None, "{bad}");
        }
    }
}
