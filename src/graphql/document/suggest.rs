//! "Did you mean": the names nearest to one that there is not.

/// Most names that are suggested.
const MAX_SUGGESTIONS: usize = 5;
/// Longest name that is compared: the work is its length times the other's.
const MAX_LENGTH: usize = 100;

/// The sentence, with a space before it; empty when nothing is near.
pub fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    sentence("", &nearest(name, known))
}

/// The sentence for names that are suggested whatever their form is.
pub fn sentence(what: &str, names: &[&str]) -> String {
    let quoted: Vec<String> =
        names.iter().take(MAX_SUGGESTIONS).map(|name| format!("\"{name}\"")).collect();
    match quoted.as_slice() {
        [] => String::new(),
        [only] => format!(" Did you mean {what}{only}?"),
        [one, other] => format!(" Did you mean {what}{one} or {other}?"),
        [some @ .., last] => format!(" Did you mean {what}{}, or {last}?", some.join(", ")),
    }
}

fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    if name.len() > MAX_LENGTH {
        return Vec::new();
    }
    let threshold = name.len() * 2 / 5 + 1;
    let mut found: Vec<(usize, &str)> = known
        .into_iter()
        .filter_map(|other| Some((distance(name, other, threshold)?, other)))
        .collect();
    found.sort_unstable();
    found.into_iter().map(|(_, name)| name).collect()
}

/// How many characters have to be inserted, deleted, replaced or swapped, where that is no more
/// than the threshold; another case counts as one.
fn distance(name: &str, other: &str, threshold: usize) -> Option<usize> {
    if name == other {
        return Some(0);
    }
    let (a, b) = (name.to_ascii_lowercase(), other.to_ascii_lowercase());
    if a == b {
        return Some(1);
    }
    if a.len().abs_diff(b.len()) > threshold {
        return None;
    }
    let b = b.as_bytes();
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    let mut previous = 0;
    for (i, byte) in a.bytes().enumerate() {
        let mut row = vec![i + 1];
        let mut left_byte = 0;
        for (j, other) in b.iter().copied().enumerate() {
            let at = |row: &[usize], index: usize| row.get(index).copied().unwrap_or(usize::MAX);
            let mut cell = (at(&above, j + 1).saturating_add(1))
                .min(at(&row, j).saturating_add(1))
                .min(at(&above, j).saturating_add(usize::from(byte != other)));
            if i > 0 && j > 0 && byte == left_byte && previous == other {
                cell = cell.min(at(&before, j - 1).saturating_add(1));
            }
            row.push(cell);
            left_byte = other;
        }
        previous = byte;
        before = std::mem::replace(&mut above, row);
    }
    above.last().copied().filter(|distance| *distance <= threshold)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_suggested_and_others_are_not() {
        let known = ["text", "textLength", "title", "createdAt"];
        assert_eq!(did_you_mean("txt", known), " Did you mean \"text\"?");
        assert_eq!(did_you_mean("etxt", known), " Did you mean \"text\"?");
        assert_eq!(did_you_mean("TEXT", known), " Did you mean \"text\"?");
        assert_eq!(did_you_mean("body", known), "");
        assert_eq!(did_you_mean(&"x".repeat(10_000), known), "");
        assert_eq!(did_you_mean("tite", ["title", "site", "item", "a"]).matches(',').count(), 2);
    }
}
