//! Files that end too soon: shown with what they have while no more than an eighth is missing, of
//! the rows, or, of a WebP, of the bytes.

use ::image::{DynamicImage, GenericImageView, ImageFormat, Rgb, RgbImage};

use super::super::render::render;
use super::*;

const WIDTH: u16 = 160;
const HEIGHT: u16 = 128;

/// A picture of which every row takes as many bytes, in every format.
pub fn noise(width: u32, height: u32) -> DynamicImage {
    let mut state = 1_u32;
    DynamicImage::ImageRgb8(RgbImage::from_fn(width, height, |_, _| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let [.., blue, green, red] = state.to_le_bytes();
        Rgb([red, green, blue])
    }))
}

/// The rows of an interlaced image in the order of its passes: first row, and by how many it goes
/// on.
fn order(passes: &[(usize, usize)]) -> Vec<usize> {
    let rows = usize::from(HEIGHT);
    passes.iter().flat_map(|(first, by)| (*first..rows).step_by(*by)).collect()
}

/// The zlib form of bytes, as they are.
fn stored(bytes: &[u8]) -> Vec<u8> {
    let mut made = vec![0x78, 0x01];
    let blocks = bytes.chunks(60_000);
    let last = blocks.len() - 1;
    for (number, block) in blocks.enumerate() {
        let length = u16::try_from(block.len()).unwrap();
        made.push(u8::from(number == last));
        made.extend(length.to_le_bytes());
        made.extend((!length).to_le_bytes());
        made.extend(block);
    }
    let (mut low, mut high) = (1_u32, 0_u32);
    for byte in bytes {
        low = (low + u32::from(*byte)) % 65_521;
        high = (high + low) % 65_521;
    }
    made.extend(((high << 16) | low).to_be_bytes());
    made
}

/// A PNG of which every row takes as many bytes, with all of its passes if it is interlaced.
fn png(image: &DynamicImage, interlaced: bool) -> Vec<u8> {
    let passes: &[(u32, u32, usize, usize)] = if interlaced {
        &[
            (0, 0, 8, 8),
            (4, 0, 8, 8),
            (0, 4, 4, 8),
            (2, 0, 4, 4),
            (0, 2, 2, 4),
            (1, 0, 2, 2),
            (0, 1, 1, 2),
        ]
    } else {
        &[(0, 0, 1, 1)]
    };
    let mut raw = Vec::new();
    for (left, top, right, down) in passes {
        for y in (*top..image.height()).step_by(*down) {
            raw.push(0);
            for x in (*left..image.width()).step_by(*right) {
                raw.extend(&image.get_pixel(x, y).0[..3]);
            }
        }
    }
    let mut info = ::png::Info::with_size(image.width(), image.height());
    info.color_type = ::png::ColorType::Rgb;
    info.interlaced = interlaced;
    let mut sent = Vec::new();
    let encoder = ::png::Encoder::with_info(&mut sent, info).unwrap();
    let mut writer = encoder.write_header().unwrap();
    writer.write_chunk(::png::chunk::IDAT, &stored(&raw)).unwrap();
    drop(writer);
    sent
}

fn gif(interlaced: bool) -> Vec<u8> {
    let image = noise(WIDTH.into(), HEIGHT.into()).into_luma8();
    let rows: Vec<&[u8]> = image.as_raw().chunks(WIDTH.into()).collect();
    let order =
        if interlaced { order(&[(0, 8), (4, 8), (2, 4), (1, 2)]) } else { order(&[(0, 1)]) };
    let buffer: Vec<u8> = order.iter().flat_map(|row| rows[*row].to_vec()).collect();
    let palette: Vec<u8> = (0..=u8::MAX).flat_map(|shade| [shade; 3]).collect();
    let mut sent = Vec::new();
    let mut encoder = ::gif::Encoder::new(&mut sent, WIDTH, HEIGHT, &palette).unwrap();
    let frame = ::gif::Frame {
        width: WIDTH,
        height: HEIGHT,
        interlaced,
        buffer: buffer.into(),
        ..::gif::Frame::default()
    };
    encoder.write_frame(&frame).unwrap();
    drop(encoder);
    sent
}

