//! Global ids: URL-safe base64 of `Type:number`, opaque to clients.

use async_graphql::ID;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::error::ErrorCode;
use plaza_base::ids::Id;
use plaza_domain::{DomainError, UserError, UserErrorCode};

/// The global id of a row.
pub fn global<I: Id>(id: I) -> ID {
    ID(URL_SAFE_NO_PAD.encode(format!("{}:{}", I::NOUN, id.as_i64())))
}

/// The global id of what is known by a text: `noun` is its type's name.
pub fn global_text(noun: &str, text: &str) -> ID {
    ID(URL_SAFE_NO_PAD.encode(format!("{noun}:{text}")))
}

/// The text in a global id of this type; `None` when it is of another type, or none of ours.
pub fn parse_text(noun: &str, id: &str) -> Option<String> {
    let id = Some(id).filter(|id| id.len() <= LONGEST)?;
    let bytes = URL_SAFE_NO_PAD.decode(id.trim_end_matches('=')).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    Some(text.strip_prefix(noun)?.strip_prefix(':')?.to_owned())
}

/// The longest id of a text that is decoded, in characters.
const LONGEST: usize = 1_000;

/// The noun and number in a global id; `None` when it is none of ours.
pub fn parse_any(id: &str) -> Option<(String, i64)> {
    let bytes = URL_SAFE_NO_PAD.decode(id.trim_end_matches('=')).ok()?;
    let (noun, number) = std::str::from_utf8(&bytes).ok()?.split_once(':')?;
    let number: i64 = number.parse().ok().filter(|number| *number > 0)?;
    Some((noun.to_owned(), number))
}

/// The typed id in a global id; `None` when it is of another type, or none of ours.
pub fn parse<I: Id>(id: &str) -> Option<I> {
    let (noun, number) = parse_any(id)?;
    (noun == I::NOUN).then(|| I::from_i64(number))
}

/// The typed id in a query's argument.
///
/// # Errors
/// `BAD_USER_INPUT`.
pub fn argument<I: Id>(id: &ID) -> async_graphql::Result<I> {
    parse(id).ok_or_else(|| {
        ErrorCode::BadUserInput.error(format!("this is not the id of a {}", I::NOUN))
    })
}

/// The typed id in a field of a mutation's input.
///
/// # Errors
/// A `userErrors` entry.
pub fn input<I: Id>(field: &str, id: &ID) -> Result<I, DomainError> {
    input_at(&["input", field], id)
}

/// The typed id anywhere in a mutation's input; the path goes from the mutation's arguments down.
///
/// # Errors
/// A `userErrors` entry.
pub fn input_at<I: Id>(path: &[&str], id: &ID) -> Result<I, DomainError> {
    let refused = || UserError {
        code: UserErrorCode::Invalid,
        message: format!("this is not the id of a {}", I::NOUN),
        path: path.iter().map(|part| (*part).to_owned()).collect(),
    };
    parse(id).ok_or_else(|| DomainError::Rejected(vec![refused()]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use plaza_base::ids::{PostId, UserId};

    #[test]
    fn a_global_id_is_of_one_type() {
        let id = global(PostId::from_i64(42));
        assert_eq!(parse::<PostId>(&id), Some(PostId::from_i64(42)));
        assert_eq!(parse::<UserId>(&id), None);
        for bad in ["", "42", "UG9zdDo", "UG9zdDotMQ", "\u{0}"] {
            assert_eq!(parse::<PostId>(bad), None, "{bad}");
        }
    }
}
