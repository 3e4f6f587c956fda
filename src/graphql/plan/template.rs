//! An answer that is the same for many viewers, without what is each one's own.

use std::sync::Arc;

use async_graphql::Variables;

use super::columns::{Columns, Wants};
use super::selection::Key;
use super::writer::Writer;
use crate::context::Scope;
use crate::cursors::Cursor;
use plaza_base::ids::{PostId, UserId};
use plaza_domain::follows::Tie;

/// What is a viewer's own, whoever else is answered alike.
#[derive(Debug, Clone, Copy)]
pub enum Question {
    /// The cursor of an event.
    Cursor,
    /// Whether they like a post.
    Likes(PostId),
    /// Whether they repost a post.
    Reposts(PostId),
    /// Whether they block a user.
    Blocks(UserId),
    /// Whether they follow a user.
    Follows(UserId),
    /// Whether they have asked to follow a user.
    HasRequested(UserId),
    /// Whether a user follows them.
    IsFollowedBy(UserId),
}

impl Question {
    /// Has it read, for all viewers of a moment at once where there may be many.
    fn want(self, wants: &mut Wants<'_>) {
        match self {
            Self::Cursor => {}
            Self::Likes(post) => wants.like_among_many(post),
            Self::Reposts(post) => wants.repost_among_many(post),
            Self::Blocks(user) => wants.keys.blocks.want(user),
            Self::Follows(user) | Self::HasRequested(user) | Self::IsFollowedBy(user) => {
                wants.keys.ties.want(user);
            }
        }
    }

    /// Yes or no.
    fn answer(self, found: &Columns) -> async_graphql::Result<bool> {
        let tie = |user, shown: fn(&Tie) -> bool| Ok(found.ties.get(user)?.is_some_and(shown));
        let is_set = |flag: Option<&bool>| flag.copied().unwrap_or_default();
        match self {
            Self::Cursor => Ok(false),
            Self::Likes(post) => found.likes.get(post).map(is_set),
            Self::Reposts(post) => found.reposts.get(post).map(is_set),
            Self::Blocks(user) => found.blocks.get(user).map(is_set),
            Self::Follows(user) => tie(user, |tie| tie.follows),
            Self::HasRequested(user) => tie(user, |tie| tie.requested),
            Self::IsFollowedBy(user) => tie(user, |tie| tie.followed_by),
        }
    }
}

/// Writes the answer to a viewer's own question, or leaves it out.
pub fn write_own<'p>(question: Question, key: &'p Key, out: &mut Writer<'p>) {
    if !out.leave(question) {
        let answer = question.answer(out.found);
        out.try_write(key, answer, Writer::boolean);
    }
}

/// An answer with holes.
#[derive(Debug, Default)]
pub struct Template {
    bytes: Vec<u8>,
    /// In the order of their places.
    holes: Vec<(usize, Question)>,
}

impl Template {
    /// Leaves out an answer that belongs at a place.
    pub fn leave(&mut self, at: usize, question: Question) {
        self.holes.push((at, question));
    }

    /// The same holes in these bytes.
    #[must_use]
    pub fn around(self, bytes: Vec<u8>) -> Self {
        Self { bytes, ..self }
    }

    /// Bytes that it has without what is left out.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// The answer to a viewer; `None` when something of their own could not be read.
    pub async fn filled(
        &self,
        scope: &Arc<Scope>,
        variables: &Variables,
        cursor: &Cursor,
    ) -> Option<Vec<u8>> {
        let found = self.answers(scope, variables).await;
        let mut filled = Vec::with_capacity(self.bytes.len() + self.holes.len() * ROOM);
        let mut written = 0;
        for (at, question) in &self.holes {
            filled.extend_from_slice(self.bytes.get(written..*at)?);
            written = *at;
            match question {
                Question::Cursor => serde_json::to_writer(&mut filled, &cursor.sealed()).ok()?,
                own => {
                    let answer = own.answer(&found).ok()?;
                    filled.extend_from_slice(if answer { b"true" } else { b"false" });
                }
            }
        }
        filled.extend_from_slice(self.bytes.get(written..)?);
        Some(filled)
    }

    async fn answers(&self, scope: &Arc<Scope>, variables: &Variables) -> Columns {
        let mut found = Columns::default();
        if self.holes.iter().all(|(_, question)| matches!(question, Question::Cursor)) {
            return found;
        }
        let mut wants = Wants::new(scope, variables);
        for (_, question) in &self.holes {
            question.want(&mut wants);
        }
        for arrived in futures_util::future::join_all(wants.begin()).await {
            arrived(&mut found);
        }
        found
    }
}

/// Room for what fills a hole, in bytes: a cursor is the longest.
const ROOM: usize = 96;
