//! Finding users.

use async_graphql::{Context, Object};

use super::types::User;
use crate::context::query_scope;
use crate::error::fault;
use plaza_domain::users;

/// Queries about users.
#[derive(Debug, Default)]
pub struct UserQueries;

#[Object]
impl UserQueries {
    /// Returns the user with this handle; null if there is none or the viewer may not see them.
    async fn user(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Handle in any case: 3 to 30 characters of a-z, 0-9 and `_`.")]
        handle: String,
    ) -> Option<async_graphql::Result<User>> {
        let found = async {
            if handle.len() > 60 || handle.contains('\0') {
                return Ok(None);
            }
            let scope = query_scope(ctx)?;
            match users::by_handle(&scope.op, &handle).await.map_err(|error| fault(&error))? {
                Some(id) => User::load(&scope, id).await,
                None => Ok(None),
            }
        };
        found.await.transpose()
    }
}
