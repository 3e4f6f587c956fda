//! A comment, as a type.

use std::sync::Arc;

use async_graphql::{Context, ID, Object};
use chrono::{DateTime, Utc};

use crate::connection::Connection;
use crate::context::Scope;
use crate::error::fault;
use crate::ids::global;
use crate::lists::Listing;
use crate::loaders::FirstReplies;
use crate::output;
use crate::posts::types::Post;
use crate::references::types::TextEntity;
use crate::users::types::User;
use plaza_base::ids::Id;
use plaza_domain::Page;
use plaza_domain::comments::{self, Comment as Row};
use plaza_domain::posts::Post as PostRow;

/// A comment.
#[derive(Debug, Clone)]
pub struct Comment {
    row: Row,
    scope: Arc<Scope>,
}

impl Comment {
    /// A row as a type.
    pub fn new(row: Row, scope: &Arc<Scope>) -> Self {
        Self { row, scope: Arc::clone(scope) }
    }

    fn is_own(&self) -> bool {
        self.scope.op.viewer.is_some_and(|viewer| viewer.user_id == self.row.author_id)
    }
}

/// A comment on a post, or a reply to another comment.
#[Object]
impl Comment {
    /// Global id of the comment.
    pub async fn id(&self) -> ID {
        global(self.row.id)
    }

    /// Author of the comment; null if the viewer may not see them.
    async fn author(&self) -> Option<async_graphql::Result<User>> {
        User::load(&self.scope, self.row.author_id).await.transpose()
    }

    /// Text of 1 to 1,000 characters.
    async fn text(&self, ctx: &Context<'_>) -> async_graphql::Result<&str> {
        output::text(ctx, &self.row.text)
    }

    /// Mentions, hashtags and links in the text, in order of position; at most 100 mentions and
    /// hashtags.
    async fn entities(&self, ctx: &Context<'_>) -> async_graphql::Result<Vec<TextEntity>> {
        let entities = self.row.entities.as_ref();
        output::list(ctx, TextEntity::all(entities, &self.row.text, &self.scope))
    }

    /// The post that it is on; null if the post was deleted or the viewer may not see it.
    async fn post(&self) -> Option<async_graphql::Result<Post>> {
        Post::load(&self.scope, self.row.post_id).await.transpose()
    }

    /// The comment that this one replies to; null if it was written on the post itself, or if the
    /// viewer may not see that comment.
    async fn in_reply_to(&self) -> Option<async_graphql::Result<Comment>> {
        let found = self.scope.loaders.get::<Row>(self.row.in_reply_to?).await;
        found.map(|found| found.map(|row| Self::new(row, &self.scope))).transpose()
    }

    /// Depth in the thread: 0 for a comment on the post itself, otherwise one more than the comment
    /// it replies to. A comment of depth 8 cannot be replied to.
    async fn depth(&self) -> i32 {
        i32::from(self.row.depth)
    }

    /// Number of direct replies to the comment.
    async fn reply_count(&self) -> i64 {
        self.row.reply_count
    }

    /// Direct replies, oldest first; empty if the viewer may no longer see the post.
    async fn replies(
        &self,
        #[graphql(desc = "Maximum number of items to return, 1 to 100.", default = 20)] first: i32,
        #[graphql(desc = "Cursor of the edge to start after; omit it for the first page.")]
        after: Option<String>,
        #[graphql(desc = "Number of items at the end of the list, 1 to 100, instead of `first`.")]
        last: Option<i32>,
        #[graphql(desc = "Cursor of the edge to end before; omit it for the last page.")]
        before: Option<String>,
    ) -> Option<async_graphql::Result<Connection<Comment>>> {
        let replies = async {
            let list = Listing::RepliesTo(self.row.id).of(&self.scope);
            let from_end = (last, before.as_deref());
            let request = list.page_of_either_end((first, after.as_deref()), from_end)?;
            if self.is_own() && self.scope.loaders.get::<PostRow>(self.row.post_id).await?.is_none()
            {
                // The viewer finds what they wrote, but not what others say on a hidden post.
                return Ok(list.connection(Page::default(), request));
            }
            let page = match request.after {
                // Nobody has answered most comments.
                None if self.row.reply_count == 0 => Page::default(),
                None if !request.backwards => {
                    self.scope
                        .loaders
                        .get_or_default::<FirstReplies>((self.row.id, request.first))
                        .await?
                }
                _ => comments::replies(&self.scope.op, self.row.id, request)
                    .await
                    .map_err(|error| fault(&error))?,
            };
            Ok(list.connection(page.map(|comment| Self::new(comment, &self.scope)), request))
        };
        Some(replies.await)
    }

    /// Time at which the comment was created.
    async fn created_at(&self) -> DateTime<Utc> {
        self.row.id.created_at()
    }
}
