//! What characters are, by the Unicode Character Database.

use icu_properties::props::{
    BidiControl, DefaultIgnorableCodePoint, EastAsianWidth, Emoji, GeneralCategory, JoinControl,
    LineBreak, NoncharacterCodePoint, Script, UnifiedIdeograph, VariationSelector, WhiteSpace,
};
use icu_properties::{CodePointMapData, CodePointSetData};

/// Characters that every font draws as nothing although the database has them as symbols: the
/// blank Braille pattern, the null notehead, the place of an object that is not there, the blanks
/// among the hieroglyphs.
const BLANK: [char; 5] = ['\u{2800}', '\u{1d159}', '\u{fffc}', '\u{13441}', '\u{13442}'];

/// Whether the character is a control of text direction: a mark, an embedding, an override, an
/// isolate, or the end of one.
pub fn is_direction(c: char) -> bool {
    CodePointSetData::new::<BidiControl>().contains(c)
}

/// Whether the character is white space.
pub fn is_space(c: char) -> bool {
    CodePointSetData::new::<WhiteSpace>().contains(c)
}

/// Whether the character is punctuation as wide as an ideograph.
pub fn is_wide_punctuation(c: char) -> bool {
    use GeneralCategory as Category;
    let is_wide = matches!(
        CodePointMapData::<EastAsianWidth>::new().get(c),
        EastAsianWidth::Wide | EastAsianWidth::Fullwidth | EastAsianWidth::Halfwidth
    );
    is_wide
        && matches!(
            CodePointMapData::<GeneralCategory>::new().get(c),
            Category::OpenPunctuation | Category::ClosePunctuation | Category::OtherPunctuation
        )
}

/// Whether nothing is drawn for the character, and nothing else is drawn differently for it.
/// Joiners, variation selectors and tags are drawn by what they change.
pub fn is_invisible(c: char) -> bool {
    CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c)
        && !CodePointSetData::new::<JoinControl>().contains(c)
        && !CodePointSetData::new::<VariationSelector>().contains(c)
        && !matches!(c, '\u{e0020}'..='\u{e007f}')
}

/// Whether nothing is drawn for the character itself, whatever it does to others.
pub fn is_ignorable(c: char) -> bool {
    CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c)
}

/// False for a variation selector or a tag after something that it changes nothing of: two names
/// that differ by it alone look the same.
pub fn changes(c: char, before: Option<char>) -> bool {
    let is_tag = |c: char| matches!(c, '\u{e0020}'..='\u{e007f}');
    let of = |holds: fn(char) -> bool| before.is_some_and(holds);
    match c {
        // Flags of regions are spelt with tags, after a black flag.
        _ if is_tag(c) => before.is_some_and(|before| before == '\u{1f3f4}' || is_tag(before)),
        '\u{fe0e}' | '\u{fe0f}' => of(|c| CodePointSetData::new::<Emoji>().contains(c)),
        '\u{180b}'..='\u{180d}' | '\u{180f}' => {
            of(|c| CodePointMapData::<Script>::new().get(c) == Script::Mongolian)
        }
        // Ideographs have variants; so have some symbols, which no name is spelt with.
        _ if CodePointSetData::new::<VariationSelector>().contains(c) => {
            of(|c| CodePointSetData::new::<UnifiedIdeograph>().contains(c))
        }
        _ => true,
    }
}

/// Whether one sees something where the character stands alone.
pub fn is_visible(c: char) -> bool {
    let category = CodePointMapData::<GeneralCategory>::new().get(c);
    !is_space(c)
        && !CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c)
        && !CodePointSetData::new::<NoncharacterCodePoint>().contains(c)
        && !is_mark(category)
        && !matches!(category, GeneralCategory::Control | GeneralCategory::Format)
        && !BLANK.contains(&c)
}

fn is_mark(category: GeneralCategory) -> bool {
    matches!(
        category,
        GeneralCategory::NonspacingMark
            | GeneralCategory::EnclosingMark
            | GeneralCategory::SpacingMark
    )
}

/// Whether the character is drawn on the one before it and takes no place of its own.
pub fn is_piled(c: char) -> bool {
    let category = CodePointMapData::<GeneralCategory>::new().get(c);
    matches!(category, GeneralCategory::NonspacingMark | GeneralCategory::EnclosingMark)
        && !CodePointSetData::new::<VariationSelector>().contains(c)
}

