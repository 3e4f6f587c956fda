//! What the loaders read: a value by its own type where there is one, else by the name of what is
//! asked.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;

use super::BatchRead;
use plaza_base::ids::{CommentId, ImageId, NotificationId, OrderId, PostId, ProductId, UserId};
use plaza_domain::comments::Comment;
use plaza_domain::follows::Tie;
use plaza_domain::images::Image;
use plaza_domain::notifications::Notification;
use plaza_domain::notifications::sales::{self, SoldLine};
use plaza_domain::orders::{Order, OrderChange};
use plaza_domain::posts::{Post, PostCounts, ShareCounts};
use plaza_domain::products::Product;
use plaza_domain::profile_counts::{FollowerCount, ProfileCounts};
use plaza_domain::users::User;
use plaza_domain::{
    DomainError, Operation, Page, blocks, comments, follows, images, likes, notifications, orders,
    posts, products, profile_counts, users,
};

type Read<K, V> = Result<HashMap<K, V>, DomainError>;

impl BatchRead for User {
    type Key = UserId;
    type Value = Self;

    async fn read(op: &Operation, keys: &[UserId]) -> Read<UserId, Self> {
        users::get_many(op, keys).await
    }
}

impl BatchRead for ProfileCounts {
    type Key = UserId;
    type Value = Self;

    async fn read(op: &Operation, keys: &[UserId]) -> Read<UserId, Self> {
        profile_counts::get_many(op, keys).await
    }
}

impl BatchRead for FollowerCount {
    type Key = UserId;
    type Value = Self;

    async fn read(op: &Operation, keys: &[UserId]) -> Read<UserId, Self> {
        profile_counts::followers_of_many(op, keys).await
    }
}

impl BatchRead for Tie {
    type Key = UserId;
    type Value = Self;

    async fn read(op: &Operation, keys: &[UserId]) -> Read<UserId, Self> {
        follows::viewer_ties(op, keys).await
    }
}

impl BatchRead for Post {
    type Key = PostId;
    type Value = Self;

    async fn read(op: &Operation, keys: &[PostId]) -> Read<PostId, Self> {
        posts::get_many(op, keys).await
    }
}

impl BatchRead for PostCounts {
    type Key = PostId;
    type Value = Self;

    async fn read(op: &Operation, keys: &[PostId]) -> Read<PostId, Self> {
        posts::counts_many(op, keys).await
    }
}

impl BatchRead for ShareCounts {
    type Key = PostId;
    type Value = Self;

    async fn read(op: &Operation, keys: &[PostId]) -> Read<PostId, Self> {
        posts::share_counts_many(op, keys).await
    }
}

impl BatchRead for Comment {
    type Key = CommentId;
    type Value = Self;

    async fn read(op: &Operation, keys: &[CommentId]) -> Read<CommentId, Self> {
        comments::get_many(op, keys).await
    }
}

impl BatchRead for Order {
    type Key = OrderId;
    type Value = Self;

    async fn read(op: &Operation, keys: &[OrderId]) -> Read<OrderId, Self> {
        orders::get_many(op, keys).await
    }
}

impl BatchRead for Image {
    type Key = ImageId;
    type Value = Self;

    async fn read(op: &Operation, keys: &[ImageId]) -> Read<ImageId, Self> {
        images::get_many(op, keys).await
    }
}

impl BatchRead for Notification {
    type Key = NotificationId;
    type Value = Self;

    async fn read(op: &Operation, keys: &[NotificationId]) -> Read<NotificationId, Self> {
        notifications::get_many(op, keys).await
    }
}

impl BatchRead for Product {
    type Key = ProductId;
    type Value = Self;

    async fn read(op: &Operation, keys: &[ProductId]) -> Read<ProductId, Self> {
        products::get_many(op, keys).await
    }
}

/// Whether the viewer likes a post.
#[derive(Debug)]
pub struct ViewerLikes;

impl BatchRead for ViewerLikes {
    type Key = PostId;
    type Value = bool;

