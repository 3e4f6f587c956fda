//! An image, as a type.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, Object};

use crate::domain::images::{self, Lifetime, Picture, State};
use crate::graphql::context::Scope;
use crate::graphql::ids::global;
use crate::graphql::output;
use crate::ids::ImageId;

/// How far an image is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum ImageStatus {
    /// Its bytes have not been sent yet.
    AwaitingUpload,
    /// Its bytes are looked at; this takes a moment.
    Processing,
    /// It can be shown, and never changes again.
    Ready,
    /// It cannot be shown; `rejection` says why.
    Rejected,
}

/// Why something that was sent cannot be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "images::Rejection")]
pub enum ImageRejection {
    /// Neither JPEG nor PNG, WebP or GIF, whatever its name says.
    UnsupportedFormat,
    /// Broken, or cut off.
    Unreadable,
    /// Too many pixels: at most 40 million, and 16,384 a side.
    TooManyPixels,
    /// It moves: send a still image.
    Animated,
}

/// What an image is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "images::Purpose")]
pub enum ImagePurpose {
    /// To be shown with a post: kept as it is, up to 1,280 pixels wide.
    Post,
    /// To be shown with a person: its middle, square, up to 512 pixels.
    Avatar,
}

/// Which of an image's files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "images::Size")]
pub enum ImageSize {
    /// Up to 320 pixels wide; of an avatar up to 128 square.
    Small,
    /// Up to 1,280 pixels wide; of an avatar up to 512 square.
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
    /// What a post or a person is shown with.
    pub fn shown(picture: Picture, lifetime: Lifetime, scope: &Arc<Scope>) -> Self {
        Self { image: Arc::new(picture.into()), lifetime, scope: Arc::clone(scope) }
    }

    /// One of the viewer's own, by id; nobody else's.
    ///
    /// # Errors
    /// A shard that is away.
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

/// An image: as it is shown with a post or a person, or one of the viewer's on its way. By its id it is found by its owner alone.
#[Object]
impl Image {
    /// The global id.
    pub async fn id(&self) -> ID {
        global(self.image.id)
    }

    /// How far it is; what is shown is READY.
    async fn status(&self) -> ImageStatus {
        match self.image.state {
            State::AwaitingUpload => ImageStatus::AwaitingUpload,
            State::Processing => ImageStatus::Processing,
            State::Ready(_) => ImageStatus::Ready,
            State::Rejected(_) => ImageStatus::Rejected,
        }
    }

    /// Why it was rejected.
    async fn rejection(&self) -> Option<ImageRejection> {
        match self.image.state {
            State::Rejected(rejection) => Some(rejection.into()),
            _ => None,
        }
    }

    /// What it shows, in words, up to 500 characters; may be empty.
    async fn alt_text(&self, ctx: &Context<'_>) -> async_graphql::Result<&str> {
        output::text(ctx, &self.image.alt)
    }

    /// The width of the LARGE file in pixels, once it is READY. The SMALL one has the same proportions.
    async fn width(&self) -> Option<i32> {
        self.picture().map(|picture| picture.width)
    }

    /// The height of the LARGE file in pixels, once it is READY.
    async fn height(&self) -> Option<i32> {
        self.picture().map(|picture| picture.height)
    }

    /// Its average colour, `#rrggbb`, once it is READY: to paint its place with until it is there.
    async fn color(&self) -> Option<&str> {
        self.picture().map(|picture| picture.color.as_str())
    }

    /// Where a file of it is, to be resolved against the address of this endpoint; once it is READY. An address ends: after some minutes for what is shown
    /// with posts, after some hours for avatars; ask for the image again then.
    async fn url(
        &self,
        #[graphql(desc = "Which file.", default_with = "ImageSize::Large")] size: ImageSize,
    ) -> Option<String> {
        let domain = &self.scope.op.domain;
        domain.images.links.image(&self.image, size.into(), self.lifetime, domain.clock.now())
    }
}
