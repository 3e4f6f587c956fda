//! Dataloaders: what many fields of one level ask for comes in one batch. New ones for every scope, so nothing is shared between viewers
//! or outlives a request.

use std::collections::HashMap;
use std::fmt::Debug;
use std::hash::Hash;
use std::sync::{Arc, OnceLock};

use dataloader::BatchFn;
use dataloader::cached::Loader;

use super::error::fault;
use crate::domain::comments::Comment;
use crate::domain::follows::Tie;
use crate::domain::images::Image;
use crate::domain::notifications::Notification;
use crate::domain::orders::{Order, OrderChange};
use crate::domain::posts::{Post, PostCounts, ShareCounts};
use crate::domain::products::Product;
use crate::domain::profile_counts::{FollowerCount, ProfileCounts};
use crate::domain::users::User;
use crate::domain::{Domain, DomainError, Operation, Page};
use crate::domain::{
    blocks, comments, follows, images, likes, notifications, orders, posts, products,
    profile_counts, users,
};
use crate::ids::{CommentId, ImageId, NotificationId, OrderId, PostId, ProductId, UserId};

/// Most keys in one batch: a page's largest product of levels.
const BATCH: usize = 1_000;
/// How often a loader lets others run before it takes what has gathered. The fields of a level are polled in one go, so a few are plenty.
const YIELDS: usize = 4;

/// A loaded value, or why not; the failure is shared by all that waited.
type Loaded<T> = Result<Option<T>, Arc<DomainError>>;

