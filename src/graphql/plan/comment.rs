//! Planned comments, and pages of them.

use std::borrow::Cow;

use async_graphql::parser::types::Field;

use super::arguments::PageArguments;
use super::columns::{Columns, Wants};
use super::connection::{ConnectionField, Rows};
use super::entity::{self, EntityField};
use super::post::{self, PostField};
use super::selection::{Asked, Key, Of, Reader, Set};
use super::user::{self, UserField};
use super::writer::Writer;
use crate::connection::first_of;
use crate::lists::Listing;
use plaza_base::ids::{Id, PostId};
use plaza_domain::comments::Comment;
use plaza_domain::{Operation, Page, PageRequest};

/// A field of a comment.
#[derive(Debug)]
pub enum CommentField {
    Id,
    Author(Set<UserField>),
    Text,
    Entities(Set<EntityField>),
    Post(Set<PostField>),
    InReplyTo(Set<CommentField>),
    Depth,
    ReplyCount,
    Replies(CommentList),
    CreatedAt,
}

impl Asked for CommentField {
    fn type_name() -> Cow<'static, str> {
        "Comment".into()
    }

    fn read(name: &str, field: &Field, reader: &mut Reader<'_>) -> Option<Self> {
        Some(match name {
            "id" => Self::Id,
            "author" => Self::Author(reader.below(field)?),
            "text" => Self::Text,
            "entities" => Self::Entities(reader.below(field)?),
            "post" => Self::Post(reader.below(field)?),
            "inReplyTo" => Self::InReplyTo(reader.below(field)?),
            "depth" => Self::Depth,
            "replyCount" => Self::ReplyCount,
            "replies" => Self::Replies(CommentList::read(field, reader)?),
            "createdAt" => Self::CreatedAt,
            _ => return None,
        })
    }

    fn fetches(&self) -> bool {
        match self {
            Self::Id | Self::Text | Self::Depth | Self::ReplyCount | Self::CreatedAt => false,
            Self::Entities(set) => set.fetches(),
            Self::Author(_) | Self::Post(_) | Self::InReplyTo(_) | Self::Replies(_) => true,
        }
    }
}

impl Of<Comment> for CommentField {
    fn want(&self, comment: &Comment, found: &Columns, wants: &mut Wants<'_>) {
        match self {
            Self::Id | Self::Text | Self::Depth | Self::ReplyCount | Self::CreatedAt => {}
            Self::Author(set) => user::want(set, comment.author_id, found, wants),
            Self::Entities(set) => {
                entity::want(set, (comment.entities.as_ref(), &comment.text), found, wants);
            }
            Self::Post(set) => post::want(set, Some(comment.post_id), found, wants),
            Self::InReplyTo(set) => {
                let Some(id) = comment.in_reply_to else { return };
                wants.keys.comments.want(id);
                if let Some(answered) = found.comments.shown(id) {
                    set.want(answered, found, wants);
                }
            }
            Self::Replies(list) => list.want_to(comment, found, wants),
        }
    }

    fn write<'p>(&'p self, comment: &Comment, key: &'p Key, out: &mut Writer<'p>) {
        match self {
            Self::Id => out.id(comment.id),
            Self::Author(set) => user::write(set, comment.author_id, key, out),
            Self::Text => out.text(&comment.text),
            Self::Entities(set) => {
                entity::write(set, (comment.entities.as_ref(), &comment.text), key, out);
            }
            Self::Post(set) => post::write(set, Some(comment.post_id), key, out),
            Self::InReplyTo(set) => {
                let found = out.found;
                let answered = comment.in_reply_to.map_or(Ok(None), |id| found.comments.get(id));
                out.object(key, answered, |out, answered| set.write(answered, out));
            }
            Self::Depth => out.number(comment.depth),
            Self::ReplyCount => out.number(comment.reply_count),
            Self::Replies(list) => list.write_to(comment, key, out),
            Self::CreatedAt => out.time(comment.id.created_at()),
        }
    }
}

/// The first page of comments on a post, or of replies to a comment.
#[derive(Debug)]
pub struct CommentList {
    arguments: PageArguments,
    set: Set<ConnectionField<CommentField>>,
}

type Found<'r> = async_graphql::Result<Option<&'r Page<Comment>>>;

fn is_own(op: &Operation, comment: &Comment) -> bool {
    op.viewer.is_some_and(|viewer| viewer.user_id == comment.author_id)
}

impl CommentList {
    /// `None` for a page that goes on from a cursor: that is in no batch.
    pub fn read(field: &Field, reader: &mut Reader<'_>) -> Option<Self> {
        let arguments = PageArguments::read(field, reader).filter(|page| !page.goes_on())?;
        Some(Self { arguments, set: reader.below(field)? })
    }

    fn want(
        &self,
        listing: Listing,
        page: Option<&Page<Comment>>,
        found: &Columns,
        wants: &mut Wants<'_>,
    ) {
        let Some(page) = page else { return };
        let request = PageRequest::forwards(page.items.len(), None);
        self.set.want(&Rows::new(listing, request, page), found, wants);
    }

    /// Asks for the comments on a post, and for what is asked of them.
    pub fn want_on(&self, post: PostId, found: &Columns, wants: &mut Wants<'_>) {
        let Ok(first) = first_of(self.arguments.values(wants.variables).0) else { return };
        wants.keys.first_comments.want((post, first));
        let page = found.first_comments.shown((post, first));
        self.want(Listing::CommentsOn(post), page, found, wants);
    }

    /// Writes the comments on a post.
    pub fn write_on<'p>(&'p self, post: PostId, key: &'p Key, out: &mut Writer<'p>) {
        let found = out.found;
        let page = |first| found.first_comments.get((post, first));
        self.write(Listing::CommentsOn(post), page, key, out);
    }

    /// Asks for the replies to a comment, and for what is asked of them.
    pub fn want_to(&self, comment: &Comment, found: &Columns, wants: &mut Wants<'_>) {
        let Ok(first) = first_of(self.arguments.values(wants.variables).0) else { return };
        if is_own(&wants.scope.op, comment) {
            wants.keys.posts.want(comment.post_id);
            if found.posts.shown(comment.post_id).is_none() {
                return;
            }
        }
        if comment.reply_count > 0 {
            wants.keys.first_replies.want((comment.id, first));
            let page = found.first_replies.shown((comment.id, first));
            self.want(Listing::RepliesTo(comment.id), page, found, wants);
        }
    }

    /// Writes the replies to a comment.
    pub fn write_to<'p>(&'p self, comment: &Comment, key: &'p Key, out: &mut Writer<'p>) {
        let (found, is_own) = (out.found, is_own(&out.scope.op, comment));
        let page = |first| {
            // The viewer finds what they wrote, but not what others say on a hidden post.
            if is_own && found.posts.get(comment.post_id)?.is_none() || comment.reply_count == 0 {
                return Ok(None);
            }
            found.first_replies.get((comment.id, first))
        };
        self.write(Listing::RepliesTo(comment.id), page, key, out);
    }

    fn write<'p, 'r>(
        &'p self,
        listing: Listing,
        page: impl FnOnce(usize) -> Found<'r>,
        key: &'p Key,
        out: &mut Writer<'p>,
    ) {
        let first = first_of(self.arguments.values(out.variables).0);
        let found = first.and_then(|first| Ok((first, page(first)?)));
        out.object(key, found.map(Some), |out, (first, page)| {
            let (request, none) = (PageRequest::forwards(first, None), Page::default());
            self.set.write(&Rows::new(listing, request, page.unwrap_or(&none)), out);
        });
    }
}
