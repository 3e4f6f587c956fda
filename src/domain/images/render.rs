//! From bytes that somebody sent to the files that are shown. What the bytes are is decided by what
//! is in them. Nothing of them gets through but pixels: the files are encoded anew, so metadata,
//! what hangs on behind the image, and what else the bytes might mean to some program are left
//! behind.

use std::io::Cursor;

use bytes::Bytes;
use image::codecs::gif::GifDecoder;
use image::codecs::jpeg::{JpegDecoder, JpegEncoder};
use image::codecs::png::PngDecoder;
use image::codecs::webp::{WebPDecoder, WebPEncoder};
use image::imageops::FilterType;
use image::{
    AnimationDecoder, DynamicImage, ImageDecoder, ImageError, ImageFormat, Limits, RgbaImage,
};
use moxcms::{ColorProfile, DataColorSpace, Layout, TransformOptions};
use serde::{Deserialize, Serialize};

use super::Purpose;

/// Longest side of an image that is taken, in pixels.
const MAX_SIDE: u32 = 16_384;
/// Longest side that is resized with care; above it is first shrunk quickly.
const CAREFULLY: u32 = 3_000;
/// JPEG quality of what is shown.
const QUALITY: u8 = 82;

/// Why something that was sent cannot be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Rejection {
    /// Neither JPEG nor PNG, WebP or GIF.
    UnsupportedFormat,
    /// Broken, or cut off.
    Unreadable,
    /// Too many pixels.
    TooManyPixels,
    /// It moves.
    Animated,
}

impl Rejection {
    /// As stored.
    pub fn name(self) -> &'static str {
        match self {
            Self::UnsupportedFormat => "UNSUPPORTED_FORMAT",
            Self::Unreadable => "UNREADABLE",
            Self::TooManyPixels => "TOO_MANY_PIXELS",
            Self::Animated => "ANIMATED",
        }
    }

    /// The reason of that name.
    pub fn from_name(name: &str) -> Self {
        let all = [Self::UnsupportedFormat, Self::TooManyPixels, Self::Animated];
        all.into_iter().find(|reason| reason.name() == name).unwrap_or(Self::Unreadable)
    }
}

impl From<ImageError> for Rejection {
    fn from(error: ImageError) -> Self {
        match error {
            ImageError::Limits(_) => Self::TooManyPixels,
            ImageError::Unsupported(_) => Self::UnsupportedFormat,
            _ => Self::Unreadable,
        }
    }
}

/// What is shown of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// `jpg`, or `webp` for what one can see through.
    pub format: &'static str,
    /// Pixels of `large`.
    pub width: i32,
    /// Pixels of `large`.
    pub height: i32,
    /// The average colour, `#rrggbb`.
    pub color: String,
    /// The small file.
    pub small: Bytes,
    /// The large file.
    pub large: Bytes,
}

/// Writes pixels as a file of one format.
type Encode = fn(&DynamicImage) -> Result<Bytes, ImageError>;

/// Looks at what was sent and makes what is shown. Takes up to 4 bytes a pixel of memory, and a
/// while: not for a thread that others wait for.
///
/// # Errors
/// Why it cannot be shown.
pub fn render(sent: &[u8], purpose: Purpose, max_pixels: u64) -> Result<Rendered, Rejection> {
    let decoded = decode(sent, max_pixels)?;
    let (large, small) = match purpose {
        Purpose::Post => {
            let large = fit(decoded, 1_280);
            let small = fit(large.clone(), 320);
            (large, small)
        }
        Purpose::Avatar => {
            let large = square(decoded, 512);
            let small = square(large.clone(), 128);
            (large, small)
        }
    };
    let (width, height) = (large.width(), large.height());
    let color = average(&small);
    let is_opaque =
        large.as_rgba8().is_none_or(|pixels| pixels.pixels().all(|pixel| pixel.0[3] == u8::MAX));
    let (format, encode): (_, Encode) = if is_opaque { ("jpg", jpeg) } else { ("webp", webp) };
    Ok(Rendered {
        format,
        width: i32::try_from(width).map_err(|_| Rejection::TooManyPixels)?,
        height: i32::try_from(height).map_err(|_| Rejection::TooManyPixels)?,
        color,
        small: encode(&small)?,
        large: encode(&large)?,
    })
}

