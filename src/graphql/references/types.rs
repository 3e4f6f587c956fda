//! Mentions and hashtags, as types.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, Object};

use crate::connection::Connection;
use crate::context::Scope;
use crate::cursors::List;
use crate::error::{add_missing, fault};
use crate::ids::global_text;
use crate::output;
use crate::posts::types::Post;
use crate::users::types::User;
use plaza_base::ids::UserId;
use plaza_domain::hashtags;
use plaza_domain::references::{Entities, Reference};
use plaza_domain::text::links::{Link, links};

/// Kind of a text entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum TextEntityKind {
    /// The handle of a user, with its `@`.
    Mention,
    /// A hashtag, with its `#`.
    Hashtag,
    /// An address of the web, with its `http://` or `https://`.
    Link,
}

/// A range of a text that refers to a user or a hashtag, or is a link.
#[derive(Debug, Clone)]
pub struct TextEntity {
    start: i32,
    end: i32,
    refers_to: Referent,
    scope: Arc<Scope>,
}

#[derive(Debug, Clone)]
enum Referent {
    /// Found when the text was written, and stored with it.
    Stored(Reference),
    /// Found when the text is read.
    Url(String),
}

impl TextEntity {
    /// Those of a text.
    pub fn all(entities: Option<&Entities>, text: &str, scope: &Arc<Scope>) -> Vec<Self> {
        let stored = entities.map(|entities| entities.0.as_slice()).unwrap_or_default();
        let entity = |start, end, refers_to| Self { start, end, refers_to, scope: scope.clone() };
        let mut all: Vec<Self> = stored
            .iter()
            .map(|found| entity(found.start, found.end, Referent::Stored(found.reference.clone())))
            .collect();
        // Texts of which something within an address was stored are older than links.
        let is_apart = |link: &Link| {
            stored.iter().all(|found| found.end <= link.start || link.end <= found.start)
        };
        let links = links(text).into_iter().filter(is_apart);
        all.extend(links.map(|link| entity(link.start, link.end, Referent::Url(link.url))));
        all.sort_by_key(|entity| entity.start);
        all
    }

    /// Whom it mentions.
    pub(crate) fn person(&self) -> Option<UserId> {
        match self.refers_to {
            Referent::Stored(Reference::User(user)) => Some(user),
            Referent::Stored(Reference::Hashtag(_)) | Referent::Url(_) => None,
        }
    }

    /// What it is.
    pub(crate) fn of_kind(&self) -> TextEntityKind {
        match self.refers_to {
            Referent::Stored(Reference::User(_)) => TextEntityKind::Mention,
            Referent::Stored(Reference::Hashtag(_)) => TextEntityKind::Hashtag,
            Referent::Url(_) => TextEntityKind::Link,
        }
    }

    /// Where it begins and ends, in UTF-16 code units.
    pub(crate) fn range(&self) -> (i32, i32) {
        (self.start, self.end)
    }

    /// The hashtag that it is.
    pub(crate) fn tag(&self) -> Option<&str> {
        match &self.refers_to {
            Referent::Stored(Reference::Hashtag(tag)) => Some(tag),
            Referent::Stored(Reference::User(_)) | Referent::Url(_) => None,
        }
    }

    /// The address that it is.
    pub(crate) fn address(&self) -> Option<&str> {
        match &self.refers_to {
            Referent::Url(url) => Some(url),
            Referent::Stored(_) => None,
        }
    }
}

/// A range of a text that refers to a user or a hashtag, or is a link.
#[Object]
impl TextEntity {
    /// Kind of the entity: mention, hashtag or link.
    async fn kind(&self) -> TextEntityKind {
        self.of_kind()
    }

    /// Offset of its first character, the `@` or `#` or the beginning of the address, in UTF-16
    /// code units, as strings of JavaScript, Java and Swift are indexed.
    async fn start(&self) -> i32 {
        self.start
    }

    /// Offset of its end, exclusive, in UTF-16 code units: in JavaScript the entity is
    /// `text.slice(start, end)`.
    async fn end(&self) -> i32 {
        self.end
    }

    /// The mentioned user; null for a hashtag or a link, or if the viewer may not see the user.
    async fn user(&self) -> Option<async_graphql::Result<User>> {
        User::load(&self.scope, self.person()?).await.transpose()
    }

    /// Normal form of the hashtag, without `#`; null for a mention or a link.
    async fn hashtag(&self) -> Option<&str> {
        self.tag()
    }

    /// Address that the link leads to: `http` or `https`, never with a user name before the host;
    /// null for a mention or a hashtag.
    async fn url(&self, ctx: &Context<'_>) -> Option<async_graphql::Result<&str>> {
        self.address().map(|url| output::text(ctx, url))
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
            add_missing(ctx, "posts", missing);
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
            add_missing(ctx, "posts", missing);
            Ok(count)
        };
        Some(found.await)
    }
}
