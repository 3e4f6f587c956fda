//! What a text refers to: `@handle` and `#hashtag`. Pure; who a handle belongs to is somebody
//! else's question.

use icu_properties::CodePointSetData;
use icu_properties::props::XidContinue;
use linkify::LinkFinder;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::characters::{is_invisible, is_space, is_wide_punctuation, utf16_length};
use crate::users::is_handle;

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

/// Everything that a text refers to, in its order, in time linear in its length. Web and e-mail
/// addresses are found first: nothing within one is a reference.
pub fn references(text: &str) -> Vec<Span> {
    let mut addresses = addresses(text).into_iter().peekable();
    let (mut spans, mut at, mut start, mut before) = (Vec::new(), 0, 0, None);
    while let Some(sign) = text.get(at..).and_then(|rest| rest.chars().next()) {
        while addresses.next_if(|address| address.end <= at).is_some() {}
        let address = addresses.next_if(|address| address.start <= at);
        let body = text.get(at + sign.len_utf8()..).unwrap_or_default();
        let found = match sign {
            _ if address.is_some() => None,
            '@' | '\u{ff20}' if begins(before) => handle(body),
            '#' | '\u{ff03}' if begins(before) => hashtag_at(body),
            _ => None,
        };
        let end_at = match address {
            Some(address) => address.end,
            None => at + sign.len_utf8() + found.as_ref().map_or(0, |(_, length)| *length),
        };
        let Some(part) = text.get(at..end_at) else { break };
        let end = start + utf16_length(part);
        spans.extend(found.map(|(found, _)| Span { start, end, found }));
        (at, start, before) = (end_at, end, part.chars().next_back());
    }
    spans
}

/// Where a text has web and e-mail addresses, with or without a scheme; in bytes, in their order.
fn addresses(text: &str) -> Vec<std::ops::Range<usize>> {
    let finder = finder();
    let mut found = Vec::new();
    let mut begin = 0;
    for part in text.split_inclusive(ends_addresses) {
        let links = finder.links(part.trim_end_matches(ends_addresses));
        found.extend(links.map(|link| begin + link.start()..begin + link.end()));
        begin += part.len();
    }
    found
}

/// Finds addresses with or without a scheme.
fn finder() -> LinkFinder {
    let mut finder = LinkFinder::new();
    finder.url_must_have_scheme(false);
    finder
}

/// What no address has in it as people write: the spaces beyond ASCII, the punctuation of scripts
/// that have no spaces between words, and the quotation marks around a part of a text.
pub(super) fn ends_addresses(c: char) -> bool {
    !c.is_ascii()
        && (is_space(c)
            || is_wide_punctuation(c)
            || matches!(c, '\u{201c}'..='\u{201f}' | '\u{ab}' | '\u{bb}'))
}

/// The normal form of a hashtag, with or without its sign: compatibility forms composed (NFKC),
/// case folded, without invisible joiners. `None` when it can be none: empty, too long, without a
/// letter, or with something in it that no hashtag has.
pub fn hashtag(name: &str) -> Option<String> {
    let body = name.strip_prefix(['#', '\u{ff03}']).unwrap_or(name);
    let (found, length) = hashtag_at(body)?;
    match found {
        Found::Hashtag(tag) if length == body.len() => Some(tag),
        _ => None,
    }
}

/// A sign within a word (`a@b.org`, `x#1`), after another sign, in a path or in a query (`/@bob`,
/// `/#top`, `?q=@bob`, `&#39;`) begins nothing.
fn begins(before: Option<char>) -> bool {
    before.is_none_or(|c| {
        !is_word(c) && !matches!(c, '@' | '#' | '\u{ff20}' | '\u{ff03}' | '/' | '&' | '=')
    })
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || is_combining_mark(c)
}

/// What is not seen, and what words of some scripts are spelt with.
fn is_joiner(c: char) -> bool {
    is_invisible(c) || matches!(c, '\u{200c}' | '\u{200d}')
}

