//! Who would be answered alike. What a viewer sees of rows depends on how they stand to the users
//! whose rows these are, and on nothing else ([`policy`]): two viewers who stand alike to all whom
//! an answer is about get the same answer.
//!
//! [`policy`]: super::policy

use super::relations::{self, Relations};
use super::users::{self, User};
use super::{DomainError, Operation};
use plaza_base::ids::UserId;
use plaza_stores::redis::cache::Cached;

/// How a viewer stands to a user, as far as the rules ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stance {
    is_self: bool,
    follows: bool,
    blocks: bool,
    is_blocked: bool,
}

impl Stance {
    fn of(viewer: Option<UserId>, relations: &Relations, user: UserId) -> Self {
        Self {
            is_self: viewer == Some(user),
            follows: relations.follows(user),
            blocks: relations.blocks(user),
            is_blocked: relations.is_blocked_by(user),
        }
    }
}

/// A user whom an answer is about.
#[derive(Debug, PartialEq, Eq)]
struct Member {
    user: UserId,
    /// The version of their row; `None` for one who does not exist.
    version: Option<i64>,
    stance: Stance,
}

/// The viewers who are answered alike, by what one of them was answered with.
#[derive(Debug)]
pub struct Audience(Box<[Member]>);

/// How the viewer of an operation stands to a user.
fn member(op: &Operation, relations: &Relations, user: UserId, row: Option<&User>) -> Member {
    let viewer = op.viewer.map(|viewer| viewer.user_id);
    Member { user, version: row.map(Cached::version), stance: Stance::of(viewer, relations, user) }
}

impl Audience {
    /// Those who are answered as the viewer of this operation was, which remembers all users whom
    /// it was about.
    ///
    /// # Errors
    /// The viewer's shard is unavailable.
    pub async fn of(op: &Operation) -> Result<Self, DomainError> {
        let relations = relations::of_viewer(op).await?;
        let people = op.all_remembered();
        Ok(Self(
            people.iter().map(|(user, row)| member(op, &relations, *user, row.as_ref())).collect(),
        ))
    }

    /// Whether the viewer of an operation is one of them, and no row has changed since that the
    /// rules were asked about.
    ///
    /// # Errors
    /// A shard that is unavailable.
    pub async fn includes(&self, op: &Operation) -> Result<bool, DomainError> {
        let relations = relations::of_viewer(op).await?;
        let people: Vec<UserId> = self.0.iter().map(|member| member.user).collect();
        let rows = users::rows(op, &people).await?;
        Ok(self
            .0
            .iter()
            .all(|known| *known == member(op, &relations, known.user, rows.get(&known.user))))
    }
}
