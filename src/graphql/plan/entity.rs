//! Planned mentions, hashtags and links.

use std::borrow::Cow;

use async_graphql::parser::types::Field;

use super::columns::{Columns, Wants};
use super::selection::{Asked, Key, Of, Reader, Set};
use super::user::{self, UserField};
use super::writer::Writer;
use crate::output;
use crate::references::types::TextEntity;
use plaza_domain::references::Entities;

/// A field of an entity.
#[derive(Debug)]
pub enum EntityField {
    Kind,
    Start,
    End,
    User(Set<UserField>),
    Hashtag,
    Url,
}

impl Asked for EntityField {
    fn type_name() -> Cow<'static, str> {
        "TextEntity".into()
    }

    fn read(name: &str, field: &Field, reader: &mut Reader<'_>) -> Option<Self> {
        Some(match name {
            "kind" => Self::Kind,
            "start" => Self::Start,
            "end" => Self::End,
            "user" => Self::User(reader.below(field)?),
            "hashtag" => Self::Hashtag,
            "url" => Self::Url,
            _ => return None,
        })
    }

    fn fetches(&self) -> bool {
        matches!(self, Self::User(_))
    }
}

impl Of<TextEntity> for EntityField {
    fn want(&self, entity: &TextEntity, found: &Columns, wants: &mut Wants<'_>) {
        if let (Self::User(set), Some(user)) = (self, entity.person()) {
            user::want(set, user, found, wants);
        }
    }

    fn write<'p>(&'p self, entity: &TextEntity, key: &'p Key, out: &mut Writer<'p>) {
        match self {
            Self::Kind => out.item(entity.of_kind()),
            Self::Start => out.number(entity.range().0),
            Self::End => out.number(entity.range().1),
            Self::User(set) => match entity.person() {
                Some(user) => user::write(set, user, key, out),
                None => out.null(),
            },
            Self::Hashtag => match entity.tag() {
                Some(tag) => out.name(tag),
                None => out.null(),
            },
            Self::Url => match entity.address() {
                Some(url) => out.text(url),
                None => out.null(),
            },
        }
    }
}

/// Asks for what the entities of a text need.
pub fn want(
    set: &Set<EntityField>,
    (entities, text): (Option<&Entities>, &str),
    found: &Columns,
    wants: &mut Wants<'_>,
) {
    if set.fetches() {
        for entity in TextEntity::all(entities, text, wants.scope) {
            set.want(&entity, found, wants);
        }
    }
}

/// Writes the entities of a text.
pub fn write<'p>(
    set: &'p Set<EntityField>,
    (entities, text): (Option<&Entities>, &str),
    key: &'p Key,
    out: &mut Writer<'p>,
) {
    let all = TextEntity::all(entities, text, out.scope);
    out.take(output::of_list(all.len(), set.selected()));
    out.list(key, all, |out, entity| set.write(&entity, out));
}
