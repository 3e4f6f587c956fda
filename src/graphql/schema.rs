//! The schema, put together.

use async_graphql::{EmptySubscription, MergedObject, SDLExportOptions};

use super::comments::mutations::CommentMutations;
use super::error::ErrorCode;
use super::node::NodeQueries;
use super::orders::mutations::OrderMutations;
use super::orders::queries::OrderQueries;
use super::posts::mutations::PostMutations;
use super::posts::queries::PostQueries;
use super::products::mutations::ProductMutations;
use super::products::queries::ProductQueries;
use super::users::mutations::UserMutations;
use super::users::queries::UserQueries;
use super::viewer::queries::ViewerQueries;

/// What can be asked.
#[derive(Debug, Default, MergedObject)]
pub struct Query(ViewerQueries, NodeQueries, UserQueries, PostQueries, ProductQueries, OrderQueries);

/// What can be done. Every field takes part in the idempotency of the request's `Idempotency-Key`: sent again with the same key and input, it
/// answers as before and does nothing.
#[derive(Debug, Default, MergedObject)]
pub struct Mutation(UserMutations, PostMutations, CommentMutations, ProductMutations, OrderMutations);

/// plaza's schema.
pub type Schema = async_graphql::Schema<Query, Mutation, EmptySubscription>;

/// Builds it. No extension is registered: a single one would cost every field its fast path.
pub fn schema() -> Schema {
    Schema::build(Query::default(), Mutation::default(), EmptySubscription)
        .register_output_type::<ErrorCode>()
        .limit_depth(24)
        .limit_recursive_depth(64)
        .limit_directives(10)
        .disable_suggestions()
        .finish()
}

/// `schema.graphql`.
pub fn sdl() -> String {
    schema().sdl_with_options(SDLExportOptions::new().sorted_fields().sorted_arguments().sorted_enum_items().include_specified_by())
}
