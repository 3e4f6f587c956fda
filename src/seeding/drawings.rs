//! Drawings: a face for a user, a landscape for a post. Everything follows from a number, in whole
//! numbers, so that the same comes out on every machine.

use image::{ImageFormat, Rgb, RgbImage};
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use super::numbered;

/// Pixels a side of a face; and what of, for its features are placed by twice as many. A hundred
/// are drawn, by a debug build too.
const FACE: u32 = 256;
const FACE_UNITS: u32 = 2;
/// Pixels of a landscape.
const WIDE: u32 = 960;
const HIGH: u32 = 640;

type Colour = [u8; 3];

const GROUNDS: [Colour; 8] = [
    [222, 203, 168],
    [168, 197, 189],
    [214, 170, 142],
    [176, 186, 209],
    [205, 190, 206],
    [189, 199, 158],
    [232, 197, 126],
    [157, 180, 197],
];
const SKINS: [Colour; 6] = [
    [245, 214, 186],
    [234, 192, 155],
    [212, 160, 120],
    [178, 122, 84],
    [132, 86, 58],
    [96, 62, 44],
];
const HAIRS: [Colour; 7] = [
    [38, 30, 28],
    [78, 50, 34],
    [124, 78, 44],
    [188, 138, 74],
    [164, 78, 44],
    [142, 138, 134],
    [60, 56, 74],
];
const SHIRTS: [Colour; 8] = [
    [14, 95, 82],
    [138, 75, 42],
    [61, 90, 128],
    [122, 59, 87],
    [91, 98, 38],
    [93, 74, 126],
    [243, 193, 75],
    [44, 48, 46],
];
/// What a landscape shows, in words; sky above, sky below, sun, and hills from far to near.
const SCENES: [(&str, [Colour; 6]); 6] = [
    (
        "Hills in layers under a pale orange morning sky, the sun a deeper orange",
        [
            [246, 214, 170],
            [252, 236, 206],
            [244, 150, 84],
            [168, 150, 160],
            [108, 112, 128],
            [52, 66, 76],
        ],
    ),
    (
        "Green hills under a light blue sky, the sun nearly white",
        [
            [150, 196, 214],
            [226, 238, 232],
            [250, 240, 200],
            [140, 176, 160],
            [86, 134, 112],
            [36, 88, 74],
        ],
    ),
    (
        "Dark hills under a violet night sky with a full moon",
        [[40, 52, 86], [128, 108, 140], [248, 226, 180], [84, 78, 112], [56, 56, 86], [26, 30, 50]],
    ),
    (
        "Red-brown hills under a pink evening sky, the sun red",
        [
            [244, 190, 168],
            [250, 222, 200],
            [214, 82, 64],
            [190, 130, 110],
            [146, 88, 76],
            [84, 52, 52],
        ],
    ),
    (
        "Grey-blue hills one behind the other in a white haze",
        [
            [188, 206, 220],
            [238, 240, 240],
            [255, 255, 246],
            [176, 194, 206],
            [132, 158, 176],
            [82, 108, 128],
        ],
    ),
    (
        "Yellow and olive hills under a golden sky",
        [
            [252, 226, 150],
            [254, 242, 206],
            [240, 170, 60],
            [206, 180, 92],
            [156, 146, 66],
            [88, 98, 44],
        ],
    ),
];

/// Whether a point is in an ellipse around another.
fn within(x: i64, y: i64, (cx, cy): (i64, i64), (rx, ry): (i64, i64)) -> bool {
    let (dx, dy) = (x - cx, y - cy);
    dx * dx * ry * ry + dy * dy * rx * rx <= rx * rx * ry * ry
}

/// What a face is made of.
struct Face {
    ground: Colour,
    skin: Colour,
    hair: Colour,
    shirt: Colour,
    /// Short, long, a bun, or curls.
    style: u8,
    glasses: bool,
    beard: bool,
    smile: i64,
}

impl Face {
    fn drawn(seed: u64, number: u64) -> Self {
        let random = &mut numbered(seed, "faces", number);
        let style = random.random_range(0..4);
        Self {
            ground: GROUNDS.choose(random).copied().unwrap_or_default(),
            skin: SKINS.choose(random).copied().unwrap_or_default(),
            hair: HAIRS.choose(random).copied().unwrap_or_default(),
            shirt: SHIRTS.choose(random).copied().unwrap_or_default(),
            style,
            glasses: random.random_ratio(1, 4),
            beard: style == 0 && random.random_ratio(1, 3),
            smile: random.random_range(18..34),
        }
    }

