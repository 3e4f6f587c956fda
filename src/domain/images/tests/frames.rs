//! An image is still when it has one frame, whatever it could have had.

use ::image::{GenericImageView, ImageFormat};

use super::ends::noise;
use super::*;

const WIDTH: u32 = 64;
const HEIGHT: u32 = 48;

/// A PNG of so many frames, which say how long each is shown; `beside` is a picture before them
/// that is no frame.
fn png(frames: u32, beside: bool) -> Vec<u8> {
    let image = noise(WIDTH, HEIGHT).into_rgb8();
    let mut sent = Vec::new();
    let mut encoder = ::png::Encoder::new(&mut sent, WIDTH, HEIGHT);
    encoder.set_color(::png::ColorType::Rgb);
    encoder.set_animated(frames, 0).unwrap();
    encoder.set_sep_def_img(beside).unwrap();
    let mut writer = encoder.write_header().unwrap();
    for _ in 0..frames + u32::from(beside) {
        writer.write_image_data(image.as_raw()).unwrap();
    }
    writer.finish().unwrap();
    sent
}

fn chunk(name: &[u8], bytes: &[u8]) -> Vec<u8> {
    let mut chunk = name.to_vec();
    chunk.extend(u32::try_from(bytes.len()).unwrap().to_le_bytes());
    chunk.extend(bytes);
    chunk.extend(vec![0; bytes.len() % 2]);
    chunk
}

/// Three bytes, the lowest first.
fn three(number: u32) -> Vec<u8> {
    number.to_le_bytes()[..3].to_vec()
}

/// A WebP with an animation of so many frames; each stands 8 pixels to the right of the canvas'
/// left side.
fn webp(frames: usize) -> Vec<u8> {
    let plain = encoded(&noise(WIDTH, HEIGHT), ImageFormat::WebP);
    let mut frame =
        [three(8 / 2), three(0), three(WIDTH - 1), three(HEIGHT - 1), three(100)].concat();
    frame.push(0);
    frame.extend(&plain[12..]);
    let mut head = vec![0b0001_0010, 0, 0, 0];
    head.extend([three(WIDTH + 8 - 1), three(HEIGHT - 1)].concat());
    let mut chunks = b"WEBP".to_vec();
    chunks.extend(chunk(b"VP8X", &head));
    chunks.extend(chunk(b"ANIM", &[0; 6]));
    for _ in 0..frames {
        chunks.extend(chunk(b"ANMF", &frame));
    }
    chunk(b"RIFF", &chunks)
}

#[test]
fn one_frame_is_a_still_image() {
    let image = noise(WIDTH, HEIGHT).into_rgba8();
    let seen = decode::decode(&png(1, false), Purpose::Post, PIXELS).unwrap();
    assert!(seen.to_rgba8() == image, "the frame's pixels");
    let seen = decode::decode(&webp(1), Purpose::Post, PIXELS).unwrap().into_rgba8();
    assert_eq!(seen.dimensions(), (WIDTH + 8, HEIGHT), "the canvas");
    assert_eq!(seen.get_pixel(7, 9).0[3], 0, "beside its frame");
    let painted = seen.view(8, 0, WIDTH, HEIGHT).to_image();
    let off = painted.iter().zip(image.iter()).map(|(one, other)| one.abs_diff(*other)).max();
    assert!(off.unwrap() <= 1, "the frame's pixels, rounded as they are painted: {off:?}");
}

#[test]
fn more_than_one_frame_is_an_animation() {
    // What browsers show of the last one is not what is shown where nobody knows of frames.
    for (what, sent) in [
        ("a PNG of two frames", png(2, false)),
        ("a WebP of two frames", webp(2)),
        ("a PNG with a picture beside its frame", png(1, true)),
    ] {
        let shown = render(&sent, Purpose::Post, PIXELS);
        assert_eq!(shown.err(), Some(Rejection::Animated), "{what}");
    }
}
