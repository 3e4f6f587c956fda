//! Posts.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::idempotency::{Request, once};
use super::profile_counts::ProfileCounts;
use super::{
    Domain, DomainError, Operation, Page, PageRequest, UserError, UserErrorCode, images, policy,
    products, references, shares, text,
};
use crate::ids::{Id, ImageId, PostId, ProductId, UserId};
use crate::outbox::Messages;
use crate::protocol::events::Event;
use crate::protocol::jobs::Job;
use crate::read_models::post_counts;
use crate::stores::postgres::{
    Connection, ShardIndex, hashtags as hashtag_rows, images as image_rows, posts as store,
    reposts as repost_rows, users as user_rows,
};
use crate::stores::redis::cache::Cached;

pub use crate::stores::postgres::posts::Post;

/// A post never changes but by being deleted.
impl Cached for Post {
    const KIND: &'static str = "post";
    const LOCAL: bool = true;
    fn version(&self) -> i64 {
        if self.deleted { DELETED } else { 1 }
    }
}

/// How long a second look, at a primary, may take.
const FRESH: std::time::Duration = std::time::Duration::from_secs(1);
/// The cached version of a deleted post.
pub(super) const DELETED: i64 = 2;

/// A post's counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PostCounts {
    /// Likes.
    pub likes: i64,
    /// Comments.
    pub comments: i64,
    /// The post's version they were counted at.
    pub version: i64,
}

impl Cached for PostCounts {
    const KIND: &'static str = "post_counts";
    const LOCAL: bool = true;
    fn version(&self) -> i64 {
        self.version
    }
}

/// The author's activity version beside what was done.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Done {
    post: PostId,
    activity: i64,
}

/// A post to be.
#[derive(Debug, Clone, Default)]
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

