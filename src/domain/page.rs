//! Pages of lists. A cursor is the id of a raw row, so it stays good when rows come, go or are
//! hidden.

/// The largest page.
pub const MAX_PAGE: usize = 100;

/// Which part of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageRequest {
    /// How many, 1 to [`MAX_PAGE`].
    pub first: usize,
    /// The cursor of the row before; `None` for the beginning.
    pub after: Option<i64>,
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Page<T> {
    /// Each item with its cursor, in the list's order.
    pub items: Vec<(i64, T)>,
    /// Where to go on: the last raw row looked at, which may be past the last item shown.
    pub end: Option<i64>,
    /// Whether anything comes after `end`.
    pub has_next: bool,
}

impl<T> Page<T> {
    /// A page of `first` from up to `first + 1` rows.
    pub fn from_rows(mut rows: Vec<(i64, T)>, first: usize) -> Self {
        let has_next = rows.len() > first;
        rows.truncate(first);
        Self { end: rows.last().map(|(cursor, _)| *cursor), items: rows, has_next }
    }

    /// The same page of other things.
    pub fn map<U>(self, mut f: impl FnMut(T) -> U) -> Page<U> {
        Page {
            items: self.items.into_iter().map(|(cursor, item)| (cursor, f(item))).collect(),
            end: self.end,
            has_next: self.has_next,
        }
    }
}

impl<T> Default for Page<T> {
    fn default() -> Self {
        Self { items: Vec::new(), end: None, has_next: false }
    }
}
