//! Indexes that are built beside the writes. `CREATE INDEX` in a migration would hold up every
//! write to its table until it is built, on a large table for minutes; `CONCURRENTLY` does not, but
//! cannot run in a migration's transaction, and leaves an invalid index behind when it is stopped.
//! So what should be there is listed here, and made, or made again, after the migrations.

use diesel::sql_types::{Bool, Text};
use diesel::{OptionalExtension, QueryableByName};
use diesel_async::{RunQueryDsl, SimpleAsyncConnection};

use super::pool::Connection;
use super::prepared::{prepared, sql};
use crate::StoreError;

/// An index.
#[derive(Debug)]
pub struct Index {
    /// Its name.
    pub name: &'static str,
    /// What comes after `CREATE INDEX CONCURRENTLY name`.
    pub on: &'static str,
}

/// Every index that is built beside the writes. A search scans what is waiting to be sorted
/// into a GIN index row by row: little may wait.
pub const INDEXES: [Index; 13] = [
    Index {
        name: "posts_search_key",
        on: "ON posts USING gin (to_tsvector('public.plaza', public.search_key(text))) WITH (gin_pending_list_limit = 256) WHERE NOT deleted",
    },
    Index {
        name: "products_search_key",
        on: "ON products USING gin (to_tsvector('public.plaza', public.search_key(title || ' ' || description))) WITH (gin_pending_list_limit = 256)",
    },
    Index {
        name: "products_title_search_key",
        on: "ON products USING gin (public.search_key(title) public.gin_trgm_ops) WITH (gin_pending_list_limit = 256)",
    },
    Index {
        name: "users_search_key",
        on: "ON users USING gin (public.search_key(handle || ' ' || display_name) public.gin_trgm_ops) WITH (gin_pending_list_limit = 256)",
    },
    Index {
        name: "posts_reposted",
        on: "ON posts (author_id, repost_of) WHERE repost_of IS NOT NULL",
    },
    Index { name: "users_handle_prefix", on: "ON users (handle text_pattern_ops)" },
    Index {
        name: "users_name_prefix_key",
        on: "ON users (public.search_key(display_name) text_pattern_ops)",
    },
    Index {
        name: "shares_reposts",
        on: "ON shares (post_id, sharing_id) WHERE active AND NOT is_quote",
    },
    Index { name: "follows_requested", on: "ON follows (follower_id, id) WHERE requested" },
    Index {
        name: "shares_quotes",
        on: "ON shares (post_id, sharing_id) WHERE active AND is_quote",
    },
    Index { name: "products_by_price", on: "ON products (price_currency, price_amount, id)" },
    // The ledger's: what is held of a product, and orders that have not ended, both few.
    Index { name: "reservations_held", on: "ON reservations (product_id) WHERE status = 'HELD'" },
    Index {
        name: "orders_open",
        on: "ON orders (id) WHERE status IN ('PENDING', 'RESERVED', 'PAID', 'REFUNDING')",
    },
];

/// Indexes of versions before this one. They are dropped by the first [`build`] that finds every
/// index of this version whole, so that an older version that still runs keeps its own meanwhile.
const RETIRED: [&str; 5] = [
    "posts_search",
    "products_search",
    "products_title_search",
    "users_search",
    "users_name_prefix",
];

#[derive(QueryableByName)]
struct ValidRow {
    #[diesel(sql_type = Bool)]
    valid: bool,
}

/// Builds what is missing or was not finished; the names of what was built. Call it outside a
/// transaction, on a connection without a time limit.
///
/// # Errors
/// The server's; what was built before stays.
pub async fn build(connection: &mut Connection) -> Result<Vec<&'static str>, StoreError> {
    let mut built = Vec::new();
    for index in &INDEXES {
        let found: Option<ValidRow> = prepared(
            sql(
                "SELECT i.indisvalid AS valid FROM pg_index i WHERE i.indexrelid = to_regclass($1)",
            )
            .bind::<Text, _>(index.name),
        )
        .get_result(connection)
        .await
        .optional()?;
        if found.as_ref().is_some_and(|found| found.valid) {
            continue;
        }
        if found.is_some() {
            connection.batch_execute(&format!("DROP INDEX CONCURRENTLY {}", index.name)).await?;
        }
        connection
            .batch_execute(&format!("CREATE INDEX CONCURRENTLY {} {}", index.name, index.on))
            .await?;
        built.push(index.name);
    }
    if built.is_empty() {
        for retired in RETIRED {
            connection
                .batch_execute(&format!("DROP INDEX CONCURRENTLY IF EXISTS {retired}"))
                .await?;
        }
    }
    Ok(built)
}
