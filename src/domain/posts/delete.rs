//! Deleting a post.

use super::{DELETED, Post};
use crate::profile_counts::ProfileCounts;
use crate::{DomainError, Mutation, Operation, Tx, UserErrorCode, images, mutate, references};
use plaza_base::ids::{ImageId, PostId};
use plaza_protocol::events::Event;
use plaza_protocol::jobs::Job;
use plaza_stores::postgres::users::{self as user_rows, Added};
use plaza_stores::postgres::{
    hashtags as hashtag_rows, images as image_rows, posts as store, reposts as repost_rows,
};

/// The viewer deletes a post of theirs; deleted already is fine.
///
/// # Errors
/// Not there, or not the viewer's; the post's shard is unavailable.
pub async fn delete(op: &Operation, id: PostId) -> Result<PostId, DomainError> {
    let viewer = op.require_viewer()?.user_id;
    mutate(
        op,
        Mutation {
            name: "postDelete",
            user: viewer,
            shard: op.domain.cluster.shard_of_id(id),
            input: &id,
        },
        async { Ok(()) },
        async |tx, ()| {
            let post = store::lock(tx, id).await?;
            let Some(post) = post.filter(|post| post.author_id == viewer || !post.deleted) else {
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
            if post.deleted {
                return Ok(id);
            }
            // Reposts are not counted.
            let posts = if post.repost_of.is_some() { 0 } else { -1 };
            let activity = user_rows::raise_activity(tx, viewer, Added { posts, following: 0 })
                .await?
                .ok_or(DomainError::Unauthenticated)?
                .activity;
            tx.invalidate::<ProfileCounts>(viewer, activity);
            remove(tx, id, &post).await?;
            Ok(id)
        },
    )
    .await
}

/// Deletes a locked post that is not deleted yet, with what it is on its author's shard, and
/// publishes that.
pub(super) async fn remove(
    tx: &mut Tx,
    id: PostId,
    post: &store::Locked,
) -> Result<(), DomainError> {
    let author_id = post.author_id;
    store::raise(tx, id, post.version + 1, true).await?;
    tx.invalidate::<Post>(id, DELETED);
    let tags = post.entities.as_ref().map(references::Entities::hashtags).unwrap_or_default();
    if !tags.is_empty() {
        hashtag_rows::delete(tx, &tags, id).await?;
    }
    tx.emit(Event::PostDeleted { post_id: id, author_id }, post.version + 1);
    if let Some(original_id) = post.repost_of {
        repost_rows::delete(tx, author_id, original_id).await?;
        tx.emit(Event::PostUnreposted { repost_id: id, author_id, original_id }, 2);
    }
    if let Some(quoted_id) = post.quoted_post_id {
        tx.emit(Event::PostUnquoted { quote_id: id, author_id, quoted_id }, 2);
    }
    if let Some(shown) = &post.images {
        let ids: Vec<ImageId> = shown.0.iter().map(|image| image.id).collect();
        image_rows::forget(tx, &ids).await?;
        let job = Job::ImageDelete { names: images::files_of(&shown.0) };
        tx.enqueue(job, format!("post:{id}/images"));
    }
    Ok(())
}
