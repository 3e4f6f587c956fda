//! Which list a page is of: what its cursors are good for.

use super::context::Scope;
use super::cursors::List;
use plaza_base::ids::{CommentId, PostId, UserId};

/// A list whose cursors name rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listing {
    /// `Viewer.home`
    Home(UserId),
    /// `Query.posts`
    Posts,
    /// `User.posts`
    PostsOf(UserId),
    /// `Post.comments`; of a repost, those of the original.
    CommentsOn(PostId),
    /// `Comment.replies`
    RepliesTo(CommentId),
}

impl Listing {
    /// It, for its cursors.
    pub fn of(self, scope: &Scope) -> List {
        match self {
            Self::Home(user) => List::new(scope, "Viewer.home", user).taking_old("Post"),
            Self::Posts => List::new(scope, "Query.posts", ""),
            Self::PostsOf(user) => List::new(scope, "User.posts", user),
            Self::CommentsOn(post) => List::new(scope, "Post.comments", post),
            Self::RepliesTo(comment) => List::new(scope, "Comment.replies", comment),
        }
    }
}
