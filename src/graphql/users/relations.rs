//! Who may see whom: blocks, follow requests, suspensions.

use async_graphql::{Context, ID, Object};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::mutations::after;
use super::types::User;
use crate::context::mutation_scope;
use crate::ids::input;
use crate::payload::{Done, inputs, payloads};
use plaza_base::ids::UserId;
use plaza_domain::users::User as Row;
use plaza_domain::{DomainError, Operation, blocks, follows, moderation};

inputs! {
    /// The user to block.
    UserBlockInput {
        /// Global id of the user.
        user_id: ID,
    }

    /// The user to unblock.
    UserUnblockInput {
        /// Global id of the user.
        user_id: ID,
    }

    /// The user whose follow request to accept.
    FollowRequestAcceptInput {
        /// Global id of the user.
        user_id: ID,
    }

    /// The user whose follow request to reject.
    FollowRequestRejectInput {
        /// Global id of the user.
        user_id: ID,
    }

    /// The user to suspend.
    UserSuspendInput {
        /// Global id of the user.
        user_id: ID,
    }

    /// The user whose suspension to lift.
    UserUnsuspendInput {
        /// Global id of the user.
        user_id: ID,
    }
}

payloads! {
    /// Result of blocking a user.
    UserBlockPayload {
        /// The user as the viewer may see them after the mutation; null if nothing was changed
        /// or they are not visible.
        user: User,
    }

    /// Result of unblocking a user.
    UserUnblockPayload {
        /// The user as the viewer may see them after the mutation; null if nothing was changed
        /// or they are not visible.
        user: User,
    }

    /// Result of accepting a follow request.
    FollowRequestAcceptPayload {
        /// The user as the viewer may see them after the mutation; null if nothing was changed
        /// or they are not visible.
        user: User,
    }

    /// Result of rejecting a follow request.
    FollowRequestRejectPayload {
        /// The user as the viewer may see them after the mutation; null if nothing was changed
        /// or they are not visible.
        user: User,
    }

    /// Result of suspending a user.
    UserSuspendPayload {
        /// The user as the viewer may see them after the mutation; null if nothing was changed
        /// or they are not visible.
        user: User,
    }

    /// Result of lifting a suspension.
    UserUnsuspendPayload {
        /// The user as the viewer may see them after the mutation; null if nothing was changed
        /// or they are not visible.
        user: User,
    }
}

/// What something done to a user comes to.
async fn on_user<P: From<Done<User>>>(
    ctx: &Context<'_>,
    user_id: &ID,
    work: impl for<'o> FnOnce(&'o Operation, UserId) -> BoxFuture<'o, Result<Option<Row>, DomainError>>
    + Send,
) -> Option<async_graphql::Result<P>> {
    let done = async {
        let scope = mutation_scope(ctx)?;
        let result = async { work(&scope.op, input("userId", user_id)?).await };
        after(&scope, result.await).await.map(P::from)
    };
    Some(done.await)
}

/// Mutations of who may see whom.
#[derive(Debug, Default)]
pub struct RelationMutations;

#[Object]
impl RelationMutations {
    /// Blocks a user: neither follows the other any longer, and neither sees what the other writes.
    /// Succeeds if the user is already blocked.
    async fn user_block(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The user to block.")] input: UserBlockInput,
    ) -> Option<async_graphql::Result<UserBlockPayload>> {
        on_user(ctx, &input.user_id, |op, user| blocks::block(op, user).boxed()).await
    }

    /// Unblocks a user; succeeds if the user was not blocked. Follows removed by the block are not
    /// restored.
    async fn user_unblock(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The user to unblock.")] input: UserUnblockInput,
    ) -> Option<async_graphql::Result<UserUnblockPayload>> {
        on_user(ctx, &input.user_id, |op, user| blocks::unblock(op, user).boxed()).await
    }

    /// Accepts a request to follow the viewer, whose account is private; succeeds if there is no
    /// request.
    async fn follow_request_accept(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The user whose follow request to accept.")]
        input: FollowRequestAcceptInput,
    ) -> Option<async_graphql::Result<FollowRequestAcceptPayload>> {
        on_user(ctx, &input.user_id, |op, user| follows::answer_request(op, user, true).boxed())
            .await
    }

    /// Rejects a request to follow the viewer, whose account is private; succeeds if there is no
    /// request.
    async fn follow_request_reject(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The user whose follow request to reject.")]
        input: FollowRequestRejectInput,
    ) -> Option<async_graphql::Result<FollowRequestRejectPayload>> {
        on_user(ctx, &input.user_id, |op, user| follows::answer_request(op, user, false).boxed())
            .await
    }

    /// Suspends a user: their profile and content are hidden, their sessions end on every server
    /// within a second, and they cannot log in. Administrators only (`FORBIDDEN`).
    async fn user_suspend(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The user to suspend.")] input: UserSuspendInput,
    ) -> Option<async_graphql::Result<UserSuspendPayload>> {
        on_user(ctx, &input.user_id, |op, user| moderation::suspend(op, user, true).boxed()).await
    }

    /// Lifts the suspension of a user. Administrators only (`FORBIDDEN`).
    async fn user_unsuspend(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The user whose suspension to lift.")] input: UserUnsuspendInput,
    ) -> Option<async_graphql::Result<UserUnsuspendPayload>> {
        on_user(ctx, &input.user_id, |op, user| moderation::suspend(op, user, false).boxed()).await
    }
}
