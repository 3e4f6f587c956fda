//! How much memory the codes of a lossless WebP take. Its decoder makes tables of all of them
//! before it reads a pixel, and a file of a few MB may have 65,536 groups of them: more than a
//! gigabyte. They stand behind the images of the transforms and one of their own, which says how
//! many they are, so that all of it is read here as the decoder reads it.

/// The order in which the lengths of the codes of lengths are written.
const ORDER: [usize; 19] = [17, 18, 0, 1, 2, 3, 4, 5, 16, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
/// Symbols of green or lengths, before those of the colour cache; red, blue, alpha; distances.
const SYMBOLS: [usize; 5] = [256 + 24, 256, 256, 256, 40];
/// Neighbours (to the left, upwards) that a distance of up to 120 means, nearest first; as 16 times
/// upwards, and 8 more than to the left.
const NEAR: [u8; 120] = [
    0x18, 0x07, 0x17, 0x19, 0x28, 0x06, 0x27, 0x29, 0x16, 0x1a, 0x26, 0x2a, 0x38, 0x05, 0x37, 0x39,
    0x15, 0x1b, 0x36, 0x3a, 0x25, 0x2b, 0x48, 0x04, 0x47, 0x49, 0x14, 0x1c, 0x35, 0x3b, 0x46, 0x4a,
    0x24, 0x2c, 0x58, 0x45, 0x4b, 0x34, 0x3c, 0x03, 0x57, 0x59, 0x13, 0x1d, 0x56, 0x5a, 0x23, 0x2d,
    0x44, 0x4c, 0x55, 0x5b, 0x33, 0x3d, 0x68, 0x02, 0x67, 0x69, 0x12, 0x1e, 0x66, 0x6a, 0x22, 0x2e,
    0x54, 0x5c, 0x43, 0x4d, 0x65, 0x6b, 0x32, 0x3e, 0x78, 0x01, 0x77, 0x79, 0x53, 0x5d, 0x11, 0x1f,
    0x64, 0x6c, 0x42, 0x4e, 0x76, 0x7a, 0x21, 0x2f, 0x75, 0x7b, 0x31, 0x3f, 0x63, 0x6d, 0x52, 0x5e,
    0x00, 0x74, 0x7c, 0x41, 0x4f, 0x10, 0x20, 0x62, 0x6e, 0x30, 0x73, 0x7d, 0x51, 0x5f, 0x40, 0x72,
    0x7e, 0x61, 0x6f, 0x50, 0x71, 0x7f, 0x60, 0x70,
];

/// Bytes of a table for codes of up to 10 bits, by its index.
const TABLE: usize = 4;
/// Bytes of two nodes, for each longer code.
const NODES: usize = 2 * 16;
/// Bytes of a code beside its table, and as its list grows.
const CODE: usize = 3 * 56;

/// Bytes that the decoder takes for the codes of pixels without loss, of this size, that are behind
/// a signature and header. Where the decoder ends with an error, so does the sum.
pub(super) fn tables(bytes: &[u8], width: u32, height: u32) -> u64 {
    let mut sum = 0;
    let _ = Bits { bytes, at: 0 }.pixels(width, height, &mut sum);
    u64::try_from(sum).unwrap_or(u64::MAX)
}

/// Bits, the lowest of a byte first.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    /// Reads to the end of the codes, and adds up what they take.
    fn pixels(mut self, mut width: u32, height: u32, sum: &mut usize) -> Option<()> {
        let parts = |side: u32, by: u32| side.div_ceil(1 << by);
        while self.read(1)? == 1 {
            match self.read(2)? {
                2 => {}
                3 => {
                    let colors = self.read(8)? + 1;
                    self.image(colors, 1)?;
                    let by = match colors {
                        0..=2 => 3,
                        3..=4 => 2,
                        5..=16 => 1,
                        _ => 0,
                    };
                    width = parts(width, by);
                }
                _ => {
                    let by = self.read(3)? + 2;
                    self.image(parts(width, by), parts(height, by))?;
                }
            }
        }
        let cached = self.cache()?;
        let mut groups = 1;
        if self.read(1)? == 1 {
            let by = self.read(3)? + 2;
            let image = self.image(parts(width, by), parts(height, by))?;
            groups += image.iter().map(|pixel| (pixel >> 8) & 0xffff).max()?;
        }
        let [green, others @ ..] = SYMBOLS;
        let green = green + if cached == 0 { 0 } else { 1 << cached };
        for _ in 0..groups {
            for symbols in [green].into_iter().chain(others) {
                *sum += CODE + self.lengths(symbols)?.table();
            }
        }
        Some(())
    }

    fn read(&mut self, count: u32) -> Option<u32> {
        let mut number = 0;
        for place in 0..count {
            let byte = u32::from(*self.bytes.get(self.at / 8)?);
            number |= ((byte >> (self.at % 8)) & 1) << place;
            self.at += 1;
        }
        Some(number)
    }

    /// The size of the colour cache, as a power of two; 0 without one.
    fn cache(&mut self) -> Option<u32> {
        if self.read(1)? == 0 {
            return Some(0);
        }
        self.read(4).filter(|bits| (1..=11).contains(bits))
    }

    /// An image of one group of codes: its pixels, with green above blue and red above green.
    fn image(&mut self, width: u32, height: u32) -> Option<Vec<u32>> {
        let cached = self.cache()?;
        let mut cache = vec![0; if cached == 0 { 0 } else { 1 << cached }];
        let mut codes = Vec::new();
        for symbols in SYMBOLS {
            let more = if codes.is_empty() { cache.len() } else { 0 };
            codes.push(Code::of(self.lengths(symbols + more)?)?);
        }
        let [green, red, blue, alpha, distance] = codes.as_slice() else { return None };
        let size = usize::try_from(u64::from(width) * u64::from(height)).ok()?;
        let mut pixels: Vec<u32> = Vec::with_capacity(size);
        while pixels.len() < size {
            let symbol = self.symbol(green)?;
            let (from, count) = match symbol {
                0..256 => {
                    let red = u32::from(self.symbol(red)?);
                    let blue = u32::from(self.symbol(blue)?);
                    let alpha = u32::from(self.symbol(alpha)?);
                    pixels.push((alpha << 24) | (red << 16) | (u32::from(symbol) << 8) | blue);
                    (pixels.len() - 1, 1)
                }
                256..280 => {
                    let count = self.distance(symbol - 256)?;
                    let code = self.symbol(distance)?;
                    let back = near(self.distance(code)?, width);
                    let from = pixels.len();
                    if back > from || count > size - from {
                        return None;
                    }
                    for _ in 0..count {
                        pixels.push(*pixels.get(pixels.len() - back)?);
                    }
                    (from, count)
                }
                _ => {
                    pixels.push(*cache.get(usize::from(symbol - 280))?);
                    continue;
                }
            };
            if cached > 0 {
                for pixel in pixels.iter().skip(from).take(count) {
                    let place = 0x1e35_a7bd_u32.wrapping_mul(*pixel) >> (32 - cached);
                    *cache.get_mut(usize::try_from(place).ok()?)? = *pixel;
                }
            }
        }
        Some(pixels)
    }

    /// A length or a distance, of which a symbol gives the first bits.
    fn distance(&mut self, symbol: u16) -> Option<usize> {
        let symbol = u32::from(symbol);
        if symbol < 4 {
            return usize::try_from(symbol + 1).ok();
        }
        let more = (symbol - 2) >> 1;
        let first = (2 + (symbol & 1)) << more;
        usize::try_from(first + self.read(more)? + 1).ok()
    }

    fn lengths(&mut self, symbols: usize) -> Option<Lengths> {
        if self.read(1)? == 1 {
            let count = self.read(1)? + 1;
            let wide = self.read(1)?;
            let mut all = vec![u16::try_from(self.read(1 + 7 * wide)?).ok()?];
            if count == 2 {
                all.push(u16::try_from(self.read(8)?).ok()?);
            }
            return Some(Lengths::Few(all));
        }
        let mut of_lengths = [0; ORDER.len()];
        let count = usize::try_from(4 + self.read(4)?).ok()?;
        for place in ORDER.into_iter().take(count) {
            *of_lengths.get_mut(place)? = u8::try_from(self.read(3)?).ok()?;
        }
        let of_lengths = Code::of(Lengths::Of(of_lengths.to_vec()))?;
        let mut left = symbols;
        if self.read(1)? == 1 {
            let bits = 2 + 2 * self.read(3)?;
            left = usize::try_from(2 + self.read(bits)?).ok()?;
        }
        let (mut lengths, mut before) = (Vec::with_capacity(symbols), 8);
        while lengths.len() < symbols && left > 0 {
            left -= 1;
            let (length, times) = match self.symbol(&of_lengths)? {
                length @ 0..16 => (u8::try_from(length).ok()?, 1),
                16 => (before, 3 + self.read(2)?),
                17 => (0, 3 + self.read(3)?),
                _ => (0, 11 + self.read(7)?),
            };
            before = if length == 0 { before } else { length };
            lengths.extend((0..times).map(|_| length));
        }
        (lengths.len() <= symbols).then_some(Lengths::Of(lengths))
    }

    fn symbol(&mut self, code: &Code) -> Option<u16> {
        if let [only] = code.symbols.as_slice() {
            return Some(*only);
        }
        let (mut read, mut first, mut index) = (0, 0, 0);
        for count in code.counts.iter().skip(1) {
            read |= usize::try_from(self.read(1)?).ok()?;
            if read < first + count {
                return code.symbols.get(index + (read - first)).copied();
            }
            index += count;
            (first, read) = ((first + count) << 1, read << 1);
        }
        None
    }
}

