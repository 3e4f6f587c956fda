//! The web addresses of a text, for clients that make links of them.

use linkify::{LinkFinder, LinkKind};
use url::Url;

use super::characters::utf16_length;
use super::references::ends_addresses;

/// An address within a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Where it begins, in UTF-16 code units.
    pub start: i32,
    /// The first code unit after it.
    pub end: i32,
    /// Where it leads: `http` or `https`, in the form of the URL standard.
    pub url: String,
}

/// The addresses of a text that begin with `http://` or `https://`, in their order.
///
/// One that is written to look like another is none: a name before the host
/// (`https://bank.example@elsewhere.example`), a host without a dot.
pub fn links(text: &str) -> Vec<Link> {
    let mut finder = LinkFinder::new();
    finder.kinds(&[LinkKind::Url]);
    let (mut found, mut units) = (Vec::new(), 0);
    for part in text.split_inclusive(ends_addresses) {
        let body = part.trim_end_matches(ends_addresses);
        for span in finder.spans(body) {
            let start = units;
            units += utf16_length(span.as_str());
            let url = span.kind().and_then(|_| destination(span.as_str()));
            found.extend(url.map(|url| Link { start, end: units, url }));
        }
        units += utf16_length(part.get(body.len()..).unwrap_or_default());
    }
    found
}

fn destination(address: &str) -> Option<String> {
    let url = Url::parse(address).ok()?;
    let is_web = matches!(url.scheme(), "http" | "https");
    let is_itself = url.username().is_empty() && url.password().is_none();
    let host = url.host_str()?;
    let has_dot = host.trim_matches('.').contains('.');
    (is_web && is_itself && has_dot).then(|| url.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each link with the part of the text that it is.
    fn found(text: &str) -> Vec<(String, String)> {
        let units: Vec<u16> = text.encode_utf16().collect();
        let part = |link: &Link| {
            let range = usize::try_from(link.start).unwrap()..usize::try_from(link.end).unwrap();
            String::from_utf16(&units[range]).unwrap()
        };
        links(text).iter().map(|link| (part(link), link.url.clone())).collect()
    }

    #[test]
    fn an_address_is_found_whatever_is_around_it() {
        for (before, after) in [
            ("", ""),
            ("See ", " and so on"),
            ("(", ")"),
            ("„", "”"),
            ("Look: ", "."),
            ("😀 ", ", then"),
            ("見て「", "」と"),
            ("\n", "\nnext"),
        ] {
            for address in [
                "https://example.org/",
                "http://sub.example.co.uk:8443/a_(b)?q=1&r=2#part",
                "https://192.0.2.7/a%20b",
            ] {
                let text = format!("{before}{address}{after}");
                assert_eq!(found(&text), [(address.to_owned(), address.to_owned())], "{text}");
            }
        }
        let two = found("https://a.example and https://b.example");
        assert_eq!(two[1], ("https://b.example".to_owned(), "https://b.example/".to_owned()));
    }

    #[test]
    fn what_looks_like_another_address_is_none() {
        for text in [
            "https://bank.example@elsewhere.example/",
            "https://user:secret@example.org/",
            "https://localhost/",
            "javascript:alert(1)",
            "ftp://example.org/",
            "mailto:ann@example.org",
            "ann@example.org",
            "example.org",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }
}
