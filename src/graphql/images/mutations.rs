//! Announcing images.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use chrono::{DateTime, Utc};

use super::types::{Image, ImagePurpose};
use crate::domain::images::{self, NewUpload};
use crate::graphql::context::mutation_scope;
use crate::graphql::error::{UserError, payload};
use crate::graphql::ids::input;

/// An image to be.
#[derive(InputObject)]
pub struct ImageCreateInput {
    /// How many bytes will be sent: exactly as many, at most 10 MiB.
    byte_count: i32,
    /// What it shows, in words, for those who do not see it; up to 500 characters.
    #[graphql(default)]
    alt_text: String,
    /// What it is for.
    #[graphql(default_with = "ImagePurpose::Post")]
    purpose: ImagePurpose,
    /// Names this mutation, as the `Idempotency-Key` header does: sent again with the same key it answers as before and does nothing.
    #[graphql(default)]
    client_key: Option<String>,
}

/// What an image shows.
#[derive(InputObject)]
pub struct ImageUpdateInput {
    /// One of the viewer's that nothing shows yet.
    image_id: ID,
    /// What it shows, in words, for those who do not see it; up to 500 characters.
    alt_text: String,
    /// Names this mutation, as the `Idempotency-Key` header does: sent again with the same key it answers as before and does nothing.
    #[graphql(default)]
    client_key: Option<String>,
}

/// The image, as it is now.
#[derive(SimpleObject)]
pub struct ImageUpdatePayload {
    /// The image.
    image: Option<async_graphql::Result<Image>>,
    /// Why not.
    user_errors: Vec<UserError>,
}

/// Where the image's bytes go.
#[derive(SimpleObject)]
pub struct ImageCreatePayload {
    /// The image, AWAITING_UPLOAD.
    image: Option<async_graphql::Result<Image>>,
    /// Where to PUT the bytes, as they are, to be resolved against the address of this endpoint. Whoever has it may send them. The same bytes may be
    /// sent again, others may not. Then ask for the image (`node`) until it is READY or REJECTED.
    upload_url: Option<String>,
    /// When that address ends.
    upload_expires_at: Option<DateTime<Utc>>,
    /// Why not.
    user_errors: Vec<UserError>,
}

/// Mutations of images.
#[derive(Debug, Default)]
pub struct ImageMutations;

#[Object]
impl ImageMutations {
    /// The viewer announces an image and is told where to send it. It is shown by nobody until a post or a profile takes it, and forgotten after a day if
    /// none does.
    async fn image_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The image.")] input: ImageCreateInput,
    ) -> Option<async_graphql::Result<ImageCreatePayload>> {
        let done = async {
            let scope = mutation_scope(ctx)?;
            let new = NewUpload {
                byte_count: input.byte_count,
                alt: input.alt_text,
                purpose: input.purpose.into(),
            };
            let (image, user_errors) = payload(images::create(&scope.op, new).await)?;
            let links = &scope.op.domain.images.links;
            let id = image.as_ref().map(|image| image.id);
            Ok(ImageCreatePayload {
                image: image.map(|image| Ok(Image::own(image, &scope))),
                upload_url: id.map(|id| links.upload(id)),
                upload_expires_at: id.map(|id| links.upload_ends(id)),
                user_errors,
            })
        };
        Some(done.await)
    }

    /// The viewer says anew what an image shows, before it is shown.
    async fn image_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to change.")] input: ImageUpdateInput,
    ) -> Option<async_graphql::Result<ImageUpdatePayload>> {
        let done = async {
            let scope = mutation_scope(ctx)?;
            let result = async {
                images::describe(
                    &scope.op,
                    self::input("imageId", &input.image_id)?,
                    &input.alt_text,
                )
                .await
            };
            let (image, user_errors) = payload(result.await)?;
            let image = image.map(|image| Ok(Image::own(image, &scope)));
            Ok(ImageUpdatePayload { image, user_errors })
        };
        Some(done.await)
    }
}
