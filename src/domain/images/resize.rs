//! Making images smaller. Colours count as much as one sees of them (premultiplied alpha): else what
//! is clear, which may have any colour, would show at the edges of what is not.

use fast_image_resize::images::Image;
use fast_image_resize::{FilterType, MulDiv, PixelType, ResizeAlg, ResizeOptions, Resizer};
use image::{DynamicImage, RgbImage, RgbaImage};

use super::render::Rejection;

/// How an image is resized.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quality {
    /// By the mean of the pixels that come to one: for a first step from many pixels.
    Quick,
    /// Lanczos, three lobes.
    Careful,
}

/// The image no wider and no higher than this, in its own proportions.
///
/// # Errors
/// [`Rejection::Unreadable`] for an image without pixels.
pub fn fit(
    image: DynamicImage,
    width: u32,
    height: u32,
    quality: Quality,
) -> Result<DynamicImage, Rejection> {
    let (from_width, from_height) = (image.width(), image.height());
    let to = fitting(from_width, from_height, width, height);
    if to == (from_width, from_height) {
        return Ok(image);
    }
    resized(image, (0, 0, from_width, from_height), to, quality)
}

/// The size, in its own proportions, that is no wider and no higher than this.
pub fn fitting(from_width: u32, from_height: u32, width: u32, height: u32) -> (u32, u32) {
    if from_width <= width && from_height <= height {
        return (from_width, from_height);
    }
    // The side that is too long by more becomes as long as it may be.
    let by_width =
        u64::from(from_width) * u64::from(height) >= u64::from(from_height) * u64::from(width);
    let (part, whole) = if by_width { (width, from_width) } else { (height, from_height) };
    let scaled = |side: u32| {
        let rounded = (u64::from(side) * u64::from(part) + u64::from(whole) / 2) / u64::from(whole);
        u32::try_from(rounded).unwrap_or(side).max(1)
    };
    (scaled(from_width), scaled(from_height))
}

/// The middle square of the image, with sides no longer than this.
///
/// # Errors
/// [`Rejection::Unreadable`] for an image without pixels.
pub fn square(image: DynamicImage, side: u32, quality: Quality) -> Result<DynamicImage, Rejection> {
    let shortest = image.width().min(image.height());
    let (left, top) = ((image.width() - shortest) / 2, (image.height() - shortest) / 2);
    if shortest <= side {
        return Ok(image.crop_imm(left, top, shortest, shortest));
    }
    resized(image, (left, top, shortest, shortest), (side, side), quality)
}

/// A part of the image (left, top, width, height) in another size.
fn resized(
    image: DynamicImage,
    part: (u32, u32, u32, u32),
    (width, height): (u32, u32),
    quality: Quality,
) -> Result<DynamicImage, Rejection> {
    let (from_width, from_height) = (image.width(), image.height());
    let (kind, bytes) = match image {
        DynamicImage::ImageRgba8(pixels) => (PixelType::U8x4, pixels.into_raw()),
        other => (PixelType::U8x3, other.into_rgb8().into_raw()),
    };
    let mut source = Image::from_vec_u8(from_width, from_height, bytes, kind)
        .map_err(|_| Rejection::Unreadable)?;
    let mut target = Image::new(width, height, kind);
    let alpha = MulDiv::new();
    if kind == PixelType::U8x4 {
        // In place: a copy of the largest images would be too much memory.
        alpha.multiply_alpha_inplace(&mut source).map_err(|_| Rejection::Unreadable)?;
    }
    let filter = match quality {
        Quality::Quick => FilterType::Box,
        Quality::Careful => FilterType::Lanczos3,
    };
    let (left, top, part_width, part_height) = part;
    let options = ResizeOptions::new()
        .resize_alg(ResizeAlg::Convolution(filter))
        .crop(left.into(), top.into(), part_width.into(), part_height.into())
        .use_alpha(false);
    Resizer::new().resize(&source, &mut target, &options).map_err(|_| Rejection::Unreadable)?;
    if kind == PixelType::U8x4 {
        alpha.divide_alpha_inplace(&mut target).map_err(|_| Rejection::Unreadable)?;
    }
    let pixels = target.into_vec();
    let made = match kind {
        PixelType::U8x4 => RgbaImage::from_raw(width, height, pixels).map(DynamicImage::ImageRgba8),
        _ => RgbImage::from_raw(width, height, pixels).map(DynamicImage::ImageRgb8),
    };
    made.ok_or(Rejection::Unreadable)
}
