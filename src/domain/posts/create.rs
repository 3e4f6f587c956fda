//! Writing a post.

use std::collections::HashSet;

use futures_util::FutureExt;
use futures_util::future::{OptionFuture, try_join};
use serde::Serialize;

use super::Post;
use super::repost::shareable;
use crate::profile_counts::ProfileCounts;
use crate::references::{self, Entities};
use crate::{
    DomainError, Mutation, Operation, Tx, UserError, UserErrorCode, images, mutate_from, products,
    text,
};
use plaza_base::ids::{Id, ImageId, PostId, ProductId, UserId};
use plaza_protocol::events::Event;
use plaza_protocol::jobs::Job;
use plaza_stores::StoreError;
use plaza_stores::postgres::Connection;
use plaza_stores::postgres::users::{self as user_rows, Added};
use plaza_stores::postgres::{hashtags as hashtag_rows, posts as store};

/// A post to be.
#[derive(Debug, Clone, Default, Serialize)]
pub struct NewPost {
    /// Text.
    pub text: String,
    /// A product to show with it.
    pub product_id: Option<ProductId>,
    /// A post that it says something about; of a repost, the original is meant.
    pub quoted_post_id: Option<PostId>,
    /// Images to show with it, in this order.
    pub image_ids: Vec<ImageId>,
}

/// A post that may be written.
struct Draft {
    text: String,
    entities: Entities,
    /// Who is mentioned in it and is to be notified.
    mentioned: Vec<UserId>,
    quoted: Option<PostId>,
}

/// The viewer writes a post.
///
/// # Errors
/// A text out of bounds, a product that does not exist, images that cannot be shown, a post that
/// may not be quoted; a shard that is unavailable.
pub async fn create(op: &Operation, new: NewPost) -> Result<Post, DomainError> {
    let author = op.require_viewer()?.user_id;
    mutate_from(
        op,
        Mutation {
            name: "postCreate",
            user: author,
            shard: op.domain.cluster.shard_of_id(author),
            input: &new,
        },
        drafted(op, &new),
        async |connection, draft| {
            let added = Added { posts: 1, following: 0 };
            let raised = user_rows::raise_activity(connection, author, added);
            // What it shows is in its row, and must be taken first.
            let writing = match new.image_ids.is_empty() {
                true => Some(written(connection, author, &new, &draft, None)),
                false => None,
            };
            let (raised, row) =
                try_join(raised, OptionFuture::from(writing).map(Option::transpose)).await?;
            Ok((draft, raised.ok_or(DomainError::Unauthenticated)?.activity, row))
        },
        async |tx, (draft, activity, row)| {
            tx.invalidate::<ProfileCounts>(author, activity);
            let post = match row {
                Some(row) => row,
                None => {
                    let purpose = images::Purpose::Post;
                    let shown = images::take(tx, author, purpose, &new.image_ids, "imageIds");
                    let shown = serde_json::json!(shown.await?);
                    written(tx, author, &new, &draft, Some(&shown)).await?
                }
            };
            let tags = draft.entities.hashtags();
            if !tags.is_empty() {
                hashtag_rows::insert(tx, &tags, post.id, author).await?;
            }
            tx.cache(op.domain.redis.fresh(post.id, &post));
            created(tx, post.id, author);
            let place = references::Place { author, post: post.id, comment: None };
            references::emit(tx, &draft.mentioned, place);
            if let Some(quoted_id) = draft.quoted {
                tx.emit(Event::PostQuoted { quote_id: post.id, author_id: author, quoted_id }, 1);
            }
            Ok(post)
        },
    )
    .await
}

/// Writes the row.
async fn written(
    connection: &Connection,
    author: UserId,
    new: &NewPost,
    draft: &Draft,
    images: Option<&serde_json::Value>,
) -> Result<Post, StoreError> {
    let row = store::NewPost {
        author,
        text: &draft.text,
        product: new.product_id,
        quoted: draft.quoted,
        entities: &draft.entities,
        images,
    };
    Ok(Post::from(store::insert(connection, author.bucket(), row).await?))
}

/// What a new post sets in motion.
pub(super) fn created(tx: &mut Tx, post: PostId, author: UserId) {
    tx.emit(Event::PostCreated { post_id: post, author_id: author }, 1);
    tx.push_home(author, post);
    let job = Job::FeedFanOut { post_id: post, author_id: author };
    tx.enqueue(job, format!("post:{post}/fan_out"));
}

/// Everything that is wrong with it is said at once.
async fn drafted(op: &Operation, new: &NewPost) -> Result<Draft, DomainError> {
    let checked = text::checked("text", &new.text, text::POST_TEXT);
    let mut errors: Vec<UserError> = checked.as_ref().err().cloned().into_iter().collect();
    if let Some(product) = new.product_id
        && !product_exists(op, product).await?
    {
        errors.push(UserError::field(
            UserErrorCode::NotFound,
            "productId",
            "there is no such product",
        ));
    }
    let quoted = match new.quoted_post_id {
        Some(quoted) => shareable(op, "quotedPostId", quoted).await.map(Some),
        None => Ok(None),
    };
    let quoted = match quoted {
        Err(DomainError::Rejected(refused)) => {
            errors.extend(refused);
            None
        }
        quoted => quoted?,
    };
    errors.extend(image_count(&new.image_ids).err());
    let text = checked.ok().filter(|_| errors.is_empty()).ok_or(DomainError::Rejected(errors))?;
    let entities = references::of_text(op, &text).await?;
    let quoted_author = quoted.as_ref().map(|quoted| quoted.author_id);
    let mentioned = references::to_tell(op, &entities, quoted_author.as_slice()).await?;
    let quoted = quoted.map(|quoted| quoted.id);
    Ok(Draft { text, entities, mentioned, quoted })
}

/// At most four, each once.
fn image_count(ids: &[ImageId]) -> Result<(), UserError> {
    let distinct: HashSet<&ImageId> = ids.iter().collect();
    if ids.len() <= images::MAX_PER_POST && distinct.len() == ids.len() {
        return Ok(());
    }
    let message = format!("must be {} images at most, each once", images::MAX_PER_POST);
    Err(UserError::field(UserErrorCode::Invalid, "imageIds", message))
}

/// Products are never deleted, so one that a cache or a replica has is there; one that they lack
/// may only be new, and the primary is asked.
async fn product_exists(op: &Operation, product: ProductId) -> Result<bool, DomainError> {
    if !products::get_many(op, &[product]).await?.is_empty() {
        return Ok(true);
    }
    Ok(!products::current(op, &[product]).await?.is_empty())
}
