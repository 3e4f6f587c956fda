//! Every event there is. A new one is a new variant; a changed one is a new variant with the next
//! version in its name, and the old one stays, so that a log of any age can be read.

use serde::{Deserialize, Serialize};

use plaza_base::ids::{CommentId, FollowId, OrderId, PostId, ProductId, UserId};

/// A fact that a shard has committed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
pub enum Event {
    /// Somebody signed up.
    #[serde(rename = "user.created.v1")]
    UserCreated {
        /// Who.
        user_id: UserId,
        /// The handle.
        handle: String,
    },
    /// A profile was edited.
    #[serde(rename = "user.updated.v1")]
    UserUpdated {
        /// Whose.
        user_id: UserId,
    },
    /// A follow began (again).
    #[serde(rename = "user.followed.v1")]
    UserFollowed {
        /// Who follows.
        follower_id: UserId,
        /// Whom.
        followee_id: UserId,
        /// The follow's own id: what lists are ordered by.
        follow_id: FollowId,
    },
    /// A follow ended.
    #[serde(rename = "user.unfollowed.v1")]
    UserUnfollowed {
        /// Who followed.
        follower_id: UserId,
        /// Whom.
        followee_id: UserId,
    },
    /// A private user was asked to be followed; a follow or an end of it answers.
    #[serde(rename = "user.follow_requested.v1")]
    UserFollowRequested {
        /// Who asks.
        follower_id: UserId,
        /// Whom.
        followee_id: UserId,
        /// The follow's id, should it come to one.
        follow_id: FollowId,
    },
    /// A request to follow was granted; for the shard of who asked. The edge's own event is for
    /// that of who was asked.
    #[serde(rename = "user.follow_accepted.v1")]
    UserFollowAccepted {
        /// Who asked, and follows now.
        follower_id: UserId,
        /// Whom.
        followee_id: UserId,
        /// The follow's id: every request has one of its own.
        follow_id: FollowId,
    },
    /// A block began.
    #[serde(rename = "user.blocked.v1")]
    UserBlocked {
        /// Who blocks.
        blocker_id: UserId,
        /// Whom.
        blocked_id: UserId,
    },
    /// A block ended.
    #[serde(rename = "user.unblocked.v1")]
    UserUnblocked {
        /// Who blocked.
        blocker_id: UserId,
        /// Whom.
        blocked_id: UserId,
    },
    /// A post was written.
    #[serde(rename = "post.created.v1")]
    PostCreated {
        /// Which.
        post_id: PostId,
        /// By whom.
        author_id: UserId,
    },
    /// A post was deleted.
    #[serde(rename = "post.deleted.v1")]
    PostDeleted {
        /// Which.
        post_id: PostId,
        /// By whom.
        author_id: UserId,
    },
    /// A post was liked.
    #[serde(rename = "post.liked.v1")]
    PostLiked {
        /// Which.
        post_id: PostId,
        /// By whom.
        user_id: UserId,
    },
    /// A like was taken back.
    #[serde(rename = "post.unliked.v1")]
    PostUnliked {
        /// Which.
        post_id: PostId,
        /// By whom.
        user_id: UserId,
    },
    /// A comment was written; the aggregate is the post.
    #[serde(rename = "post.commented.v1")]
    PostCommented {
        /// On which post.
        post_id: PostId,
        /// The comment.
        comment_id: CommentId,
        /// By whom.
        author_id: UserId,
    },
    /// A post was passed on. The repost is a post with events of its own; this one is for the
    /// original's shard.
    #[serde(rename = "post.reposted.v1")]
    PostReposted {
        /// The repost.
        repost_id: PostId,
        /// By whom.
        author_id: UserId,
        /// Of which post.
        original_id: PostId,
    },
    /// A repost was taken back.
    #[serde(rename = "post.unreposted.v1")]
    PostUnreposted {
        /// The repost.
        repost_id: PostId,
        /// By whom.
        author_id: UserId,
        /// Of which post.
        original_id: PostId,
    },
    /// A post that says something about another was written.
    #[serde(rename = "post.quoted.v1")]
    PostQuoted {
        /// The post that quotes.
        quote_id: PostId,
        /// By whom.
        author_id: UserId,
        /// Which is quoted.
        quoted_id: PostId,
    },
    /// A post that quotes was deleted.
    #[serde(rename = "post.unquoted.v1")]
    PostUnquoted {
        /// The post that quoted.
        quote_id: PostId,
        /// By whom.
        author_id: UserId,
        /// Which was quoted.
        quoted_id: PostId,
    },
    /// Somebody was mentioned in a post or a comment.
    #[serde(rename = "user.mentioned.v1")]
    UserMentioned {
        /// Who.
        user_id: UserId,
        /// By whom.
        author_id: UserId,
        /// In which post, or on which the comment is.
        post_id: PostId,
        /// In which comment.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        comment_id: Option<CommentId>,
    },
    /// A comment was answered; for the shard of who wrote that one.
    #[serde(rename = "comment.answered.v1")]
    CommentAnswered {
        /// Who wrote the comment that was answered.
        user_id: UserId,
        /// Who answered.
        author_id: UserId,
        /// The answer.
        comment_id: CommentId,
    },
    /// A comment that answers another was written; the aggregate is the post.
    #[serde(rename = "post.replied.v1")]
    PostReplied {
        /// On which post.
        post_id: PostId,
        /// The comment.
        comment_id: CommentId,
        /// By whom.
        author_id: UserId,
        /// Who wrote the comment that it answers.
        answered_id: UserId,
    },
    /// A product was offered.
    #[serde(rename = "product.created.v1")]
    ProductCreated {
        /// Which.
        product_id: ProductId,
        /// By whom.
        seller_id: UserId,
    },
    /// Stock was held for an order, or given back.
    #[serde(rename = "product.stock_changed.v1")]
    ProductStockChanged {
        /// Which.
        product_id: ProductId,
        /// What is left.
        stock: i32,
    },
    /// A piece of held stock was sold.
    #[serde(rename = "product.sold.v1")]
    ProductSold {
        /// Which.
        product_id: ProductId,
        /// To which order.
        order_id: OrderId,
        /// How many.
        quantity: i32,
        /// For how much, in minor units.
        amount: i64,
        /// In which minute, Unix seconds, a multiple of 60.
        minute: i64,
    },
    /// Sold units came back, and their price went back.
    #[serde(rename = "product.returned.v1")]
    ProductReturned {
        /// Which.
        product_id: ProductId,
        /// From which order.
        order_id: OrderId,
        /// How many.
        quantity: i32,
        /// For how much they had been sold, in minor units.
        amount: i64,
        /// In which minute they had been sold, Unix seconds, a multiple of 60.
        minute: i64,
    },
    /// An order was placed.
    #[serde(rename = "order.placed.v1")]
    OrderPlaced {
        /// Which.
        order_id: OrderId,
        /// By whom.
        buyer_id: UserId,
    },
    /// An order moved to another state.
    #[serde(rename = "order.status_changed.v1")]
    OrderStatusChanged {
        /// Which.
        order_id: OrderId,
        /// Whose.
        buyer_id: UserId,
        /// The new state's name.
        status: String,
    },
}

