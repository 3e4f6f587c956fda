//! What comes of what is sent, and what addresses say.

use crate::identity::Keys;
use std::io::Cursor;

use ::image::{DynamicImage, ImageFormat, Rgb, RgbImage, Rgba, RgbaImage, load_from_memory};
use chrono::{DateTime, TimeDelta};

use super::render::render;
use super::*;

mod codes;
mod ends;
mod frames;
mod memory;

const PIXELS: u64 = 40_000_000;

fn encoded(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// Left half red, right half blue.
fn halves(width: u32, height: u32) -> DynamicImage {
    DynamicImage::ImageRgb8(RgbImage::from_fn(width, height, |x, _| {
        if x < width / 2 { Rgb([220, 10, 10]) } else { Rgb([10, 10, 220]) }
    }))
}

/// A JPEG as a telephone held upright writes it: lying, with a word on how to turn it, and where it
/// was taken.
fn from_a_telephone() -> Vec<u8> {
    let mut tiff = b"II*\0\x08\0\0\0\x02\0".to_vec();
    // Orientation: turn it to the right. Then the folder of GPS tags.
    tiff.extend_from_slice(b"\x12\x01\x03\0\x01\0\0\0\x06\0\0\0");
    tiff.extend_from_slice(b"\x25\x88\x04\0\x01\0\0\0\x26\0\0\0");
    tiff.extend_from_slice(b"\0\0\0\0");
    tiff.extend_from_slice(b"\x01\0\x1d\0\x02\0\x0b\0\0\0\x38\0\0\0\0\0\0\0");
    tiff.extend_from_slice(b"2026:11:24\0SECRET-PLACE");
    let mut segment = b"Exif\0\0".to_vec();
    segment.extend_from_slice(&tiff);
    let plain = encoded(&halves(400, 200), ImageFormat::Jpeg);
    let mut jpeg = plain[..2].to_vec();
    jpeg.extend_from_slice(&[0xff, 0xe1]);
    jpeg.extend_from_slice(&u16::try_from(segment.len() + 2).unwrap().to_be_bytes());
    jpeg.extend_from_slice(&segment);
    jpeg.extend_from_slice(&plain[2..]);
    jpeg
}

#[test]
fn a_photograph_is_turned_and_its_metadata_stay_behind() {
    let sent = from_a_telephone();
    assert!(sent.windows(12).any(|bytes| bytes == b"SECRET-PLACE"));
    let rendered = render(&sent, Purpose::Post, PIXELS).unwrap();
    assert_eq!((rendered.format, rendered.width, rendered.height), ("jpg", 200, 400));
    for file in [&rendered.small, &rendered.large] {
        let text = String::from_utf8_lossy(file);
        assert!(!text.contains("Exif") && !text.contains("SECRET") && !text.contains("2026"));
        let shown = load_from_memory(file).unwrap().into_rgb8();
        let (top, bottom) = (shown.get_pixel(50, 20), shown.get_pixel(50, 380));
        assert!(top.0[0] > 150 && bottom.0[2] > 150, "what was left is up: {top:?} {bottom:?}");
    }
}

#[test]
fn files_have_their_sizes_and_small_images_stay_as_they_are() {
    let of = |width, height, purpose| {
        let rendered =
            render(&encoded(&halves(width, height), ImageFormat::Jpeg), purpose, PIXELS).unwrap();
        let small = load_from_memory(&rendered.small).unwrap();
        ((rendered.width, rendered.height), (small.width(), small.height()))
    };
    assert_eq!(of(3_000, 1_500, Purpose::Post), ((1_280, 640), (320, 160)));
    assert_eq!(of(100, 50, Purpose::Post), ((100, 50), (100, 50)));
    assert_eq!(
        of(600, 6_000, Purpose::Post),
        ((256, 2_560), (64, 640)),
        "no higher than twice as wide as may be"
    );
    assert_eq!(of(3_000, 1_000, Purpose::Avatar), ((512, 512), (128, 128)));
    assert_eq!(of(90, 60, Purpose::Avatar), ((60, 60), (60, 60)));
}

#[test]
fn what_one_can_see_through_stays_so() {
    let ring = DynamicImage::ImageRgba8(RgbaImage::from_fn(64, 64, |x, _| {
        if x < 32 { Rgba([9, 9, 9, 0]) } else { Rgba([200, 9, 9, 255]) }
    }));
    for format in [ImageFormat::Png, ImageFormat::WebP, ImageFormat::Gif] {
        let rendered = render(&encoded(&ring, format), Purpose::Post, PIXELS).unwrap();
        assert_eq!(rendered.format, "webp", "{format:?}");
        let shown = load_from_memory(&rendered.large).unwrap().into_rgba8();
        assert_eq!(
            (shown.get_pixel(5, 5).0[3], shown.get_pixel(60, 5).0[3]),
            (0, 255),
            "{format:?}"
        );
    }
    // An alpha channel that hides nothing costs nothing.
    let solid = DynamicImage::ImageRgba8(halves(64, 64).into_rgba8());
    assert_eq!(
        render(&encoded(&solid, ImageFormat::Png), Purpose::Post, PIXELS).unwrap().format,
        "jpg"
    );
    let deep = DynamicImage::ImageRgb16(halves(64, 64).into_rgb16());
    assert_eq!(
        render(&encoded(&deep, ImageFormat::Png), Purpose::Post, PIXELS).unwrap().format,
        "jpg"
    );
}

#[test]
fn a_bomb_is_refused_by_its_header() {
    let image = encoded(&halves(64, 64), ImageFormat::Png);
    assert_eq!(render(&image, Purpose::Post, 64 * 64 - 1), Err(Rejection::TooManyPixels));
    assert!(render(&image, Purpose::Post, 64 * 64).is_ok());
    for format in [ImageFormat::Jpeg, ImageFormat::WebP, ImageFormat::Gif] {
        assert_eq!(
            render(&encoded(&halves(64, 64), format), Purpose::Post, 1_000),
            Err(Rejection::TooManyPixels),
            "{format:?}"
        );
    }
}

/// A white disc on nothing that is black, as drawing programs write logos.
fn disc(width: u32, height: u32) -> DynamicImage {
    DynamicImage::ImageRgba8(RgbaImage::from_fn(width, height, |x, y| {
        let (x, y) =
            (f64::from(x) / f64::from(width) - 0.5, f64::from(y) / f64::from(height) - 0.5);
        if x * x + y * y < 0.16 { Rgba([255, 255, 255, 255]) } else { Rgba([0, 0, 0, 0]) }
    }))
}

#[test]
fn what_is_clear_has_no_colour() {
    for (width, height, purpose) in [
        (2_600, 1_300, Purpose::Post),
        (3_600, 1_800, Purpose::Post),
        (300, 200, Purpose::Post),
        (1_500, 3_200, Purpose::Avatar),
        (200, 200, Purpose::Avatar),
    ] {
        let rendered =
            render(&encoded(&disc(width, height), ImageFormat::Png), purpose, PIXELS).unwrap();
        assert_eq!(rendered.color, "#ffffff", "{width}x{height}");
        for file in [&rendered.large, &rendered.small] {
            let shown = load_from_memory(file).unwrap().into_rgba8();
            let darkest = shown.pixels().filter(|pixel| pixel.0[3] >= 8).map(|pixel| pixel.0[0]);
            assert!(darkest.min().unwrap() >= 250, "{width}x{height}: a dark fringe");
        }
    }
    let red = DynamicImage::ImageRgba8(RgbaImage::from_fn(600, 600, |x, _| {
        if x < 300 { Rgba([255, 0, 0, 255]) } else { Rgba([0, 255, 0, 0]) }
    }));
    let rendered = render(&encoded(&red, ImageFormat::Png), Purpose::Post, PIXELS).unwrap();
    assert_eq!(rendered.color, "#ff0000");
    let clear = DynamicImage::ImageRgba8(RgbaImage::new(10, 10));
    let rendered = render(&encoded(&clear, ImageFormat::Png), Purpose::Post, PIXELS).unwrap();
    assert_eq!(rendered.color, "#ffffff");
}

/// The limit is one of pixels, whatever a pixel takes in the file.
#[test]
fn as_many_pixels_are_taken_of_every_depth() {
    let image = halves(64, 64);
    let depths = [
        DynamicImage::ImageRgb8(image.to_rgb8()),
        DynamicImage::ImageRgba8(image.to_rgba8()),
        DynamicImage::ImageRgb16(image.to_rgb16()),
        DynamicImage::ImageRgba16(image.to_rgba16()),
        DynamicImage::ImageLuma8(image.to_luma8()),
        DynamicImage::ImageLuma16(image.to_luma16()),
        DynamicImage::ImageLumaA16(image.to_luma_alpha16()),
    ];
    for image in depths {
        let png = encoded(&image, ImageFormat::Png);
        assert!(render(&png, Purpose::Post, 64 * 64).is_ok(), "{:?}", image.color());
        let refused = render(&png, Purpose::Post, 64 * 64 - 1);
        assert_eq!(refused, Err(Rejection::TooManyPixels), "{:?}", image.color());
    }
}

#[test]
fn as_many_pixels_are_taken_of_every_format() {
    let image = halves(64, 64);
    for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP, ImageFormat::Gif] {
        let sent = encoded(&image, format);
        assert!(render(&sent, Purpose::Post, 64 * 64).is_ok(), "{format:?}");
        let refused = render(&sent, Purpose::Post, 64 * 64 - 1);
        assert_eq!(refused, Err(Rejection::TooManyPixels), "{format:?}");
    }
}

