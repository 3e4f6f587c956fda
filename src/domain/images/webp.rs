//! What a WebP's chunks say, beside its own decoder.

use std::borrow::Cow;

use super::decode::little;

/// Bytes before the first chunk: `RIFF`, a length, `WEBP`.
const HEAD: usize = 12;
/// Bytes of a frame before its chunks: its place, size and duration.
const FRAME: usize = 16;
/// Where an extended file's flags are, and those for what comes behind the pixels: EXIF and XMP.
const FLAGS: usize = HEAD + 8;
const BEHIND: u8 = 0b0000_1100;

/// The file as long as it says it is: the decoder refuses one that ends too soon. What is missing
/// is zeros, which are the shortest codes: as a rule they go on with the colours above.
pub(super) fn filled(sent: &[u8]) -> Cow<'_, [u8]> {
    let length = match sent {
        [b'R', b'I', b'F', b'F', a, b, c, d, ..] => {
            usize::try_from(u32::from_le_bytes([*a, *b, *c, *d])).ok()
        }
        _ => None,
    };
    let whole = length.and_then(|length| length.checked_add(8)).unwrap_or_default();
    let missing = whole.saturating_sub(sent.len());
    if missing == 0 || !little(missing, whole) {
        return Cow::Borrowed(sent);
    }
    let mut filled = Vec::with_capacity(whole);
    filled.extend_from_slice(sent);
    filled.resize(whole, 0);
    // Else what is announced and missing would be an error.
    if filled.get(HEAD..HEAD + 4) == Some(b"VP8X")
        && let Some(flags) = filled.get_mut(FLAGS)
    {
        *flags &= !BEHIND;
    }
    Cow::Owned(filled)
}

/// The chunks of a file, or of a frame behind its own head: their names and what is in them, as far
/// as it is there.
#[derive(Clone)]
pub(super) struct Chunks<'a>(&'a [u8]);

impl<'a> Chunks<'a> {
    /// Those of a file.
    pub(super) fn of(sent: &'a [u8]) -> Self {
        Self(sent.get(HEAD..).unwrap_or_default())
    }

    /// Those of a frame.
    pub(super) fn of_frame(frame: &'a [u8]) -> Self {
        Self(frame.get(FRAME..).unwrap_or_default())
    }
}

impl<'a> Iterator for Chunks<'a> {
    type Item = ([u8; 4], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (head, rest) = self.0.split_first_chunk::<8>()?;
        let [n, a, m, e, length @ ..] = *head;
        let length = usize::try_from(u32::from_le_bytes(length)).unwrap_or(usize::MAX);
        // An odd one is followed by a byte.
        self.0 = rest.get(length.saturating_add(length % 2)..).unwrap_or_default();
        Some(([n, a, m, e], rest.get(..length).unwrap_or(rest)))
    }
}

/// The size, in pixels, that a chunk claims for what is in it.
pub(super) fn size(name: [u8; 4], chunk: &[u8]) -> Option<(u32, u32)> {
    let three = |bytes: &[u8]| match *bytes {
        [low, middle, high, ..] => Some(u32::from_le_bytes([low, middle, high, 0]) + 1),
        _ => None,
    };
    match (&name, chunk) {
        (b"VP8X", [_, _, _, _, size @ ..]) | (b"ANMF", [_, _, _, _, _, _, size @ ..]) => {
            Some((three(size)?, three(size.get(3..)?)?))
        }
        (b"VP8 ", [_, _, _, _, _, _, a, b, c, d, ..]) => {
            let side = |low, high| u32::from(u16::from_le_bytes([low, high]) & 0x3fff);
            Some((side(*a, *b), side(*c, *d)))
        }
        (b"VP8L", [_, a, b, c, d, ..]) => {
            let sides = u32::from_le_bytes([*a, *b, *c, *d]);
            Some(((sides & 0x3fff) + 1, ((sides >> 14) & 0x3fff) + 1))
        }
        _ => None,
    }
}

/// How many frames there are; none of a still image.
pub(super) fn frames(sent: &[u8]) -> usize {
    Chunks::of(sent).filter(|(name, _)| name == b"ANMF").count()
}
