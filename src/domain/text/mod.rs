//! What a text may be: its bounds, and the one form that it is stored in. NUL is refused here,
//! before it reaches a server that cannot store it.

pub mod characters;
mod direction;
pub mod links;
pub mod references;

use self::characters::{
    changes, is_direction, is_ignorable, is_invisible, is_piled, is_space, is_visible,
};
use super::{UserError, UserErrorCode};

/// Most empty lines, one after the other, that are kept.
const MAX_EMPTY_LINES: usize = 2;
/// Most marks on one character. Words of any language have at most five or six.
const MAX_MARKS: usize = 8;

/// How many lines a text may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lines {
    /// A name: line breaks and tabs become spaces, controls of direction and what is not seen are
    /// left out.
    One,
    /// Prose.
    Many,
}

/// Bounds of one field, in characters.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Fewest; when it is not 0, one at least must be visible.
    pub min: usize,
    /// Most.
    pub max: usize,
    /// Whether it may have several lines.
    pub lines: Lines,
}

/// A post's text.
pub const POST_TEXT: Bounds = Bounds { min: 1, max: 2_000, lines: Lines::Many };
/// A comment's text.
pub const COMMENT_TEXT: Bounds = Bounds { min: 1, max: 1_000, lines: Lines::Many };
/// A user's name as shown.
pub const DISPLAY_NAME: Bounds = Bounds { min: 1, max: 60, lines: Lines::One };
/// What a user says of themselves.
pub const BIO: Bounds = Bounds { min: 0, max: 500, lines: Lines::Many };
/// What an image shows, in words.
pub const ALT_TEXT: Bounds = Bounds { min: 0, max: 500, lines: Lines::Many };
/// A product's title.
pub const PRODUCT_TITLE: Bounds = Bounds { min: 1, max: 120, lines: Lines::One };
/// A product's description.
pub const PRODUCT_DESCRIPTION: Bounds = Bounds { min: 0, max: 4_000, lines: Lines::Many };

/// The text as it is stored, or what is wrong with it.
///
/// Line breaks of every kind become `\n`; white space around the text is cut off; lines in which
/// nothing is visible are empty, and at most two of them stand together; controls of direction that
/// a line opens are closed at its end. The length is that of what is stored.
///
/// # Errors
/// [`UserErrorCode::Invalid`]: control characters other than line breaks and tabs, nothing to be
/// seen where something must be, more than eight marks on one character, a length out of bounds.
pub fn checked(field: &str, text: &str, bounds: Bounds) -> Result<String, UserError> {
    let invalid = |message: String| Err(UserError::field(UserErrorCode::Invalid, field, message));
    let text = text.replace("\r\n", "\n").replace(['\r', '\u{2028}', '\u{2029}'], "\n");
    if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t')) {
        return invalid("must not have control characters".to_owned());
    }
    let mut stored = match bounds.lines {
        Lines::One => one_line(&text),
        Lines::Many => many_lines(&text),
    };
    if !stored.chars().any(is_visible) {
        if bounds.min > 0 {
            return invalid(format!(
                "must have {} to {} characters, one of them visible",
                bounds.min, bounds.max
            ));
        }
        stored.clear();
    }
    let length = stored.chars().count();
    if length < bounds.min || length > bounds.max {
        let (min, max) = (bounds.min, bounds.max);
        return invalid(format!("must have {min} to {max} characters, has {length}"));
    }
    if most_marks(&stored) > MAX_MARKS {
        return invalid(format!("must not have more than {MAX_MARKS} marks on one character"));
    }
    Ok(stored)
}

