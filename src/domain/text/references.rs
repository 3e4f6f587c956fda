//! What a text refers to: `@handle` and `#hashtag`. Pure; who a handle belongs to is somebody
//! else's question.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use crate::domain::users::is_handle;

/// Most characters of a hashtag, as written and in its normal form.
pub const MAX_HASHTAG: usize = 100;

/// What a part of a text may refer to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// Something like a handle, in lower case.
    Handle(String),
    /// A hashtag, in its normal form.
    Hashtag(String),
}

/// A part of a text that refers to something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// Where it begins, with its sign, in UTF-16 code units.
    pub start: i32,
    /// The first code unit after it.
    pub end: i32,
    /// To what.
    pub found: Found,
}

/// Everything that a text refers to, in its order. One pass.
pub fn references(text: &str) -> Vec<Span> {
    let (mut spans, mut rest, mut start, mut before) = (Vec::new(), text, 0, None);
    while let Some(sign) = rest.chars().next() {
        let body = rest.get(sign.len_utf8()..).unwrap_or_default();
        let found = match sign {
            '@' | '\u{ff20}' if begins(before) => handle(body),
            '#' | '\u{ff03}' if begins(before) => hashtag_at(body),
            _ => None,
        };
        let length = sign.len_utf8() + found.as_ref().map_or(0, |(_, length)| *length);
        let Some((part, after)) = rest.split_at_checked(length) else { break };
        let end = start + i32::try_from(part.encode_utf16().count()).unwrap_or_default();
        spans.extend(found.map(|(found, _)| Span { start, end, found }));
        (rest, start, before) = (after, end, part.chars().next_back());
    }
    spans
}

/// The normal form of a hashtag, with or without its sign: compatibility forms composed (NFKC),
/// case folded, without invisible joiners. `None` when it can be none: empty, too long, without a
/// letter, or with something else than letters, digits and `_` in it.
pub fn hashtag(name: &str) -> Option<String> {
    let body = name.strip_prefix(['#', '\u{ff03}']).unwrap_or(name);
    let (found, length) = hashtag_at(body)?;
    match found {
        Found::Hashtag(tag) if length == body.len() => Some(tag),
        _ => None,
    }
}

/// A sign within a word (`a@b.org`, `x#1`), after another sign or in a path (`/@bob`, `/#top`,
/// `&#39;`) begins nothing.
fn begins(before: Option<char>) -> bool {
    before.is_none_or(|c| {
        !is_word(c) && !matches!(c, '@' | '#' | '\u{ff20}' | '\u{ff03}' | '/' | '&')
    })
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || is_combining_mark(c)
}

/// What is not seen, and what words of some scripts are spelt with.
fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200b}' | '\u{200c}' | '\u{200d}' | '\u{2060}' | '\u{feff}' | '\u{ad}')
}

/// A handle that the text begins with, and its bytes. What goes on as another word, seen or not, is
/// none: `@bobé`, `@bob@elsewhere.org`.
fn handle(body: &str) -> Option<(Found, usize)> {
    let length = body.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(body.len());
    let (name, after) = body.split_at_checked(length)?;
    let next = after.trim_start_matches(is_joiner).chars().next();
    if next.is_some_and(|c| is_word(c) || (c == '@' && after.starts_with('@'))) {
        return None;
    }
    let name = name.to_ascii_lowercase();
    is_handle(&name).then_some((Found::Handle(name), length))
}

/// A hashtag that the text begins with, and its bytes.
fn hashtag_at(body: &str) -> Option<(Found, usize)> {
    let run = body
        .find(|c: char| !is_word(c) && !matches!(c, '\u{200c}' | '\u{200d}'))
        .unwrap_or(body.len());
    let written = body.get(..run)?.trim_end_matches(['\u{200c}', '\u{200d}']);
    if written.chars().next().is_none_or(|first| !first.is_alphanumeric() && first != '_')
        || written.chars().count() > MAX_HASHTAG
    {
        return None;
    }
    let tag = folded(written);
    let fits = tag.chars().count() <= MAX_HASHTAG && tag.chars().any(char::is_alphabetic);
    fits.then_some((Found::Hashtag(tag), written.len()))
}

