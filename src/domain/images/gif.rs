//! The first frame of a GIF, read by its own crate: 1 byte a pixel beside the canvas, where `image`
//! would hold three canvases.

use std::io::Cursor;
use std::num::NonZeroU64;

use gif::{ColorOutput, DecodeOptions, DecodingError, Frame, MemoryLimit};
use image::{Rgba, RgbaImage};

use super::render::Rejection;

fn unreadable(error: DecodingError) -> Rejection {
    match error {
        DecodingError::MemoryLimit | DecodingError::OutOfMemory => Rejection::TooManyPixels,
        _ => Rejection::Unreadable,
    }
}

/// The only frame, on its canvas. `fits` is asked about the canvas before memory is taken for it.
///
/// # Errors
/// Why it cannot be shown: there may be one frame.
pub(super) fn still(
    sent: &[u8],
    max_pixels: u64,
    fits: impl FnOnce(u32, u32) -> Result<(), Rejection>,
) -> Result<RgbaImage, Rejection> {
    let mut options = DecodeOptions::new();
    options.set_color_output(ColorOutput::Indexed);
    let most = NonZeroU64::new(max_pixels).ok_or(Rejection::TooManyPixels)?;
    options.set_memory_limit(MemoryLimit::Bytes(most));
    let mut decoder = options.read_info(Cursor::new(sent)).map_err(unreadable)?;
    let (width, height) = (u32::from(decoder.width()), u32::from(decoder.height()));
    fits(width, height)?;
    let global = decoder.global_palette().map(<[u8]>::to_vec);
    let frame = decoder.read_next_frame().map_err(unreadable)?.ok_or(Rejection::Unreadable)?;
    let palette = frame.palette.as_ref().or(global.as_ref()).ok_or(Rejection::Unreadable)?;
    let mut canvas = RgbaImage::new(width, height);
    paint(&mut canvas, frame, palette);
    match decoder.next_frame_info().map_err(unreadable)? {
        None => Ok(canvas),
        Some(_) => Err(Rejection::Animated),
    }
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
