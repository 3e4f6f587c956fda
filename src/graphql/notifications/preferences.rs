//! Of which kinds the viewer wants to be told.

use async_graphql::resolver_utils::EnumType;
use async_graphql::{Enum, InputObject, SimpleObject};

use super::types::NotificationKind;
use crate::domain::notifications::settings::{Settings, Wanted};

/// From whom notifications of a kind are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum NotificationDelivery {
    /// From everybody.
    Everybody,
    /// Only from people whom the viewer follows. What nobody in particular did is told all the same.
    Followed,
    /// From nobody: the kind is off.
    Nobody,
}

impl From<Wanted> for NotificationDelivery {
    fn from(wanted: Wanted) -> Self {
        match wanted {
            Wanted::Everybody => Self::Everybody,
            Wanted::Followed => Self::Followed,
            Wanted::Nobody => Self::Nobody,
        }
    }
}

impl From<NotificationDelivery> for Wanted {
    fn from(delivery: NotificationDelivery) -> Self {
        match delivery {
            NotificationDelivery::Everybody => Self::Everybody,
            NotificationDelivery::Followed => Self::Followed,
            NotificationDelivery::Nobody => Self::Nobody,
        }
    }
}

/// From whom the viewer wants notifications of a kind.
#[derive(Debug, Clone, SimpleObject)]
pub struct NotificationPreference {
    /// The kind.
    kind: NotificationKind,
    /// From whom.
    delivery: NotificationDelivery,
}

/// From whom the viewer wants notifications of a kind.
#[derive(InputObject)]
pub struct NotificationPreferenceInput {
    /// The kind.
    kind: NotificationKind,
    /// From whom.
    delivery: NotificationDelivery,
}

impl NotificationPreferenceInput {
    /// As the rules know it.
    pub fn choice(&self) -> (String, Wanted) {
        (self.kind.name().to_owned(), self.delivery.into())
    }
}

/// Every kind there is, with what the viewer wants of it.
pub fn all(settings: &Settings) -> Vec<NotificationPreference> {
    NotificationKind::items()
        .iter()
        .map(|item| NotificationPreference {
            kind: item.value,
            delivery: settings.wanted(item.name).into(),
        })
        .collect()
}
