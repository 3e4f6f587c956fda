//! Who may see whom: blocks, follow requests, suspensions.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

use super::types::User;
use crate::context::mutation_scope;
use crate::error::{UserError, payload};
use crate::ids::input;
use plaza_domain::{blocks, follows, moderation};

macro_rules! about_a_user {
    ($(#[$input_doc:meta])* $input:ident, $(#[$payload_doc:meta])* $payload:ident) => {
        $(#[$input_doc])*
        #[derive(InputObject)]
        pub struct $input {
            /// Global id of the user.
            user_id: ID,
            /// Idempotency key of this mutation: 1 to 200 visible ASCII characters; overrides the
            /// `Idempotency-Key` header. A retry with the same key and input returns the first
            /// result and changes nothing; with another input it is `IDEMPOTENCY_CONFLICT`.
            #[graphql(default)]
            client_key: Option<String>,
        }

        $(#[$payload_doc])*
        #[derive(SimpleObject)]
        pub struct $payload {
            /// The user as the viewer may see them after the mutation; null if nothing was changed
            /// or they are not visible.
            user: Option<async_graphql::Result<User>>,
            /// Business errors that prevented the mutation; empty on success.
            user_errors: Vec<UserError>,
        }
    };
}

about_a_user! {
    /// The user to block.
    UserBlockInput,
    /// Result of blocking a user.
    UserBlockPayload
}
about_a_user! {
    /// The user to unblock.
    UserUnblockInput,
    /// Result of unblocking a user.
    UserUnblockPayload
}
about_a_user! {
    /// The user whose follow request to accept.
    FollowRequestAcceptInput,
    /// Result of accepting a follow request.
    FollowRequestAcceptPayload
}
about_a_user! {
    /// The user whose follow request to reject.
    FollowRequestRejectInput,
    /// Result of rejecting a follow request.
    FollowRequestRejectPayload
}
about_a_user! {
    /// The user to suspend.
    UserSuspendInput,
    /// Result of suspending a user.
    UserSuspendPayload
}
about_a_user! {
    /// The user whose suspension to lift.
    UserUnsuspendInput,
    /// Result of lifting a suspension.
    UserUnsuspendPayload
}

macro_rules! done_to_a_user {
    ($ctx:ident, $input:ident, $payload:ident, |$op:ident, $user:ident| $work:expr) => {{
        let done = async {
            let scope = mutation_scope($ctx)?;
            let result = async {
                let ($op, $user) = (&scope.op, input("userId", &$input.user_id)?);
                $work.await
            };
            let (row, user_errors) = payload(result.await)?;
            let user = row.flatten().map(|row| Ok(User::new(row, &scope)));
            Ok($payload { user, user_errors })
        };
        Some(done.await)
    }};
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
        done_to_a_user!(ctx, input, UserBlockPayload, |op, user| blocks::block(op, user))
    }

    /// Unblocks a user; succeeds if the user was not blocked. Follows removed by the block are not
    /// restored.
    async fn user_unblock(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The user to unblock.")] input: UserUnblockInput,
    ) -> Option<async_graphql::Result<UserUnblockPayload>> {
        done_to_a_user!(ctx, input, UserUnblockPayload, |op, user| blocks::unblock(op, user))
    }

    /// Accepts a request to follow the viewer, whose account is private; succeeds if there is no
    /// request.
    async fn follow_request_accept(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The user whose follow request to accept.")]
        input: FollowRequestAcceptInput,
    ) -> Option<async_graphql::Result<FollowRequestAcceptPayload>> {
        done_to_a_user!(ctx, input, FollowRequestAcceptPayload, |op, user| {
            follows::answer_request(op, user, true)
        })
    }

    /// Rejects a request to follow the viewer, whose account is private; succeeds if there is no
    /// request.
    async fn follow_request_reject(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The user whose follow request to reject.")]
        input: FollowRequestRejectInput,
    ) -> Option<async_graphql::Result<FollowRequestRejectPayload>> {
        done_to_a_user!(ctx, input, FollowRequestRejectPayload, |op, user| {
            follows::answer_request(op, user, false)
        })
    }

    /// Suspends a user: their profile and content are hidden, their sessions end on every server
    /// within a second, and they cannot log in. Administrators only (`FORBIDDEN`).
    async fn user_suspend(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The user to suspend.")] input: UserSuspendInput,
    ) -> Option<async_graphql::Result<UserSuspendPayload>> {
        done_to_a_user!(ctx, input, UserSuspendPayload, |op, user| moderation::suspend(
            op, user, true
        ))
    }

    /// Lifts the suspension of a user. Administrators only (`FORBIDDEN`).
    async fn user_unsuspend(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The user whose suspension to lift.")] input: UserUnsuspendInput,
    ) -> Option<async_graphql::Result<UserUnsuspendPayload>> {
        done_to_a_user!(ctx, input, UserUnsuspendPayload, |op, user| moderation::suspend(
            op, user, false
        ))
    }
}
