//! Mentions and hashtags, as types.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, Object};

use crate::connection::Connection;
use crate::context::Scope;
use crate::cursors::List;
use crate::error::{ErrorCode, fault};
use crate::ids::global_text;
use crate::posts::types::Post;
use crate::users::types::User;
use plaza_base::ids::UserId;
use plaza_domain::hashtags;
use plaza_domain::references::{Entities, Reference};

/// Kind of a text entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum TextEntityKind {
    /// The handle of a user, with its `@`.
    Mention,
    /// A hashtag, with its `#`.
    Hashtag,
}

/// A range of a text that refers to a user or a hashtag.
#[derive(Debug, Clone)]
pub struct TextEntity {
    start: i32,
    end: i32,
    reference: Reference,
    scope: Arc<Scope>,
}

impl TextEntity {
    /// Those of a text.
    pub fn all(entities: Option<&Entities>, scope: &Arc<Scope>) -> Vec<Self> {
        let each = entities.into_iter().flat_map(|entities| &entities.0);
        each.map(|entity| Self {
            start: entity.start,
            end: entity.end,
            reference: entity.reference.clone(),
            scope: Arc::clone(scope),
        })
        .collect()
    }

    fn person(&self) -> Option<UserId> {
        match self.reference {
            Reference::User(user) => Some(user),
            Reference::Hashtag(_) => None,
        }
    }
}

/// A range of a text that refers to a user or a hashtag.
#[Object]
impl TextEntity {
    /// Kind of the entity: mention or hashtag.
    async fn kind(&self) -> TextEntityKind {
        if self.person().is_some() { TextEntityKind::Mention } else { TextEntityKind::Hashtag }
    }

    /// Offset of its first character, the `@` or `#`, in UTF-16 code units, as strings of
    /// JavaScript, Java and Swift are indexed.
    async fn start(&self) -> i32 {
        self.start
    }

    /// Offset of its end, exclusive, in UTF-16 code units: in JavaScript the entity is
    /// `text.slice(start, end)`.
    async fn end(&self) -> i32 {
        self.end
    }

    /// The mentioned user; null for a hashtag, or if the viewer may not see the user.
    async fn user(&self) -> Option<async_graphql::Result<User>> {
        User::load(&self.scope, self.person()?).await.transpose()
    }

    /// Normal form of the hashtag, without `#`; null for a mention.
    async fn hashtag(&self) -> Option<&str> {
        match &self.reference {
            Reference::Hashtag(tag) => Some(tag),
            Reference::User(_) => None,
        }
    }
}

/// Longest name that is normalised, in bytes.
const LONGEST: usize = 1_000;

/// A hashtag.
#[derive(Debug, Clone)]
pub struct Hashtag {
    name: String,
    scope: Arc<Scope>,
}

impl Hashtag {
    /// One with this name, in its normal form.
    pub fn new(name: String, scope: &Arc<Scope>) -> Self {
        Self { name, scope: Arc::clone(scope) }
    }

    /// The noun in its global id.
    pub const NOUN: &'static str = "Hashtag";

    /// The one with this name, in any form; `None` for what can be none.
    pub fn named(name: &str, scope: &Arc<Scope>) -> Option<Self> {
        let name = hashtags::normal_form(name).filter(|_| name.len() <= LONGEST)?;
        Some(Self::new(name, scope))
    }

    fn add_missing(ctx: &Context<'_>, missing: Vec<usize>) {
        for shard in missing {
            let missing = ErrorCode::ShardUnavailable
                .error(format!("the posts of shard {shard} are missing"));
            ctx.add_error(missing.into_server_error(ctx.item.pos));
        }
    }
}

/// A hashtag and the posts that use it.
#[Object]
impl Hashtag {
    /// Global id of the hashtag.
    pub async fn id(&self) -> ID {
        global_text(Self::NOUN, &self.name)
    }

    /// Normal form of the name, without `#`: spellings that differ only in case or in the encoding
    /// of accents are one hashtag.
    async fn name(&self) -> &str {
        &self.name
    }

    /// Posts with the hashtag, newest first. If a shard is unavailable, the rest is returned with a
    /// `SHARD_UNAVAILABLE` error beside it.
    async fn posts(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Maximum number of items to return, 1 to 100.", default = 20)] first: i32,
        #[graphql(desc = "Cursor of the edge to start after; omit it for the first page.")]
        after: Option<String>,
    ) -> Option<async_graphql::Result<Connection<Post>>> {
        let found = async {
            let list = List::new(&self.scope, "Hashtag.posts", &self.name);
            let request = list.page(first, after.as_deref())?;
            let found = hashtags::posts(&self.scope.op, &self.name, request).await;
            let (page, missing) = found.map_err(|error| fault(&error))?;
            Self::add_missing(ctx, missing);
            Ok(list.connection(page.map(|post| Post::new(post, &self.scope)), request))
        };
        Some(found.await)
    }

    /// Number of posts with the hashtag, without posts of private accounts; at most 10,000 are
    /// counted per shard.
    async fn post_count(&self, ctx: &Context<'_>) -> Option<async_graphql::Result<i64>> {
        let found = async {
            let (count, missing) =
                hashtags::count(&self.scope.op, &self.name).await.map_err(|error| fault(&error))?;
            Self::add_missing(ctx, missing);
            Ok(count)
        };
        Some(found.await)
    }
}
