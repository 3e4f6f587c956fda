//! Recording views.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

use crate::context::mutation_scope;
use crate::error::{UserError, payload};
use crate::ids::input;
use plaza_domain::views;

/// Posts that have been shown to the viewer.
#[derive(InputObject)]
pub struct PostViewsRecordInput {
    /// Global ids of 1 to 100 posts that have just come into view.
    post_ids: Vec<ID>,
}

/// Result of recording views.
#[derive(SimpleObject)]
pub struct PostViewsRecordPayload {
    /// Number of views accepted. Not counted are the viewer's own posts, posts that the viewer may
    /// not see, and posts already counted for the same viewer in the same hour. All anonymous
    /// clients of one address (IPv6: its /64) count as one viewer.
    recorded: Option<i32>,
    /// Business errors that prevented the mutation; empty on success.
    user_errors: Vec<UserError>,
}

/// Mutations of telemetry.
#[derive(Debug, Default)]
pub struct ViewMutations;

#[Object]
impl ViewMutations {
    /// Records that posts were shown to the viewer or to an anonymous client. Views are telemetry:
    /// they are counted within seconds, no request waits for them, they take no part in
    /// idempotency, and a view that the event log has not acknowledged may be lost.
    async fn post_views_record(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Posts that were shown.")] input: PostViewsRecordInput,
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
