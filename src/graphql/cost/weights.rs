//! What each field costs beside its place in the answer, by type and name. A field that is not here
//! costs a point: it shows what its parent has read already.

/// Points that a statement costs. Nothing that sends one is cheaper.
pub const STATEMENT: u64 = 5;
/// Cached values looked up, or windows merged, for a point.
pub const LOOKUPS: u64 = 4;
/// Points that bringing something to one person by name costs: a mention's row, its notification.
pub const DELIVERY: u64 = 20;
/// What a search costs beside the rows it gives: a statement on every shard that scans a
/// thousand rows there.
pub const SEARCH_COST: u64 = 1_000;
/// What each `or` of a search adds when it is run: with seven, PostgreSQL worked three times as
/// long on posts.
pub const ALTERNATIVE_COST: u64 = 100;
/// A transaction with its outbox rows, its commit on a replica, and what relay, worker and
/// projector do afterwards.
const WRITE: u64 = 300;
/// A password hashed, as slowly as it is meant to be.
const HASH: u64 = 2_000;

/// What one field costs, in points unless it says otherwise.
#[derive(Debug, Clone, Copy)]
pub(super) struct Price {
    /// For each item that it is asked of: the field itself, statements of its own, keys read,
    /// the bytes of a text (about a point a kilobyte).
    pub each: u64,
    /// Statements that one batch sends for all items together: one a shard and level.
    pub batch: u64,
    /// For each row of the page that its arguments ask for: it is read, shown or not.
    pub row: u64,
    /// Statements that it sends beside when it goes on from a cursor, which no batch can.
    pub after: u64,
    /// Items of a list that no argument bounds: as many as there usually are at most. The rest is
    /// settled when the answer is there.
    pub list: u64,
    /// What is never given back, whatever the answer shows.
    pub spent: u64,
}

impl Price {
    /// A field that shows what is there.
    pub const FIELD: Self = Self { each: 1, batch: 0, row: 0, after: 0, list: 1, spent: 0 };

    /// Whether it sends nothing by itself: what is below it still shares its batches with what is
    /// beside it.
    pub fn is_plain(&self) -> bool {
        self.each < 1 + STATEMENT && self.spent == 0
    }
}

/// Sends so many statements for each item.
const fn statements(count: u64) -> Price {
    Price { each: 1 + count * STATEMENT, ..Price::FIELD }
}

/// A page: so many statements for each item that it is asked of, and its rows.
const fn page(count: u64) -> Price {
    Price { row: 1, ..statements(count) }
}

/// Loaded in one batch with the same field of all other items.
const fn loaded(count: u64) -> Price {
    Price { each: 2, batch: count, ..Price::FIELD }
}

/// A page whose beginning is loaded in one batch for all items.
const fn first_page(count: u64) -> Price {
    Price { row: 1, after: 2, ..loaded(count) }
}

/// A list that is part of its parent.
const fn list(length: u64) -> Price {
    Price { list: length, ..Price::FIELD }
}

/// A text of up to so many kilobytes, about.
const fn text(kilobytes: u64) -> Price {
    Price { each: 1 + kilobytes, ..Price::FIELD }
}

/// Work that is done whatever is shown.
const fn work(points: u64) -> Price {
    Price { spent: points, ..Price::FIELD }
}

const fn search() -> Price {
    Price { each: 1 + SEARCH_COST, row: 1, ..Price::FIELD }
}

/// A write whose input may hold a list: each item of it is read.
const fn write_of_many(points: u64, each: u64) -> Price {
    Price { row: each, ..work(points) }
}

