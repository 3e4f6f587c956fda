//! From bytes to pixels: what the bytes are is decided by what is in them.
//!
//! A file that ends too soon is shown with what it has, as browsers do, while no more than an
//! eighth is missing: of the rows of a JPEG, PNG or GIF; of the bytes of a WebP, whose decoder does
//! not say which rows it has.

use std::io::Cursor;

use image::codecs::jpeg::JpegDecoder;
use image::codecs::webp::WebPDecoder;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, Limits, RgbaImage};
use moxcms::{ColorProfile, DataColorSpace, Layout, TransformOptions};

use super::render::Rejection;
use super::resize::{Quality, fit, square};
use super::{Purpose, gif, png, webp};

/// Longest side of an image that is taken, in pixels.
const MAX_SIDE: u32 = 16_384;
/// Longest side that is resized with care; above it is first shrunk quickly.
pub(super) const CAREFULLY: u32 = 3_000;
/// What is painted where data is missing, in every channel; the JPEG decoder does so by itself.
pub(super) const MISSING: u8 = 128;
/// The part of an image, one in so many, that may be missing at its end.
const MISSING_AT_MOST: usize = 8;

/// The pixels, upright, in sRGB, shrunk to what the rest can work on with care.
///
/// # Errors
/// Why it cannot be shown.
pub fn decode(sent: &[u8], purpose: Purpose, max_pixels: u64) -> Result<DynamicImage, Rejection> {
    let format = image::guess_format(sent).map_err(|_| Rejection::UnsupportedFormat)?;
    match format {
        ImageFormat::Png => png::still(sent, max_pixels)?.finished(purpose),
        ImageFormat::Jpeg => jpeg(sent, purpose, max_pixels),
        ImageFormat::WebP => {
            let sent = webp::filled(sent);
            let decoder = WebPDecoder::new(Cursor::new(&sent[..]))?;
            if webp::frames(&sent) > 1 {
                return Err(Rejection::Animated);
            }
            pixels(decoder, max_pixels)?.finished(purpose)
        }
        ImageFormat::Gif => {
            shrunk(DynamicImage::ImageRgba8(gif::still(sent, max_pixels)?), purpose)
        }
        _ => Err(Rejection::UnsupportedFormat),
    }
}

/// Whether so little is missing at the end that the rest is shown.
pub(super) fn little(missing: usize, of: usize) -> bool {
    missing.saturating_mul(MISSING_AT_MOST) <= of
}

/// Pixels as they are in the file, and what the file says of them.
pub(super) struct Decoded {
    pub(super) image: DynamicImage,
    pub(super) orientation: Orientation,
    pub(super) profile: Option<Vec<u8>>,
}

impl Decoded {
    fn finished(self, purpose: Purpose) -> Result<DynamicImage, Rejection> {
        let mut image = shrunk(self.image, purpose)?;
        image.apply_orientation(self.orientation);
        Ok(match self.profile.and_then(|profile| in_srgb(&image, &profile)) {
            Some(converted) => converted,
            None => image,
        })
    }
}

fn limits(max_pixels: u64) -> Limits {
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(max_pixels.saturating_mul(4));
    limits
}

/// Whether so many pixels are taken.
pub(super) fn fits(width: u32, height: u32, max_pixels: u64) -> Result<(), Rejection> {
    if width == 0 || height == 0 {
        return Err(Rejection::Unreadable);
    }
    if width > MAX_SIDE || height > MAX_SIDE || u64::from(width) * u64::from(height) > max_pixels {
        return Err(Rejection::TooManyPixels);
    }
    Ok(())
}

/// The header is checked before a pixel is read.
fn bounded(decoder: &mut impl ImageDecoder, max_pixels: u64) -> Result<(), Rejection> {
    let (width, height) = decoder.dimensions();
    fits(width, height, max_pixels)?;
    if decoder.total_bytes() > max_pixels.saturating_mul(4) {
        return Err(Rejection::TooManyPixels);
    }
    decoder.set_limits(limits(max_pixels))?;
    Ok(())
}

