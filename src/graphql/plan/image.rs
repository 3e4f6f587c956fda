//! Planned images: those of posts and users, each of which is ready.

use std::borrow::Cow;

use async_graphql::parser::types::Field;

use super::arguments::Argument;
use super::selection::{Asked, Key, Of, Reader};
use super::writer::Writer;
use crate::images::types::{ImageSize, ImageStatus};
use plaza_domain::images::{Lifetime, Picture};

/// An image that is shown with something.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'r> {
    /// The image.
    pub picture: &'r Picture,
    /// How long its addresses are good for.
    pub lifetime: Lifetime,
}

/// A field of an image.
#[derive(Debug)]
pub enum ImageField {
    Id,
    Status,
    Rejection,
    AltText,
    Width,
    Height,
    Color,
    Url(Argument<ImageSize>),
}

impl Asked for ImageField {
    fn type_name() -> Cow<'static, str> {
        "Image".into()
    }

    fn read(name: &str, field: &Field, reader: &mut Reader<'_>) -> Option<Self> {
        Some(match name {
            "id" => Self::Id,
            "status" => Self::Status,
            "rejection" => Self::Rejection,
            "altText" => Self::AltText,
            "width" => Self::Width,
            "height" => Self::Height,
            "color" => Self::Color,
            "url" => Self::Url(Argument::or(field, "size", ImageSize::Large, reader)?),
            _ => return None,
        })
    }
}

impl Of<Shown<'_>> for ImageField {
    fn write<'p>(&'p self, shown: &Shown<'_>, _: &'p Key, out: &mut Writer<'p>) {
        let picture = shown.picture;
        match self {
            Self::Id => out.id(picture.id),
            Self::Status => out.item(ImageStatus::Ready),
            Self::Rejection => out.null(),
            Self::AltText => out.text(&picture.alt),
            Self::Width => out.number(picture.width),
            Self::Height => out.number(picture.height),
            Self::Color => out.name(&picture.color),
            Self::Url(size) => match size.value(out.variables) {
                Some(size) => {
                    let domain = &out.scope.op.domain;
                    let (links, now) = (&domain.images.links, domain.clock.now());
                    out.name(&links.picture(picture, size.into(), shown.lifetime, now));
                }
                None => out.null(),
            },
        }
    }
}
