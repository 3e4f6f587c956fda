//! An image, as a type.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, Object};

use crate::context::Scope;
use crate::ids::global;
use crate::output;
use plaza_base::ids::ImageId;
use plaza_domain::images::{self, Lifetime, Picture, State};

/// Processing state of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum ImageStatus {
    /// The bytes have not been uploaded yet.
    AwaitingUpload,
    /// The upload is being decoded and resized, which takes seconds.
    Processing,
    /// The image can be shown, and never changes again.
    Ready,
    /// The image cannot be shown; `rejection` is the reason.
    Rejected,
}

/// Reason for which an upload was rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "images::Rejection")]
pub enum ImageRejection {
    /// The bytes are not a JPEG, PNG, WebP or GIF image.
    UnsupportedFormat,
    /// The image is corrupt or truncated.
    Unreadable,
    /// The image exceeds 40 million pixels, or 16,384 pixels on a side, or needs too much memory.
    TooManyPixels,
    /// The image is animated; only still images are accepted.
    Animated,
}

/// Intended use of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "images::Purpose")]
pub enum ImagePurpose {
    /// Shown with a post: proportions are kept, up to 1,280 pixels wide.
    Post,
    /// Shown as a user's avatar: cropped to a centred square, up to 512 pixels.
    Avatar,
}

/// Rendition of an image to fetch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "images::Size")]
pub enum ImageSize {
    /// Up to 320 pixels wide; for an avatar up to 128 pixels square.
    Small,
    /// Up to 1,280 pixels wide; for an avatar up to 512 pixels square.
    Large,
}

/// An image.
#[derive(Debug, Clone)]
pub struct Image {
    image: Arc<images::Image>,
    lifetime: Lifetime,
    scope: Arc<Scope>,
}

impl Image {
    /// The image of a post or a user.
    pub fn shown(picture: Picture, lifetime: Lifetime, scope: &Arc<Scope>) -> Self {
        Self { image: Arc::new(picture.into()), lifetime, scope: Arc::clone(scope) }
    }

    /// One of the viewer's own, by id; nobody else's.
    ///
    /// # Errors
    /// A shard that is unavailable.
    pub async fn load(scope: &Arc<Scope>, id: ImageId) -> async_graphql::Result<Option<Self>> {
        Ok(scope.loaders.get::<images::Image>(id).await?.map(|image| Self::own(image, scope)))
    }

    /// One of the viewer's own.
    pub fn own(image: images::Image, scope: &Arc<Scope>) -> Self {
        let (image, scope) = (Arc::new(image), Arc::clone(scope));
        Self { image, lifetime: Lifetime::Content, scope }
    }

    fn picture(&self) -> Option<&Picture> {
        match &self.image.state {
            State::Ready(picture) => Some(picture),
            _ => None,
        }
    }
}

/// An image of a post or an avatar, or one of the viewer's uploads. Only its owner can load it by
/// global id.
#[Object]
impl Image {
    /// Global id of the image.
    pub async fn id(&self) -> ID {
        global(self.image.id)
    }

    /// Processing state of the image; an image of a post or profile is READY.
    async fn status(&self) -> ImageStatus {
        match self.image.state {
            State::AwaitingUpload => ImageStatus::AwaitingUpload,
            State::Processing => ImageStatus::Processing,
            State::Ready(_) => ImageStatus::Ready,
            State::Rejected(_) => ImageStatus::Rejected,
        }
    }

    /// Reason for the rejection; null unless the image is REJECTED.
    async fn rejection(&self) -> Option<ImageRejection> {
        match self.image.state {
            State::Rejected(rejection) => Some(rejection.into()),
            _ => None,
        }
    }

    /// Text alternative, up to 500 characters; may be empty.
    async fn alt_text(&self, ctx: &Context<'_>) -> async_graphql::Result<&str> {
        output::text(ctx, &self.image.alt)
    }

    /// Width of the LARGE rendition in pixels; null until READY. The SMALL rendition has the same
    /// proportions.
    async fn width(&self) -> Option<i32> {
        self.picture().map(|picture| picture.width)
    }

    /// Height of the LARGE rendition in pixels; null until READY.
    async fn height(&self) -> Option<i32> {
        self.picture().map(|picture| picture.height)
    }

    /// Average colour as `#rrggbb`, for a placeholder while the image loads; null until READY.
    async fn color(&self) -> Option<&str> {
        self.picture().map(|picture| picture.color.as_str())
    }

    /// URL of a rendition, relative to the address of this endpoint; null until READY. It expires
    /// after 15 to 30 minutes for images of posts and after one to two hours for avatars: load the
    /// image again for a new one.
    async fn url(
        &self,
        #[graphql(desc = "Rendition that the URL refers to.", default_with = "ImageSize::Large")]
        size: ImageSize,
    ) -> Option<String> {
        let domain = &self.scope.op.domain;
        domain.images.links.image(&self.image, size.into(), self.lifetime, domain.clock.now())
    }
}