fn one_line(text: &str) -> String {
    let mut seen = String::new();
    for c in text.chars() {
        let is_kept = !is_direction(c) && (is_space(c) || !is_invisible(c));
        if is_kept && changes(c, seen.chars().next_back()) {
            seen.push(c);
        }
    }
    seen.split(is_space).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

fn many_lines(text: &str) -> String {
    let mut kept: Vec<String> = Vec::new();
    let mut empty = 0;
    for line in text.split('\n') {
        let visible = line.chars().any(is_visible);
        empty = if visible { 0 } else { empty + 1 };
        if empty <= MAX_EMPTY_LINES {
            kept.push(if visible { direction::closed(line) } else { String::new() });
        }
    }
    kept.join("\n").trim_matches(is_space).to_owned()
}

/// The most marks that are piled on one character of a text.
fn most_marks(text: &str) -> usize {
    let (mut most, mut here) = (0, 0);
    for c in text.chars() {
        here = match c {
            _ if is_piled(c) => here + 1,
            // What is not seen by itself separates no marks.
            _ if is_ignorable(c) => here,
            _ => 0,
        };
        most = most.max(here);
    }
    most
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_trimmed_and_bounded_in_characters() {
        let two = Bounds { min: 1, max: 2, lines: Lines::Many };
        assert_eq!(checked("text", "  h\u{e9}\n ", two).unwrap(), "h\u{e9}");
        assert!(checked("text", "   ", POST_TEXT).is_err());
        assert!(checked("text", "a\0b", POST_TEXT).is_err());
        assert!(checked("text", "a\u{85}b", POST_TEXT).is_err());
        assert!(checked("text", &"x".repeat(2_001), POST_TEXT).is_err());
    }

    /// Whatever is not visible, alone or with others like it, is no text, in every kind of field.
    #[test]
    fn something_must_be_visible() {
        let planes = ('\0'..='\u{1ffff}').chain('\u{e0000}'..='\u{e01ff}');
        let unseen: Vec<char> = planes.filter(|c| !is_visible(*c)).collect();
        assert!(unseen.len() > 2_000, "{}", unseen.len());
        for bounds in [POST_TEXT, COMMENT_TEXT, DISPLAY_NAME, PRODUCT_TITLE] {
            for (c, next) in unseen.iter().zip(unseen.iter().skip(1)) {
                for text in [c.to_string(), format!("{c}{next} {c}\n{next}")] {
                    assert!(checked("text", &text, bounds).is_err(), "{text:?}");
                }
            }
        }
        for bounds in [BIO, ALT_TEXT, PRODUCT_DESCRIPTION] {
            assert_eq!(checked("text", "\u{200b}\n\u{2800}", bounds).unwrap(), "");
        }
        let flags = "\u{2764}\u{fe0f} \u{1f3f4}\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f} \u{1f469}\u{200d}\u{1f680}";
        for bounds in [POST_TEXT, DISPLAY_NAME] {
            assert_eq!(checked("text", flags, bounds).unwrap(), flags, "emoji stay whole");
        }
    }

    #[test]
    fn a_name_is_one_line() {
        for text in [
            "Bob\n\n\nAdmin",
            "Bob\tAdmin",
            "Bob\r\nAdmin",
            "Bob\rAdmin",
            "Bob\u{2028}Admin",
            "Bob\u{2029} Admin",
            " Bob  \u{3000}Admin ",
            "\u{202e}Bob Admin",
            "Bo\u{200b}b A\u{ad}dmin\u{feff}",
        ] {
            for bounds in [DISPLAY_NAME, PRODUCT_TITLE] {
                assert_eq!(checked("name", text, bounds).unwrap(), "Bob Admin", "{text:?}");
            }
        }
        // Words of some scripts are spelt with joiners.
        let persian = "\u{645}\u{6cc}\u{200c}\u{62e}\u{648}\u{627}\u{647}\u{645}";
        assert_eq!(checked("name", persian, DISPLAY_NAME).unwrap(), persian);
    }

    #[test]
    fn names_that_look_the_same_are_the_same() {
        let planes = ('\0'..='\u{1ffff}').chain('\u{e0000}'..='\u{e01ff}');
        let drawn = "Bob Admin";
        for c in planes.filter(|c| is_ignorable(*c) && !matches!(c, '\u{200c}' | '\u{200d}')) {
            let name = format!("Bob{c} Ad{c}{c}min{c}");
            assert_eq!(checked("name", &name, DISPLAY_NAME).unwrap(), drawn, "{c:?}");
        }
        for whole in
            ["\u{845b}\u{e0100}", "\u{2764}\u{fe0f}", "1\u{fe0f}\u{20e3}", "\u{1820}\u{180b}"]
        {
            assert_eq!(checked("name", whole, DISPLAY_NAME).unwrap(), whole);
        }
    }

    /// Whatever stands between marks and is not seen, they are on one character.
    #[test]
    fn marks_are_counted_past_what_is_not_seen() {
        let planes = ('\0'..='\u{1ffff}').chain('\u{e0000}'..='\u{e01ff}');
        for c in planes.filter(|c| is_ignorable(*c)) {
            let piled = format!("a{}", format!("{}{c}", "\u{301}".repeat(3)).repeat(4));
            assert!(checked("text", &piled, POST_TEXT).is_err(), "{c:?}");
        }
    }

    #[test]
    fn line_breaks_have_one_form_and_empty_lines_are_few() {
        let stored = |text: &str| checked("text", text, POST_TEXT).unwrap();
        assert_eq!(stored("a\r\nb\rc\u{2028}d\u{2029}e"), "a\nb\nc\nd\ne");
        assert_eq!(stored(&format!("a{}b", "\n".repeat(250))), "a\n\n\nb");
        for blank in ["\u{200b}", "\u{2800}", " ", "\u{3164}\t"] {
            let lines = format!("{blank}\n").repeat(250);
            assert_eq!(stored(&format!("a\n{lines}b")), "a\n\n\nb", "{blank:?}");
        }
        assert_eq!(stored("a\n\nb\n\n\nc"), "a\n\nb\n\n\nc");
    }

    #[test]
    fn directions_end_with_their_line() {
        let stored = |text: &str| checked("text", text, POST_TEXT).unwrap();
        assert_eq!(stored("\u{202e}abc\nd\u{202c}"), "\u{202e}abc\u{202c}\nd");
        assert_eq!(stored("\u{2067}abc"), "\u{2067}abc\u{2069}");
    }

    #[test]
    fn marks_are_not_piled_without_end() {
        for mark in ['\u{301}', '\u{489}', '\u{e31}', '\u{20dd}', '\u{1ab0}'] {
            for bounds in [POST_TEXT, DISPLAY_NAME, BIO, PRODUCT_TITLE, ALT_TEXT] {
                let piled = |count: usize| format!("a{}", mark.to_string().repeat(count));
                assert!(checked("text", &piled(MAX_MARKS), bounds).is_ok(), "{mark:?}");
                assert!(checked("text", &piled(MAX_MARKS + 1), bounds).is_err(), "{mark:?}");
            }
            let apart =
                format!("a{mark}\u{200d}").repeat(1) + &format!("{mark}\u{200d}").repeat(20);
            assert!(checked("text", &apart, POST_TEXT).is_err(), "{mark:?}");
        }
    }

    /// What is stored is stored as it is when it is sent again.
    #[test]
    fn the_stored_form_is_its_own() {
        let pieces = [
            "a",
            " ",
            "\n",
            "\r\n",
            "\t",
            "\u{200b}",
            "\u{202e}",
            "\u{2067}",
            "\u{2069}",
            "\u{202c}",
            "\u{2800}",
            "\u{301}",
            "\u{1f469}\u{200d}\u{1f680}",
        ];
        for number in 0..pieces.len().pow(4) {
            let text: String = (0..4)
                .map(|place| pieces[number / pieces.len().pow(place) % pieces.len()])
                .collect();
            for bounds in [POST_TEXT, DISPLAY_NAME] {
                if let Ok(once) = checked("text", &text, bounds) {
                    assert_eq!(checked("text", &once, bounds).unwrap(), once, "{text:?}");
                }
            }
        }
    }
}
