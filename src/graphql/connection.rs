//! Relay connections, one shape for every list.

use std::borrow::Cow;

use async_graphql::{OutputType, SimpleObject, TypeName};

use super::cursors::{Cursor, List};
use super::error::ErrorCode;
use plaza_domain::page::MAX_PAGE;
use plaza_domain::{Page, PageRequest};

/// Position of a page in its list.
#[derive(Debug, Clone, SimpleObject)]
pub struct PageInfo {
    /// Whether the list goes on after this page with items that the viewer may see. After thousands
    /// of consecutive hidden rows it may be true although none follow; the next page is then empty.
    /// Of a page that was requested with `last`: true if it was requested with `before`.
    pub has_next_page: bool,
    /// Whether items precede this page: true if it was requested with `after`; of a page that was
    /// requested with `last`, whether there are any that the viewer may see, as far as is known.
    pub has_previous_page: bool,
    /// Cursor of the first edge, null for an empty page; of a page that was requested with `last`,
    /// the cursor to pass as `before` for the previous page.
    pub start_cursor: Option<Cursor>,
    /// Cursor to pass as `after` for the next page. It is the last edge's cursor, or a later one if
    /// so many rows are hidden that the page was returned before it was full.
    pub end_cursor: Option<Cursor>,
}

/// An item of a list with its cursor.
#[derive(Debug, Clone, SimpleObject)]
#[graphql(name_type)]
pub struct Edge<T: OutputType> {
    /// Opaque cursor, valid only as `after` or `before` of the same list.
    pub cursor: Cursor,
    /// The item at this position.
    pub node: T,
}

/// One page of a list.
#[derive(Debug, Clone, SimpleObject)]
#[graphql(name_type)]
pub struct Connection<T: OutputType> {
    /// Items of the page with their cursors.
    pub edges: Vec<Edge<T>>,
    /// Items of the page without their cursors.
    pub nodes: Vec<T>,
    /// Position of the page in the list.
    pub page_info: PageInfo,
}

impl<T: OutputType> TypeName for Edge<T> {
    fn type_name() -> Cow<'static, str> {
        format!("{}Edge", T::type_name()).into()
    }
}

impl<T: OutputType> TypeName for Connection<T> {
    fn type_name() -> Cow<'static, str> {
        format!("{}Connection", T::type_name()).into()
    }
}

/// How many items `first` asks for.
///
/// # Errors
/// `BAD_USER_INPUT` when it is out of 1 to 100.
pub fn first_of(first: i32) -> async_graphql::Result<usize> {
    count_of("first", first)
}

fn count_of(argument: &str, count: i32) -> async_graphql::Result<usize> {
    let count = usize::try_from(count).ok().filter(|count| (1..=MAX_PAGE).contains(count));
    count.ok_or_else(|| {
        ErrorCode::BadUserInput.error(format!("`{argument}` must be 1 to {MAX_PAGE}"))
    })
}

impl List {
    /// The page that `first` and `after` ask for.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` for a `first` out of 1 to 100 or a cursor of anything else.
    pub fn page(&self, first: i32, after: Option<&str>) -> async_graphql::Result<PageRequest> {
        Ok(PageRequest::forwards(first_of(first)?, self.open_row(after)?))
    }

    /// The page that `first` and `after` ask for, or, when `last` is given, that `last` and `before`
    /// do.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` for a number out of 1 to 100, a cursor of anything else, `before` without
    /// `last`, and `after` beside it.
    pub fn page_of_either_end(
        &self,
        (first, after): (i32, Option<&str>),
        (last, before): (Option<i32>, Option<&str>),
    ) -> async_graphql::Result<PageRequest> {
        let refused = |why: &str| Err(ErrorCode::BadUserInput.error(why));
        match last {
            None if before.is_some() => refused("`before` goes with `last`"),
            None => self.page(first, after),
            Some(_) if after.is_some() => refused("`after` goes with `first`, not with `last`"),
            Some(last) => {
                let last = count_of("last", last)?;
                let after = self.open_row_of("before", before)?;
                Ok(PageRequest { first: last, after, backwards: true })
            }
        }
    }

    /// A page as a connection.
    pub fn connection<T: OutputType + Clone>(
        &self,
        page: Page<T>,
        request: PageRequest,
    ) -> Connection<T> {
        let ends = Ends::of(&page, request);
        let cursor = |id: Option<i64>| id.map(|id| self.row(id));
        let page_info = PageInfo {
            has_next_page: ends.has_next_page,
            has_previous_page: ends.has_previous_page,
            start_cursor: cursor(ends.start),
            end_cursor: cursor(ends.end),
        };
        let mut edges: Vec<Edge<T>> =
            page.items.into_iter().map(|(id, node)| Edge { cursor: self.row(id), node }).collect();
        if request.backwards {
            edges.reverse();
        }
        Connection { page_info, nodes: edges.iter().map(|edge| edge.node.clone()).collect(), edges }
    }
}

/// Where a page begins and ends, by ids of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ends {
    /// `PageInfo.hasNextPage`
    pub has_next_page: bool,
    /// `PageInfo.hasPreviousPage`
    pub has_previous_page: bool,
    /// `PageInfo.startCursor`
    pub start: Option<i64>,
    /// `PageInfo.endCursor`
    pub end: Option<i64>,
}

impl Ends {
    /// Those of a page.
    pub fn of<T>(page: &Page<T>, request: PageRequest) -> Self {
        let near = page.items.first().map(|(id, _)| *id);
        // Where there is more, the domain says where to go on: the last item, unless so much is
        // hidden that the page was not full by its bound.
        let last = || page.items.last().map(|(id, _)| *id);
        let far = page.end.filter(|_| page.has_next).or_else(last);
        let (goes_on, came_from) = (page.has_next, request.after.is_some());
        if request.backwards {
            let (has_next_page, has_previous_page) = (came_from, goes_on);
            return Self { has_next_page, has_previous_page, start: far, end: near };
        }
        Self { has_next_page: goes_on, has_previous_page: came_from, start: near, end: far }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cursors::seals_of_a_test;

    #[test]
    fn pages_are_bounded() {
        let list = List::sealed_by(&seals_of_a_test(), "Query.products", "");
        for bad in [-1, 0, 101, i32::MAX] {
            assert!(list.page(bad, None).is_err());
        }
        assert_eq!(list.page(100, None).unwrap(), PageRequest::forwards(100, None));
    }

    #[test]
    fn a_page_is_of_one_end() {
        let list = List::sealed_by(&seals_of_a_test(), "Viewer.orders", 1);
        let cursor = list.row(7).sealed();
        let some = Some(cursor.as_str());
        let asked = |first, after, last, before| {
            list.page_of_either_end((first, after), (last, before)).ok()
        };
        assert_eq!(asked(20, some, None, None), Some(PageRequest::forwards(20, Some(7))));
        let backwards = |first, after| Some(PageRequest { first, after, backwards: true });
        assert_eq!(asked(20, None, Some(5), None), backwards(5, None));
        assert_eq!(asked(20, None, Some(5), some), backwards(5, Some(7)));
        for (after, last, before) in [
            (None, None, some),
            (some, Some(5), None),
            (None, Some(0), None),
            (None, Some(101), None),
        ] {
            assert_eq!(asked(20, after, last, before), None);
        }
    }
}
