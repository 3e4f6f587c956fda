//! Plans: what runs of a query (`document::runs`), as types instead of names, made when its text is
//! first seen and kept beside it. So a plan is of the schema of its own process, and of one shape
//! of variables.
//!
//! A plan runs in waves over all objects of a level, not field by field. A walk over what is there
//! finds the keys that are not; each kind of key is read in one batch ([`BatchRead`]: what the
//! resolvers' loaders call, so policy is where it was); what arrives is walked again, as soon as it
//! arrives, whatever else is still on its way. When nothing is left to read, one more walk writes
//! the answer as bytes.
//!
//! A plan covers a whole operation or nothing of it: what asks for a field that no plan knows runs
//! through the library, as mutations and most subscriptions do. Either way the answer is the same
//! (`tests/it/graphql/plans`).
//!
//! New posts of a home ([`Live`]) are answered once for many viewers. A field whose value depends
//! on the viewer by anything but the rules of who may see whom is to be left out of that: it writes
//! itself by `template::write_own`.
//!
//! A field that can fail is nullable and takes its error itself, so nothing that is written has to
//! be taken back.
//!
//! [`BatchRead`]: crate::loaders::BatchRead

mod arguments;
mod columns;
mod comment;
mod connection;
mod entity;
mod image;
mod live;
mod post;
mod product;
mod query;
mod run;
mod selection;
mod shared;
mod template;
mod user;
mod writer;

use async_graphql::Variables;
use async_graphql::parser::types::SelectionSet;

use query::QueryField;
use selection::{Reader, Set};

pub use live::{Event, Live};
pub use run::Answer;
pub use shared::Group;

/// A query that runs as a plan.
#[derive(Debug)]
pub struct Plan {
    query: Set<QueryField>,
}

impl Plan {
    /// The plan of a query whose fragments are spread and whose fields are merged; `None` when it
    /// asks for something that no plan covers. Of a variable only this may count: whether it is
    /// there, is null, is true.
    pub fn of(selections: &SelectionSet, variables: &Variables) -> Option<Self> {
        let query = Reader::new(variables).set(selections)?;
        Some(Self { query })
    }
}
