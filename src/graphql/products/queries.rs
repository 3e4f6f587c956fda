//! Finding products.

use async_graphql::{Context, ID, Object};

use super::types::Product;
use crate::connection::Connection;
use crate::context::query_scope;
use crate::cursors::List;
use crate::error::{add_missing, fault};
use crate::ids::argument;
use plaza_domain::products;

/// Queries about products.
#[derive(Debug, Default)]
pub struct ProductQueries;

#[Object]
impl ProductQueries {
    /// Returns a product; null if it does not exist or the viewer may not see it.
    async fn product(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Global id of the product; `BAD_USER_INPUT` for an id of another type.")]
        id: ID,
    ) -> Option<async_graphql::Result<Product>> {
        let found = async { Product::load(&query_scope(ctx)?, argument(&id)?).await };
        found.await.transpose()
    }

    /// Products, newest first. If a shard is unavailable, the rest is returned with a
    /// `SHARD_UNAVAILABLE` error beside it.
    async fn products(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Maximum number of items to return, 1 to 100.", default = 20)] first: i32,
        #[graphql(desc = "Cursor of the edge to start after; omit it for the first page.")]
        after: Option<String>,
    ) -> Option<async_graphql::Result<Connection<Product>>> {
        let found = async {
            let scope = query_scope(ctx)?;
            let list = List::new(&scope, "Query.products", "");
            let request = list.page(first, after.as_deref())?;
            let (page, missing) =
                products::newest(&scope.op, request).await.map_err(|error| fault(&error))?;
            add_missing(ctx, "products", missing);
            Ok(list.connection(page.map(|product| Product::new(product, &scope)), request))
        };
        Some(found.await)
    }
}