/// Whether words of the character's script are written without spaces between them, or (Hangul)
/// with others attached: such words are found one character after the other.
pub fn is_unspaced(c: char) -> bool {
    let script = CodePointMapData::<Script>::new().get(c);
    let written_without_spaces =
        matches!(script, Script::Han | Script::Hiragana | Script::Katakana | Script::Hangul)
            || CodePointMapData::<LineBreak>::new().get(c) == LineBreak::ComplexContext;
    // Fillers of Hangul are of the script, and nothing.
    written_without_spaces && !CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c)
}

/// Whether a search takes no notice of the character: vowel and reading marks of the scripts that
/// are written with or without them (Arabic, Hebrew, Syriac), the stroke that lengthens Arabic
/// words, marks on Latin letters, and what is not seen.
pub fn is_passed_over(c: char) -> bool {
    const TATWEEL: char = '\u{640}';
    if c == TATWEEL || CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c) {
        return true;
    }
    if CodePointMapData::<GeneralCategory>::new().get(c) != GeneralCategory::NonspacingMark {
        return false;
    }
    let script = CodePointMapData::<Script>::new().get(c);
    matches!(script, Script::Arabic | Script::Hebrew | Script::Syriac)
        // Shared by several scripts: the Latin marks, and the vowels of Arabic and Syriac.
        || matches!(c, '\u{300}'..='\u{36f}' | '\u{64b}'..='\u{655}' | '\u{670}')
}

/// How long a text is in UTF-16 code units, in which clients count places.
pub fn utf16_length(text: &str) -> i32 {
    i32::try_from(text.encode_utf16().count()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The ranges of characters that a predicate holds for, as PostgreSQL's regular expressions
    /// write them.
    fn ranges(holds: fn(char) -> bool) -> String {
        let mut found: Vec<(u32, u32)> = Vec::new();
        for c in ('\u{80}'..=char::MAX).filter(|c| holds(*c)) {
            let code = u32::from(c);
            match found.last_mut() {
                Some((_, last)) if *last + 1 == code => *last = code,
                _ => found.push((code, code)),
            }
        }
        let escaped = |code: u32| {
            if code > 0xffff { format!("\\U{code:08x}") } else { format!("\\u{code:04x}") }
        };
        found
            .into_iter()
            .map(|(first, last)| match last - first {
                0 => escaped(first),
                _ => format!("{}-{}", escaped(first), escaped(last)),
            })
            .collect()
    }

    /// The database folds what it searches, and cannot ask what a character is: its lists are made
    /// from the same properties.
    #[test]
    fn the_databases_lists_of_characters_are_those_of_unicode() {
        let migration = include_str!("../../../migrations/00000000000014_search_key/up.sql");
        for (what, expected) in
            [("passed over", ranges(is_passed_over)), ("unspaced", ranges(is_unspaced))]
        {
            assert!(migration.contains(&format!("[{expected}]")), "{what}: [{expected}]");
        }
    }

    #[test]
    fn characters_of_each_kind_are_distinguished() {
        for c in ['a', '\u{e9}', '\u{4e2d}', '\u{1f600}', '.', '\u{5d0}', '\u{2764}', '\u{e000}'] {
            assert!(is_visible(c), "{c:?}");
        }
        for c in [
            ' ',
            '\n',
            '\u{a0}',
            '\u{3000}',
            '\u{2028}',
            '\u{200b}',
            '\u{3164}',
            '\u{2800}',
            '\u{ad}',
            '\u{200f}',
            '\u{fe0f}',
            '\u{2060}',
            '\u{feff}',
            '\u{180e}',
            '\u{17b4}',
            '\u{e0041}',
            '\u{301}',
            '\u{115f}',
            '\u{ffa0}',
            '\u{1d159}',
            '\u{fffc}',
            '\u{7f}',
            '\u{fdd0}',
            '\u{1bca0}',
            '\u{1d173}',
            '\u{20e3}',
            '\u{34f}',
            '\u{61c}',
            '\u{202e}',
        ] {
            assert!(!is_visible(c), "{c:?}");
        }
        for c in ['\u{6771}', '\u{3042}', '\u{30a2}', '\u{e01}', '\u{e31}', '\u{1780}', '\u{1000}']
        {
            assert!(is_unspaced(c), "{c:?}");
        }
        assert!(!is_unspaced('a') && !is_unspaced('\u{928}') && !is_unspaced('\u{3164}'));
        for c in ['\u{64e}', '\u{651}', '\u{5b8}', '\u{640}', '\u{301}', '\u{200c}', '\u{ad}'] {
            assert!(is_passed_over(c), "{c:?}");
        }
        // Vowels that are letters of their words.
        assert!(!is_passed_over('\u{93f}') && !is_passed_over('\u{e31}'));
    }
}
