//! Relay connections, one shape for every list.

use std::borrow::Cow;

use async_graphql::{OutputType, SimpleObject, TypeName};

use super::cursors::{Cursor, List};
use super::error::ErrorCode;
use crate::domain::page::MAX_PAGE;
use crate::domain::{Page, PageRequest};

/// Where a page stands in its list.
#[derive(Debug, Clone, SimpleObject)]
pub struct PageInfo {
    /// Whether anything that the viewer may see comes after this page. Where thousands of rows in a row are hidden from them it may be true although
    /// nothing does: the next page then ends the list.
    pub has_next_page: bool,
    /// Whether anything came before it: it was asked for with `after`.
    pub has_previous_page: bool,
    /// The cursor of the first edge.
    pub start_cursor: Option<Cursor>,
    /// The cursor to go on from: the last edge's, or, where so many rows are hidden from the viewer that the page was given before it was full, one
    /// past those.
    pub end_cursor: Option<Cursor>,
}

/// One item of a list, with its place in it.
#[derive(Debug, Clone, SimpleObject)]
#[graphql(name_type)]
pub struct Edge<T: OutputType> {
    /// Opaque: good for `after` of the same list, and for nothing else.
    pub cursor: Cursor,
    /// The item.
    pub node: T,
}

/// A page of a list.
#[derive(Debug, Clone, SimpleObject)]
#[graphql(name_type)]
pub struct Connection<T: OutputType> {
    /// The items with their cursors.
    pub edges: Vec<Edge<T>>,
    /// The items alone.
    pub nodes: Vec<T>,
    /// Where the page stands.
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
    use crate::domain::identity::Seals;

    #[test]
    fn pages_are_bounded() {
        let list = List::sealed_by(&Seals::of_a_test(), "Query.products", "");
        for bad in [-1, 0, 101, i32::MAX] {
            assert!(list.page(bad, None).is_err());
        }
        assert_eq!(list.page(100, None).unwrap(), PageRequest { first: 100, after: None });
    }
}
