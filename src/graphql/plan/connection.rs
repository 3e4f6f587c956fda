//! Connections: one page of a list, however its items are asked for.

use std::borrow::Cow;
use std::cell::OnceCell;

use async_graphql::parser::types::Field;

use super::columns::{Columns, Wants};
use super::selection::{Asked, Key, Of, Reader, Set};
use super::writer::Writer;
use crate::connection::Ends;
use crate::context::Scope;
use crate::cursors::{Cursor, List};
use crate::lists::Listing;
use plaza_domain::{Page, PageRequest};

/// A page, and the list that it is of.
#[derive(Debug)]
pub struct Rows<'r, T> {
    listing: Listing,
    list: OnceCell<List>,
    request: PageRequest,
    page: &'r Page<T>,
}

impl<'r, T> Rows<'r, T> {
    /// A page of a list.
    pub fn new(listing: Listing, request: PageRequest, page: &'r Page<T>) -> Self {
        Self { listing, list: OnceCell::new(), request, page }
    }

    fn cursor(&self, id: i64, scope: &Scope) -> Cursor {
        self.list.get_or_init(|| self.listing.of(scope)).row(id)
    }

    /// In the order in which they are shown.
    fn items(&self) -> impl Iterator<Item = &'r (i64, T)> {
        let (forwards, backwards) = match self.request.backwards {
            false => (Some(self.page.items.iter()), None),
            true => (None, Some(self.page.items.iter().rev())),
        };
        forwards.into_iter().flatten().chain(backwards.into_iter().flatten())
    }
}

/// A field of a connection of `F`'s type.
#[derive(Debug)]
pub enum ConnectionField<F> {
    Edges(Set<EdgeField<F>>),
    Nodes(Set<F>),
    PageInfo(Set<PageInfoField>),
}

impl<F: Asked> Asked for ConnectionField<F> {
    fn type_name() -> Cow<'static, str> {
        format!("{}Connection", F::type_name()).into()
    }

    fn read(name: &str, field: &Field, reader: &mut Reader<'_>) -> Option<Self> {
        Some(match name {
            "edges" => Self::Edges(reader.below(field)?),
            "nodes" => Self::Nodes(reader.below(field)?),
            "pageInfo" => Self::PageInfo(reader.below(field)?),
            _ => return None,
        })
    }

    fn fetches(&self) -> bool {
        match self {
            Self::Edges(set) => set.fetches(),
            Self::Nodes(set) => set.fetches(),
            Self::PageInfo(_) => false,
        }
    }
}

impl<T, F: Of<T>> Of<Rows<'_, T>> for ConnectionField<F> {
    fn want(&self, rows: &Rows<'_, T>, found: &Columns, wants: &mut Wants<'_>) {
        for row in &rows.page.items {
            match self {
                Self::Edges(set) => set.want(&Edge { rows, row }, found, wants),
                Self::Nodes(set) => set.want(&row.1, found, wants),
                Self::PageInfo(_) => {}
            }
        }
    }

    fn write<'p>(&'p self, rows: &Rows<'_, T>, key: &'p Key, out: &mut Writer<'p>) {
        match self {
            Self::Edges(set) => {
                out.list(key, rows.items(), |out, row| set.write(&Edge { rows, row }, out));
            }
            Self::Nodes(set) => out.list(key, rows.items(), |out, (_, row)| set.write(row, out)),
            Self::PageInfo(set) => out.inside(key, |out| set.write(rows, out)),
        }
    }
}

/// An item of a page.
struct Edge<'r, 'p, T> {
    rows: &'r Rows<'p, T>,
    row: &'r (i64, T),
}

/// A field of an edge.
#[derive(Debug)]
pub enum EdgeField<F> {
    Cursor,
    Node(Set<F>),
}

impl<F: Asked> Asked for EdgeField<F> {
    fn type_name() -> Cow<'static, str> {
        format!("{}Edge", F::type_name()).into()
    }

    fn read(name: &str, field: &Field, reader: &mut Reader<'_>) -> Option<Self> {
        Some(match name {
            "cursor" => Self::Cursor,
            "node" => Self::Node(reader.below(field)?),
            _ => return None,
        })
    }

    fn fetches(&self) -> bool {
        match self {
            Self::Cursor => false,
            Self::Node(set) => set.fetches(),
        }
    }
}

impl<T, F: Of<T>> Of<Edge<'_, '_, T>> for EdgeField<F> {
    fn want(&self, edge: &Edge<'_, '_, T>, found: &Columns, wants: &mut Wants<'_>) {
        match self {
            Self::Cursor => {}
            Self::Node(set) => set.want(&edge.row.1, found, wants),
        }
    }

    fn write<'p>(&'p self, edge: &Edge<'_, '_, T>, key: &'p Key, out: &mut Writer<'p>) {
        match self {
            Self::Cursor => {
                let cursor = edge.rows.cursor(edge.row.0, out.scope);
                out.cursor(Some(&cursor));
            }
            Self::Node(set) => out.inside(key, |out| set.write(&edge.row.1, out)),
        }
    }
}

/// A field of a `PageInfo`.
#[derive(Debug)]
pub enum PageInfoField {
    HasNextPage,
    HasPreviousPage,
    StartCursor,
    EndCursor,
}

impl Asked for PageInfoField {
    fn type_name() -> Cow<'static, str> {
        "PageInfo".into()
    }

    fn read(name: &str, _: &Field, _: &mut Reader<'_>) -> Option<Self> {
        Some(match name {
            "hasNextPage" => Self::HasNextPage,
            "hasPreviousPage" => Self::HasPreviousPage,
            "startCursor" => Self::StartCursor,
            "endCursor" => Self::EndCursor,
            _ => return None,
        })
    }
}

impl<T> Of<Rows<'_, T>> for PageInfoField {
    fn write<'p>(&'p self, rows: &Rows<'_, T>, _: &'p Key, out: &mut Writer<'p>) {
        let (ends, scope) = (Ends::of(rows.page, rows.request), out.scope);
        let cursor = |id: Option<i64>| id.map(|id| rows.cursor(id, scope));
        match self {
            Self::HasNextPage => out.boolean(ends.has_next_page),
            Self::HasPreviousPage => out.boolean(ends.has_previous_page),
            Self::StartCursor => out.cursor(cursor(ends.start).as_ref()),
            Self::EndCursor => out.cursor(cursor(ends.end).as_ref()),
        }
    }
}
