//! Relay connections, one shape for every list.

use std::borrow::Cow;

use async_graphql::{OutputType, SimpleObject, TypeName};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::error::ErrorCode;
use crate::domain::page::MAX_PAGE;
use crate::domain::{Page, PageRequest};

/// Where a page stands in its list.
#[derive(Debug, Clone, SimpleObject)]
pub struct PageInfo {
    /// Whether anything comes after this page.
    pub has_next_page: bool,
    /// Whether anything came before it: it was asked for with `after`.
    pub has_previous_page: bool,
    /// The cursor of the first edge.
    pub start_cursor: Option<String>,
    /// The cursor to go on from. It may be past the last edge, when rows in between are hidden from the viewer.
    pub end_cursor: Option<String>,
}

/// One item of a list, with its place in it.
#[derive(Debug, Clone, SimpleObject)]
#[graphql(name_type)]
pub struct Edge<T: OutputType> {
    /// Opaque; good for `after`.
    pub cursor: String,
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

fn encode(id: i64) -> String {
    URL_SAFE_NO_PAD.encode(format!("v1:{id}"))
}

fn decode(cursor: &str) -> Option<i64> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    std::str::from_utf8(&bytes).ok()?.strip_prefix("v1:")?.parse().ok().filter(|id| *id > 0)
}

/// The page that `first` and `after` ask for.
///
/// # Errors
/// `BAD_USER_INPUT` for a `first` out of 1 to 100 or a cursor that is none.
pub fn page(first: i32, after: Option<&str>) -> async_graphql::Result<PageRequest> {
    let first = usize::try_from(first).ok().filter(|first| (1..=MAX_PAGE).contains(first));
    let first = first.ok_or_else(|| ErrorCode::BadUserInput.error(format!("`first` must be 1 to {MAX_PAGE}")))?;
    let after = match after {
        None => None,
        Some(cursor) => Some(decode(cursor).ok_or_else(|| ErrorCode::BadUserInput.error("`after` is not a cursor of this list"))?),
    };
    Ok(PageRequest { first, after })
}

/// A page as a connection.
pub fn connection<T: OutputType + Clone>(page: Page<T>, request: PageRequest) -> Connection<T> {
    let edges: Vec<Edge<T>> = page.items.into_iter().map(|(id, node)| Edge { cursor: encode(id), node }).collect();
    Connection {
        page_info: PageInfo {
            has_next_page: page.has_next,
            has_previous_page: request.after.is_some(),
            start_cursor: edges.first().map(|edge| edge.cursor.clone()),
            end_cursor: page.end.map(encode),
        },
        nodes: edges.iter().map(|edge| edge.node.clone()).collect(),
        edges,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_and_nothing_else_is_one() {
        assert_eq!(decode(&encode(7)), Some(7));
        for bad in ["", "x", "djE6", "djE6LTE", "7"] {
            assert_eq!(decode(bad), None, "{bad}");
        }
    }

    #[test]
    fn pages_are_bounded() {
        for bad in [-1, 0, 101, i32::MAX] {
            assert!(page(bad, None).is_err());
        }
        assert_eq!(page(100, None).unwrap(), PageRequest { first: 100, after: None });
    }
}