/// One form for all that reads the same: upper case first, since only that way do `ß` and `ss`, and
/// the two small sigmas, meet.
fn folded(text: &str) -> String {
    let plain = text.nfkc().filter(|c| !is_joiner(*c));
    plain.flat_map(char::to_uppercase).flat_map(char::to_lowercase).nfkc().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each reference with the part of the text that it is.
    fn found(text: &str) -> Vec<(String, String)> {
        let units: Vec<u16> = text.encode_utf16().collect();
        let part = |span: &Span| {
            let part =
                &units[usize::try_from(span.start).unwrap()..usize::try_from(span.end).unwrap()];
            String::from_utf16(part).unwrap()
        };
        let name = |found: &Found| match found {
            Found::Handle(name) => format!("@{name}"),
            Found::Hashtag(tag) => format!("#{tag}"),
        };
        references(text).iter().map(|span| (part(span), name(&span.found))).collect()
    }

    fn names(text: &str) -> Vec<String> {
        found(text).into_iter().map(|(_, name)| name).collect()
    }

    #[test]
    fn places_are_counted_as_javascript_does() {
        let text = "\u{1f600} @Bob, see #Caf\u{e9}\u{1f1e9}\u{1f1ea} (@eve_1)";
        let parts: Vec<String> = found(text).into_iter().map(|(part, _)| part).collect();
        assert_eq!(parts, ["@Bob", "#Caf\u{e9}", "@eve_1"]);
        assert_eq!(names(text), ["@bob", "#caf\u{e9}", "@eve_1"]);
        assert_eq!(references("\u{1f600}@bob")[0].start, 2);
    }

    #[test]
    fn a_sign_within_something_else_is_nothing() {
        for text in [
            "bob@example.org",
            "https://plaza.test/@bob",
            "https://plaza.test/#top",
            "&#39;",
            "@@bob",
            "##tag",
            "x#tag",
            "@",
            "#",
            "@ab",
            "# tag",
            "@bob@elsewhere.org",
            "#123",
            "#_",
            "#\u{fe0f}\u{20e3}",
            "\u{e9}@bob",
            "@bob\u{e9}",
            "@bo\u{301}b",
            "@\u{200b}bob",
        ] {
            assert_eq!(names(text), Vec::<String>::new(), "{text}");
        }
    }

    #[test]
    fn invisible_and_turning_characters_deceive_nobody() {
        // Read as @bobby, it is not a mention of bob.
        assert_eq!(names("@bob\u{200b}by"), Vec::<String>::new());
        assert_eq!(names("@bob\u{200b} by"), ["@bob"]);
        assert_eq!(names("\u{202e}@bob\u{202c} #tag"), ["@bob", "#tag"]);
        assert_eq!(names("#\u{5e9}\u{5dc}\u{5d5}\u{5dd}, #\u{645}\u{6cc}\u{200c}\u{62e}\u{648}\u{627}\u{647}\u{645}").len(), 2);
        assert_eq!(hashtag("ta\u{200d}g"), hashtag("tag"));
        assert_eq!(names("#tag\u{200d}"), ["#tag"]);
    }

    #[test]
    fn what_reads_the_same_is_the_same_hashtag() {
        for (one, other) in [
            ("Caf\u{e9}", "cafe\u{301}"),
            ("\u{ff34}\u{ff21}\u{ff27}", "tag"),
            ("Stra\u{df}e", "STRASSE"),
            ("\u{3a3}\u{3bf}\u{3c6}\u{3cc}\u{3c2}", "\u{3a3}\u{39f}\u{3a6}\u{38c}\u{3a3}"),
            ("\u{fb01}sh", "fish"),
            ("#tag", "tag"),
            ("\u{ff03}tag", "tag"),
        ] {
            assert!(
                hashtag(one).is_some() && hashtag(one) == hashtag(other),
                "{one} and {other}: {:?} {:?}",
                hashtag(one),
                hashtag(other)
            );
            let tag = hashtag(one).unwrap();
            assert_eq!(hashtag(&tag).unwrap(), tag, "a normal form is its own");
        }
        for none in ["", "#", "a b", "a-b", "a\0b", "123", "##tag"] {
            assert_eq!(hashtag(none), None, "{none:?}");
        }
    }

    #[test]
    fn there_is_a_longest() {
        assert_eq!(names(&format!("#{}", "x".repeat(500))), Vec::<String>::new());
        assert_eq!(names(&format!("#{}", "x".repeat(MAX_HASHTAG))).len(), 1);
        // Each of these is eighteen letters in its normal form.
        assert_eq!(names(&format!("#{}", "\u{fdfa}".repeat(50))), Vec::<String>::new());
        assert_eq!(names(&format!("@{}", "x".repeat(31))), Vec::<String>::new());
        assert_eq!(references(&"@abc ".repeat(1_000)).len(), 1_000);
    }
}
