//! A comment, as a type.

use std::sync::Arc;

use async_graphql::{ID, Object};
use chrono::{DateTime, Utc};

use crate::domain::comments::Comment as Row;
use crate::graphql::context::Scope;
use crate::graphql::ids::global;
use crate::graphql::users::types::User;
use crate::ids::Id;

/// A comment.
#[derive(Debug, Clone)]
pub struct Comment {
    row: Arc<Row>,
    scope: Arc<Scope>,
}

impl Comment {
    /// A row as a type.
    pub fn new(row: Row, scope: &Arc<Scope>) -> Self {
        Self { row: Arc::new(row), scope: Arc::clone(scope) }
    }
}

/// A comment on a post.
#[Object]
impl Comment {
    /// The global id.
    pub async fn id(&self) -> ID {
        global(self.row.id)
    }

    /// Who wrote it.
    async fn author(&self) -> Option<async_graphql::Result<User>> {
        User::load(&self.scope, self.row.author_id).await.transpose()
    }

    /// 1 to 1,000 characters.
    async fn text(&self) -> &str {
        &self.row.text
    }

    /// When it was written.
    async fn created_at(&self) -> DateTime<Utc> {
        self.row.id.created_at()
    }
}
