//! Bounds of texts. NUL is refused here, before it reaches a server that cannot store it.

pub mod references;

use super::{UserError, UserErrorCode};

/// Bounds of one field, in characters.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Fewest.
    pub min: usize,
    /// Most.
    pub max: usize,
}

/// A post's text.
pub const POST_TEXT: Bounds = Bounds { min: 1, max: 2_000 };
/// A comment's text.
pub const COMMENT_TEXT: Bounds = Bounds { min: 1, max: 1_000 };
/// A person's name as shown.
pub const DISPLAY_NAME: Bounds = Bounds { min: 1, max: 60 };
/// What a person says of themselves.
pub const BIO: Bounds = Bounds { min: 0, max: 500 };
/// What an image shows, in words.
pub const ALT_TEXT: Bounds = Bounds { min: 0, max: 500 };
/// A product's title.
pub const PRODUCT_TITLE: Bounds = Bounds { min: 1, max: 120 };
/// A product's description.
pub const PRODUCT_DESCRIPTION: Bounds = Bounds { min: 0, max: 4_000 };

/// The text without white space around it, or what is wrong with it. Control characters other than
/// line breaks and tabs are refused.
///
/// # Errors
/// [`UserErrorCode::Invalid`] with the bounds.
pub fn checked(field: &str, text: &str, bounds: Bounds) -> Result<String, UserError> {
    let trimmed = text.trim();
    let length = trimmed.chars().count();
    if length < bounds.min || length > bounds.max {
        let message =
            format!("must have {} to {} characters, has {length}", bounds.min, bounds.max);
        return Err(UserError::field(UserErrorCode::Invalid, field, message));
    }
    if trimmed.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
        return Err(UserError::field(
            UserErrorCode::Invalid,
            field,
            "must not have control characters",
        ));
    }
    Ok(trimmed.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_trimmed_and_bounded_in_characters() {
        assert_eq!(checked("text", "  h\u{e9}\n ", Bounds { min: 1, max: 2 }).unwrap(), "h\u{e9}");
        assert!(checked("text", "   ", POST_TEXT).is_err());
        assert!(checked("text", "a\0b", POST_TEXT).is_err());
        assert!(checked("text", &"x".repeat(2_001), POST_TEXT).is_err());
    }
}
