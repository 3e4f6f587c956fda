//! Accounts, sessions, follows.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object, SimpleObject};
use chrono::{DateTime, Utc};

use super::types::User;
use crate::domain::identity::{self, Authenticated, SignUp};
use crate::domain::users::{self, ProfileUpdate, User as Row};
use crate::domain::{DomainError, follows};
use crate::graphql::context::{RequestContext, Scope, logged_in_scope, mutation_scope};
use crate::graphql::error::{UserError, payload};
use crate::graphql::ids::input;
use crate::graphql::viewer::types::Viewer;

/// What a sign-up asks.
#[derive(InputObject)]
pub struct SignUpInput {
    /// 3 to 30 of a-z, 0-9 and _; the letters A to Z are folded. Unique. Names that would be taken for plaza's own (`admin`, `support`, `login`,
    /// what looks like them, underscores alone) are `TAKEN`.
    handle: String,
    /// An e-mail address of at most 254 characters, in any case; its domain may be an international one. Unique.
    email: String,
    /// 8 characters to 1,024 bytes. None that is well known, and not the handle, the name or the e-mail address.
    password: String,
    /// The name as shown: one line of 1 to 60 characters, one of them visible.
    display_name: String,
    /// Names this mutation, as the `Idempotency-Key` header does: sent again with the same key it answers as before and does nothing.
    #[graphql(default)]
    client_key: Option<String>,
}

/// What a log-in asks.
#[derive(InputObject)]
pub struct LogInInput {
    /// The handle, in any case, with or without a leading `@`; or the account's e-mail address.
    handle: String,
    /// The password.
    password: String,
    /// The `deviceToken` of an earlier log-in or refresh, kept over a log-out: wrong passwords of this client then count by themselves, so that
    /// nobody else's guesses keep it out (`RATE_LIMITED`). One that is none, or 180 days old, is as if it were left out.
    #[graphql(default)]
    device_token: Option<String>,
    /// Taken, and not needed: a log-in that is sent again begins a session of its own.
    #[graphql(default)]
    client_key: Option<String>,
}

/// What a refresh asks.
#[derive(InputObject)]
pub struct SessionRefreshInput {
    /// The refresh token of the last sign-up, log-in or refresh; it is used up by this. Presented again within a grace of 10 seconds (by another tab, or
    /// because the answer was lost) it is given the same next one; later than that it ends the session.
    refresh_token: String,
    /// Names this mutation, as the `Idempotency-Key` header does: sent again with the same key it answers as before and does nothing.
    #[graphql(default)]
    client_key: Option<String>,
}

/// What a profile edit asks; a field that is left out stays as it is.
#[derive(InputObject)]
pub struct ProfileUpdateInput {
    /// The name as shown: one line of 1 to 60 characters, one of them visible.
    display_name: Option<String>,
    /// Up to 500 characters.
    bio: Option<String>,
    /// Whether only those the viewer lets follow them see what the viewer writes.
    is_private: Option<bool>,
    /// The image to be shown with: the viewer's own, made for an avatar, READY, and shown by nothing else; null for none.
    avatar_image_id: MaybeUndefined<ID>,
    /// Names this mutation, as the `Idempotency-Key` header does: sent again with the same key it answers as before and does nothing.
    #[graphql(default)]
    client_key: Option<String>,
}

/// Whom to follow.
#[derive(InputObject)]
pub struct UserFollowInput {
    /// Not the viewer; at most 10,000 people can be followed.
    user_id: ID,
    /// Names this mutation, as the `Idempotency-Key` header does: sent again with the same key it answers as before and does nothing.
    #[graphql(default)]
    client_key: Option<String>,
}

/// Whom to follow no longer.
#[derive(InputObject)]
pub struct UserUnfollowInput {
    /// Somebody not followed is fine.
    user_id: ID,
    /// Names this mutation, as the `Idempotency-Key` header does: sent again with the same key it answers as before and does nothing.
    #[graphql(default)]
    client_key: Option<String>,
}

macro_rules! authentication_payload {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(SimpleObject)]
        pub struct $name {
            /// Goes into the `Authorization` header, after `Bearer`.
            access_token: Option<String>,
            /// Good once, for `sessionRefresh`.
            refresh_token: Option<String>,
            /// When the access token ends.
            expires_at: Option<DateTime<Utc>>,
            /// Says at later log-ins that this client was logged in before; good for 180 days, and for nothing without the password. Keep it over a
            /// log-out and give it to `logIn`.
            device_token: Option<String>,
            /// Who is logged in now.
            viewer: Option<Viewer>,
            /// Why not.
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
    /// A new account, logged in.
    SignUpPayload
}
authentication_payload! {
    /// A new session.
    LogInPayload
}
authentication_payload! {
    /// A session's next tokens.
    SessionRefreshPayload
}