/// A handle that the text begins with, and its bytes. What goes on as another word, seen or not, is
/// none: `@bobé`, `@bob@elsewhere.org`; nor is the first label of a host: `@bob.elsewhere.org`.
fn handle(body: &str) -> Option<(Found, usize)> {
    let length = body.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(body.len());
    let (name, after) = body.split_at_checked(length)?;
    let next = after.trim_start_matches(is_joiner).chars().next();
    if next.is_some_and(|c| is_word(c) || (c == '@' && after.starts_with('@'))) {
        return None;
    }
    if after.starts_with('.') && begins_with_host(body) {
        return None;
    }
    let name = name.to_ascii_lowercase();
    is_handle(&name).then_some((Found::Handle(name), length))
}

/// Whether a text begins with the name of a host.
fn begins_with_host(body: &str) -> bool {
    let end = body.find(|c: char| !is_word(c) && !matches!(c, '.' | '-')).unwrap_or(body.len());
    let run = body.get(..end).unwrap_or_default();
    finder().links(run).next().is_some_and(|link| link.start() == 0)
}

/// What may stand within a hashtag, not at its end: the middle dots of Catalan and Katakana, the
/// hyphens of Hebrew, Armenian and Katakana, geresh and gershayim, the dots between Tibetan
/// syllables, and the joiners that words of some scripts are spelt with (UAX #31, table 3b; without
/// the signs that ASCII texts go on with after a hashtag).
fn is_medial(c: char) -> bool {
    matches!(
        c,
        '\u{b7}'
            | '\u{58a}'
            | '\u{5be}'
            | '\u{5f3}'
            | '\u{5f4}'
            | '\u{f0b}'
            | '\u{f0c}'
            | '\u{200c}'
            | '\u{200d}'
            | '\u{30a0}'
            | '\u{30fb}'
            | '\u{ff65}'
    )
}

/// Whether a character can be in the normal form of a hashtag (UAX #31, R8).
fn is_tag_character(c: char) -> bool {
    is_medial(c) || (!is_joiner(c) && CodePointSetData::new::<XidContinue>().contains(c))
}

/// Whether a character can be in a hashtag as it is written: what it folds to can be in the normal
/// form. `½` folds to a fraction, `ﷺ` to a sentence.
fn is_written_in_tag(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_alphanumeric() || c == '_';
    }
    is_medial(c) || (!is_joiner(c) && std::iter::once(c).nfkc().all(is_tag_character))
}

/// A hashtag that the text begins with, and its bytes.
fn hashtag_at(body: &str) -> Option<(Found, usize)> {
    let run = body.find(|c: char| !is_written_in_tag(c)).unwrap_or(body.len());
    let written = body.get(..run)?.trim_end_matches(is_medial);
    if written.chars().count() > MAX_HASHTAG {
        return None;
    }
    let tag = normal(written)?;
    Some((Found::Hashtag(tag), written.len()))
}

/// The normal form of what is written, when that is a hashtag.
fn normal(written: &str) -> Option<String> {
    let mut tag = folded(written);
    // Folding may compose or expand what it has made: at most twice, by the stability of NFKC.
    for _ in 0..2 {
        tag = folded(tag.trim_end_matches(is_medial));
    }
    let first = tag.chars().next()?;
    let is_tag = (first.is_alphanumeric() || first == '_')
        && tag.chars().count() <= MAX_HASHTAG
        && tag.chars().any(char::is_alphabetic)
        && tag.chars().all(is_tag_character)
        && !tag.ends_with(is_medial)
        && folded(&tag) == tag;
    is_tag.then_some(tag)
}

