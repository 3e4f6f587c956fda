//! Pages of lists. A cursor is the id of a raw row, so it stays good when rows come, go or are
//! hidden.

use plaza_stores::postgres::keyset::Keyset;

/// The largest page.
pub const MAX_PAGE: usize = 100;

/// Which part of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageRequest {
    /// How many, 1 to [`MAX_PAGE`].
    pub first: usize,
    /// The cursor of the row before, in the order in which the list is read; `None` for the
    /// beginning.
    pub after: Option<i64>,
    /// Whether the list is read from its end: the page's items are then in the opposite order.
    /// Only the lists that say so can be.
    pub backwards: bool,
}

impl PageRequest {
    /// A part of a list from its beginning on.
    pub const fn forwards(first: usize, after: Option<i64>) -> Self {
        Self { first, after, backwards: false }
    }

    /// The rows of a list that has the greatest id first.
    pub fn newest_first(self) -> Keyset {
        self.keyset(!self.backwards)
    }

    /// The rows of a list that has the least id first.
    pub fn oldest_first(self) -> Keyset {
        self.keyset(self.backwards)
    }

    fn keyset(self, descending: bool) -> Keyset {
        let all = if descending { i64::MAX } else { 0 };
        Keyset { descending, beyond: self.after.unwrap_or(all), limit: self.rows() }
    }

    /// Rows to read: one more than shown tells whether the list goes on.
    pub fn rows(self) -> i64 {
        i64::try_from(self.first + 1).unwrap_or(i64::MAX)
    }
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Page<T> {
    /// Each item with its cursor, in the list's order.
    pub items: Vec<(i64, T)>,
    /// Where to go on: the last raw row read, which may be past the last item shown.
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

/// Parts that a page is filled from, at most, where nearly all rows are hidden.
pub const PARTS: usize = 12;
/// Rows of the largest part.
const LARGEST: usize = 1_000;

/// How many rows the part after one of so many has: where most rows are hidden, few parts must do.
pub(crate) fn grown(rows: usize) -> usize {
    (rows * 4).min(LARGEST)
}

/// Fills a page from a list in which rows are hidden from the viewer.
///
/// Parts of the list are asked for until one more item than the page has is found: then it is known
/// that something follows, and where. The first part has just as many rows, so a list in which
/// nothing is hidden costs one; the next are larger. At most [`PARTS`] are asked for: a page that is
/// not full by then (about 8,000 rows of which nearly none is shown) ends where the last part ended,
/// and says that there may be more.
#[derive(Debug)]
pub struct Fill<T> {
    first: usize,
    backwards: bool,
    items: Vec<(i64, T)>,
    /// Where the last part ended.
    end: Option<i64>,
    /// How many rows the next part has.
    rows: usize,
    parts: usize,
    more: bool,
}

impl<T> Fill<T> {
    /// Nothing has been asked for yet.
    pub fn new(page: PageRequest) -> Self {
        Self {
            first: page.first,
            backwards: page.backwards,
            items: Vec::new(),
            end: page.after,
            rows: page.first + 1,
            parts: PARTS,
            more: true,
        }
    }

    /// The next part to ask for; `None`: the page is complete.
    pub fn next_part(&self) -> Option<PageRequest> {
        let wanted = self.more && self.parts > 0 && self.items.len() <= self.first;
        let (first, after, backwards) = (self.rows, self.end, self.backwards);
        wanted.then_some(PageRequest { first, after, backwards })
    }

    /// Adds a part: its visible items, where it ended, and whether the list goes on.
    pub fn add(&mut self, part: Page<T>) {
        self.items.extend(part.items);
        self.more = part.has_next && part.end.is_some();
        self.end = part.end.or(self.end);
        self.parts = self.parts.saturating_sub(1);
        self.rows = grown(self.rows).max(self.first + 1);
    }

    /// The page.
    pub fn page(self) -> Page<T> {
        let page = Page::from_rows(self.items, self.first);
        if page.has_next {
            return page;
        }
        Page { end: self.end, has_next: self.more, ..page }
    }
}

impl<T> Default for Page<T> {
    fn default() -> Self {
        Self { items: Vec::new(), end: None, has_next: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    /// A part of the list 1, 2, .. `last`, of which only some are visible.
    fn part(last: i64, visible: &[i64], request: PageRequest) -> Page<i64> {
        let from = request.after.unwrap_or(0) + 1;
        let rows = (from..=last).take(request.first + 1).map(|id| (id, id)).collect();
        let mut page = Page::from_rows(rows, request.first);
        page.items.retain(|(id, _)| visible.contains(id));
        page
    }

    fn filled(last: i64, visible: &[i64], request: PageRequest) -> Page<i64> {
        let mut fill = Fill::new(request);
        while let Some(next) = fill.next_part() {
            fill.add(part(last, visible, next));
        }
        fill.page()
    }

    #[test]
    fn pages_of_any_size_hold_just_what_is_visible_whatever_is_hidden() {
        for seed in 0..300 {
            let mut random = StdRng::seed_from_u64(seed);
            let last = random.random_range(0..400);
            let share = random.random_range(0..=100);
            let visible: Vec<i64> =
                (1..=last).filter(|_| random.random_range(0..100) < share).collect();
            let (mut after, mut seen) = (None, Vec::new());
            loop {
                let first = random.random_range(1..=20);
                let page = filled(last, &visible, PageRequest::forwards(first, after));
                seen.extend(page.items.iter().map(|(_, item)| *item));
                assert_eq!(page.has_next, seen.len() < visible.len(), "seed {seed}");
                assert!(!page.has_next || page.items.len() == first, "seed {seed}");
                if !page.has_next {
                    break;
                }
                assert_eq!(page.end, seen.last().copied(), "the end is an item that is shown");
                after = page.end;
            }
            assert_eq!(seen, visible, "seed {seed}");
        }
    }

    #[test]
    fn work_is_bounded_and_goes_on_from_where_it_ended() {
        let (mut after, mut pages) = (None, 0);
        loop {
            let page = filled(50_000, &[50_000], PageRequest::forwards(10, after));
            pages += 1;
            if !page.items.is_empty() {
                assert!(!page.has_next);
                break;
            }
            assert!(page.has_next && page.end > after);
            after = page.end;
        }
        assert!(pages > 1 && pages < 10, "{pages}");
    }
}
