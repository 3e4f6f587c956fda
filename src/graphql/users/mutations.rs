//! Accounts, sessions, follows.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object, SimpleObject};
use chrono::{DateTime, Utc};

use super::types::User;
use crate::context::{RequestContext, Scope, logged_in_scope, mutation_scope};
use crate::error::{UserError, payload};
use crate::ids::input;
use crate::payload::{Done, inputs, payloads};
use crate::viewer::types::Viewer;
use plaza_domain::identity::{self, Authenticated, SignUp};
use plaza_domain::users::{self, ProfileUpdate, User as Row};
use plaza_domain::{DomainError, follows};

/// An account to create.
#[derive(InputObject)]
pub struct SignUpInput {
    /// Unique handle: 3 to 30 characters of a-z, 0-9 and `_`; A to Z are converted to lower case.
    /// Names reserved for plaza (`admin`, `support`, `login`, names that resemble them, underscores
    /// alone) are `TAKEN`.
    handle: String,
    /// Unique e-mail address of at most 254 characters, in any case; its domain may be
    /// internationalised.
    email: String,
    /// Password of at least 8 characters and at most 1,024 bytes. Common passwords, the handle, the
    /// name and the e-mail address are `INVALID`.
    password: String,
    /// Display name: one line of 1 to 60 characters, at least one of them visible.
    display_name: String,
    /// Idempotency key of this mutation: 1 to 200 visible ASCII characters; overrides the
    /// `Idempotency-Key` header. Before there is an account, a key belongs to the handle: a retry
    /// with the same key and input logs in to the account that the first attempt created; with
    /// another input for the same handle it is `IDEMPOTENCY_CONFLICT`.
    #[graphql(default)]
    client_key: Option<String>,
}

/// Credentials of an account.
#[derive(InputObject)]
pub struct LogInInput {
    /// Handle in any case, with or without a leading `@`; or the e-mail address of the account.
    handle: String,
    /// Password of the account.
    password: String,
    /// The `deviceToken` of an earlier log-in or refresh, kept across log-outs. Wrong passwords
    /// from this device are then counted separately, so that guesses of others do not lock it out
    /// (`RATE_LIMITED`). An invalid or expired token is ignored.
    #[graphql(default)]
    device_token: Option<String>,
    /// Accepted and ignored: every log-in starts a session of its own.
    #[graphql(default)]
    client_key: Option<String>,
}

/// The refresh token to exchange.
#[derive(InputObject)]
pub struct SessionRefreshInput {
    /// Refresh token of the last sign-up, log-in or refresh. It can be used once. Presented again
    /// within 10 seconds by default (by another tab, or after a lost response) it returns the same
    /// new token; later it ends the session.
    refresh_token: String,
    /// Idempotency key of this mutation: 1 to 200 visible ASCII characters; overrides the
    /// `Idempotency-Key` header. The key belongs to the refresh token: a retry with both returns
    /// the same new token for a minute; beside another refresh token the same key is a new one.
    #[graphql(default)]
    client_key: Option<String>,
}

inputs! {
    /// Profile fields to change; omitted fields keep their value.
    ProfileUpdateInput {
        /// Display name: one line of 1 to 60 characters, at least one of them visible.
        display_name: Option<String>,
        /// Biography of up to 500 characters.
        bio: Option<String>,
        /// Whether only followers whom the viewer accepted can see the viewer's posts.
        is_private: Option<bool>,
        /// Global id of the avatar: one of the viewer's images, uploaded as an avatar, READY and not
        /// shown elsewhere; null removes the avatar.
        avatar_image_id: MaybeUndefined<ID>,
    }
}

inputs! {
    /// The user to follow.
    UserFollowInput {
        /// Global id of another user. At most 10,000 users can be followed (`LIMIT_EXCEEDED`).
        user_id: ID,
    }
}

inputs! {
    /// The user to unfollow.
    UserUnfollowInput {
        /// Global id of the user; succeeds if the viewer does not follow them.
        user_id: ID,
    }
}

