//! What a text refers to, as stored beside it.

use diesel::deserialize::{FromSql, FromSqlRow};
use diesel::pg::{Pg, PgValue};
use diesel::sql_types::Jsonb;
use serde::{Deserialize, Serialize};

use plaza_base::ids::UserId;

/// A part of a text that refers to something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entity {
    /// Where it begins, in UTF-16 code units from the text's beginning: what JavaScript, Java and
    /// Swift index strings by.
    pub start: i32,
    /// Where it ends: the first code unit that is not part of it.
    pub end: i32,
    /// To what.
    #[serde(flatten)]
    pub reference: Reference,
}

/// What a part of a text refers to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reference {
    /// A user.
    User(UserId),
    /// A hashtag, in its normal form.
    Hashtag(String),
}

/// All of a text, in its order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, FromSqlRow)]
#[serde(transparent)]
pub struct Entities(pub Vec<Entity>);

impl Entities {
    /// The hashtags, each once.
    pub fn hashtags(&self) -> Vec<&str> {
        let mut tags: Vec<&str> = Vec::new();
        for entity in &self.0 {
            if let Reference::Hashtag(tag) = &entity.reference
                && !tags.contains(&tag.as_str())
            {
                tags.push(tag);
            }
        }
        tags
    }

    /// The users, each once.
    pub fn people(&self) -> Vec<UserId> {
        let mut people = Vec::new();
        for entity in &self.0 {
            if let Reference::User(user) = entity.reference
                && !people.contains(&user)
            {
                people.push(user);
            }
        }
        people
    }

    /// As stored; `None` when there are none.
    pub fn to_stored(&self) -> Option<serde_json::Value> {
        (!self.0.is_empty()).then(|| serde_json::to_value(self).unwrap_or_default())
    }
}

impl FromSql<Jsonb, Pg> for Entities {
    fn from_sql(bytes: PgValue<'_>) -> diesel::deserialize::Result<Self> {
        Ok(serde_json::from_value(<serde_json::Value as FromSql<Jsonb, Pg>>::from_sql(bytes)?)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plaza_base::ids::Id;

    #[test]
    fn what_is_stored_is_read_again() {
        let user = UserId::from_i64(7);
        let entities = Entities(vec![
            Entity { start: 0, end: 4, reference: Reference::User(user) },
            Entity { start: 5, end: 9, reference: Reference::Hashtag("tag".to_owned()) },
            Entity { start: 10, end: 14, reference: Reference::User(user) },
        ]);
        let stored = entities.to_stored().unwrap();
        assert_eq!(stored[0], serde_json::json!({ "start": 0, "end": 4, "user": 7 }));
        assert_eq!(serde_json::from_value::<Entities>(stored).unwrap(), entities);
        assert_eq!((entities.people(), entities.hashtags()), (vec![user], vec!["tag"]));
        assert_eq!(Entities::default().to_stored(), None);
    }
}
