//! The first frame of a GIF, read by its own crate: 1 byte a pixel beside the canvas, where `image`
//! would hold three canvases.

use std::io::Cursor;
use std::num::NonZeroU64;

use gif::{ColorOutput, DecodeOptions, Decoder, DecodingError, Frame, MemoryLimit};
use image::{Rgba, RgbaImage};

use super::decode::{fits, little};
use super::render::Rejection;
use super::weight::Canvas;

/// The passes of an interlaced frame: first row, and how many it goes on by.
const PASSES: [(usize, usize); 4] = [(0, 8), (4, 8), (2, 4), (1, 2)];

fn unreadable(error: DecodingError) -> Rejection {
    match error {
        DecodingError::MemoryLimit | DecodingError::OutOfMemory => Rejection::TooManyPixels,
        _ => Rejection::Unreadable,
    }
}

/// The only frame, on its canvas. What is missing at its end is clear.
///
/// # Errors
/// Why it cannot be shown: there may be one frame.
pub(super) fn still(sent: &[u8], max_pixels: u64) -> Result<RgbaImage, Rejection> {
    let mut options = DecodeOptions::new();
    options.set_color_output(ColorOutput::Indexed);
    let most = NonZeroU64::new(max_pixels).ok_or(Rejection::TooManyPixels)?;
    options.set_memory_limit(MemoryLimit::Bytes(most));
    let mut decoder = options.read_info(Cursor::new(sent)).map_err(unreadable)?;
    let (width, height) = (u32::from(decoder.width()), u32::from(decoder.height()));
    fits(width, height, max_pixels)?;
    let global = decoder.global_palette().map(<[u8]>::to_vec);
    let frame = decoder.next_frame_info().map_err(unreadable)?.ok_or(Rejection::Unreadable)?;
    let mut frame = frame.clone();
    fits(frame.width.into(), frame.height.into(), max_pixels)?;
    frame.buffer = rows(&mut decoder, &frame)?.into();
    let palette = frame.palette.as_ref().or(global.as_ref()).ok_or(Rejection::Unreadable)?;
    let mut canvas = RgbaImage::new(width, height);
    paint(&mut canvas, &frame, palette);
    match decoder.next_frame_info() {
        Ok(None) | Err(DecodingError::UnexpectedEof) => Ok(canvas),
        Ok(Some(_)) => Err(Rejection::Animated),
        Err(error) => Err(unreadable(error)),
    }
}

/// What the first headers say: of the canvas, and of the frame, which has a byte a pixel.
///
/// # Errors
/// Why it cannot be shown.
pub(super) fn weigh(sent: &[u8], max_pixels: u64) -> Result<Canvas, Rejection> {
    let mut decoder = DecodeOptions::new().read_info(Cursor::new(sent)).map_err(unreadable)?;
    let (width, height) = (decoder.width(), decoder.height());
    fits(width.into(), height.into(), max_pixels)?;
    let frame = decoder.next_frame_info().map_err(unreadable)?.ok_or(Rejection::Unreadable)?;
    let area = |width: u16, height: u16| u64::from(width) * u64::from(height);
    let decoding = area(width, height) * 4 + area(frame.width, frame.height);
    Ok(Canvas { width: width.into(), height: height.into(), decoding, channels: 4 })
}

/// The frame's rows from top to bottom, as far as they are there.
fn rows(decoder: &mut Decoder<Cursor<&[u8]>>, frame: &Frame<'_>) -> Result<Vec<u8>, Rejection> {
    let (width, height) = (usize::from(frame.width), usize::from(frame.height));
    let mut indices = vec![0; width * height];
    let order: Vec<usize> = if frame.interlaced {
        PASSES.iter().flat_map(|(first, by)| (*first..height).step_by(*by)).collect()
    } else {
        (0..height).collect()
    };
    for (read, row) in order.iter().enumerate() {
        let line = indices.get_mut(row * width..(row + 1) * width).unwrap_or_default();
        match decoder.fill_buffer(line) {
            Ok(true) => {}
            Err(DecodingError::UnexpectedEof) if little(height - read, height) => {
                if frame.interlaced {
                    // So few are all of the last pass, which has every other row.
                    for row in order.iter().skip(read) {
                        indices.copy_within((row - 1) * width..row * width, row * width);
                    }
                } else {
                    indices.truncate(read * width);
                }
                break;
            }
            Ok(false) => return Err(Rejection::Unreadable),
            Err(error) => return Err(unreadable(error)),
        }
    }
    Ok(indices)
}

/// Paints a frame at its place; what is beyond the canvas, or of no colour, is left out.
fn paint(canvas: &mut RgbaImage, frame: &Frame<'_>, palette: &[u8]) {
    let line_length = usize::from(frame.width).max(1);
    for (y, line) in (u32::from(frame.top)..).zip(frame.buffer.chunks(line_length)) {
        for (x, index) in (u32::from(frame.left)..).zip(line) {
            let color = palette.chunks_exact(3).nth(usize::from(*index));
            let color = color.filter(|_| frame.transparent != Some(*index));
            if let (Some([red, green, blue]), Some(pixel)) =
                (color, canvas.get_pixel_mut_checked(x, y))
            {
                *pixel = Rgba([*red, *green, *blue, u8::MAX]);
            }
        }
    }
}