/// One form for all that reads the same: upper case first, since only that way do `ß` and `ss`, and
/// the two small sigmas, meet.
fn folded(text: &str) -> String {
    let plain = text.nfkc().filter(|c| !is_joiner(*c) && !is_space(*c));
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
    fn addresses_are_found_before_references() {
        for text in [
            "https://example.org/?q=@bob&t=#tag",
            "https://example.org/a,@bob",
            "(https://example.org/wiki/A_(@bob))",
            "see http://example.org/a.b#tag.",
            "example.org/?to=@bob",
            "www.example.org/path;@bob",
            "a.b+#tag@example.org",
            "mailto:x@bob.org",
            "https://\u{4f8b}\u{3048}.jp/?q=#tag",
            "localhost/?q=@bob",
            "//example.org/?q=@bob&tag=#tag",
            "@bob.example.org",
            "(@bob.b\u{fc}cher.example)",
            "@bob.example.org/path",
        ] {
            assert_eq!(names(text), Vec::<String>::new(), "{text}");
        }
        assert_eq!(
            names("https://example.org/?q=@eve @bob x@example.org,#tag (@ann)"),
            ["@bob", "#tag", "@ann"]
        );
        assert_eq!(
            names("It was @bob. @ann... So @eve.: -.@joe."),
            ["@bob", "@ann", "@eve", "@joe"]
        );
        // In a text without spaces, the punctuation ends an address.
        for space in [
            "\u{3000}", "\u{a0}", "\u{2003}", "\u{3001}", "\u{3002}", "\u{ff09}", "\u{300d}",
            "\u{ff0c}", "\u{ff01}", "\u{ff1a}",
        ] {
            let text = format!(
                "\u{ff08}https://example.org/a{space}@bob{space}example.org/b{space}#\u{6771}\u{4eac}"
            );
            assert_eq!(names(&text), ["@bob", "#\u{6771}\u{4eac}"], "{text}");
        }
        assert_eq!(names("https://example.org/\u{6771}\u{4eac}/@eve\u{3000}@bob"), ["@bob"]);
        let after = references("\u{1f600} https://example.org/@eve @bob");
        assert_eq!((after[0].start, after[0].end), (28, 32));
    }

    #[test]
    fn hashtags_have_within_them_what_people_write() {
        for (text, tag) in [
            ("#col\u{b7}lecci\u{f3}", "#col\u{b7}lecci\u{f3}"),
            ("#co\u{140}lecci\u{f3}", "#col\u{b7}lecci\u{f3}"),
            ("#\u{5e6}\u{5d4}\u{5f4}\u{5dc}", "#\u{5e6}\u{5d4}\u{5f4}\u{5dc}"),
            (
                "#\u{30b9}\u{30bf}\u{30fc}\u{30fb}\u{30a6}",
                "#\u{30b9}\u{30bf}\u{30fc}\u{30fb}\u{30a6}",
            ),
            (
                "#\u{f56}\u{f7c}\u{f51}\u{f0b}\u{f61}\u{f72}\u{f42}",
                "#\u{f56}\u{f7c}\u{f51}\u{f0b}\u{f61}\u{f72}\u{f42}",
            ),
            ("#tag\u{b7} more", "#tag"),
            ("#x\u{b2}", "#x2"),
            ("#a\u{2474}", "#a"),
            ("#a\u{bd}", "#a"),
            (
                "#\u{928}\u{92e}\u{938}\u{94d}\u{924}\u{947}",
                "#\u{928}\u{92e}\u{938}\u{94d}\u{924}\u{947}",
            ),
        ] {
            assert_eq!(names(text), [tag], "{text}");
        }
        assert_eq!(names("#\u{fdfa}"), Vec::<String>::new());
        assert_eq!(names("#\u{b7}a"), Vec::<String>::new());
    }

    /// Every tag that the API gives can be looked up by it, whatever characters it was written
    /// with.
    #[test]
    fn every_tag_is_found_by_its_normal_form() {
        let letters = ('!'..='\u{33ff}').chain('\u{a000}'..='\u{abff}');
        for c in letters.chain('\u{f900}'..='\u{1ffff}').chain('\u{e0000}'..='\u{e01ff}') {
            for text in [format!("#a{c}"), format!("#{c}a"), format!("#a{c}b"), format!("#{c}")] {
                for span in references(&text) {
                    let Found::Hashtag(tag) = span.found else { continue };
                    assert_eq!(hashtag(&tag), Some(tag.clone()), "{text:?}");
                    assert_eq!(names(&format!("#{tag}")), [format!("#{tag}")], "{text:?}");
                }
            }
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
