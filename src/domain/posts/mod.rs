//! Posts: what they are. Writing one is in `create.rs`, deleting in `delete.rs`, passing on what
//! somebody else wrote in `repost.rs`, who may see which in `read.rs`, and pages in `lists.rs`.

mod create;
mod delete;
mod lists;
mod read;
mod repost;

use serde::{Deserialize, Serialize};

use plaza_base::ids::PostId;
use plaza_stores::redis::Shared;
use plaza_stores::redis::cache::Cached;

pub use create::{NewPost, create};
pub use delete::delete;
pub(super) use lists::add;
pub use lists::{newest, sharing};
pub use plaza_read_models::shares::ShareKind;
pub(super) use plaza_stores::postgres::posts::DELETED;
pub use read::{answered, by_author, counts_many, get_many};
pub(super) use read::{
    authors_of, get_many_surely, missing, named, originals, require_shown, require_visible,
    subject_of,
};
pub use repost::{
    IsReposted, Reposted, ShareCounts, repost, share_counts_many, unrepost, viewer_reposts,
};

/// A post; copies are one row.
pub type Post = Shared<plaza_stores::postgres::posts::Post>;

/// A post's counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PostCounts {
    /// Likes.
    pub likes: i64,
    /// Comments.
    pub comments: i64,
    /// The post's version they were counted at.
    pub version: i64,
}

impl Cached for PostCounts {
    type Key = PostId;
    const KIND: &'static str = "post_counts";
    const LOCAL: bool = true;
    fn version(&self) -> i64 {
        self.version
    }
}
