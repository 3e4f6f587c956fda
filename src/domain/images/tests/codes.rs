//! The codes of a lossless WebP, of which a small file may have more than there is memory for.

use ::image::ImageFormat;

use super::ends::noise;
use super::memory::{chunk, lossy, measured, one_frame, webp};
use super::*;

const SIDE: u32 = 64;

/// Bits, the lowest of a byte first.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    count: usize,
}

impl Bits {
    fn write(&mut self, number: u32, bits: u32) {
        for place in 0..bits {
            if self.count.is_multiple_of(8) {
                self.bytes.push(0);
            }
            let bit = u8::try_from((number >> place) & 1).unwrap();
            *self.bytes.last_mut().unwrap() |= bit << (self.count % 8);
            self.count += 1;
        }
    }

    /// A code of one symbol.
    fn single(&mut self, symbol: u32) {
        self.write(0b101, 3);
        self.write(symbol, 8);
    }

    /// A code of so many of the first symbols, all of one length.
    fn even(&mut self, length: u32, symbols: u32, of: u32) {
        self.write(0, 1);
        // Of the lengths of codes, only `length` and 18, a run of zeros, each of one bit.
        self.write(19 - 4, 4);
        for kind in [17, 18, 0, 1, 2, 3, 4, 5, 16, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15] {
            self.write(u32::from(kind == length || kind == 18), 3);
        }
        self.write(0, 1);
        for _ in 0..symbols {
            self.write(0, 1);
        }
        let mut left = of - symbols;
        while left >= 11 {
            let run = left.min(138);
            self.write(1, 1);
            self.write(run - 11, 7);
            left -= run;
        }
        assert_eq!(left, 0);
    }
}

/// Pixels without loss, with so many groups of codes of 256 symbols each; all are of the last.
fn pixels(groups: u32) -> Vec<u8> {
    let mut bits = Bits::default();
    // A transform by blocks of 4 by 4, whose image is of one colour.
    bits.write(0b001, 3);
    bits.write(0, 3);
    bits.write(0, 1);
    for symbol in [5; 5] {
        bits.single(symbol);
    }
    // No more transforms, no cache, groups by blocks of 4 by 4, whose image has no cache.
    bits.write(0b100, 3);
    bits.write(0, 3);
    bits.write(0, 1);
    // Every pixel of it names the last group.
    let last = groups - 1;
    bits.single(last & 255);
    bits.single(last >> 8);
    for symbol in [0; 3] {
        bits.single(symbol);
    }
    for _ in 0..groups {
        for of in [256 + 24, 256, 256, 256] {
            bits.even(8, 256, of);
        }
        bits.single(0);
    }
    bits.bytes.resize(bits.bytes.len() + 20_000, 0);
    bits.bytes
}

fn lossless(groups: u32) -> Vec<u8> {
    let sides = (SIDE - 1) | ((SIDE - 1) << 14);
    chunk(b"VP8L", &[&[0x2f][..], &sides.to_le_bytes(), &pixels(groups)].concat())
}

/// 65,536 of them would be 350 MB, and longer codes more.
#[test]
fn codes_are_weighed_as_they_are_measured() {
    let sent = webp(0, SIDE, SIDE, &lossless(4_000));
    let said = weigh(&sent, Purpose::Post, PIXELS).unwrap();
    let took = measured(&sent).unwrap();
    assert!(took <= said && said <= 2 * took, "said {said}, took {took} bytes");
}

#[test]
fn codes_count_wherever_they_are() {
    let weight = |sent: &[u8]| weigh(sent, Purpose::Post, PIXELS).unwrap();
    let alpha = chunk(b"ALPH", &[&[1][..], &pixels(2_000)].concat());
    let many = [alpha, lossy(SIDE, SIDE)].concat();
    for sent in [
        webp(0, SIDE, SIDE, &lossless(2_000)),
        webp(0b1_0000, SIDE, SIDE, &many),
        one_frame(SIDE, SIDE, &lossless(2_000)),
        one_frame(SIDE, SIDE, &many),
    ] {
        assert!(weight(&sent) > (8 << 20) + 2_000 * 4 * 1_024, "{}", weight(&sent));
    }
    let plain = encoded(&noise(SIDE, SIDE), ImageFormat::WebP);
    assert!(weight(&plain) < 9 << 20, "{}", weight(&plain));
}
