//! SQL text that is prepared once per connection. `diesel::sql_query` prepares its text anew at
//! every execution, a second round trip each time; wrapped in [`prepared`], a fixed text is cached
//! by the connection like any built query.

use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId, SqlQuery};
use diesel::sql_types::Untyped;
use diesel::{QueryResult, RunQueryDsl};

/// A [`SqlQuery`] with its binds, whose text is the same at every execution.
#[derive(Debug, Clone)]
pub struct Prepared<Q>(Q);

/// Marks a query as safe to cache: its text must hold no values, only `$n`.
pub fn prepared<Q>(query: Q) -> Prepared<Q> {
    Prepared(query)
}

/// Starts a query from fixed text; bind with `.bind::<SqlType, _>(value)`, then wrap in
/// [`prepared`].
pub fn sql(text: &'static str) -> SqlQuery {
    diesel::sql_query(text)
}

impl<Q: QueryFragment<Pg>> QueryFragment<Pg> for Prepared<Q> {
    fn walk_ast<'b>(&'b self, out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        self.0.walk_ast(out)
    }
    fn is_safe_to_cache_prepared(&self, _backend: &Pg) -> QueryResult<bool> {
        Ok(true)
    }
}

impl<Q> QueryId for Prepared<Q> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<Q> Query for Prepared<Q> {
    type SqlType = Untyped;
}

impl<Q, C> RunQueryDsl<C> for Prepared<Q> {}