/// The pixels, upright, in sRGB, shrunk to what the rest can work on with care.
fn decode(sent: &[u8], max_pixels: u64) -> Result<DynamicImage, Rejection> {
    let format = image::guess_format(sent).map_err(|_| Rejection::UnsupportedFormat)?;
    match format {
        ImageFormat::Png => {
            // The limits are looked at before anything is made room for.
            let decoder = PngDecoder::with_limits(Cursor::new(sent), limits(max_pixels))?;
            if decoder.is_apng()? {
                return Err(Rejection::Animated);
            }
            pixels(decoder, max_pixels)
        }
        ImageFormat::Jpeg => {
            if !jpeg_ends(sent) {
                return Err(Rejection::Unreadable);
            }
            pixels(JpegDecoder::new(Cursor::new(sent))?, max_pixels)
        }
        ImageFormat::WebP => {
            let decoder = WebPDecoder::new(Cursor::new(sent))?;
            if decoder.has_animation() {
                return Err(Rejection::Animated);
            }
            pixels(decoder, max_pixels)
        }
        ImageFormat::Gif => {
            let mut decoder = GifDecoder::new(Cursor::new(sent))?;
            bounded(&mut decoder, max_pixels)?;
            let mut frames = decoder.into_frames();
            let first = frames.next().ok_or(Rejection::Unreadable)??;
            match frames.next() {
                None => Ok(shrunk(DynamicImage::ImageRgba8(first.into_buffer()))),
                Some(Ok(_)) => Err(Rejection::Animated),
                Some(Err(error)) => Err(error.into()),
            }
        }
        _ => Err(Rejection::UnsupportedFormat),
    }
}

fn limits(max_pixels: u64) -> Limits {
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(max_pixels.saturating_mul(4));
    limits
}

/// What the header says is looked at before a pixel is.
fn bounded(decoder: &mut impl ImageDecoder, max_pixels: u64) -> Result<(), Rejection> {
    let (width, height) = decoder.dimensions();
    if width == 0 || height == 0 {
        return Err(Rejection::Unreadable);
    }
    if width > MAX_SIDE || height > MAX_SIDE || u64::from(width) * u64::from(height) > max_pixels {
        return Err(Rejection::TooManyPixels);
    }
    if decoder.total_bytes() > max_pixels.saturating_mul(4) {
        return Err(Rejection::TooManyPixels);
    }
    decoder.set_limits(limits(max_pixels))?;
    Ok(())
}

fn pixels(mut decoder: impl ImageDecoder, max_pixels: u64) -> Result<DynamicImage, Rejection> {
    bounded(&mut decoder, max_pixels)?;
    let orientation = decoder.orientation()?;
    let profile = decoder.icc_profile().unwrap_or_default();
    let mut decoded = shrunk(DynamicImage::from_decoder(decoder)?);
    decoded.apply_orientation(orientation);
    Ok(match profile.and_then(|profile| in_srgb(&decoded, &profile)) {
        Some(converted) => converted,
        None => decoded,
    })
}

fn shrunk(decoded: DynamicImage) -> DynamicImage {
    let small = if decoded.width().max(decoded.height()) > CAREFULLY {
        decoded.thumbnail(CAREFULLY, CAREFULLY)
    } else {
        decoded
    };
    // 16 bits a colour, and grey, end here.
    if small.color().has_alpha() {
        DynamicImage::ImageRgba8(small.into_rgba8())
    } else {
        DynamicImage::ImageRgb8(small.into_rgb8())
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

/// The image no wider than this and no higher than twice as much.
fn fit(image: DynamicImage, width: u32) -> DynamicImage {
    if image.width() <= width && image.height() <= width * 2 {
        image
    } else {
        image.resize(width, width * 2, FilterType::Lanczos3)
    }
}

/// The middle of the image, no larger than this.
fn square(image: DynamicImage, side: u32) -> DynamicImage {
    let side = side.min(image.width()).min(image.height());
    image.resize_to_fill(side, side, FilterType::Lanczos3)
}

fn average(image: &DynamicImage) -> String {
    let one = image.thumbnail_exact(1, 1).into_rgb8();
    let [red, green, blue] = one.get_pixel(0, 0).0;
    format!("#{red:02x}{green:02x}{blue:02x}")
}

fn jpeg(image: &DynamicImage) -> Result<Bytes, ImageError> {
    let mut encoded = Vec::new();
    JpegEncoder::new_with_quality(&mut encoded, QUALITY).encode_image(&image.to_rgb8())?;
    Ok(encoded.into())
}

fn webp(image: &DynamicImage) -> Result<Bytes, ImageError> {
    let mut encoded = Vec::new();
    image.to_rgba8().write_with_encoder(WebPEncoder::new_lossless(&mut encoded))?;
    Ok(encoded.into())
}

/// Whether a JPEG has an end: the decoder paints grey what is missing. Goes from segment to
/// segment, since a thumbnail among the metadata has an end too.
fn jpeg_ends(sent: &[u8]) -> bool {
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