/// A file with a word for what it is.
fn samples() -> Vec<(&'static str, Vec<u8>)> {
    let image = noise(WIDTH.into(), HEIGHT.into());
    let seen = DynamicImage::ImageRgba8(image.to_rgba8());
    vec![
        ("JPEG", encoded(&image, ImageFormat::Jpeg)),
        ("PNG", png(&image, false)),
        ("compressed PNG", encoded(&seen, ImageFormat::Png)),
        ("interlaced PNG", png(&image, true)),
        ("GIF", gif(false)),
        ("interlaced GIF", gif(true)),
        ("WebP", encoded(&image, ImageFormat::WebP)),
        ("clear WebP", encoded(&seen, ImageFormat::WebP)),
    ]
}

#[test]
fn a_file_without_its_last_bytes_is_shown() {
    for (what, whole) in samples() {
        let shown = decode::decode(&whole, Purpose::Post, PIXELS).unwrap();
        for missing in 1..=16 {
            let cut = decode::decode(&whole[..whole.len() - missing], Purpose::Post, PIXELS);
            let cut = cut.unwrap_or_else(|reason| panic!("{what}: {missing} short: {reason:?}"));
            assert_eq!(cut.dimensions(), shown.dimensions(), "{what}: {missing} short");
            let row = shown.as_bytes().len() / usize::from(HEIGHT);
            let most = row * usize::from(HEIGHT - HEIGHT / 8);
            assert!(
                cut.as_bytes()[..most] == shown.as_bytes()[..most],
                "{what}: {missing} short: what is there is as it was"
            );
        }
    }
}

#[test]
fn no_more_than_an_eighth_may_be_missing() {
    for (what, whole) in samples() {
        let shown = render(&whole, Purpose::Post, PIXELS).unwrap();
        for part in [100, 50, 20, 12] {
            let cut = render(&whole[..whole.len() - whole.len() / part], Purpose::Post, PIXELS);
            let cut = cut.unwrap_or_else(|reason| panic!("{what} without 1/{part}: {reason:?}"));
            assert_eq!((cut.width, cut.height), (shown.width, shown.height), "{what}");
        }
        for part in [2, 3, 4] {
            let cut = render(&whole[..whole.len() - whole.len() / part], Purpose::Post, PIXELS);
            assert_eq!(cut.err(), Some(Rejection::Unreadable), "{what} without 1/{part}");
        }
    }
}

/// As browsers do: grey where nothing can be clear.
#[test]
fn what_is_missing_is_grey_or_clear() {
    let below = |sent: &[u8]| {
        let cut = &sent[..sent.len() - sent.len() / 12];
        let image = decode::decode(cut, Purpose::Post, PIXELS).unwrap();
        image.get_pixel(9, u32::from(HEIGHT) - 1).0
    };
    let image = noise(WIDTH.into(), HEIGHT.into());
    assert_eq!(below(&png(&image, false)), [128, 128, 128, 255]);
    assert_eq!(below(&gif(false))[3], 0);
    let clear = DynamicImage::ImageRgba8(image.to_rgba8());
    assert_eq!(below(&encoded(&clear, ImageFormat::Png)), [0; 4]);
    // Rows that are missing between others are as those above.
    let image = decode::decode(&png(&image, true)[..57_000], Purpose::Post, PIXELS).unwrap();
    let last = u32::from(HEIGHT) - 1;
    assert_eq!(image.get_pixel(9, last).0, image.get_pixel(9, last - 1).0);
}

/// What is behind the pixels, and announced before them, may be missing too.
#[test]
fn a_webp_without_its_metadata_is_shown() {
    let plain = encoded(&noise(WIDTH.into(), HEIGHT.into()), ImageFormat::WebP);
    let mut sent = b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\x0c\0\0\0".to_vec();
    sent.extend(&u32::from(WIDTH - 1).to_le_bytes()[..3]);
    sent.extend(&u32::from(HEIGHT - 1).to_le_bytes()[..3]);
    sent.extend(&plain[12..]);
    let pixels = sent.len();
    for kind in ["EXIF", "XMP "] {
        sent.extend(kind.as_bytes());
        sent.extend(10_u32.to_le_bytes());
        sent.extend([0; 10]);
    }
    let length = u32::try_from(sent.len() - 8).unwrap();
    sent[4..8].copy_from_slice(&length.to_le_bytes());
    for length in pixels..=sent.len() {
        let shown = render(&sent[..length], Purpose::Post, PIXELS);
        assert!(shown.is_ok(), "{} short: {shown:?}", sent.len() - length);
    }
}
