//! Announcing images.

use async_graphql::{Context, ID, Object, SimpleObject};
use chrono::{DateTime, Utc};

use super::types::{Image, ImagePurpose};
use crate::context::mutation_scope;
use crate::error::{UserError, payload};
use crate::ids::input;
use crate::payload::inputs;
use plaza_domain::images::{self, NewUpload};

inputs! {
    /// An image to announce before its upload.
    ImageCreateInput {
        /// Size of the upload in bytes: 1 to 10 MiB by default. Exactly this many bytes must be sent.
        byte_count: i32,
        /// Text alternative for users who cannot see the image, up to 500 characters.
        #[graphql(default)]
        alt_text: String,
        /// Intended use of the image.
        #[graphql(default_with = "ImagePurpose::Post")]
        purpose: ImagePurpose,
    }
}

inputs! {
    /// New text alternative of an image.
    ImageUpdateInput {
        /// Global id of one of the viewer's images that no post or profile shows yet.
        image_id: ID,
        /// Text alternative for users who cannot see the image, up to 500 characters.
        alt_text: String,
    }
}

/// Result of updating an image.
#[derive(SimpleObject)]
pub struct ImageUpdatePayload {
    /// The updated image; null if it was not updated.
    image: Option<async_graphql::Result<Image>>,
    /// Business errors that prevented the mutation; empty on success.
    user_errors: Vec<UserError>,
}

/// Result of announcing an image, with the upload address.
#[derive(SimpleObject)]
pub struct ImageCreatePayload {
    /// The announced image, AWAITING_UPLOAD.
    image: Option<async_graphql::Result<Image>>,
    /// URL to PUT the raw bytes to, relative to the address of this endpoint. It needs no
    /// authentication. The same bytes may be sent again, other bytes are refused. Poll the image
    /// through `node` until it is READY or REJECTED.
    upload_url: Option<String>,
    /// Time at which the upload URL expires, one hour after its creation by default.
    upload_expires_at: Option<DateTime<Utc>>,
    /// Business errors that prevented the mutation; empty on success.
    user_errors: Vec<UserError>,
}

/// Mutations of images.
#[derive(Debug, Default)]
pub struct ImageMutations;

#[Object]
impl ImageMutations {
    /// Announces an image and returns the URL to upload it to. Nobody else sees it until a post or
    /// profile shows it; an image that is not shown within a day is deleted. Of images that are
    /// not shown, 40 by default are kept: the next one replaces the oldest that is READY, else the
    /// oldest that was announced more than a minute ago and not sent. `LIMIT_EXCEEDED` if there is
    /// neither.
    async fn image_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The image to announce.")] input: ImageCreateInput,
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

    /// Replaces the text alternative of an image that is not shown yet.
    async fn image_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The image and its new text.")] input: ImageUpdateInput,
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
