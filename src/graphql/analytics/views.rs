//! Telling of views.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

use crate::domain::views;
use crate::graphql::context::mutation_scope;
use crate::graphql::error::{UserError, payload};
use crate::graphql::ids::input;

/// What was shown.
#[derive(InputObject)]
pub struct PostViewsRecordInput {
    /// 1 to 100 posts that have just come into view.
    post_ids: Vec<ID>,
}

/// What was taken.
#[derive(SimpleObject)]
pub struct PostViewsRecordPayload {
    /// How many views were taken: not the viewer's own posts, none that they may not see, none that was counted for the same viewer in the same hour. The
    /// anonymous are one viewer at each address.
    recorded: Option<i32>,
    /// Why none.
    user_errors: Vec<UserError>,
}

/// Mutations of telemetry.
#[derive(Debug, Default)]
pub struct ViewMutations;

#[Object]
impl ViewMutations {
    /// Somebody, logged in or not, was shown posts. Telemetry: counted within seconds, and never waited for; it takes no part in idempotency, and what
    /// the event log has not acknowledged yet may be lost.
    async fn post_views_record(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What was shown.")] input: PostViewsRecordInput,
    ) -> Option<async_graphql::Result<PostViewsRecordPayload>> {
        let done = async {
            let scope = mutation_scope(ctx)?;
            let result = async {
                let ids = input
                    .post_ids
                    .iter()
                    .map(|id| self::input("postIds", id))
                    .collect::<Result<Vec<_>, _>>()?;
                views::record(&scope.op, &ids).await
            };
            let (recorded, user_errors) = payload(result.await)?;
            Ok(PostViewsRecordPayload {
                recorded: recorded.map(|count| i32::try_from(count).unwrap_or(i32::MAX)),
                user_errors,
            })
        };
        Some(done.await)
    }
}
