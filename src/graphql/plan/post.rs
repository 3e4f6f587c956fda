//! Planned posts.

use std::borrow::Cow;

use async_graphql::parser::types::Field;

use super::columns::{Columns, Wants};
use super::comment::CommentList;
use super::entity::{self, EntityField};
use super::image::{ImageField, Shown};
use super::product::{self, ProductField};
use super::selection::{Asked, Key, Of, Reader, Set};
use super::template::{Question, write_own};
use super::user::{self, UserField};
use super::writer::Writer;
use plaza_base::ids::{Id, PostId};
use plaza_domain::images::Lifetime;
use plaza_domain::posts::Post;

/// A field of a post.
#[derive(Debug)]
pub enum PostField {
    Id,
    Author(Set<UserField>),
    Text,
    Entities(Set<EntityField>),
    Images(Set<ImageField>),
    CreatedAt,
    RepostOf(Set<PostField>),
    IsQuote,
    QuotedPost(Set<PostField>),
    RepostCount,
    QuoteCount,
    ViewerHasReposted,
    LikeCount,
    CommentCount,
    Comments(CommentList),
    ViewerHasLiked,
    Product(Set<ProductField>),
}

impl Asked for PostField {
    fn type_name() -> Cow<'static, str> {
        "Post".into()
    }

    fn read(name: &str, field: &Field, reader: &mut Reader<'_>) -> Option<Self> {
        Some(match name {
            "id" => Self::Id,
            "author" => Self::Author(reader.below(field)?),
            "text" => Self::Text,
            "entities" => Self::Entities(reader.below(field)?),
            "images" => Self::Images(reader.below(field)?),
            "createdAt" => Self::CreatedAt,
            "repostOf" => Self::RepostOf(reader.below(field)?),
            "isQuote" => Self::IsQuote,
            "quotedPost" => Self::QuotedPost(reader.below(field)?),
            "repostCount" => Self::RepostCount,
            "quoteCount" => Self::QuoteCount,
            "viewerHasReposted" => Self::ViewerHasReposted,
            "likeCount" => Self::LikeCount,
            "commentCount" => Self::CommentCount,
            "comments" => Self::Comments(CommentList::read(field, reader)?),
            "viewerHasLiked" => Self::ViewerHasLiked,
            "product" => Self::Product(reader.below(field)?),
            _ => return None,
        })
    }

    fn fetches(&self) -> bool {
        match self {
            Self::Id | Self::Text | Self::Images(_) | Self::CreatedAt | Self::IsQuote => false,
            Self::Entities(set) => set.fetches(),
            Self::Author(_)
            | Self::RepostOf(_)
            | Self::QuotedPost(_)
            | Self::RepostCount
            | Self::QuoteCount
            | Self::ViewerHasReposted
            | Self::LikeCount
            | Self::CommentCount
            | Self::Comments(_)
            | Self::ViewerHasLiked
            | Self::Product(_) => true,
        }
    }
}

impl Of<Post> for PostField {
    fn want(&self, post: &Post, found: &Columns, wants: &mut Wants<'_>) {
        let subject = post.subject();
        match self {
            Self::Id | Self::Text | Self::Images(_) | Self::CreatedAt | Self::IsQuote => {}
            Self::Author(set) => user::want(set, post.author_id, found, wants),
            Self::Entities(set) => {
                entity::want(set, (post.entities.as_ref(), &post.text), found, wants);
            }
            Self::RepostOf(set) => want(set, post.repost_of, found, wants),
            Self::QuotedPost(set) => want(set, post.quoted_post_id, found, wants),
            Self::RepostCount | Self::QuoteCount => wants.keys.share_counts.want(subject),
            Self::ViewerHasReposted => wants.keys.reposts.want(subject),
            Self::LikeCount | Self::CommentCount => wants.keys.post_counts.want(subject),
            Self::Comments(list) => list.want_on(subject, found, wants),
            Self::ViewerHasLiked => wants.keys.likes.want(subject),
            Self::Product(set) => product::want(set, post.product_id, found, wants),
        }
    }

    fn write<'p>(&'p self, post: &Post, key: &'p Key, out: &mut Writer<'p>) {
        let (subject, found) = (post.subject(), out.found);
        match self {
            Self::Id => out.id(post.id),
            Self::Author(set) => user::write(set, post.author_id, key, out),
            Self::Text => out.text(&post.text),
            Self::Entities(set) => {
                entity::write(set, (post.entities.as_ref(), &post.text), key, out);
            }
            Self::Images(set) => {
                let pictures = post.images.iter().flat_map(|shown| &shown.0);
                out.list(key, pictures, |out, picture| {
                    set.write(&Shown { picture, lifetime: Lifetime::Content }, out);
                });
            }
            Self::CreatedAt => out.time(post.id.created_at()),
            Self::RepostOf(set) => write(set, post.repost_of, key, out),
            Self::IsQuote => out.boolean(post.quoted_post_id.is_some()),
            Self::QuotedPost(set) => write(set, post.quoted_post_id, key, out),
            Self::RepostCount | Self::QuoteCount => {
                out.try_write(key, found.share_counts.get(subject), |out, counts| {
                    let counts = counts.copied().unwrap_or_default();
                    let is_quotes = matches!(self, Self::QuoteCount);
                    out.number(if is_quotes { counts.quotes } else { counts.reposts });
                });
            }
            Self::LikeCount | Self::CommentCount => {
                out.try_write(key, found.post_counts.get(subject), |out, counts| {
                    let counts = counts.copied().unwrap_or_default();
                    let is_likes = matches!(self, Self::LikeCount);
                    out.number(if is_likes { counts.likes } else { counts.comments });
                });
            }
            Self::ViewerHasReposted => write_own(Question::Reposts(subject), key, out),
            Self::ViewerHasLiked => write_own(Question::Likes(subject), key, out),
            Self::Comments(list) => list.write_on(subject, key, out),
            Self::Product(set) => product::write(set, post.product_id, key, out),
        }
    }
}

/// Asks for a post, where there is one, and for what is asked of it.
pub fn want(set: &Set<PostField>, id: Option<PostId>, found: &Columns, wants: &mut Wants<'_>) {
    let Some(id) = id else { return };
    wants.keys.posts.want(id);
    if let Some(post) = found.posts.shown(id) {
        set.want(post, found, wants);
    }
}

/// Writes a post; null where there is none, or the viewer may not see it.
pub fn write<'p>(set: &'p Set<PostField>, id: Option<PostId>, key: &'p Key, out: &mut Writer<'p>) {
    let found = out.found;
    let post = id.map_or(Ok(None), |id| found.posts.get(id));
    out.object(key, post, |out, post| set.write(post, out));
}
