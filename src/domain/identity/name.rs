//! What somebody calls themselves: a handle, or an e-mail address.

use std::borrow::Cow;

use email_address::{EmailAddress, Options};
use unicode_normalization::UnicodeNormalization;

use crate::text::characters;
use crate::users::is_handle;

/// A name that an account may be found by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Name {
    Handle(String),
    Email(String),
}

impl Name {
    /// What a log-in names: a handle in any case, with or without a leading `@`, or an e-mail
    /// address; `None` when it can be neither.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let handle = text.strip_prefix('@').unwrap_or(text);
        handle_of(handle).map(Self::Handle).or_else(|| email_of(text).map(Self::Email))
    }

    /// The text that it is found by.
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Handle(text) | Self::Email(text) => text,
        }
    }
}

/// The handle in a text, capitals of a to z folded and nothing else: folding by Unicode would make
/// letters of what are none (U+212A KELVIN SIGN).
pub(super) fn handle_of(text: &str) -> Option<String> {
    let handle = Some(text.trim()).filter(|text| text.len() <= 30)?.to_ascii_lowercase();
    is_handle(&handle).then_some(handle)
}

/// The e-mail address in a text, as it is compared: lower case, its domain in ASCII. Whether it
/// looks like one is all that is asked: only a letter that arrives proves one.
pub(super) fn email_of(text: &str) -> Option<String> {
    // Bounded before anything grows it.
    let text = Some(text.trim()).filter(|text| text.len() <= MAX_EMAIL)?;
    let (local, domain) = text.split_once('@')?;
    let local: String = local.nfc().flat_map(char::to_lowercase).collect();
    // Left out by the mapping below, it would be another address than the one that was read.
    if domain.chars().any(is_unseen) {
        return None;
    }
    let domain: Cow<'_, str> = if domain.is_ascii() {
        domain.to_ascii_lowercase().into()
    } else {
        idna::domain_to_ascii_strict(domain).ok()?.into()
    };
    let email = format!("{local}@{domain}");
    let is_plain = |c: char| c.is_ascii() || c.is_alphanumeric();
    let options = Options::default()
        .without_display_text()
        .without_domain_literal()
        .with_minimum_sub_domains(2);
    (email.len() <= MAX_EMAIL
        // A quoted local part is one that nobody has.
        && !local.contains('"')
        && local.chars().all(is_plain)
        && EmailAddress::parse_with_options(&email, options).is_ok())
    .then_some(email)
}

/// What is not seen in an address, or turns how it reads.
fn is_unseen(c: char) -> bool {
    characters::is_invisible(c) || characters::is_direction(c) || characters::is_space(c)
}

/// Most bytes of an address.
const MAX_EMAIL: usize = 254;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_look_like_addresses() {
        for (good, compared) in [
            ("a@b.c", "a@b.c"),
            (" First.Last+tag@Example.org ", "first.last+tag@example.org"),
            ("jörg@example.org", "jörg@example.org"),
            ("Jo\u{308}rg@example.org", "jörg@example.org"),
            ("a@exämple.de", "a@xn--exmple-cua.de"),
            ("a@XN--EXMPLE-CUA.de", "a@xn--exmple-cua.de"),
        ] {
            assert_eq!(email_of(good).as_deref(), Some(compared), "{good}");
        }
        for bad in [
            "",
            "a",
            "@b.c",
            "a@",
            "a@b",
            "a@b@c.d",
            "a b@c.d",
            "a@b.c\r\nBcc: x",
            "\"q\"@b.c",
            "a@.b",
            "a@b.",
            "a@b..c",
            "a\0@b.c",
            "a\u{202e}b@c.d",
            "a@b\u{200b}.c",
            &format!("{}@b.c", "a".repeat(65)),
            &format!("a@{}.c", "ä".repeat(60_000)),
        ] {
            assert_eq!(email_of(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_handle_is_folded_by_its_ascii_letters_alone() {
        assert_eq!(handle_of(" Ann_1 ").as_deref(), Some("ann_1"));
        // Every character outside of ASCII, also where Unicode folds it into ASCII.
        for c in ('\u{80}'..=char::MAX).filter(|c| !c.is_whitespace()) {
            assert_eq!(handle_of(&format!("{c}elvin")), None, "{:x}", u32::from(c));
        }
        for bad in ["ab", "a-b-c", "a b", &"a".repeat(31), &"a".repeat(60_000)] {
            assert_eq!(handle_of(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_log_in_names_a_handle_or_an_address() {
        assert_eq!(Name::parse("@Ann_1"), Some(Name::Handle("ann_1".to_owned())));
        assert_eq!(Name::parse("Ann@b.c"), Some(Name::Email("ann@b.c".to_owned())));
        assert_eq!(Name::parse("@@ann"), None);
        assert_eq!(Name::parse(&"x".repeat(60_000)), None);
    }
}
