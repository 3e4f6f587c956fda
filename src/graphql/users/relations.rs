//! Who may see whom: blocks, follow requests, suspensions.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

use super::types::User;
use crate::domain::{blocks, follows, moderation};
use crate::graphql::context::mutation_scope;
use crate::graphql::error::{UserError, payload};
use crate::graphql::ids::input;

macro_rules! about_a_user {
    ($(#[$input_doc:meta])* $input:ident, $(#[$payload_doc:meta])* $payload:ident) => {
        $(#[$input_doc])*
        #[derive(InputObject)]
        pub struct $input {
            /// Whom.
            user_id: ID,
            /// Names this mutation, as the `Idempotency-Key` header does: sent again with the same key it answers as before and does nothing.
            #[graphql(default)]
            client_key: Option<String>,
        }

        $(#[$payload_doc])*
        #[derive(SimpleObject)]
        pub struct $payload {
            /// The person, as far as the viewer may see them now.
            user: Option<async_graphql::Result<User>>,
            /// Why not.
            user_errors: Vec<UserError>,
        }
    };
}

about_a_user! {
    /// Whom to block.
    UserBlockInput,
    /// Whom the viewer blocks now.
    UserBlockPayload
}
about_a_user! {
    /// Whom to block no longer.
    UserUnblockInput,
    /// Whom the viewer blocks no longer.
    UserUnblockPayload
}
about_a_user! {
    /// Whose request to follow the viewer is granted.
    FollowRequestAcceptInput,
    /// Who follows the viewer now.
    FollowRequestAcceptPayload
}
about_a_user! {
    /// Whose request to follow the viewer is turned down.
    FollowRequestRejectInput,
    /// Who does not follow the viewer.
    FollowRequestRejectPayload
}
about_a_user! {
    /// Whom to suspend.
    UserSuspendInput,
    /// Whom nobody sees now.
    UserSuspendPayload
}
about_a_user! {
    /// Whom to suspend no longer.
    UserUnsuspendInput,
    /// Who is seen again.
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
    /// The viewer blocks somebody: neither follows the other any longer, and neither sees what the other writes. Blocked already is fine.
    async fn user_block(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whom.")] input: UserBlockInput,
    ) -> Option<async_graphql::Result<UserBlockPayload>> {
        done_to_a_user!(ctx, input, UserBlockPayload, |op, user| blocks::block(op, user))
    }

    /// The viewer ends a block; none is fine. Who followed whom does not come back.
    async fn user_unblock(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whom.")] input: UserUnblockInput,
    ) -> Option<async_graphql::Result<UserUnblockPayload>> {
        done_to_a_user!(ctx, input, UserUnblockPayload, |op, user| blocks::unblock(op, user))
    }

    /// The viewer, who is private, lets somebody follow them who has asked to; one who has not asked is fine.
    async fn follow_request_accept(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who has asked.")] input: FollowRequestAcceptInput,
    ) -> Option<async_graphql::Result<FollowRequestAcceptPayload>> {
        done_to_a_user!(ctx, input, FollowRequestAcceptPayload, |op, user| {
            follows::answer_request(op, user, true)
        })
    }

    /// The viewer does not let somebody follow them who has asked to; one who has not asked is fine.
    async fn follow_request_reject(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who has asked.")] input: FollowRequestRejectInput,
    ) -> Option<async_graphql::Result<FollowRequestRejectPayload>> {
        done_to_a_user!(ctx, input, FollowRequestRejectPayload, |op, user| {
            follows::answer_request(op, user, false)
        })
    }

    /// Administrators only: nobody sees the person or what they have made, their sessions end everywhere within a second, and they cannot log in.
    async fn user_suspend(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whom.")] input: UserSuspendInput,
    ) -> Option<async_graphql::Result<UserSuspendPayload>> {
        done_to_a_user!(ctx, input, UserSuspendPayload, |op, user| moderation::suspend(
            op, user, true
        ))
    }

    /// Administrators only: ends a suspension.
    async fn user_unsuspend(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whom.")] input: UserUnsuspendInput,
    ) -> Option<async_graphql::Result<UserUnsuspendPayload>> {
        done_to_a_user!(ctx, input, UserUnsuspendPayload, |op, user| moderation::suspend(
            op, user, false
        ))
    }
}