/// What a field of this type costs.
pub(super) fn of(of: &str, field: &str) -> Price {
    match (of, field) {
        ("Query", "user") => statements(4),
        ("Query", "node" | "post" | "product" | "order") => statements(4),
        // Each id may name something else, on another shard.
        ("Query", "nodes") => Price { row: 4, batch: 8, ..Price::FIELD },
        ("Query", "products") => page(8),
        ("Query", "peopleSearch" | "postsSearch" | "productsSearch") => search(),

        ("User", "posts") => page(3),
        ("User", "products") => page(2),
        ("User", "followers" | "following") => page(5),
        ("User", "postCount" | "followerCount" | "followingCount") => loaded(4),
        ("User", "viewerIsBlocking" | "viewerIsFollowing") => loaded(1),

        ("Post", "author" | "product") => loaded(4),
        ("Post", "repostOf" | "quotedPost") => loaded(8),
        (
            "Post",
            "likeCount" | "commentCount" | "repostCount" | "quoteCount" | "viewerHasLiked"
            | "viewerHasReposted",
        ) => loaded(4),
        ("Post", "comments") => first_page(8),
        ("Post", "likers") => page(5),
        ("Post", "reposts" | "quotes") => page(12),
        ("Post" | "Comment", "entities") => list(10),
        ("Post", "images") => list(4),
        ("Post", "text") => text(4),
        ("TextEntity", "user") => loaded(4),

        ("Comment", "author") => loaded(4),
        ("Comment", "inReplyTo" | "post") => loaded(8),
        ("Comment", "replies") => first_page(8),
        ("Comment", "text") => text(2),

        // It counts up to 10,000 rows on each shard.
        ("Hashtag", "postCount") => statements(12),
        // Up to ten rounds over all shards, when most posts are hidden from the viewer.
        ("Hashtag", "posts") | ("Query", "posts") => page(40),

        ("Product", "seller") => loaded(4),
        ("Product", "description") => text(8),
        ("Product", "sales") => Price { list: 20, ..statements(2) },
        ("ProductAnalytics", "sales") => page(2),
        ("PostAnalytics", "views") => page(2),
        ("ViewerAnalytics", "views" | "sales") => page(2),
        ("ViewerAnalytics", "topPosts" | "topProducts") => page(6),
        ("TopPost", "post") => loaded(8),
        ("TopProduct", "product") => loaded(4),

        ("Viewer", "user") => loaded(1),
        // Up to ten rounds, as a hashtag.
        ("Viewer", "home") => page(20),
        ("Viewer", "orders") => page(2),
        ("Viewer", "notifications") => page(6),
        // Made of the newest thousand rows.
        ("Viewer", "notificationGroups") => page(12),
        ("Viewer", "unreadNotificationCount") => statements(6),
        ("Viewer", "notificationPreferences") => Price { list: 8, ..statements(1) },
        ("Viewer", "followRequests" | "blockedUsers" | "sentFollowRequests") => page(5),
        ("Viewer", "sessions") => Price { list: 20, ..statements(1) },

        ("Notification", "actor" | "product" | "order") => loaded(4),
        ("Notification", "post" | "comment") => loaded(8),
        ("Notification", "quantity") => loaded(1),
        ("Notification", "lines") => Price { list: 2, ..loaded(1) },
        ("NotificationLine", "product") => loaded(4),
        ("NotificationGroup", "actors") => Price { list: 3, ..loaded(4) },

        ("Order", "history") => Price { list: 8, ..loaded(1) },
        ("Order", "lines") => list(10),
        ("Order", "nextStatuses") => list(5),
        ("OrderLine", "product") => loaded(4),

        ("User", "bio") | ("Image", "altText") => text(1),
        ("Image" | "ImageCreatePayload", "url" | "uploadUrl") => text(1),
        (_, "userErrors") => list(4),

        ("Mutation", "signUp" | "logIn") => work(HASH),
        // Telemetry: no transaction, but posts to read and messages to send.
        ("Mutation", "postViewsRecord") => write_of_many(STATEMENT * 4, 3),
        // Mentions are resolved, every follower's timeline is written to.
        ("Mutation", "postCreate") => write_of_many(WRITE + 100, 10),
        ("Mutation", "postRepost" | "commentCreate") => work(WRITE + 50),
        // A saga over the sellers' shards follows.
        ("Mutation", "orderPlace") => write_of_many(WRITE + 300, 20),
        // Everything of theirs comes or goes, for everybody.
        ("Mutation", "userSuspend" | "userUnsuspend") => work(WRITE + 200),
        ("Mutation", "orderRefund" | "orderCancel") => work(WRITE + 100),
        ("Mutation", _) => work(WRITE),
        // The watch itself: what an event shows is below.
        ("Subscription", _) => statements(4),
        _ => Price::FIELD,
    }
}