    /// The colour at a point: what lies on top is asked first.
    fn at(&self, x: i64, y: i64) -> Colour {
        const INK: Colour = [40, 34, 32];
        let eyes = [(210, 262), (302, 262)];
        let eye = |rx, ry| eyes.iter().any(|centre| within(x, y, *centre, (rx, ry)));
        if self.glasses && eye(36, 34) && !eye(29, 27)
            || self.glasses && y.abs_diff(256) < 4 && (240..272).contains(&x)
        {
            return INK;
        }
        if eye(9, 11) {
            return INK;
        }
        // The lower rim of a disc is a smile.
        let mouth = (256, 318);
        if y > 322
            && within(x, y, mouth, (38, self.smile))
            && !within(x, y, (256, 310), (38, self.smile))
        {
            return [150, 62, 56];
        }
        let head = within(x, y, (256, 268), (104, 126));
        let fringe = match self.style {
            0 => y < 196 + (x - 256).abs() / 5,
            1 => y < 214 - (x - 200).abs() / 4,
            2 => y < 190,
            _ => y < 206 && !within(x, y, (256, 268), (86, 92)),
        };
        let crown = within(x, y, (256, 240), (118, 122)) && fringe;
        if head && crown {
            return self.hair;
        }
        if self.beard && head && y > 322 {
            return self.hair;
        }
        if head {
            return self.skin;
        }
        let around = match self.style {
            0 => within(x, y, (256, 226), (114, 108)) && y < 250,
            1 => within(x, y, (256, 290), (138, 172)) && y < 440,
            2 => {
                within(x, y, (256, 226), (114, 106)) && y < 270
                    || within(x, y, (256, 116), (52, 46))
            }
            _ => [(150, 220), (176, 160), (226, 130), (286, 130), (336, 160), (362, 220)]
                .iter()
                .any(|centre| within(x, y, *centre, (50, 50))),
        };
        // Long hair lies behind the neck, the rest above it.
        if self.style != 1 && around {
            return self.hair;
        }
        if (218..294).contains(&x) && (360..430).contains(&y) {
            return self.skin.map(|part| part.saturating_sub(18));
        }
        if within(x, y, (256, 540), (196, 138)) {
            return self.shirt;
        }
        if around { self.hair } else { self.ground }
    }
}

/// A face, as PNG.
pub fn face(seed: u64, number: u64) -> Vec<u8> {
    let face = Face::drawn(seed, number);
    let unit = |pixel: u32| i64::from(pixel * FACE_UNITS);
    png(RgbImage::from_fn(FACE, FACE, |x, y| Rgb(face.at(unit(x), unit(y)))))
}

/// A colour between two, `part` of `whole` from the first.
fn between(from: Colour, to: Colour, part: i64, whole: i64) -> Colour {
    let mut mixed = from;
    for (mixed, to) in mixed.iter_mut().zip(to) {
        let (a, b) = (i64::from(*mixed), i64::from(to));
        *mixed = u8::try_from(a + (b - a) * part.clamp(0, whole) / whole.max(1)).unwrap_or(*mixed);
    }
    mixed
}

/// A hill line: a sum of arches of two widths, in pixels from the top.
fn ridge(x: i64, base: i64, height: i64, width: i64, shift: i64) -> i64 {
    let arch = |width: i64, height: i64, shift: i64| {
        let place = (x + shift).rem_euclid(width);
        4 * height * place * (width - place) / (width * width)
    };
    base - arch(width, height, shift) - arch(width / 3, height / 4, shift * 2)
}

/// What a landscape is drawn from, and the random numbers for the rest of it.
fn scene(seed: u64, number: u64) -> ((&'static str, [Colour; 6]), StdRng) {
    let mut random = numbered(seed, "landscapes", number);
    (SCENES.choose(&mut random).copied().unwrap_or_default(), random)
}

/// What a landscape shows, in words.
pub fn described(seed: u64, number: u64) -> &'static str {
    scene(seed, number).0.0
}

/// A landscape, as PNG.
pub fn landscape(seed: u64, number: u64) -> Vec<u8> {
    let ((_, [top, low, sun, far, middle, near]), mut random) = scene(seed, number);
    let (wide, high) = (i64::from(WIDE), i64::from(HIGH));
    let centre = (random.random_range(160..wide - 160), random.random_range(120..330));
    let radius = random.random_range(44..84);
    let hills =
        [(far, 420, 150), (middle, 500, 120), (near, 600, 110)].map(|(colour, base, height)| {
            let width = random.random_range(380..900_i64);
            (colour, base, height, width, random.random_range(0..width))
        });
    // Where each hill begins is the same all down a column. The nearest hides the others.
    let columns: Vec<[(i64, Colour, i64); 3]> = (0..wide)
        .map(|x| {
            let [far, middle, near] = hills.map(|(colour, base, height, width, shift)| {
                (ridge(x, base, height, width, shift), colour, base)
            });
            [near, middle, far]
        })
        .collect();
    png(RgbImage::from_fn(WIDE, HIGH, |x, y| {
        let column = usize::try_from(x).ok().and_then(|x| columns.get(x));
        let (x, y) = (i64::from(x), i64::from(y));
        let hill = column.into_iter().flatten().find(|(ridge, ..)| y > *ridge);
        Rgb(match hill {
            Some((_, colour, base)) => between(*colour, low, base + 120 - y, 900),
            None if within(x, y, centre, (radius, radius)) => sun,
            None => between(top, low, y, high * 2 / 3),
        })
    }))
}

/// Empty when it cannot be written, which memory does not do.
fn png(image: RgbImage) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    match image.write_to(&mut bytes, ImageFormat::Png) {
        Ok(()) => bytes.into_inner(),
        Err(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_same_number_gives_the_same_drawing_and_others_differ() {
        assert_eq!(face(1, 7), face(1, 7));
        assert_eq!(landscape(1, 7), landscape(1, 7));
        let faces: BTreeSet<Vec<u8>> = (0..12).map(|number| face(1, number)).collect();
        assert!(faces.len() >= 11, "{} different ones", faces.len());
        for bytes in [face(2, 3), landscape(2, 3)] {
            let image = image::load_from_memory(&bytes).unwrap();
            assert!(image.width() >= 256 && image.height() >= 256);
        }
    }
}
