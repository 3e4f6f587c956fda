//! What string literals mean: escapes (September 2025, which joins surrogate pairs and knows
//! `\u{..}`) and block strings.

use std::borrow::Cow;

/// An escape that is none.
#[derive(Debug, PartialEq, Eq)]
pub struct Fault {
    /// The byte of the string's body at which it stands.
    pub at: usize,
    /// What is wrong with it.
    pub what: &'static str,
    /// How many UTF-16 code units of the text from there on show it.
    pub units: usize,
}

/// A code point that is no surrogate.
fn scalar(code: u32) -> Option<char> {
    char::from_u32(code)
}

/// Exactly four hexadecimal digits at `at`.
fn four_digits(body: &str, at: usize) -> Option<u32> {
    let digits = body.get(at..at + 4)?;
    let hexadecimal = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    hexadecimal.then(|| u32::from_str_radix(digits, 16).ok()).flatten()
}

/// The first characters of a text, as many as fit into so many UTF-16 code units.
pub fn excerpt(rest: &str, count: usize) -> &str {
    let mut units = 0;
    let end = rest.char_indices().find_map(|(index, c)| {
        units += c.len_utf16();
        (units > count).then_some(index)
    });
    rest.get(..end.unwrap_or(rest.len())).unwrap_or_default()
}

/// The value of a string that stands between two quotes.
///
/// # Errors
/// An escape that is none, or that names half a surrogate pair.
pub fn unescape(body: &str) -> Result<Cow<'_, str>, Fault> {
    let Some(first) = body.find('\\') else { return Ok(Cow::Borrowed(body)) };
    let mut value = String::with_capacity(body.len());
    value.push_str(body.get(..first).unwrap_or_default());
    let mut at = first;
    while let Some(c) = body.get(at..).and_then(|rest| rest.chars().next()) {
        if c != '\\' {
            value.push(c);
            at += c.len_utf8();
            continue;
        }
        let (escaped, length) = match body.as_bytes().get(at + 1) {
            Some(b'"') => ('"', 2),
            Some(b'\\') => ('\\', 2),
            Some(b'/') => ('/', 2),
            Some(b'b') => ('\u{8}', 2),
            Some(b'f') => ('\u{c}', 2),
            Some(b'n') => ('\n', 2),
            Some(b'r') => ('\r', 2),
            Some(b't') => ('\t', 2),
            Some(b'u') if body.as_bytes().get(at + 2) == Some(&b'{') => braced(body, at)?,
            Some(b'u') => fixed(body, at)?,
            _ => return Err(Fault { at, what: "Invalid character escape sequence", units: 2 }),
        };
        value.push(escaped);
        at += length;
    }
    Ok(Cow::Owned(value))
}

fn no_unicode(at: usize, units: usize) -> Fault {
    Fault { at, what: "Invalid Unicode escape sequence", units }
}

/// `\u{1F600}`: a character, and the length of its escape.
fn braced(body: &str, at: usize) -> Result<(char, usize), Fault> {
    let digits = body.get(at + 3..).unwrap_or_default();
    // At most eight digits, and at least one.
    let count = digits.bytes().take(8).take_while(u8::is_ascii_hexdigit).count();
    let closed = digits.as_bytes().get(count) == Some(&b'}');
    let code = digits.get(..count).and_then(|digits| u32::from_str_radix(digits, 16).ok());
    match code.filter(|_| closed).and_then(scalar) {
        Some(c) => Ok((c, count + 4)),
        None => Err(no_unicode(at, count + 4)),
    }
}

/// `\u00e9`, or two of them that make a surrogate pair.
fn fixed(body: &str, at: usize) -> Result<(char, usize), Fault> {
    let bad = || no_unicode(at, 6);
    let code = four_digits(body, at + 2).ok_or_else(bad)?;
    if let Some(c) = scalar(code) {
        return Ok((c, 6));
    }
    if !(0xD800..0xDC00).contains(&code) || body.get(at + 6..at + 8) != Some("\\u") {
        return Err(bad());
    }
    let low = four_digits(body, at + 8).filter(|low| (0xDC00..0xE000).contains(low));
    let low = low.ok_or_else(bad)?;
    let joined = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    Ok((scalar(joined).ok_or_else(bad)?, 12))
}

/// The value of a block string that stands between two triple quotes: without the indentation
/// that all its lines share, and without blank lines before and after.
pub fn block(raw: &str) -> Cow<'_, str> {
    if !raw.contains(['\n', '\r', '\\', ' ', '\t']) {
        return Cow::Borrowed(raw);
    }
    let raw = raw.replace("\\\"\"\"", "\"\"\"");
    let unified = raw.replace("\r\n", "\n").replace('\r', "\n");
    let lines: Vec<&str> = unified.split('\n').collect();
    let indent = |line: &str| line.len() - line.trim_start_matches([' ', '\t']).len();
    let is_blank = |line: &&str| indent(line) == line.len();
    let common = lines.iter().skip(1).filter(|line| !is_blank(line)).map(|line| indent(line)).min();
    let common = common.unwrap_or_default();
    let Some(first) = lines.iter().position(|line| !is_blank(line)) else {
        return Cow::Borrowed("");
    };
    let last = lines.iter().rposition(|line| !is_blank(line)).unwrap_or(first);
    let mut value = String::with_capacity(unified.len());
    for (number, line) in lines.iter().enumerate().take(last + 1).skip(first) {
        if number > first {
            value.push('\n');
        }
        let cut = if number == 0 { 0 } else { common };
        // A blank line may be shorter than the indentation.
        value.push_str(line.get(cut.min(line.len())..).unwrap_or_default());
    }
    Cow::Owned(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_read_as_the_specification_says() {
        for (body, value) in [
            ("plain", "plain"),
            (r#"\"\\\/\b\f\n\r\t"#, "\"\\/\u{8}\u{c}\n\r\t"),
            (r"\u00e9\u00E9", "éé"),
            (r"\uD83D\uDE00", "😀"),
            (r"\u{1F600}\u{e9}\u{0000e9}", "😀éé"),
            (r"a\u{10FFFF}b", "a\u{10ffff}b"),
        ] {
            assert_eq!(unescape(body).unwrap(), value, "{body}");
        }
        for body in [
            r"\x",
            r"\",
            r"\u12",
            r"\u12G4",
            r"\u{}",
            r"\u{110000}",
            r"\u{D800}",
            r"\u{1F600",
            r"\uD83D",
            r"\uD83Dx",
            r"\uD83D\u0041",
            r"\uDE00\uD83D",
            r"\u{000000041}",
            r"\u+123",
        ] {
            assert!(unescape(body).is_err(), "{body}");
        }
    }

    #[test]
    fn block_strings_lose_common_indentation_and_keep_escaped_quotes() {
        for (raw, value) in [
            ("say \\\"\"\" now", "say \"\"\" now"),
            ("\n    a\n      b\n    c\n  ", "a\n  b\nc"),
            ("  a\r\n  b\r  c", "  a\nb\nc"),
            ("\n \n\t", ""),
            ("\\u00e9 \\n", "\\u00e9 \\n"),
            ("a\n\n  b", "a\n\nb"),
        ] {
            assert_eq!(block(raw), value, "{raw:?}");
        }
    }
}