/// Which session is to end.
#[derive(InputObject)]
pub struct SessionRevokeInput {
    /// One of the viewer's.
    session_id: ID,
    /// Names this mutation, as the `Idempotency-Key` header does: sent again with the same key it answers as before and does nothing.
    #[graphql(default)]
    client_key: Option<String>,
}

/// A session's end.
#[derive(SimpleObject)]
pub struct SessionRevokePayload {
    /// Whether it was alive.
    revoked: bool,
    /// Why not.
    user_errors: Vec<UserError>,
}

/// The viewer's other sessions have ended.
#[derive(SimpleObject)]
pub struct SessionRevokeOthersPayload {
    /// How many were ended.
    revoked_count: i32,
    /// Why not.
    user_errors: Vec<UserError>,
}

/// A session's end.
#[derive(SimpleObject)]
pub struct LogOutPayload {
    /// Whether it was alive.
    logged_out: bool,
    /// Why not.
    user_errors: Vec<UserError>,
}

macro_rules! user_payload {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(SimpleObject)]
        pub struct $name {
            /// The person.
            user: Option<async_graphql::Result<User>>,
            /// Why not.
            user_errors: Vec<UserError>,
        }

        impl $name {
            fn new(scope: &Arc<Scope>, result: Result<Option<Row>, DomainError>) -> async_graphql::Result<Self> {
                let (row, user_errors) = payload(result)?;
                Ok(Self { user: row.flatten().map(|row| Ok(User::new(row, scope))), user_errors })
            }
        }
    };
}

user_payload! {
    /// The viewer after the edit.
    ProfileUpdatePayload
}
user_payload! {
    /// Whom the viewer follows now.
    UserFollowPayload
}
user_payload! {
    /// Whom the viewer follows no longer.
    UserUnfollowPayload
}

/// Mutations of people.
#[derive(Debug, Default)]
pub struct UserMutations;

#[Object]
impl UserMutations {
    /// Makes an account and logs it in.
    async fn sign_up(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The account.")] input: SignUpInput,
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

    /// Logs in.
    async fn log_in(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who.")] input: LogInInput,
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

    /// Trades a refresh token for new tokens.
    async fn session_refresh(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The token.")] input: SessionRefreshInput,
    ) -> Option<async_graphql::Result<SessionRefreshPayload>> {
        let done = async {
            let scope = mutation_scope(ctx)?;
            let result = identity::refresh(&scope.op, &input.refresh_token).await;
            SessionRefreshPayload::new(ctx, result)
        };
        Some(done.await)
    }

    /// Ends one of the viewer's sessions: its tokens are good for nothing, and its sockets close, on every server within a second.
    async fn session_revoke(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which.")] input: SessionRevokeInput,
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

    /// Ends all of the viewer's other sessions at once, also those beyond the 100 that `Viewer.sessions` shows; the one that asks goes on.
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

    /// Ends the viewer's session: its tokens are good for nothing, and its sockets close, on every server within a second. The access token may have
    /// ended: it still says which session. With one that is no token of plaza's there is nothing to end (`loggedOut: false`).
    async fn log_out(&self, ctx: &Context<'_>) -> Option<async_graphql::Result<LogOutPayload>> {
        let done = async {
            let scope = mutation_scope(ctx)?;
            let refused = ctx.data::<Arc<RequestContext>>()?.refused_token;
            let (logged_out, user_errors) = payload(identity::log_out(&scope.op, refused).await)?;
            Ok(LogOutPayload { logged_out: logged_out.unwrap_or_default(), user_errors })
        };
        Some(done.await)
    }

    /// Edits the viewer's profile.
    async fn profile_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to change.")] input: ProfileUpdateInput,
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
            ProfileUpdatePayload::new(&scope, result.await)
        };
        Some(done.await)
    }

    /// The viewer follows somebody; following them already is fine.
    async fn user_follow(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whom.")] input: UserFollowInput,
    ) -> Option<async_graphql::Result<UserFollowPayload>> {
        let done = async {
            let scope = mutation_scope(ctx)?;
            let result =
                async { follows::follow(&scope.op, self::input("userId", &input.user_id)?).await };
            UserFollowPayload::new(&scope, result.await)
        };
        Some(done.await)
    }

    /// The viewer follows somebody no longer; not following them is fine.
    async fn user_unfollow(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whom.")] input: UserUnfollowInput,
    ) -> Option<async_graphql::Result<UserUnfollowPayload>> {
        let done = async {
            let scope = mutation_scope(ctx)?;
            let result = async {
                follows::unfollow(&scope.op, self::input("userId", &input.user_id)?).await
            };
            UserUnfollowPayload::new(&scope, result.await)
        };
        Some(done.await)
    }
}
