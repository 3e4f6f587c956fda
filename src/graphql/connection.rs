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
    /// The cursor to go on from: the last edge's, or, when a whole page is hidden from the viewer and more comes after it, one past that.
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

/// A cursor names what its list is of, so that one of another list is told from a good one.
fn encode(kind: &str, id: i64) -> String {
    URL_SAFE_NO_PAD.encode(format!("v1:{kind}:{id}"))
}

fn decode(kind: &str, cursor: &str) -> Option<i64> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let id = std::str::from_utf8(&bytes)
        .ok()?
        .strip_prefix("v1:")?
        .strip_prefix(kind)?
        .strip_prefix(':')?;
    id.parse().ok().filter(|id| *id > 0)
}

/// How many items `first` asks for.
///
/// # Errors
/// `BAD_USER_INPUT` when it is out of 1 to 100.
pub fn first_of(first: i32) -> async_graphql::Result<usize> {
    let first = usize::try_from(first).ok().filter(|first| (1..=MAX_PAGE).contains(first));
    first.ok_or_else(|| ErrorCode::BadUserInput.error(format!("`first` must be 1 to {MAX_PAGE}")))
}

/// The page of a list of `T` that `first` and `after` ask for.
///
/// # Errors
/// `BAD_USER_INPUT` for a `first` out of 1 to 100 or a cursor that is none.
pub fn page<T: OutputType>(first: i32, after: Option<&str>) -> async_graphql::Result<PageRequest> {
    let first = first_of(first)?;
    let after = match after {
        None => None,
        Some(cursor) => Some(decode(&T::type_name(), cursor).ok_or_else(|| {
            ErrorCode::BadUserInput.error("`after` is not a cursor of this list")
        })?),
    };
    Ok(PageRequest { first, after })
}

/// A page as a connection.
pub fn connection<T: OutputType + Clone>(page: Page<T>, request: PageRequest) -> Connection<T> {
    let kind = T::type_name();
    let edges: Vec<Edge<T>> =
        page.items.into_iter().map(|(id, node)| Edge { cursor: encode(&kind, id), node }).collect();
    Connection {
        page_info: PageInfo {
            has_next_page: page.has_next,
            has_previous_page: request.after.is_some(),
            start_cursor: edges.first().map(|edge| edge.cursor.clone()),
            // The place of what is hidden is told only where there is no other way on.
            end_cursor: match edges.last() {
                Some(last) => Some(last.cursor.clone()),
                None => page.end.filter(|_| page.has_next).map(|id| encode(&kind, id)),
            },
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
        assert_eq!(decode("Post", &encode("Post", 7)), Some(7));
        assert_eq!(decode("User", &encode("Post", 7)), None);
        for bad in ["", "x", "djE6", "djE6UG9zdDotMQ", "7"] {
            assert_eq!(decode("Post", bad), None, "{bad}");
        }
    }

    #[test]
    fn pages_are_bounded() {
        for bad in [-1, 0, 101, i32::MAX] {
            assert!(page::<String>(bad, None).is_err());
        }
        assert_eq!(page::<String>(100, None).unwrap(), PageRequest { first: 100, after: None });
    }
}