/// A frame may be smaller than its canvas, and stand beyond it.
#[test]
fn a_gif_is_its_frame_on_its_canvas() {
    let of = |left: u16, width: u16| {
        let mut sent = Vec::new();
        let mut encoder = ::gif::Encoder::new(&mut sent, 40, 40, &[220, 10, 10]).unwrap();
        let buffer = vec![0; usize::from(width) * 20].into();
        let frame =
            ::gif::Frame { left, top: 20, width, height: 20, buffer, ..::gif::Frame::default() };
        encoder.write_frame(&frame).unwrap();
        drop(encoder);
        let image = decode::decode(&sent, Purpose::Post, PIXELS).unwrap().to_rgba8();
        assert_eq!(image.dimensions(), (40, 40));
        [(5, 5), (5, 25), (35, 25)].map(|(x, y)| image.get_pixel(x, y).0)
    };
    let (none, red) = ([0; 4], [220, 10, 10, 255]);
    assert_eq!(of(0, 20), [none, red, none]);
    assert_eq!(of(20, 20), [none, none, red]);
    assert_eq!(of(20, 90), [none, none, red]);
}

#[test]
fn an_avatar_is_the_middle_of_what_was_sent_however_long_that_is() {
    for (width, height, side) in [(3, 10_000, 3), (10_000, 3, 3), (600, 9_000, 512)] {
        let image = DynamicImage::ImageRgb8(RgbImage::from_fn(width, height, |x, y| {
            let (along, length) = if width > height { (x, width) } else { (y, height) };
            let middle = along.abs_diff(length / 2) <= width.min(height);
            if middle { Rgb([250, 250, 250]) } else { Rgb([0, 0, 0]) }
        }));
        let rendered = render(&encoded(&image, ImageFormat::Png), Purpose::Avatar, PIXELS).unwrap();
        assert_eq!((rendered.width, rendered.height), (side, side), "{width}x{height}");
        assert_eq!(rendered.color, "#fafafa", "{width}x{height}");
    }
}

