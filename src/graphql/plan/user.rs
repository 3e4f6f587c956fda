//! Planned users.

use std::borrow::Cow;

use async_graphql::parser::types::Field;

use super::columns::{Columns, Wants};
use super::image::{ImageField, Shown};
use super::query::PostList;
use super::selection::{Asked, Key, Of, Reader, Set};
use super::template::{Question, write_own};
use super::writer::Writer;
use crate::lists::Listing;
use plaza_base::ids::{Id, UserId};
use plaza_domain::images::Lifetime;
use plaza_domain::policy;
use plaza_domain::users::User;

/// A field of a user.
#[derive(Debug)]
pub enum UserField {
    Id,
    Handle,
    DisplayName,
    Bio,
    Avatar(Set<ImageField>),
    CreatedAt,
    IsPrivate,
    PostCount,
    FollowerCount,
    FollowingCount,
    ViewerIsBlocking,
    ViewerIsFollowing,
    ViewerHasRequestedToFollow,
    IsFollowingViewer,
    Posts(PostList),
}

impl Asked for UserField {
    fn type_name() -> Cow<'static, str> {
        "User".into()
    }

    fn read(name: &str, field: &Field, reader: &mut Reader<'_>) -> Option<Self> {
        Some(match name {
            "id" => Self::Id,
            "handle" => Self::Handle,
            "displayName" => Self::DisplayName,
            "bio" => Self::Bio,
            "avatar" => Self::Avatar(reader.below(field)?),
            "createdAt" => Self::CreatedAt,
            "isPrivate" => Self::IsPrivate,
            "postCount" => Self::PostCount,
            "followerCount" => Self::FollowerCount,
            "followingCount" => Self::FollowingCount,
            "viewerIsBlocking" => Self::ViewerIsBlocking,
            "viewerIsFollowing" => Self::ViewerIsFollowing,
            "viewerHasRequestedToFollow" => Self::ViewerHasRequestedToFollow,
            "isFollowingViewer" => Self::IsFollowingViewer,
            "posts" => Self::Posts(PostList::read(field, reader)?),
            _ => return None,
        })
    }

    fn fetches(&self) -> bool {
        match self {
            Self::Id
            | Self::Handle
            | Self::DisplayName
            | Self::Bio
            | Self::Avatar(_)
            | Self::CreatedAt
            | Self::IsPrivate => false,
            Self::PostCount
            | Self::FollowerCount
            | Self::FollowingCount
            | Self::ViewerIsBlocking
            | Self::ViewerIsFollowing
            | Self::ViewerHasRequestedToFollow
            | Self::IsFollowingViewer
            | Self::Posts(_) => true,
        }
    }
}

impl Of<User> for UserField {
    fn want(&self, user: &User, found: &Columns, wants: &mut Wants<'_>) {
        let id = user.id;
        match self {
            Self::PostCount | Self::FollowerCount | Self::FollowingCount => {
                wants.relations();
                let Some(Ok(relations)) = &found.relations else { return };
                if !policy::content_is_visible(wants.scope.op.viewer, relations, user) {
                    return;
                }
                match self {
                    Self::FollowerCount => wants.keys.follower_counts.want(id),
                    _ => wants.keys.profile_counts.want(id),
                }
            }
            Self::ViewerIsBlocking => wants.keys.blocks.want(id),
            Self::ViewerIsFollowing
            | Self::ViewerHasRequestedToFollow
            | Self::IsFollowingViewer => wants.keys.ties.want(id),
            Self::Posts(list) => list.want(Listing::PostsOf(id), found, wants),
            _ => {}
        }
    }

    fn write<'p>(&'p self, user: &User, key: &'p Key, out: &mut Writer<'p>) {
        match self {
            Self::Id => out.id(user.id),
            Self::Handle => out.name(&user.handle),
            Self::DisplayName => out.name(&user.display_name),
            Self::Bio => out.text(&user.bio),
            Self::Avatar(set) => {
                let avatar = user.avatar.as_ref();
                out.object(key, Ok(avatar), |out, picture| {
                    set.write(&Shown { picture, lifetime: Lifetime::Person }, out);
                });
            }
            Self::CreatedAt => out.time(user.id.created_at()),
            Self::IsPrivate => out.boolean(user.is_private),
            Self::PostCount | Self::FollowerCount | Self::FollowingCount => {
                self.write_count(user, key, out);
            }
            Self::ViewerIsBlocking => write_own(Question::Blocks(user.id), key, out),
            Self::ViewerIsFollowing => write_own(Question::Follows(user.id), key, out),
            Self::ViewerHasRequestedToFollow => {
                write_own(Question::HasRequested(user.id), key, out);
            }
            Self::IsFollowingViewer => write_own(Question::IsFollowedBy(user.id), key, out),
            Self::Posts(list) => list.write(Listing::PostsOf(user.id), key, out),
        }
    }
}

impl UserField {
    /// A count of what they have made, unless the viewer may not see that.
    fn write_count<'p>(&'p self, user: &User, key: &'p Key, out: &mut Writer<'p>) {
        let found = out.found;
        let relations = match &found.relations {
            Some(Ok(relations)) => relations,
            Some(Err(error)) => return out.object(key, Err(error.clone()), |_, ()| {}),
            None => return out.null(),
        };
        if !policy::content_is_visible(out.scope.op.viewer, relations, user) {
            return out.null();
        }
        let count = match self {
            Self::FollowerCount => {
                let counts = found.follower_counts.get(user.id);
                counts.map(|counts| counts.copied().unwrap_or_default().followers)
            }
            _ => found.profile_counts.get(user.id).map(|counts| {
                let counts = counts.copied().unwrap_or_default();
                if matches!(self, Self::PostCount) { counts.posts } else { counts.following }
            }),
        };
        out.try_write(key, count, |out, count| out.number(count));
    }
}

/// Asks for a user, and for what is asked of them.
pub fn want(set: &Set<UserField>, id: UserId, found: &Columns, wants: &mut Wants<'_>) {
    wants.keys.users.want(id);
    if let Some(user) = found.users.shown(id) {
        set.want(user, found, wants);
    }
}

/// Writes a user; null where the viewer may not see them.
pub fn write<'p>(set: &'p Set<UserField>, id: UserId, key: &'p Key, out: &mut Writer<'p>) {
    let user = out.found.users.get(id);
    out.object(key, user, |out, user| set.write(user, out));
}