macro_rules! loaders {
    ($($(#[$doc:meta])* $field:ident, $method:ident: $batch:ident($key:ty) -> $value:ty = |$op:ident, $domain:ident, $keys:ident| $load:expr;)*) => {
        $(
            struct $batch { op: Arc<Operation>, domain: Domain }

            impl BatchFn<$key, Loaded<$value>> for $batch {
                async fn load(&mut self, $keys: &[$key]) -> HashMap<$key, Loaded<$value>> {
                    let ($op, $domain) = (&*self.op, &self.domain);
                    let loaded: Result<HashMap<$key, $value>, DomainError> = $load.await;
                    answer_all($keys, loaded)
                }
            }
        )*

        /// The loaders of one scope, each made when it is first asked: most operations need a few of them, and an event of a subscription one or none.
        pub struct Loaders { op: Arc<Operation>, domain: Domain, $($field: OnceLock<Loader<$key, Loaded<$value>, $batch>>,)* }

        impl Loaders {
            /// Loaders that read for this operation.
            pub fn new(op: &Arc<Operation>, domain: &Domain) -> Self {
                Self { op: Arc::clone(op), domain: domain.clone(), $($field: OnceLock::new(),)* }
            }

            $(
                $(#[$doc])*
                ///
                /// # Errors
                /// Why the batch could not be loaded.
                pub async fn $method(&self, key: $key) -> async_graphql::Result<Option<$value>> {
                    let loader = self.$field.get_or_init(|| {
                        let batch = $batch { op: Arc::clone(&self.op), domain: self.domain.clone() };
                        Loader::new(batch).with_max_batch_size(BATCH).with_yield_count(YIELDS)
                    });
                    let loaded = match loader.try_load(key.clone()).await {
                        // The field that led the batch was dropped on the way (its sibling failed):
                        // ask again.
                        Err(_) => loader.try_load(key).await,
                        loaded => loaded,
                    };
                    match loaded {
                        Ok(Ok(value)) => Ok(value),
                        Ok(Err(error)) => Err(fault(&error)),
                        Err(error) => Err(fault(&DomainError::Internal(format!("a loader lost a key: {error}")))),
                    }
                }
            )*
        }
    };
}

fn answer_all<K: Eq + Hash + Clone + Debug, V: Clone>(
    keys: &[K],
    loaded: Result<HashMap<K, V>, DomainError>,
) -> HashMap<K, Loaded<V>> {
    match loaded {
        Ok(mut found) => keys.iter().map(|key| (key.clone(), Ok(found.remove(key)))).collect(),
        Err(error) => {
            let error = Arc::new(error);
            keys.iter().map(|key| (key.clone(), Err(Arc::clone(&error)))).collect()
        }
    }
}

impl Debug for Loaders {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Loaders")
    }
}

/// The beginnings of many posts' comments: keys are grouped by how many each asks for.
async fn first_comments(
    op: &Operation,
    domain: &Domain,
    keys: &[(PostId, usize)],
) -> Result<HashMap<(PostId, usize), Page<Comment>>, DomainError> {
    let mut by_first: HashMap<usize, Vec<PostId>> = HashMap::new();
    for (post, first) in keys {
        by_first.entry(*first).or_default().push(*post);
    }
    let mut found = HashMap::new();
    for (first, posts) in by_first {
        let pages = comments::first_of_many(op, domain, &posts, first).await?;
        found.extend(pages.into_iter().map(|(post, page)| ((post, first), page)));
    }
    Ok(found)
}

/// The beginnings of many comments' answers: keys are grouped by how many each asks for.
async fn first_replies(
    op: &Operation,
    domain: &Domain,
    keys: &[(CommentId, usize)],
) -> Result<HashMap<(CommentId, usize), Page<Comment>>, DomainError> {
    let mut by_first: HashMap<usize, Vec<CommentId>> = HashMap::new();
    for (comment, first) in keys {
        by_first.entry(*first).or_default().push(*comment);
    }
    let mut found = HashMap::new();
    for (first, parents) in by_first {
        let pages = comments::replies_of_many(op, domain, &parents, first).await?;
        found.extend(pages.into_iter().map(|(comment, page)| ((comment, first), page)));
    }
    Ok(found)
}

/// Those of the keys that are in a set, as a map.
fn members<K: Eq + Hash + Copy>(
    keys: &[K],
    set: &std::collections::HashSet<K>,
) -> HashMap<K, bool> {
    keys.iter().map(|key| (*key, set.contains(key))).collect()
}

loaders! {
    /// A person.
    users, user: UserBatch(UserId) -> User = |op, domain, keys| users::get_many(op, domain, keys);
    /// What a person has done, counted.
    profile_counts, profile_counts: ProfileCountBatch(UserId) -> ProfileCounts = |op, domain, keys| profile_counts::get_many(op, domain, keys);
    /// How many follow a person.
    follower_counts, follower_count: FollowerCountBatch(UserId) -> FollowerCount = |op, domain, keys| profile_counts::followers_of_many(op, domain, keys);
    /// Whether the viewer and a person follow each other, or the viewer has asked to.
    viewer_ties, viewer_tie: ViewerTieBatch(UserId) -> Tie = |op, domain, keys| follows::viewer_ties(op, domain, keys);
    /// A post that the viewer may see.
    posts, post: PostBatch(PostId) -> Post = |op, domain, keys| posts::get_many(op, domain, keys);
    /// A post's likes and comments, counted.
    post_counts, post_counts: PostCountBatch(PostId) -> PostCounts = |op, domain, keys| posts::counts_many(op, domain, keys);
    /// Whether the viewer likes a post.
    viewer_likes, viewer_likes: ViewerLikesBatch(PostId) -> bool = |op, domain, keys| async {
        Ok(members(keys, &likes::viewer_likes(op, domain, keys).await?))
    };
    /// How often a post is passed on and quoted.
    share_counts, share_counts: ShareCountBatch(PostId) -> ShareCounts = |op, domain, keys| posts::share_counts_many(op, domain, keys);
    /// Whether the viewer reposts a post.
    viewer_reposts, viewer_reposts: ViewerRepostsBatch(PostId) -> bool = |op, domain, keys| async {
        Ok(members(keys, &posts::viewer_reposts(op, domain, keys).await?))
    };
    /// The first so many comments of a post.
    first_comments, first_comments: FirstCommentBatch((PostId, usize)) -> Page<Comment> = |op, domain, keys| first_comments(op, domain, keys);
    /// The first so many answers to a comment.
    first_replies, first_replies: FirstReplyBatch((CommentId, usize)) -> Page<Comment> = |op, domain, keys| first_replies(op, domain, keys);
    /// A comment on a post that the viewer may see.
    comments, comment: CommentBatch(CommentId) -> Comment = |op, domain, keys| comments::get_many(op, domain, keys);
    /// An order of the viewer's.
    orders, order: OrderBatch(OrderId) -> Order = |op, domain, keys| orders::get_many(op, domain, keys);
    /// The states that an order of the viewer's came to.
    order_histories, order_history: OrderHistoryBatch(OrderId) -> Vec<OrderChange> = |op, domain, keys| orders::history_of_many(op, domain, keys);
    /// An image of the viewer's.
    images, image: ImageBatch(ImageId) -> Image = |op, domain, keys| images::get_many(op, domain, keys);
    /// Whether the viewer blocks a person.
    viewer_blocks, viewer_blocks: ViewerBlocksBatch(UserId) -> bool = |op, domain, keys| async {
        Ok(members(keys, &blocks::viewer_blocks(op, domain, keys).await?))
    };
    /// A notification of the viewer's.
    notifications, notification: NotificationBatch(NotificationId) -> Notification = |op, domain, keys| notifications::get_many(op, domain, keys);
    /// What a product is called, also when the viewer may not see it: for what they bought.
    product_titles, product_title: ProductTitleBatch(ProductId) -> String = |op, domain, keys| products::titles_of(op, domain, keys);
    /// A product.
    products, product: ProductBatch(ProductId) -> Product = |op, domain, keys| products::get_many(op, domain, keys);
}
