//! The kinds of notifications that the viewer receives.

use async_graphql::resolver_utils::EnumType;
use async_graphql::{Enum, InputObject, SimpleObject};

use super::types::NotificationKind;
use plaza_domain::notifications::settings::{self, Settings, Wanted};

/// Users whose actions cause notifications of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum NotificationDelivery {
    /// Actions of all users.
    Everybody,
    /// Actions of users whom the viewer follows. Notifications without an `actor` are received as
    /// well.
    Followed,
    /// Notifications of this kind are off.
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

/// The viewer's preference for one kind of notification.
#[derive(Debug, Clone, SimpleObject)]
pub struct NotificationPreference {
    /// Kind of notification that the preference applies to.
    kind: NotificationKind,
    /// Users whose actions cause notifications of this kind.
    delivery: NotificationDelivery,
}

/// The preference to set for one kind of notification.
#[derive(InputObject)]
pub struct NotificationPreferenceInput {
    /// Kind of notification to set.
    kind: NotificationKind,
    /// Users whose actions cause notifications of this kind.
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
            delivery: settings::wanted(settings, item.name).into(),
        })
        .collect()
}