/// How a code is written.
enum Lengths {
    /// Its one or two symbols.
    Few(Vec<u16>),
    /// The length of every symbol's code, 0 for none.
    Of(Vec<u8>),
}

impl Lengths {
    /// Bytes of what the decoder makes of it.
    fn table(&self) -> usize {
        match self {
            Self::Few(_) => 2 * TABLE + NODES,
            Self::Of(lengths) => {
                let longest = lengths.iter().copied().max().unwrap_or_default();
                let long = lengths.iter().filter(|length| **length > 10).count();
                (TABLE << longest.min(10)) + long * NODES
            }
        }
    }
}

/// A canonical prefix code: how many symbols have each length, and the symbols by length.
struct Code {
    counts: [usize; 16],
    symbols: Vec<u16>,
}

impl Code {
    fn of(lengths: Lengths) -> Option<Self> {
        let mut counts = [0; 16];
        let symbols = match lengths {
            Lengths::Few(symbols) => {
                *counts.get_mut(1)? = symbols.len();
                symbols
            }
            Lengths::Of(lengths) => {
                let mut symbols: Vec<(u8, u16)> = lengths.into_iter().zip(0..).collect();
                symbols.retain(|(length, _)| *length > 0);
                symbols.sort_unstable();
                for (length, _) in &symbols {
                    *counts.get_mut(usize::from(*length))? += 1;
                }
                symbols.into_iter().map(|(_, symbol)| symbol).collect()
            }
        };
        (!symbols.is_empty()).then_some(Self { counts, symbols })
    }
}

/// How many pixels before a pixel the one is that a distance means.
fn near(distance: usize, width: u32) -> usize {
    let Some(place) = distance.checked_sub(1).and_then(|place| NEAR.get(place)) else {
        return distance - NEAR.len().min(distance);
    };
    let (up, left) = (i64::from(place >> 4), 8 - i64::from(place & 15));
    usize::try_from(up * i64::from(width) + left).unwrap_or(1).max(1)
}
