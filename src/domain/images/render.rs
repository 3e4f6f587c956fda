//! From bytes that somebody sent to the files that are shown. What the bytes are is decided by what
//! is in them. Nothing of them gets through but pixels: the files are encoded anew, so metadata,
//! what hangs on behind the image, and what else the bytes might mean to some program are left
//! behind.

use bytes::Bytes;
use image::codecs::jpeg::JpegEncoder;
use image::codecs::webp::WebPEncoder;
use image::{DynamicImage, ImageError};
use serde::{Deserialize, Serialize};

use super::Purpose;
use super::decode::decode;
use super::resize::{Quality, fit, square};

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
    /// More than one frame.
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
    /// The average colour of what one sees of it, `#rrggbb`.
    pub color: String,
    /// The small file.
    pub small: Bytes,
    /// The large file.
    pub large: Bytes,
}

/// Writes pixels as a file of one format.
type Encode = fn(&DynamicImage) -> Result<Bytes, ImageError>;

/// Decodes what was sent and makes what is shown. Takes memory (see `weigh`) and a while: not for a
/// thread that others wait for.
///
/// # Errors
/// Why it cannot be shown.
pub fn render(sent: &[u8], purpose: Purpose, max_pixels: u64) -> Result<Rendered, Rejection> {
    let decoded = decode(sent, purpose, max_pixels)?;
    let (large, small) = match purpose {
        Purpose::Post => {
            let large = fit(decoded, 1_280, 2_560, Quality::Careful)?;
            let small = fit(large.clone(), 320, 640, Quality::Careful)?;
            (large, small)
        }
        Purpose::Avatar => {
            let large = square(decoded, 512, Quality::Careful)?;
            let small = square(large.clone(), 128, Quality::Careful)?;
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

/// The average of the colours, each as much as it can be seen; white for what is all clear.
fn average(image: &DynamicImage) -> String {
    let mut sums = [0_u64; 3];
    let mut weight = 0_u64;
    for pixel in image.to_rgba8().pixels() {
        let [colors @ .., alpha] = pixel.0;
        weight += u64::from(alpha);
        for (sum, color) in sums.iter_mut().zip(colors) {
            *sum += u64::from(color) * u64::from(alpha);
        }
    }
    let mean = |sum: u64| (sum + weight / 2).checked_div(weight).unwrap_or(255);
    let [red, green, blue] = sums.map(mean);
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
