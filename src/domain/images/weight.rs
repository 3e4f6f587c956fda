//! How much memory an image takes while it is made into what is shown, told by its headers before a
//! pixel is read. Measured by `tests/memory.rs`; what each decoder holds is in its own source.
//!
//! Where a header may be read in two ways, the heavier counts: what is weighed too light would take
//! a process beyond its memory.

use std::io::Cursor;

use image::ImageFormat;

use super::decode::{CAREFULLY, fits};
use super::resize::fitting;
use super::webp::{self, Chunks};
use super::{Purpose, Rejection, gif, vp8l};

/// What is taken whatever is decoded: tables, some rows, colour profiles.
const ALWAYS: u64 = 8 << 20;
/// How often the file's own bytes are held: as they came, and as decoders copy them.
const COPIES: u64 = 3;
/// Bytes a pixel while colours are converted: the image; with alpha, before and after; without.
const CONVERTED: u64 = 14;

/// Bytes that rendering an image takes at most.
///
/// # Errors
/// Why it cannot be shown: a header that is none, or of too many pixels.
pub fn weigh(sent: &[u8], purpose: Purpose, max_pixels: u64) -> Result<u64, Rejection> {
    let format = image::guess_format(sent).map_err(|_| Rejection::UnsupportedFormat)?;
    let canvas = match format {
        ImageFormat::Png => png(sent)?,
        ImageFormat::Jpeg => jpeg(sent),
        ImageFormat::WebP => webp(&webp::filled(sent), max_pixels),
        ImageFormat::Gif => gif::weigh(sent, max_pixels)?,
        _ => return Err(Rejection::UnsupportedFormat),
    };
    fits(canvas.width, canvas.height, max_pixels)?;
    let file = u64::try_from(sent.len()).unwrap_or(u64::MAX);
    let (shrinking, shrunk) = canvas.shrunk(purpose);
    let most = canvas.decoding.max(shrinking).max(shrunk * CONVERTED);
    Ok(ALWAYS + file.saturating_mul(COPIES) + most)
}

/// What a header says.
pub(super) struct Canvas {
    pub(super) width: u32,
    pub(super) height: u32,
    /// Bytes that the decoder takes, with the pixels that it gives.
    pub(super) decoding: u64,
    /// Bytes a pixel that it gives, in memory as they are shrunk: 3, or 4 with alpha.
    pub(super) channels: u64,
}

fn area(width: u32, height: u32) -> u64 {
    u64::from(width) * u64::from(height)
}

impl Canvas {
    /// Bytes that the first step of making it smaller takes, and the pixels of what comes of it.
    fn shrunk(&self, purpose: Purpose) -> (u64, u64) {
        let side = self.width.min(self.height);
        // As it is, as high as it is to be, and as wide too.
        let (from, (width, height)) = match purpose {
            Purpose::Post => (self.width, fitting(self.width, self.height, CAREFULLY, CAREFULLY)),
            Purpose::Avatar => (side, (side.min(CAREFULLY), side.min(CAREFULLY))),
        };
        let pixels = area(self.width, self.height) + area(from, height) + area(width, height);
        (pixels * self.channels, area(width, height))
    }
}

/// A PNG: what comes of it. Grey is held beside its colours while it becomes them.
fn png(sent: &[u8]) -> Result<Canvas, Rejection> {
    let mut decoder = png::Decoder::new(Cursor::new(sent));
    let header = decoder.read_header_info().map_err(|_| Rejection::Unreadable)?;
    let (width, height) = (header.width, header.height);
    let each = match header.color_type {
        // With a colour that is clear it has alpha.
        png::ColorType::Grayscale | png::ColorType::GrayscaleAlpha => 2 + 4,
        _ => 4,
    };
    Ok(Canvas { width, height, decoding: area(width, height) * each, channels: 4 })
}

/// A WebP, by the largest of the sizes that its chunks claim. Pixels are held as 4 bytes beside
/// what is given; transforms take up to 1 more.
fn webp(sent: &[u8], max_pixels: u64) -> Canvas {
    let mut found = Found::default();
    let (mut canvas, mut frame) = (None, None);
    for (name, chunk) in Chunks::of(sent) {
        match &name {
            b"VP8X" => canvas = canvas.or(webp::size(name, chunk)),
            b"ANMF" if frame.is_none() => frame = Some((webp::size(name, chunk), chunk)),
            _ => {}
        }
        found.add(name, chunk);
    }
    let mut codes = codes(Chunks::of(sent), canvas, max_pixels);
    if let Some((size, chunk)) = frame {
        for (name, chunk) in Chunks::of_frame(chunk) {
            found.add(name, chunk);
        }
        codes += self::codes(Chunks::of_frame(chunk), size, max_pixels);
    }
    let each = match (frame, found.alpha) {
        // The frame, the canvas, and what is given.
        (Some(_), _) => 4 + 4 + 4 + 1,
        (None, true) => 2 + 4 + 4 + 1,
        (None, false) => found.each,
    };
    let decoding = area(found.width, found.height) * each + codes;
    Canvas { width: found.width, height: found.height, decoding, channels: 4 }
}

