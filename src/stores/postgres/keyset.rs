//! Parts of lists by the ids of their rows.

/// Which rows of a list that is ordered by id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keyset {
    /// Whether the rows are wanted from the greatest id down.
    pub descending: bool,
    /// Rows on that side of this id: below it when descending, else above it.
    pub beyond: i64,
    /// Most rows.
    pub limit: i64,
}