    async fn read(op: &Operation, keys: &[PostId]) -> Read<PostId, bool> {
        Ok(members(keys, &likes::viewer_likes(op, keys).await?))
    }
}

/// Whether the viewer reposts a post.
#[derive(Debug)]
pub struct ViewerReposts;

impl BatchRead for ViewerReposts {
    type Key = PostId;
    type Value = bool;

    async fn read(op: &Operation, keys: &[PostId]) -> Read<PostId, bool> {
        Ok(members(keys, &posts::viewer_reposts(op, keys).await?))
    }
}

/// Whether the viewer blocks a user.
#[derive(Debug)]
pub struct ViewerBlocks;

impl BatchRead for ViewerBlocks {
    type Key = UserId;
    type Value = bool;

    async fn read(op: &Operation, keys: &[UserId]) -> Read<UserId, bool> {
        Ok(members(keys, &blocks::viewer_blocks(op, keys).await?))
    }
}

/// The states that an order of the viewer's has been in.
#[derive(Debug)]
pub struct OrderHistory;

impl BatchRead for OrderHistory {
    type Key = OrderId;
    type Value = Vec<OrderChange>;

    async fn read(op: &Operation, keys: &[OrderId]) -> Read<OrderId, Vec<OrderChange>> {
        orders::history_of_many(op, keys).await
    }
}

/// What an order has bought of the viewer.
#[derive(Debug)]
pub struct SoldLines;

impl BatchRead for SoldLines {
    type Key = OrderId;
    type Value = Vec<SoldLine>;

    async fn read(op: &Operation, keys: &[OrderId]) -> Read<OrderId, Vec<SoldLine>> {
        sales::of_orders(op, keys).await
    }
}

/// The title of a product, also of one that the viewer may not see: for what they bought.
#[derive(Debug)]
pub struct ProductTitle;

impl BatchRead for ProductTitle {
    type Key = ProductId;
    type Value = String;

    async fn read(op: &Operation, keys: &[ProductId]) -> Read<ProductId, String> {
        products::titles_of(op, keys).await
    }
}

/// The first page of a post's comments, by the post and the page's length.
#[derive(Debug)]
pub struct FirstComments;

impl BatchRead for FirstComments {
    type Key = (PostId, usize);
    type Value = Page<Comment>;

    async fn read(
        op: &Operation,
        keys: &[(PostId, usize)],
    ) -> Read<(PostId, usize), Page<Comment>> {
        let mut found = HashMap::new();
        for (first, posts) in by_length(keys) {
            let pages = comments::first_of_many(op, &posts, first).await?;
            found.extend(pages.into_iter().map(|(post, page)| ((post, first), page)));
        }
        Ok(found)
    }
}

/// The first page of a comment's replies, by the comment and the page's length.
#[derive(Debug)]
pub struct FirstReplies;

impl BatchRead for FirstReplies {
    type Key = (CommentId, usize);
    type Value = Page<Comment>;

    async fn read(
        op: &Operation,
        keys: &[(CommentId, usize)],
    ) -> Read<(CommentId, usize), Page<Comment>> {
        let mut found = HashMap::new();
        for (first, parents) in by_length(keys) {
            let pages = comments::replies_of_many(op, &parents, first).await?;
            found.extend(pages.into_iter().map(|(parent, page)| ((parent, first), page)));
        }
        Ok(found)
    }
}

fn members<K: Eq + Hash + Copy>(keys: &[K], set: &HashSet<K>) -> HashMap<K, bool> {
    keys.iter().map(|key| (*key, set.contains(key))).collect()
}

/// Pages of one length are read together.
fn by_length<K: Copy>(keys: &[(K, usize)]) -> HashMap<usize, Vec<K>> {
    let mut grouped: HashMap<usize, Vec<K>> = HashMap::new();
    for (key, first) in keys {
        grouped.entry(*first).or_default().push(*key);
    }
    grouped
}