/// The viewer writes a post.
///
/// # Errors
/// A text out of bounds, a product that does not exist, images that cannot be shown, a post that
/// may not be quoted; a shard that is away.
pub async fn create(op: &Operation, domain: &Domain, new: NewPost) -> Result<PostId, DomainError> {
    let author = op.require_viewer()?.user_id;
    let checked = text::checked("text", &new.text, text::POST_TEXT);
    let mut errors: Vec<UserError> = checked.as_ref().err().cloned().into_iter().collect();
    if let Some(product) = new.product_id
        && !product_exists(op, domain, product).await?
    {
        errors.push(UserError::field(
            UserErrorCode::NotFound,
            "productId",
            "there is no such product",
        ));
    }
    let quoted = match new.quoted_post_id {
        Some(quoted) => shares::shareable(op, domain, "quotedPostId", quoted).await.map(Some),
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
    let entities = references::of_text(op, domain, &text).await?;
    let quoted_author = quoted.as_ref().map(|quoted| quoted.author_id);
    let mentioned = references::to_tell(op, domain, &entities, quoted_author.as_slice()).await?;
    let quoted = quoted.map(|quoted| quoted.id);
    let shard = domain.cluster.shard_of_id(author);
    let request =
        Request { user: author, client_key: op.client_key.as_deref(), operation: "postCreate" };
    let mut payload = vec![serde_json::json!(text), serde_json::json!(new.product_id)];
    if !new.image_ids.is_empty() {
        payload.push(serde_json::json!(new.image_ids));
    }
    if let Some(quoted) = new.quoted_post_id {
        payload.push(serde_json::json!({ "quoted": quoted }));
    }
    let committed = domain
        .cluster
        .write(
            shard,
            op.deadline,
            async |connection: &mut Connection| -> Result<Done, DomainError> {
                once(connection, request, &payload, async |connection: &mut Connection| {
                    let activity = user_rows::raise_activity(connection, author.as_i64())
                        .await?
                        .ok_or(DomainError::Unauthenticated)?
                        .activity;
                    let shown = images::take(
                        connection,
                        author,
                        images::Purpose::Post,
                        &new.image_ids,
                        "imageIds",
                    )
                    .await?;
                    let shown = (!shown.is_empty()).then(|| serde_json::json!(shown));
                    let row = store::NewPost {
                        author: author.as_i64(),
                        text: &text,
                        product: new.product_id.map(Id::as_i64),
                        quoted: quoted.map(Id::as_i64),
                        entities: &entities,
                        images: shown.as_ref(),
                    };
                    let post = store::insert(connection, author.bucket(), row).await?;
                    let tags = entities.hashtags();
                    if !tags.is_empty() {
                        hashtag_rows::insert(connection, &tags, post.as_i64(), author.as_i64())
                            .await?;
                    }
                    let place = references::Place { author, post, comment: None };
                    let mut messages = references::tell(
                        created(op, domain, shard, post, author),
                        &mentioned,
                        place,
                    );
                    if let Some(quoted_id) = quoted {
                        messages = messages.event(
                            Event::PostQuoted { quote_id: post, author_id: author, quoted_id },
                            1,
                        );
                    }
                    messages.append(connection).await?;
                    Ok(Done { post, activity })
                })
                .await
            },
        )
        .await?;
    op.wrote(shard, committed.lsn, domain.clock.now_ms());
    op.told(
        domain
            .redis
            .invalidate::<ProfileCounts>(&[(author.as_i64(), committed.value.activity)])
            .await,
    );
    Ok(committed.value.post)
}

/// What a new post sets in motion.
pub(super) fn created(
    op: &Operation,
    domain: &Domain,
    shard: ShardIndex,
    post: PostId,
    author: UserId,
) -> Messages {
    Messages::new(shard, domain.clock.now(), op.traceparent.as_deref())
        .event(Event::PostCreated { post_id: post, author_id: author }, 1)
        .job(Job::FeedFanOut { post_id: post, author_id: author }, format!("post:{post}/fan_out"))
}

/// At most four, each once.
fn image_count(ids: &[ImageId]) -> Result<(), UserError> {
    let distinct: std::collections::HashSet<&ImageId> = ids.iter().collect();
    if ids.len() <= images::MAX_PER_POST && distinct.len() == ids.len() {
        return Ok(());
    }
    let message = format!("must be {} images at most, each once", images::MAX_PER_POST);
    Err(UserError::field(UserErrorCode::Invalid, "imageIds", message))
}

/// Products are never deleted, so one that a cache or a replica has is there; one that they lack
/// may only be new, and the primary is asked.
async fn product_exists(
    op: &Operation,
    domain: &Domain,
    product: ProductId,
) -> Result<bool, DomainError> {
    if !products::get_many(op, domain, &[product]).await?.is_empty() {
        return Ok(true);
    }
    Ok(!products::current(op, domain, &[product]).await?.is_empty())
}

/// The viewer deletes a post of theirs; deleted already is fine.
///
/// # Errors
/// Not there, or not the viewer's; the post's shard is away.
pub async fn delete(op: &Operation, domain: &Domain, id: PostId) -> Result<PostId, DomainError> {
    let viewer = op.require_viewer()?.user_id;
    let shard = domain.cluster.shard_of_id(id);
    let request =
        Request { user: viewer, client_key: op.client_key.as_deref(), operation: "postDelete" };
    let committed = domain
        .cluster
        .write(
            shard,
            op.deadline,
            async |connection: &mut Connection| -> Result<Option<Done>, DomainError> {
                // A post's deletion is its author's, so the key and the author's row are on this
                // shard; for anybody else nothing is stored.
                let post = store::lock(connection, id.as_i64()).await?;
                let Some(post) = post.filter(|post| post.author_id == viewer || !post.deleted)
                else {
                    return Err(DomainError::rejected(
                        UserErrorCode::NotFound,
                        "postId",
                        "there is no such post",
                    ));
                };
                if post.author_id != viewer {
                    return Err(DomainError::rejected(
                        UserErrorCode::NotAllowed,
                        "postId",
                        "only its author can delete a post",
                    ));
                }
                once(connection, request, &id, async |connection: &mut Connection| {
                    if post.deleted {
                        return Ok(None);
                    }
                    let activity = user_rows::raise_activity(connection, viewer.as_i64())
                        .await?
                        .ok_or(DomainError::Unauthenticated)?
                        .activity;
                    remove(op, domain, connection, shard, id, &post).await?;
                    Ok(Some(Done { post: id, activity }))
                })
                .await
            },
        )
        .await?;
    op.wrote(shard, committed.lsn, domain.clock.now_ms());
    op.told(domain.redis.invalidate::<Post>(&[(id.as_i64(), DELETED)]).await);
    if let Some(done) = committed.value {
        op.told(
            domain.redis.invalidate::<ProfileCounts>(&[(viewer.as_i64(), done.activity)]).await,
        );
    }
    Ok(id)
}

/// Deletes a locked post that is not deleted yet, with what it is on its author's shard, and tells
/// of it.
pub(super) async fn remove(
    op: &Operation,
    domain: &Domain,
    connection: &mut Connection,
    shard: ShardIndex,
    id: PostId,
    post: &store::Locked,
) -> Result<(), DomainError> {
    let author_id = post.author_id;
    store::raise(connection, id.as_i64(), post.version + 1, true).await?;
    let tags = post.entities.as_ref().map(references::Entities::hashtags).unwrap_or_default();
    if !tags.is_empty() {
        hashtag_rows::delete(connection, &tags, id.as_i64()).await?;
    }
    let mut messages = Messages::new(shard, domain.clock.now(), op.traceparent.as_deref())
        .event(Event::PostDeleted { post_id: id, author_id }, post.version + 1);
    if let Some(original_id) = post.repost_of {
        repost_rows::delete(connection, author_id.as_i64(), original_id.as_i64()).await?;
        messages =
            messages.event(Event::PostUnreposted { repost_id: id, author_id, original_id }, 2);
    }
    if let Some(quoted_id) = post.quoted_post_id {
        messages = messages.event(Event::PostUnquoted { quote_id: id, author_id, quoted_id }, 2);
    }
    if let Some(shown) = &post.images {
        let ids: Vec<i64> = shown.0.iter().map(|image| image.id.as_i64()).collect();
        image_rows::forget(connection, &ids).await?;
        messages = messages.job(
            Job::ImageDelete { names: images::files_of(&shown.0) },
            format!("post:{id}/images"),
        );
    }
    Ok(messages.append(connection).await?)
}

/// Posts by id that the viewer may see, through the cache; the others are left out.
///
/// # Errors
/// A shard that is away: an answer without its posts would look complete.
pub async fn get_many(
    op: &Operation,
    domain: &Domain,
    ids: &[PostId],
) -> Result<HashMap<PostId, Post>, DomainError> {
    let rows = rows(op, domain, ids).await?;
    let visible = visible(op, domain, rows.into_values().collect()).await?;
    Ok(visible.into_iter().map(|post| (post.id, post)).collect())
}

/// Those of these posts that the viewer may see, in their order: their author's by their author,
/// and a repost only with the post that it passes on.
///
/// # Errors
/// A shard that is away.
pub(super) async fn visible(
    op: &Operation,
    domain: &Domain,
    posts: Vec<Post>,
) -> Result<Vec<Post>, DomainError> {
    let originals: Vec<PostId> = posts.iter().filter_map(|post| post.repost_of).collect();
    let originals =
        if originals.is_empty() { HashMap::new() } else { rows(op, domain, &originals).await? };
    let authors = posts.iter().chain(originals.values()).map(|post| post.author_id);
    let visible = policy::passing(op, domain, authors, policy::content_is_visible).await?;
    let shown = |post: &Post| {
        let original = post.repost_of.map(|of| originals.get(&of));
        let original_is_shown = original.is_none_or(|found| {
            found.is_some_and(|original| visible.contains(&original.author_id))
        });
        original_is_shown && visible.contains(&post.author_id)
    };
    Ok(posts.into_iter().filter(shown).collect())
}

/// These posts with the originals in place of reposts, each once.
///
/// # Errors
/// A shard that is away.
pub(super) async fn originals(
    op: &Operation,
    domain: &Domain,
    posts: HashMap<PostId, Post>,
) -> Result<HashMap<PostId, Post>, DomainError> {
    let of: Vec<PostId> = posts.values().filter_map(|post| post.repost_of).collect();
    let originals = if of.is_empty() { HashMap::new() } else { rows(op, domain, &of).await? };
    Ok(posts.into_iter().filter(|(_, post)| post.repost_of.is_none()).chain(originals).collect())
}

/// Posts by id that are not deleted, whoever asks, through the cache: for rules to decide by.
///
/// # Errors
/// A shard that is away.
pub(super) async fn rows(
    op: &Operation,
    domain: &Domain,
    ids: &[PostId],
) -> Result<HashMap<PostId, Post>, DomainError> {
    let raw: Vec<i64> = ids.iter().map(|id| id.as_i64()).collect();
    let found = domain
        .redis
        .get_many(
            op.cache_policy(),
            &raw,
            async |missing: &[i64]| -> Result<HashMap<i64, Post>, DomainError> {
                let missing = missing.iter().copied().map(PostId::from_i64);
                let rows = domain
                    .cluster
                    .scatter_ids(
                        &op.reads,
                        missing,
                        async |connection: &mut Connection, ids: &[i64]| {
                            store::get_many(connection, ids).await
                        },
                    )
                    .await
                    .complete()?;
                Ok(rows.into_iter().flatten().map(|post| (post.id.as_i64(), post)).collect())
            },
        )
        .await?;
    Ok(found.into_values().filter(|post| !post.deleted).map(|post| (post.id, post)).collect())
}

/// Who wrote these posts, whoever asks and also when they are deleted.
///
/// # Errors
/// A shard that is away.
pub(super) async fn authors_of(
    op: &Operation,
    domain: &Domain,
    ids: &[PostId],
) -> Result<Vec<UserId>, DomainError> {
    let rows = domain
        .cluster
        .scatter_ids(
            &op.reads,
            ids.iter().copied(),
            async |connection: &mut Connection, ids: &[i64]| store::get_many(connection, ids).await,
        )
        .await
        .complete()?;
    Ok(rows.into_iter().flatten().map(|post| post.author_id).collect())
}

/// The same for posts that are known to have been there: those that a replica does not show yet are
/// asked for at the primary.
///
/// # Errors
/// As [`get_many`].
pub(super) async fn get_many_surely(
    op: &Operation,
    domain: &Domain,
    ids: &[PostId],
) -> Result<HashMap<PostId, Post>, DomainError> {
    let mut found = get_many(op, domain, ids).await?;
    let unknown: Vec<PostId> = ids.iter().filter(|id| !found.contains_key(id)).copied().collect();
    if !unknown.is_empty() {
        let fresh = Operation::fresh(domain.cluster.len(), op.viewer, FRESH);
        found.extend(get_many(&fresh, domain, &unknown).await?);
    }
    Ok(found)
}

/// A post that the viewer may see, for what they want to do with it; `field` names it in the input.
///
/// # Errors
/// `NOT_FOUND` when they may not, or it is not there; a shard that is away.
pub(super) async fn require_visible(
    op: &Operation,
    domain: &Domain,
    field: &str,
    id: PostId,
) -> Result<Post, DomainError> {
    let found = get_many_surely(op, domain, &[id]).await?.remove(&id);
    found.ok_or_else(|| {
        DomainError::rejected(UserErrorCode::NotFound, field, "there is no such post")
    })
}

/// An author's posts and reposts, newest first; cursor = post id.
///
/// # Errors
/// The author's shard is away.
pub async fn by_author(
    op: &Operation,
    domain: &Domain,
    author: UserId,
    page: PageRequest,
) -> Result<Page<Post>, DomainError> {
    if !policy::passes(op, domain, author, policy::content_is_visible).await? {
        return Ok(Page::default());
    }
    let below = page.after.unwrap_or(i64::MAX);
    let limit = i64::try_from(page.first + 1).unwrap_or(i64::MAX);
    let shard = domain.cluster.shard_of_id(author);
    let posts = domain
        .cluster
        .read(&op.reads, shard, async |connection: &mut Connection| {
            store::by_author(connection, author.as_i64(), below, limit).await
        })
        .await?;
    let rows = posts.into_iter().map(|post| (post.id.as_i64(), post)).collect();
    let mut page = Page::from_rows(rows, page.first);
    let shown = visible(
        op,
        domain,
        page.items.into_iter().map(|(_, post)| post).filter(|post| !post.deleted).collect(),
    )
    .await?;
    page.items = shown.into_iter().map(|post| (post.id.as_i64(), post)).collect();
    Ok(page)
}

/// Counts by post, through the cache; an entry for every post that exists.
///
/// # Errors
/// A shard that is away.
pub async fn counts_many(
    op: &Operation,
    domain: &Domain,
    ids: &[PostId],
) -> Result<HashMap<PostId, PostCounts>, DomainError> {
    let raw: Vec<i64> = ids.iter().map(|id| id.as_i64()).collect();
    let found = domain
        .redis
        .get_many(
            op.cache_policy(),
            &raw,
            async |missing: &[i64]| -> Result<HashMap<i64, PostCounts>, DomainError> {
                let missing = missing.iter().copied().map(PostId::from_i64);
                let rows = domain
                    .cluster
                    .scatter_ids(
                        &op.reads,
                        missing,
                        async |connection: &mut Connection, ids: &[i64]| {
                            post_counts::load(connection, ids).await
                        },
                    )
                    .await
                    .complete()?;
                let rows = rows.into_iter().flatten();
                Ok(rows
                    .map(|row| {
                        (
                            row.post_id,
                            PostCounts {
                                likes: row.likes,
                                comments: row.comments,
                                version: row.version,
                            },
                        )
                    })
                    .collect())
            },
        )
        .await?;
    Ok(found.into_iter().map(|(id, counts)| (PostId::from_i64(id), counts)).collect())
}
