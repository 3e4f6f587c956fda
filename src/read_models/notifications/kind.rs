//! The kinds of notifications.

/// What a notification is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A follow of the user.
    Followed,
    /// A request to follow the user, who is private.
    FollowRequested,
    /// The granting of the user's request to follow somebody.
    FollowAccepted,
    /// A like of the user's post.
    Liked,
    /// A comment on the user's post.
    Commented,
    /// A mention of the user in a post or a comment.
    Mention,
    /// An answer to the user's comment.
    Reply,
    /// A repost of the user's post.
    Repost,
    /// A post that quotes the user's.
    Quote,
    /// A sale of the user's product.
    Ordered,
    /// The user's order is confirmed.
    OrderConfirmed,
    /// The user's order was rejected.
    OrderRejected,
    /// The user's order, or one of the user's product, was refunded.
    OrderRefunded,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Followed,
        Self::FollowRequested,
        Self::FollowAccepted,
        Self::Liked,
        Self::Commented,
        Self::Mention,
        Self::Reply,
        Self::Repost,
        Self::Quote,
        Self::Ordered,
        Self::OrderConfirmed,
        Self::OrderRejected,
        Self::OrderRefunded,
    ];

    /// The name, as stored and on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Followed => "FOLLOWED",
            Self::FollowRequested => "FOLLOW_REQUESTED",
            Self::FollowAccepted => "FOLLOW_ACCEPTED",
            Self::Liked => "LIKED",
            Self::Commented => "COMMENTED",
            Self::Mention => "MENTION",
            Self::Reply => "REPLY",
            Self::Repost => "REPOST",
            Self::Quote => "QUOTE",
            Self::Ordered => "ORDERED",
            Self::OrderConfirmed => "ORDER_CONFIRMED",
            Self::OrderRejected => "ORDER_REJECTED",
            Self::OrderRefunded => "ORDER_REFUNDED",
        }
    }

    /// The kind of that name; `None` for one that a newer process has stored.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_name_of_its_own() {
        for kind in Kind::ALL {
            assert_eq!(Kind::from_name(kind.name()), Some(kind));
        }
        let names: std::collections::HashSet<&str> =
            Kind::ALL.iter().map(|kind| kind.name()).collect();
        assert_eq!(names.len(), Kind::ALL.len());
        assert_eq!(Kind::from_name("LIKES"), None);
    }
}
