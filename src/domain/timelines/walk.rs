//! How far a walk over an author's followers has come, without a shard.

use plaza_base::ids::UserId;
use plaza_base::seeded::{Bug, bug};

/// What is to be done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Read the next followers, by id: those after this one, or the first.
    Read(Option<UserId>),
    /// Nothing: all were met.
    End,
}

/// A walk over an author, whose own home has the posts too, and then the author's followers, some
/// at a time, by id. Somebody who follows meanwhile and is missed gets a rebuilt timeline from the
/// follow itself.
#[derive(Debug)]
pub(super) struct Walk {
    author: Option<UserId>,
    step: Step,
}

impl Walk {
    /// Over this author and the author's followers.
    pub(super) fn of(author: UserId) -> Self {
        Self { author: Some(author), step: Step::Read(None) }
    }

    /// What is to be done next.
    pub(super) fn step(&self) -> Step {
        self.step
    }

    /// Whom a read has found: all that there are, unless it is as many as are read at a time. Whom
    /// the post goes to now.
    pub(super) fn found(&mut self, chunk: Vec<UserId>, is_full: bool) -> Vec<UserId> {
        let last = chunk.last().filter(|_| is_full);
        self.step = last.map_or(Step::End, |last| Step::Read(Some(*last)));
        let chunk = if bug(Bug::FanOutDropsPage) { Vec::new() } else { chunk };
        self.author.take().into_iter().chain(chunk).collect()
    }
}

#[cfg(test)]
mod simulation;