fn pixels(mut decoder: impl ImageDecoder, max_pixels: u64) -> Result<Decoded, Rejection> {
    bounded(&mut decoder, max_pixels)?;
    let orientation = decoder.orientation()?;
    let profile = decoder.icc_profile().unwrap_or_default();
    Ok(Decoded { image: DynamicImage::from_decoder(decoder)?, orientation, profile })
}

/// A JPEG; what is missing is grey.
fn jpeg(sent: &[u8], purpose: Purpose, max_pixels: u64) -> Result<DynamicImage, Rejection> {
    let decoded = pixels(JpegDecoder::new(Cursor::new(sent))?, max_pixels)?;
    if !ends(sent) && !little(missing_rows(&decoded.image), rows(&decoded.image)) {
        return Err(Rejection::Unreadable);
    }
    decoded.finished(purpose)
}

fn rows(image: &DynamicImage) -> usize {
    usize::try_from(image.height()).unwrap_or(usize::MAX)
}

/// The rows at the end of an image that were painted for want of data.
fn missing_rows(image: &DynamicImage) -> usize {
    let bytes = image.as_bytes();
    let row = (bytes.len() / rows(image).max(1)).max(1);
    bytes.rchunks(row).take_while(|row| row.iter().all(|byte| *byte == MISSING)).count()
}

/// The image in 8 bits a colour, small enough to be worked on with care; for an avatar its middle.
fn shrunk(decoded: DynamicImage, purpose: Purpose) -> Result<DynamicImage, Rejection> {
    // Grey ends here.
    let plain = match decoded {
        DynamicImage::ImageRgb8(_) | DynamicImage::ImageRgba8(_) => decoded,
        other if other.color().has_alpha() => DynamicImage::ImageRgba8(other.into_rgba8()),
        other => DynamicImage::ImageRgb8(other.into_rgb8()),
    };
    match purpose {
        Purpose::Post => fit(plain, CAREFULLY, CAREFULLY, Quality::Quick),
        // Cut before it is shrunk, since it may be much longer than wide.
        Purpose::Avatar => square(plain, CAREFULLY, Quality::Quick),
    }
}

/// The same colours in sRGB; `None` when the profile is not one of RGB, or cannot be read: then
/// they are taken for sRGB.
fn in_srgb(image: &DynamicImage, profile: &[u8]) -> Option<DynamicImage> {
    let from = ColorProfile::new_from_slice(profile)
        .ok()
        .filter(|profile| profile.color_space == DataColorSpace::Rgb)?;
    let to = ColorProfile::new_srgb();
    let transform = from
        .create_transform_8bit(Layout::Rgba, &to, Layout::Rgba, TransformOptions::default())
        .ok()?;
    let source = image.to_rgba8();
    let mut converted = vec![0; source.as_raw().len()];
    transform.transform(source.as_raw(), &mut converted).ok()?;
    let converted =
        DynamicImage::ImageRgba8(RgbaImage::from_raw(source.width(), source.height(), converted)?);
    Some(if image.color().has_alpha() {
        converted
    } else {
        DynamicImage::ImageRgb8(converted.into_rgb8())
    })
}

/// Whether a JPEG has an end. Goes from segment to
/// segment, since a thumbnail among the metadata has an end too.
fn ends(sent: &[u8]) -> bool {
    let mut rest = sent.get(2..).unwrap_or_default();
    let mut in_scan = false;
    loop {
        let Some(marker) = rest.iter().position(|byte| *byte == 0xff) else { return false };
        if !in_scan && marker != 0 {
            return false;
        }
        rest = rest.get(marker + 1..).unwrap_or_default();
        match rest.first() {
            None => return false,
            Some(0xd9) => return true,
            // Fill bytes, stuffed bytes, restarts.
            Some(0xff) => {}
            Some(0x00 | 0x01 | 0xd0..=0xd7) => rest = rest.get(1..).unwrap_or_default(),
            Some(kind) => {
                in_scan = *kind == 0xda;
                let length = match rest {
                    [_, high, low, ..] => usize::from(*high) * 256 + usize::from(*low),
                    _ => return false,
                };
                rest = rest.get(1 + length..).unwrap_or_default();
            }
        }
    }
}
