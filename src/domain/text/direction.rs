//! Text direction stays within the text: what a line opens, it closes.

/// A control that opens something, and the one that closes it.
fn closer(c: char) -> Option<char> {
    const POP_DIRECTIONAL_FORMATTING: char = '\u{202c}';
    const POP_DIRECTIONAL_ISOLATE: char = '\u{2069}';
    match c {
        '\u{202a}' | '\u{202b}' | '\u{202d}' | '\u{202e}' => Some(POP_DIRECTIONAL_FORMATTING),
        '\u{2066}'..='\u{2068}' => Some(POP_DIRECTIONAL_ISOLATE),
        _ => None,
    }
}

/// The line with everything closed that it opens, and without what closes nothing: whatever it is
/// shown beside or within keeps its direction. Embeddings and overrides that are open when an
/// isolate around them is closed end with it, as in the bidirectional algorithm (UAX #9, BD9 to
/// BD11).
pub fn closed(line: &str) -> String {
    let mut kept = String::with_capacity(line.len());
    let mut open = Vec::new();
    for c in line.chars() {
        match c {
            '\u{202c}' => {
                if open.last() != Some(&c) {
                    continue;
                }
                open.pop();
                kept.push(c);
            }
            '\u{2069}' => {
                if !open.contains(&c) {
                    continue;
                }
                while let Some(closing) = open.pop() {
                    kept.push(closing);
                    if closing == c {
                        break;
                    }
                }
            }
            _ => {
                open.extend(closer(c));
                kept.push(c);
            }
        }
    }
    kept.extend(open.into_iter().rev());
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_opened_is_closed_and_nothing_else_is() {
        for (line, expected) in [
            ("plain", "plain"),
            ("\u{202e}txt.exe", "\u{202e}txt.exe\u{202c}"),
            ("\u{202a}a\u{202c}b", "\u{202a}a\u{202c}b"),
            ("a\u{202c}b\u{2069}", "ab"),
            ("\u{2067}a\u{202b}b", "\u{2067}a\u{202b}b\u{202c}\u{2069}"),
            ("\u{2067}a\u{202b}b\u{2069}c\u{202c}", "\u{2067}a\u{202b}b\u{202c}\u{2069}c"),
            ("\u{200f}mark\u{61c}", "\u{200f}mark\u{61c}"),
        ] {
            assert_eq!(closed(line), expected, "{line:?}");
        }
    }

    #[test]
    fn any_line_comes_out_balanced_and_stays_as_it_is() {
        let controls: Vec<char> =
            "\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2066}\u{2067}\u{2068}\u{2069}a"
                .chars()
                .collect();
        let count = controls.len();
        for number in 0..count.pow(5) {
            let line: String =
                (0..5).map(|place| controls[number / count.pow(place) % count]).collect();
            let once = closed(&line);
            assert_eq!(closed(&once), once, "{line:?}");
            let opened = once.chars().filter(|c| closer(*c).is_some()).count();
            let ended = once.chars().filter(|c| matches!(c, '\u{202c}' | '\u{2069}')).count();
            assert_eq!(opened, ended, "{line:?}");
        }
    }
}
