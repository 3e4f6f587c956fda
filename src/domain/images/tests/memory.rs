//! What images take of memory, against what they are said to: each is rendered in a process of its
//! own, whose peak the system tells.

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use ::image::{DynamicImage, ImageFormat};
use futures_util::FutureExt;

use super::super::render::render;
use super::*;

/// Long, so that it is the decoder that takes most, and not what comes after it.
const WIDTH: u32 = 12_000;
const HEIGHT: u32 = 1_000;
/// The name of the test that is the process of its own.
const CHILD: &str = "images::tests::memory::renders_what_it_is_given";

/// A line of this process' status, in KiB.
fn status(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap()
}

/// Renders what comes by standard input, and says how far its memory rose.
#[test]
#[ignore = "run by said_is_measured, with an image to render"]
fn renders_what_it_is_given() {
    let mut sent = Vec::new();
    std::io::stdin().read_to_end(&mut sent).unwrap();
    let before = status("VmRSS:");
    let rendered = render(&sent, Purpose::Post, PIXELS);
    let rise = status("VmHWM:").saturating_sub(before);
    writeln!(std::io::stdout(), "\nrise {rise} {:?}", rendered.map(|shown| shown.width)).unwrap();
}

/// How far the memory of a process that renders this rises, in bytes; what it says if it does not.
pub fn measured(sent: &[u8]) -> Result<u64, String> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", CHILD, "--nocapture", "--test-threads=1"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(sent).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let rise = text.lines().find_map(|line| line.strip_prefix("rise ")).expect("it has rendered");
    let (kib, shown) = rise.split_once(' ').unwrap();
    if shown.starts_with("Ok") { Ok(kib.parse::<u64>().unwrap() * 1_024) } else { Err(text) }
}

fn segment(kind: u8, bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len() + 2).unwrap().to_be_bytes();
    [&[0xff, kind], &length[..], bytes].concat()
}

/// A JPEG of one shade. Each block is as many bits as it has components: all of them zero.
fn jpeg(progressive: bool, components: u8, width: u32, height: u32) -> Vec<u8> {
    let side = |side: u32| u16::try_from(side).unwrap().to_be_bytes();
    let mut frame = [&[8][..], &side(height), &side(width), &[components]].concat();
    let mut scan = vec![components];
    for component in 1..=components {
        frame.extend([component, 0x11, 0]);
        scan.extend([component, 0]);
    }
    scan.extend(if progressive { [0, 0, 0] } else { [0, 63, 0] });
    let mut codes = vec![0, 1];
    codes.extend([0; 16]);
    let blocks = u64::from(width.div_ceil(8)) * u64::from(height.div_ceil(8));
    let bits = blocks * u64::from(components) * if progressive { 1 } else { 2 };
    let mut sent = vec![0xff, 0xd8];
    sent.extend(segment(0xdb, &[&[0][..], &[1; 64]].concat()));
    sent.extend(segment(if progressive { 0xc2 } else { 0xc0 }, &frame));
    for class in [0x00, 0x10] {
        codes[0] = class;
        sent.extend(segment(0xc4, &codes));
    }
    sent.extend(segment(0xda, &scan));
    sent.resize(sent.len() + usize::try_from(bits.div_ceil(8)).unwrap(), 0);
    sent.extend([0xff, 0xd9]);
    sent
}

pub fn chunk(name: &[u8], bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap().to_le_bytes();
    [name, &length, bytes, &[0][..bytes.len() % 2]].concat()
}

/// A WebP's size as its extended head and its frames have it.
fn sides(width: u32, height: u32) -> Vec<u8> {
    [&(width - 1).to_le_bytes()[..3], &(height - 1).to_le_bytes()[..3]].concat()
}

/// Pixels without loss: five codes of one symbol each, so that no pixel takes a bit.
const NO_BITS: [u8; 5] = [0b1000_1000, 0b1000_1000, 0b1000, 0, 0];

fn lossless(width: u32, height: u32) -> Vec<u8> {
    let sides = (width - 1) | ((height - 1) << 14);
    chunk(b"VP8L", &[&[0x2f][..], &sides.to_le_bytes(), &NO_BITS].concat())
}

/// Pixels with loss: zeros, which are the likeliest of everything.
pub fn lossy(width: u32, height: u32) -> Vec<u8> {
    let blocks = usize::try_from(width.div_ceil(16) * height.div_ceil(16)).unwrap();
    let first = blocks + 2_000;
    let tag = 0b1_0000 | (u32::try_from(first).unwrap() << 5);
    let mut bytes = tag.to_le_bytes()[..3].to_vec();
    bytes.extend([0x9d, 0x01, 0x2a]);
    bytes.extend(u16::try_from(width).unwrap().to_le_bytes());
    bytes.extend(u16::try_from(height).unwrap().to_le_bytes());
    bytes.resize(bytes.len() + first + blocks * 8 + 2_000, 0);
    chunk(b"VP8 ", &bytes)
}

fn alpha() -> Vec<u8> {
    chunk(b"ALPH", &[&[1][..], &NO_BITS].concat())
}

pub fn webp(flags: u8, width: u32, height: u32, chunks: &[u8]) -> Vec<u8> {
    let head = chunk(b"VP8X", &[&[flags, 0, 0, 0][..], &sides(width, height)].concat());
    chunk(b"RIFF", &[&b"WEBP"[..], &head, chunks].concat())
}

pub fn one_frame(width: u32, height: u32, chunks: &[u8]) -> Vec<u8> {
    let head = [&[0; 6][..], &sides(width, height), &[0; 4]].concat();
    let frame = chunk(b"ANMF", &[&head[..], chunks].concat());
    webp(0b0001_0010, width, height, &[chunk(b"ANIM", &[0; 6]), frame].concat())
}