/// What an event is about: the unit of order. Its text is the Kafka key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Aggregate {
    /// A user.
    User(UserId),
    /// One user's following another: has versions of its own.
    Edge(UserId, UserId),
    /// One user's blocking another: has versions of its own.
    Block(UserId, UserId),
    /// A post with its likes and comments.
    Post(PostId),
    /// One post's passing on or quoting another: has versions of its own, so that the other's shard
    /// can check them.
    Share(PostId, PostId),
    /// The mention of a user in a post, or in a comment on it.
    Mention(UserId, PostId, Option<CommentId>),
    /// A comment as an answer to one of a user's.
    Answer(UserId, CommentId),
    /// The granting of a user's request to follow somebody.
    Acceptance(UserId, FollowId),
    /// A product with its stock.
    Product(ProductId),
    /// An order.
    Order(OrderId),
}

impl std::fmt::Display for Aggregate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::User(id) => write!(f, "user:{id}"),
            Self::Edge(follower, followee) => write!(f, "edge:{follower}:{followee}"),
            Self::Block(blocker, blocked) => write!(f, "block:{blocker}:{blocked}"),
            Self::Post(id) => write!(f, "post:{id}"),
            Self::Share(sharing, shared) => write!(f, "share:{sharing}:{shared}"),
            Self::Mention(user, _, Some(comment)) => write!(f, "mention:{comment}:{user}"),
            Self::Mention(user, post, None) => write!(f, "mention:{post}:{user}"),
            Self::Answer(_, comment) => write!(f, "answer:{comment}"),
            Self::Acceptance(_, follow) => write!(f, "acceptance:{follow}"),
            Self::Product(id) => write!(f, "product:{id}"),
            Self::Order(id) => write!(f, "order:{id}"),
        }
    }
}

impl Event {
    /// What the event is about.
    pub fn aggregate(&self) -> Aggregate {
        match self {
            Self::UserCreated { user_id, .. } | Self::UserUpdated { user_id } => {
                Aggregate::User(*user_id)
            }
            Self::UserFollowed { follower_id, followee_id, .. }
            | Self::UserFollowRequested { follower_id, followee_id, .. }
            | Self::UserUnfollowed { follower_id, followee_id } => {
                Aggregate::Edge(*follower_id, *followee_id)
            }
            Self::UserBlocked { blocker_id, blocked_id }
            | Self::UserUnblocked { blocker_id, blocked_id } => {
                Aggregate::Block(*blocker_id, *blocked_id)
            }
            Self::PostCreated { post_id, .. }
            | Self::PostDeleted { post_id, .. }
            | Self::PostLiked { post_id, .. }
            | Self::PostUnliked { post_id, .. }
            | Self::PostCommented { post_id, .. }
            | Self::PostReplied { post_id, .. } => Aggregate::Post(*post_id),
            Self::PostReposted { repost_id: sharing, original_id: shared, .. }
            | Self::PostUnreposted { repost_id: sharing, original_id: shared, .. }
            | Self::PostQuoted { quote_id: sharing, quoted_id: shared, .. }
            | Self::PostUnquoted { quote_id: sharing, quoted_id: shared, .. } => {
                Aggregate::Share(*sharing, *shared)
            }
            Self::UserMentioned { user_id, post_id, comment_id, .. } => {
                Aggregate::Mention(*user_id, *post_id, *comment_id)
            }
            Self::CommentAnswered { user_id, comment_id, .. } => {
                Aggregate::Answer(*user_id, *comment_id)
            }
            Self::UserFollowAccepted { follower_id, follow_id, .. } => {
                Aggregate::Acceptance(*follower_id, *follow_id)
            }
            Self::ProductCreated { product_id, .. }
            | Self::ProductStockChanged { product_id, .. }
            | Self::ProductSold { product_id, .. }
            | Self::ProductReturned { product_id, .. } => Aggregate::Product(*product_id),
            Self::OrderPlaced { order_id, .. } | Self::OrderStatusChanged { order_id, .. } => {
                Aggregate::Order(*order_id)
            }
        }
    }
}
