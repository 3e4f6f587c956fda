//! A PNG, read by its own crate, which brings 16 bits a colour down to 8 while it reads (`image`
//! would hold 8 bytes a pixel), and row by row, since the last may be missing.

use std::io::{Cursor, ErrorKind};

use image::metadata::Orientation;
use image::{DynamicImage, GrayAlphaImage, GrayImage, RgbImage, RgbaImage};
use png::{ColorType, Decoder, DecodingError, Info, InterlaceInfo, Reader, Transformations};

use super::decode::{Decoded, MISSING, fits, little};
use super::render::Rejection;

/// The passes of an interlaced image: first column, first row, and how many rows it goes on by.
const PASSES: [(u32, u32, u32); 7] =
    [(0, 0, 8), (4, 0, 8), (0, 4, 8), (2, 0, 4), (0, 2, 4), (1, 0, 2), (0, 1, 2)];

/// Bytes that chunks may take beside their own, when they are inflated.
const MORE: usize = 4 << 20;

fn unreadable(error: DecodingError) -> Rejection {
    match error {
        DecodingError::LimitsExceeded => Rejection::TooManyPixels,
        _ => Rejection::Unreadable,
    }
}

/// Whether the file has ended too soon.
fn is_end(error: &DecodingError) -> bool {
    matches!(error, DecodingError::IoError(error) if error.kind() == ErrorKind::UnexpectedEof)
}

/// How many pictures there are: the frames, and before them one for those who know no frames, if it
/// is none of them.
fn pictures(info: &Info<'_>) -> u32 {
    let Some(animation) = info.animation_control() else { return 1 };
    animation.num_frames.saturating_add(u32::from(info.frame_control().is_none()))
}

/// The only frame.
///
/// # Errors
/// Why it cannot be shown: there may be one frame.
pub(super) fn still(sent: &[u8], max_pixels: u64) -> Result<Decoded, Rejection> {
    let mut decoder = Decoder::new(Cursor::new(sent));
    let header = decoder.read_header_info().map_err(unreadable)?;
    let (width, height) = (header.width, header.height);
    fits(width, height, max_pixels)?;
    // Of what is in chunks, as they are and inflated: a profile of a few bytes may become many.
    decoder.set_limits(png::Limits { bytes: sent.len().saturating_add(MORE) });
    decoder.set_transformations(Transformations::EXPAND | Transformations::STRIP_16);
    decoder.set_ignore_text_chunk(true);
    let mut reader = decoder.read_info().map_err(unreadable)?;
    if pictures(reader.info()) > 1 {
        return Err(Rejection::Animated);
    }
    let size = reader.output_buffer_size();
    let (color, _) = reader.output_color_type();
    // What is missing is clear, if it can be.
    let missing = match color {
        ColorType::Rgba | ColorType::GrayscaleAlpha => 0,
        _ => MISSING,
    };
    let mut raw = vec![missing; size.ok_or(Rejection::TooManyPixels)?];
    if reader.info().interlaced {
        interlaced(&mut reader, &mut raw)?;
    } else {
        rows(&mut reader, &mut raw)?;
    }
    let image = match color {
        ColorType::Rgb => RgbImage::from_raw(width, height, raw).map(DynamicImage::ImageRgb8),
        ColorType::Rgba => RgbaImage::from_raw(width, height, raw).map(DynamicImage::ImageRgba8),
        ColorType::Grayscale => {
            GrayImage::from_raw(width, height, raw).map(DynamicImage::ImageLuma8)
        }
        ColorType::GrayscaleAlpha => {
            GrayAlphaImage::from_raw(width, height, raw).map(DynamicImage::ImageLumaA8)
        }
        ColorType::Indexed => None,
    };
    let orientation = reader.info().exif_metadata.as_deref();
    Ok(Decoded {
        image: image.ok_or(Rejection::Unreadable)?,
        orientation: orientation
            .and_then(Orientation::from_exif_chunk)
            .unwrap_or(Orientation::NoTransforms),
        profile: reader.info().icc_profile.as_deref().map(<[u8]>::to_vec),
    })
}

/// Reads the rows from top to bottom, and what comes behind them.
fn rows(reader: &mut Reader<Cursor<&[u8]>>, raw: &mut [u8]) -> Result<(), Rejection> {
    let line = reader.output_line_size(reader.info().width).ok_or(Rejection::TooManyPixels)?;
    let all = raw.len() / line.max(1);
    let mut rows = raw.chunks_exact_mut(line.max(1));
    while let Some(row) = rows.next() {
        match reader.read_row(row) {
            Ok(_) => {}
            Err(error) if is_end(&error) && little(rows.len() + 1, all) => return Ok(()),
            Err(error) => return Err(unreadable(error)),
        }
    }
    match reader.read_row(&mut []) {
        Err(error) if !is_end(&error) => Err(unreadable(error)),
        _ => Ok(()),
    }
}

/// Reads the rows of all passes. Each paints over what the next ones will refine, so that nothing
/// is left open by those that are missing.
fn interlaced(reader: &mut Reader<Cursor<&[u8]>>, raw: &mut [u8]) -> Result<(), Rejection> {
    let (width, height) = (reader.info().width, reader.info().height);
    let line = reader.output_line_size(width).ok_or(Rejection::TooManyPixels)?;
    let bits = u8::try_from(reader.output_color_type().0.samples() * 8).unwrap_or(u8::MAX);
    let lines = PASSES
        .iter()
        .filter(|(left, ..)| *left < width)
        .map(|(_, top, by)| height.saturating_sub(*top).div_ceil(*by))
        .sum::<u32>();
    let count = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    let mut missing = count(lines);
    loop {
        match reader.next_interlaced_row() {
            Ok(Some(row)) => {
                if let InterlaceInfo::Adam7(place) = row.interlace() {
                    png::splat_interlaced_row(raw, line, row.data(), place, bits);
                }
                missing = missing.saturating_sub(1);
            }
            Ok(None) => return Ok(()),
            // So few are all of the last pass, which has every other row.
            Err(error) if is_end(&error) && little(missing, count(height)) => return Ok(()),
            Err(error) => return Err(unreadable(error)),
        }
    }
}