/// Whatever is cut off or changed, rendering ends, and with an answer.
#[test]
fn bytes_that_were_tampered_with_do_not_panic() {
    for format in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::WebP, ImageFormat::Gif] {
        let whole = encoded(&ends::noise(40, 30), format);
        for length in 0..(whole.len() * 3 / 4).min(400) {
            let cut = render(&whole[..length], Purpose::Post, PIXELS);
            assert!(cut.is_err(), "{format:?} cut to {length} of {}", whole.len());
        }
        for place in 0..whole.len().min(600) {
            let mut changed = whole.clone();
            changed[place] ^= 0x55;
            let _ = render(&changed, Purpose::Avatar, 1_000_000);
        }
    }
}

fn links() -> Links {
    Links::new(&MediaConfig::default(), &Keys::of_this_process().unwrap()).unwrap()
}

#[test]
fn an_address_holds_for_a_while_and_for_its_file_alone() {
    let (links, others) = (links(), links());
    let picture = Picture {
        id: ImageId::from_i64(7),
        key: "AAAAAAAAAAAAAAAAAAAAAA".to_owned(),
        format: "jpg".to_owned(),
        width: 1,
        height: 1,
        alt: String::new(),
        color: String::new(),
    };
    let now = DateTime::from_timestamp(1_800_000_123, 0).unwrap();
    let url = links.picture(&picture, Size::Large, Lifetime::Content, now);
    assert_eq!(
        url,
        links.picture(&picture, Size::Large, Lifetime::Content, now + TimeDelta::seconds(60)),
        "cached as one"
    );
    let (file, query) = url.strip_prefix("/media/images/").unwrap().split_once('?').unwrap();
    let (until, proof) = query.strip_prefix("until=").unwrap().split_once("&proof=").unwrap();
    let until: i64 = until.parse().unwrap();
    let left = links.may_fetch(file, until, proof, now).unwrap();
    assert!((900..=1_800).contains(&left), "{left}");
    assert_eq!(
        links.may_fetch(file, until, proof, DateTime::from_timestamp(until, 0).unwrap()),
        None,
        "it has ended"
    );
    assert_eq!(links.may_fetch(file, until + 1, proof, now), None);
    assert_eq!(links.may_fetch("AAAAAAAAAAAAAAAAAAAAAA.small.jpg", until, proof, now), None);
    assert_eq!(others.may_fetch(file, until, proof, now), None, "signed by somebody else");
    for bad in ["", "A", &proof[1..], "\u{0}"] {
        assert_eq!(links.may_fetch(file, until, bad, now), None, "{bad}");
    }
    let token = links.upload(picture.id);
    let token = token.strip_prefix("/media/uploads/").unwrap();
    assert_eq!(links.uploaded(token).map(|(id, _)| id), Some(picture.id));
    assert_eq!(
        (others.uploaded(token), links.uploaded(&token[1..]), links.uploaded("")),
        (None, None, None)
    );
}
