//! Finding users.

use async_graphql::{Context, Object};

use super::types::User;
use crate::context::query_scope;
use crate::error::fault;
use plaza_base::ids::UserId;
use plaza_domain::{Operation, users};

/// Who has a handle, as far as the viewer may see them; nobody has what can be none.
pub(crate) async fn by_handle(
    op: &Operation,
    handle: &str,
) -> async_graphql::Result<Option<UserId>> {
    if handle.len() > 60 || handle.contains('\0') {
        return Ok(None);
    }
    users::by_handle(op, handle).await.map_err(|error| fault(&error))
}

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
            let scope = query_scope(ctx)?;
            match by_handle(&scope.op, &handle).await? {
                Some(id) => User::load(&scope, id).await,
                None => Ok(None),
            }
        };
        found.await.transpose()
    }
}