macro_rules! authentication_payload {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(SimpleObject)]
        pub struct $name {
            /// Access token for the header `Authorization: Bearer ..`; null if authentication
            /// failed.
            access_token: Option<String>,
            /// Refresh token for `sessionRefresh`, valid for one use.
            refresh_token: Option<String>,
            /// Time at which the access token expires, 10 minutes after its issue by default.
            expires_at: Option<DateTime<Utc>>,
            /// Token that identifies this device at later log-ins, valid for 180 days and of no use
            /// without the password. Keep it across log-outs and pass it to `logIn`.
            device_token: Option<String>,
            /// The authenticated viewer; null if authentication failed.
            viewer: Option<Viewer>,
            /// Business errors that prevented the mutation; empty on success.
            user_errors: Vec<UserError>,
        }

        impl $name {
            fn new(ctx: &Context<'_>, result: Result<Authenticated, DomainError>) -> async_graphql::Result<Self> {
                let (authenticated, user_errors) = payload(result)?;
                Ok(match authenticated {
                    Some(authenticated) => Self {
                        viewer: Some(Viewer::of(authenticated.viewer, &logged_in_scope(ctx, authenticated.viewer)?)),
                        access_token: Some(authenticated.access_token),
                        refresh_token: Some(authenticated.refresh_token),
                        expires_at: Some(authenticated.expires_at),
                        device_token: Some(authenticated.device_token),
                        user_errors,
                    },
                    None => Self { access_token: None, refresh_token: None, expires_at: None, device_token: None, viewer: None, user_errors },
                })
            }
        }
    };
}

authentication_payload! {
    /// Result of a sign-up: the first session of the new account.
    SignUpPayload
}
authentication_payload! {
    /// Result of a log-in: a new session.
    LogInPayload
}
authentication_payload! {
    /// Result of a refresh: new tokens of the same session.
    SessionRefreshPayload
}

inputs! {
    /// The session to revoke.
    SessionRevokeInput {
        /// Global id of one of the viewer's sessions.
        session_id: ID,
    }
}

/// Result of revoking a session.
#[derive(SimpleObject)]
pub struct SessionRevokePayload {
    /// Whether the session was active.
    revoked: bool,
    /// Business errors that prevented the mutation; empty on success.
    user_errors: Vec<UserError>,
}

/// Result of revoking the viewer's other sessions.
#[derive(SimpleObject)]
pub struct SessionRevokeOthersPayload {
    /// Number of sessions that were revoked.
    revoked_count: i32,
    /// Business errors that prevented the mutation; empty on success.
    user_errors: Vec<UserError>,
}

/// Result of a log-out.
#[derive(SimpleObject)]
pub struct LogOutPayload {
    /// Whether the session was active.
    logged_out: bool,
    /// Business errors that prevented the mutation; empty on success.
    user_errors: Vec<UserError>,
}

payloads! {
    /// Result of updating the viewer's profile.
    ProfileUpdatePayload {
        /// The user after the mutation; null if nothing was changed or the viewer may not see
        /// them.
        user: User,
    }
}
payloads! {
    /// Result of following a user.
    UserFollowPayload {
        /// The user after the mutation; null if nothing was changed or the viewer may not see
        /// them.
        user: User,
    }
}
payloads! {
    /// Result of unfollowing a user.
    UserUnfollowPayload {
        /// The user after the mutation; null if nothing was changed or the viewer may not see
        /// them.
        user: User,
    }
}

/// The user after a mutation.
pub(super) async fn after(
    scope: &Arc<Scope>,
    result: Result<Option<Row>, DomainError>,
) -> async_graphql::Result<Done<User>> {
    Done::of(result, async |row: Option<Row>| row.map(|row| Ok(User::new(row, scope)))).await
}

/// Mutations of users.
#[derive(Debug, Default)]
pub struct UserMutations;

#[Object]
impl UserMutations {
    /// Creates an account and starts its first session. `TAKEN` for a handle or address in use;
    /// `RATE_LIMITED` after too many sign-ups from one address.
    async fn sign_up(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The account to create.")] input: SignUpInput,
    ) -> Option<async_graphql::Result<SignUpPayload>> {
        let done = async {
            let scope = mutation_scope(ctx)?;
            let SignUpInput { handle, email, password, display_name, client_key: _ } = input;
            let result =
                identity::sign_up(&scope.op, SignUp { handle, email, password, display_name })
                    .await;
            SignUpPayload::new(ctx, result)
        };
        Some(done.await)
    }

    /// Starts a session with a handle or e-mail address and a password. `INVALID_CREDENTIALS` for
    /// an unknown account as for a wrong password; `RATE_LIMITED` after too many wrong passwords;
    /// `NOT_ALLOWED` for a suspended account.
    async fn log_in(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Credentials of the account.")] input: LogInInput,
    ) -> Option<async_graphql::Result<LogInPayload>> {
        let done = async {
            let scope = mutation_scope(ctx)?;
            let result = identity::log_in(
                &scope.op,
                &input.handle,
                input.password,
                input.device_token.as_deref(),
            )
            .await;
            LogInPayload::new(ctx, result)
        };
        Some(done.await)
    }

