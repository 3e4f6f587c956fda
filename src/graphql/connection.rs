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
    pub has_next_page: bool,
    /// Whether items precede this page: true if it was requested with `after`.
    pub has_previous_page: bool,
    /// Cursor of the first edge; null for an empty page.
    pub start_cursor: Option<Cursor>,
    /// Cursor to pass as `after` for the next page. It is the last edge's cursor, or a later one if
    /// so many rows are hidden that the page was returned before it was full.
    pub end_cursor: Option<Cursor>,
}

/// An item of a list with its cursor.
#[derive(Debug, Clone, SimpleObject)]
#[graphql(name_type)]
pub struct Edge<T: OutputType> {
    /// Opaque cursor, valid only as `after` of the same list.
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
    let first = usize::try_from(first).ok().filter(|first| (1..=MAX_PAGE).contains(first));
    first.ok_or_else(|| ErrorCode::BadUserInput.error(format!("`first` must be 1 to {MAX_PAGE}")))
}

impl List {
    /// The page that `first` and `after` ask for.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` for a `first` out of 1 to 100 or a cursor of anything else.
    pub fn page(&self, first: i32, after: Option<&str>) -> async_graphql::Result<PageRequest> {
        Ok(PageRequest { first: first_of(first)?, after: self.open_row(after)? })
    }

    /// A page as a connection.
    pub fn connection<T: OutputType + Clone>(
        &self,
        page: Page<T>,
        request: PageRequest,
    ) -> Connection<T> {
        let edges: Vec<Edge<T>> =
            page.items.into_iter().map(|(id, node)| Edge { cursor: self.row(id), node }).collect();
        Connection {
            page_info: PageInfo {
                has_next_page: page.has_next,
                has_previous_page: request.after.is_some(),
                start_cursor: edges.first().map(|edge| edge.cursor.clone()),
                // Where there is more, the domain says where to go on: the last item, unless so much
                // is hidden that the page was not full by its bound.
                end_cursor: match page.end.filter(|_| page.has_next) {
                    Some(end) => Some(self.row(end)),
                    None => edges.last().map(|edge| edge.cursor.clone()),
                },
            },
            nodes: edges.iter().map(|edge| edge.node.clone()).collect(),
            edges,
        }
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
        assert_eq!(list.page(100, None).unwrap(), PageRequest { first: 100, after: None });
    }
}