fn gif(width: u32, height: u32) -> Vec<u8> {
    let (width, height) = (u16::try_from(width).unwrap(), u16::try_from(height).unwrap());
    let mut sent = Vec::new();
    let mut encoder = ::gif::Encoder::new(&mut sent, width, height, &[9; 6]).unwrap();
    let buffer = vec![0; usize::from(width) * usize::from(height)].into();
    let frame = ::gif::Frame { width, height, buffer, ..::gif::Frame::default() };
    encoder.write_frame(&frame).unwrap();
    drop(encoder);
    sent
}

/// A PNG with colours of another kind than those of screens.
fn with_a_profile(width: u32, height: u32) -> Vec<u8> {
    let profile = moxcms::ColorProfile::new_display_p3().encode().unwrap();
    let mut info = ::png::Info::with_size(width, height);
    info.color_type = ::png::ColorType::Rgb;
    info.icc_profile = Some(profile.into());
    let mut sent = Vec::new();
    let mut writer = ::png::Encoder::with_info(&mut sent, info).unwrap().write_header().unwrap();
    writer.write_image_data(DynamicImage::new_rgb8(width, height).as_bytes()).unwrap();
    writer.finish().unwrap();
    sent
}

/// Every kind of image that is decoded in its own way.
fn samples(width: u32, height: u32) -> Vec<(&'static str, Vec<u8>)> {
    let png = |image| encoded(&image, ImageFormat::Png);
    let (opaque, clear) = (lossless(width, height), lossy(width, height));
    let both = [alpha(), clear.clone()].concat();
    vec![
        ("PNG", png(DynamicImage::new_rgba8(width, height))),
        ("grey PNG", png(DynamicImage::new_luma_a8(width, height))),
        ("deep PNG", png(DynamicImage::new_rgba16(width, height))),
        ("JPEG", jpeg(false, 3, width, height)),
        ("progressive JPEG", jpeg(true, 3, width, height)),
        ("grey progressive JPEG", jpeg(true, 1, width, height)),
        ("progressive JPEG of four inks", jpeg(true, 4, width, height)),
        ("GIF", gif(width, height)),
        ("WebP without loss", webp(0, width, height, &opaque)),
        ("clear WebP without loss", webp(0b1_0000, width, height, &opaque)),
        ("WebP", webp(0, width, height, &clear)),
        ("clear WebP", webp(0b1_0000, width, height, &both)),
        ("WebP of a frame", one_frame(width, height, &opaque)),
        ("clear WebP of a frame", one_frame(width, height, &both)),
    ]
}

#[test]
fn said_is_measured() {
    let mut wrong = Vec::new();
    let mut all = samples(WIDTH, HEIGHT);
    all.push(("PNG with a profile", with_a_profile(2_800, 2_800)));
    for (what, sent) in all {
        let said = weigh(&sent, Purpose::Post, PIXELS).unwrap();
        match measured(&sent) {
            // Within reason: what is weighed too heavy keeps others waiting.
            Ok(took) if took <= said && said <= 2 * took => {}
            Ok(took) => wrong.push(format!("{what}: said {said}, took {took} bytes")),
            Err(text) => wrong.push(format!("{what}: {text}")),
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Whatever is accepted fits into the memory that there is for all.
#[test]
fn what_cannot_fit_is_refused_and_what_does_not_fit_now_waits() {
    let images = Images::new(&MediaConfig::default(), &Keys::of_this_process().unwrap()).unwrap();
    let weight = |sent: &[u8]| weigh(sent, Purpose::Post, PIXELS).unwrap();
    let progressive = weight(&jpeg(true, 3, 8_000, 5_000));
    let first = images.share(progressive).now_or_never().expect("there is memory").unwrap();
    assert!(images.share(progressive).now_or_never().is_none(), "another waits");
    let small = weight(&jpeg(true, 3, 80, 50));
    drop(first);
    let first = images.share(small).now_or_never().expect("there is memory").unwrap();
    let second = images.share(small).now_or_never().expect("for two of them").unwrap();
    drop((first, second));
    let frame = lossy(8_000, 5_000);
    let heaviest = weight(&one_frame(8_000, 5_000, &frame));
    assert!(images.share(heaviest).now_or_never().expect("it is known at once").is_none());
}

/// The decoder takes memory by the size that the pixels claim for themselves.
#[test]
fn a_small_canvas_with_large_pixels_is_as_heavy_as_those() {
    let sent = webp(0, 10, 10, &lossy(16_000, 8_000));
    assert_eq!(weigh(&sent, Purpose::Post, PIXELS), Err(Rejection::TooManyPixels));
    let sent = one_frame(10, 10, &[alpha(), lossy(6_000, 4_000)].concat());
    assert!(weigh(&sent, Purpose::Post, PIXELS).unwrap() > 6_000 * 4_000 * 12);
}

/// One colour after the other is decoded as a progressive one is.
#[test]
fn a_jpeg_with_a_scan_for_each_colour_is_as_heavy_as_a_progressive_one() {
    let plain = jpeg(false, 3, WIDTH, HEIGHT);
    let place = plain.windows(2).position(|bytes| bytes == [0xff, 0xda]).unwrap();
    let mut parted = plain[..place].to_vec();
    parted.extend(segment(0xda, &[1, 1, 0, 0, 63, 0]));
    let weight = |sent: &[u8]| weigh(sent, Purpose::Post, PIXELS).unwrap();
    let pixels = u64::from(WIDTH * HEIGHT);
    assert!(weight(&parted) > pixels * 9);
    assert!(weight(&plain) < pixels * 6);
}