/// What the chunks of a WebP say together.
#[derive(Default)]
struct Found {
    width: u32,
    height: u32,
    each: u64,
    alpha: bool,
}

impl Found {
    fn add(&mut self, name: [u8; 4], chunk: &[u8]) {
        let (width, height) = webp::size(name, chunk).unwrap_or_default();
        (self.width, self.height) = (self.width.max(width), self.height.max(height));
        self.alpha |= name == *b"ALPH";
        self.each = self.each.max(match &name {
            b"VP8L" => 4 + 3 + 1,
            // Brightness, and colours of a quarter; what is known of each block of 16 by 16.
            b"VP8 " => 2 + 4,
            _ => 0,
        });
    }
}

/// Bytes for the codes of pixels without loss, and of alpha, which has the size of what it is in:
/// of the first of each, since only those are decoded.
fn codes(mut chunks: Chunks<'_>, around: Option<(u32, u32)>, max_pixels: u64) -> u64 {
    let mut alpha = chunks.clone().filter(|(name, _)| name == b"ALPH");
    let alpha = match (alpha.next(), around) {
        (Some((_, [how, bits @ ..])), Some(size)) if how & 3 == 1 => Some((bits, size)),
        _ => None,
    };
    let pixels = match chunks.find(|(name, _)| name == b"VP8L") {
        Some((name, chunk)) => chunk.get(5..).zip(webp::size(name, chunk)),
        None => None,
    };
    let known = [alpha, pixels].into_iter().flatten();
    let few = known.filter(|(_, (width, height))| area(*width, *height) <= max_pixels);
    few.map(|(bits, (width, height))| vp8l::tables(bits, width, height)).sum()
}

/// A JPEG. One that is not decoded from top to bottom in one go (a progressive one, or one with a
/// scan for each colour) is held as coefficients of 2 bytes first.
///
/// Every place that may be a header counts, also in metadata: the decoder looks for them in its own
/// way.
fn jpeg(sent: &[u8]) -> Canvas {
    let (mut frames, mut scanned) = (Vec::new(), u8::MAX);
    let markers = sent.iter().zip(1..).filter(|(byte, _)| **byte == 0xff);
    for rest in markers.filter_map(|(_, next)| sent.get(next..)) {
        match *rest {
            [kind @ 0xc0..=0xc2, a, b, 8, c, d, e, f, count, ..]
                if u16::from_be_bytes([a, b]) == 8 + 3 * u16::from(count) =>
            {
                let (height, width) = (u16::from_be_bytes([c, d]), u16::from_be_bytes([e, f]));
                let components = rest.get(9..9 + 3 * usize::from(count)).unwrap_or_default();
                let sampling = components.chunks(3).map(|component| match component {
                    [_, factors, _] => (u32::from(factors >> 4), u32::from(factors & 15)),
                    _ => (1, 1),
                });
                let sampling: Vec<(u32, u32)> = sampling.collect();
                frames.push((kind == 0xc2, u32::from(width), u32::from(height), sampling));
            }
            [0xda, a, b, count, ..] if u16::from_be_bytes([a, b]) == 6 + 2 * u16::from(count) => {
                scanned = scanned.min(count);
            }
            _ => {}
        }
    }
    let weighed = frames.into_iter().map(|(progressive, width, height, sampling)| {
        let in_parts = progressive || usize::from(scanned) < sampling.len();
        let coefficients = if in_parts { coefficients(width, height, &sampling) } else { 0 };
        // Grey is held beside its colours while it becomes them.
        let each = if sampling.len() == 1 { 1 + 3 } else { 3 };
        let decoding = area(width, height) * each + 2 * coefficients;
        Canvas { width, height, decoding, channels: 3 }
    });
    // Without any it is the decoder that says what is wrong.
    let none = Canvas { width: 1, height: 1, decoding: 0, channels: 3 };
    weighed.max_by_key(|canvas| canvas.decoding).unwrap_or(none)
}

/// How many coefficients there are: whole blocks of 8 by 8 of every component, as many as the one
/// with the most needs.
fn coefficients(width: u32, height: u32, sampling: &[(u32, u32)]) -> u64 {
    let across = sampling.iter().map(|(across, _)| *across).max().unwrap_or(1).max(1);
    let down = sampling.iter().map(|(_, down)| *down).max().unwrap_or(1).max(1);
    let units = area(width.div_ceil(8 * across), height.div_ceil(8 * down));
    sampling.iter().map(|(across, down)| units * 64 * area(*across, *down)).sum()
}