    /// Exchanges a refresh token for new tokens of the same session; `INVALID_CREDENTIALS` if it is
    /// unknown, used, revoked or expired.
    async fn session_refresh(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The refresh token to exchange.")] input: SessionRefreshInput,
    ) -> Option<async_graphql::Result<SessionRefreshPayload>> {
        let done = async {
            let scope = mutation_scope(ctx)?;
            let result = identity::refresh(&scope.op, &input.refresh_token).await;
            SessionRefreshPayload::new(ctx, result)
        };
        Some(done.await)
    }

    /// Revokes one of the viewer's sessions: within a second every server rejects its tokens and
    /// closes its WebSockets.
    async fn session_revoke(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The session to revoke.")] input: SessionRevokeInput,
    ) -> Option<async_graphql::Result<SessionRevokePayload>> {
        let done = async {
            let scope = mutation_scope(ctx)?;
            let result = async {
                identity::revoke(&scope.op, self::input("sessionId", &input.session_id)?).await
            };
            let (revoked, user_errors) = payload(result.await)?;
            Ok(SessionRevokePayload { revoked: revoked.unwrap_or_default(), user_errors })
        };
        Some(done.await)
    }

    /// Revokes all other sessions of the viewer, including those beyond the 100 that
    /// `Viewer.sessions` lists; the current session remains.
    async fn session_revoke_others(
        &self,
        ctx: &Context<'_>,
    ) -> Option<async_graphql::Result<SessionRevokeOthersPayload>> {
        let done = async {
            let scope = mutation_scope(ctx)?;
            let (ended, user_errors) = payload(identity::revoke_others(&scope.op).await)?;
            let revoked_count = i32::try_from(ended.unwrap_or_default()).unwrap_or(i32::MAX);
            Ok(SessionRevokeOthersPayload { revoked_count, user_errors })
        };
        Some(done.await)
    }

    /// Ends the current session: within a second every server rejects its tokens and closes its
    /// WebSockets. An expired access token is accepted, since it still identifies the session; with
    /// an invalid token nothing is ended (`loggedOut: false`).
    async fn log_out(&self, ctx: &Context<'_>) -> Option<async_graphql::Result<LogOutPayload>> {
        let done = async {
            let scope = mutation_scope(ctx)?;
            let refused = ctx.data::<Arc<RequestContext>>()?.refused_token;
            let (logged_out, user_errors) = payload(identity::log_out(&scope.op, refused).await)?;
            Ok(LogOutPayload { logged_out: logged_out.unwrap_or_default(), user_errors })
        };
        Some(done.await)
    }

    /// Updates the viewer's profile. An account that becomes public accepts all pending follow
    /// requests.
    async fn profile_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The profile fields to change.")] input: ProfileUpdateInput,
    ) -> Option<async_graphql::Result<ProfileUpdatePayload>> {
        let done = async {
            let scope = mutation_scope(ctx)?;
            let result = async {
                let avatar = match &input.avatar_image_id {
                    MaybeUndefined::Undefined => None,
                    MaybeUndefined::Null => Some(None),
                    MaybeUndefined::Value(id) => Some(Some(self::input("avatarImageId", id)?)),
                };
                let update = ProfileUpdate {
                    display_name: input.display_name,
                    bio: input.bio,
                    is_private: input.is_private,
                    avatar,
                };
                users::update(&scope.op, update).await.map(Some)
            };
            after(&scope, result.await).await.map(ProfileUpdatePayload::from)
        };
        Some(done.await)
    }

    /// Follows a user, or sends a follow request to a private account; succeeds if the viewer
    /// already follows them. `NOT_ALLOWED` for a user whom the viewer blocks.
    async fn user_follow(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The user to follow.")] input: UserFollowInput,
    ) -> Option<async_graphql::Result<UserFollowPayload>> {
        let done = async {
            let scope = mutation_scope(ctx)?;
            let result =
                async { follows::follow(&scope.op, self::input("userId", &input.user_id)?).await };
            after(&scope, result.await).await.map(UserFollowPayload::from)
        };
        Some(done.await)
    }

    /// Unfollows a user or withdraws a follow request; succeeds if there is neither.
    async fn user_unfollow(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The user to unfollow.")] input: UserUnfollowInput,
    ) -> Option<async_graphql::Result<UserUnfollowPayload>> {
        let done = async {
            let scope = mutation_scope(ctx)?;
            let result = async {
                follows::unfollow(&scope.op, self::input("userId", &input.user_id)?).await
            };
            after(&scope, result.await).await.map(UserUnfollowPayload::from)
        };
        Some(done.await)
    }
}
