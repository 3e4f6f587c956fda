//! What stands before the library: a query that would overflow its parser's stack or keep its validator busy for ever is refused here, in
//! time linear in its length.
//!
//! One pass over the text: length, tokens, nesting (braces, brackets and parentheses outside strings and comments). What passes can be parsed
//! safely. What it may cost, and whether fragments go in circles, is [`cost`](super::cost)'s.

use serde_json::Value as Json;

use super::error::ErrorCode;

/// Longest text, in bytes.
const MAX_BYTES: usize = 16 * 1024;
/// Most tokens.
const MAX_TOKENS: usize = 2_000;
/// Deepest nesting of any brackets.
const MAX_NESTING: usize = 64;
/// Longest list in a variable.
const MAX_LIST: usize = 250;

/// Why a query is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The code.
    pub code: ErrorCode,
    /// In words.
    pub message: String,
}

pub(super) fn refuse<T>(code: ErrorCode, message: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal { code, message: message.into() })
}

/// The first pass, over the raw text.
///
/// # Errors
/// Too long, too many tokens, nested too deeply.
pub fn check_text(query: &str) -> Result<(), Refusal> {
    if query.len() > MAX_BYTES {
        return refuse(ErrorCode::QueryTooComplex, format!("a query may have {MAX_BYTES} bytes"));
    }
    let bytes = query.as_bytes();
    let at = |index: usize| bytes.get(index).copied().unwrap_or_default();
    let (mut index, mut tokens, mut nesting) = (0, 0, 0_usize);
    while index < bytes.len() {
        match at(index) {
            b' ' | b'\t' | b'\n' | b'\r' | b',' => {
                index += 1;
                continue;
            }
            b'#' => {
                while index < bytes.len() && !matches!(at(index), b'\n' | b'\r') {
                    index += 1;
                }
                continue;
            }
            b'"' => index = after_string(bytes, index),
            b'{' | b'[' | b'(' => {
                nesting += 1;
                if nesting > MAX_NESTING {
                    return refuse(
                        ErrorCode::QueryTooDeep,
                        format!("brackets may nest {MAX_NESTING} deep"),
                    );
                }
                index += 1;
            }
            b'}' | b']' | b')' => {
                nesting = nesting.saturating_sub(1);
                index += 1;
            }
            c if c.is_ascii_alphanumeric() || c == b'_' => {
                while index < bytes.len()
                    && (at(index).is_ascii_alphanumeric() || at(index) == b'_')
                {
                    index += 1;
                }
            }
            _ => index += 1,
        }
        tokens += 1;
        if tokens > MAX_TOKENS {
            return refuse(
                ErrorCode::QueryTooComplex,
                format!("a query may have {MAX_TOKENS} tokens"),
            );
        }
    }
    Ok(())
}

/// The index after the string that begins here.
fn after_string(bytes: &[u8], start: usize) -> usize {
    let starts =
        |index: usize, what: &[u8]| bytes.get(index..).is_some_and(|rest| rest.starts_with(what));
    let block = starts(start, b"\"\"\"");
    let mut index = start + if block { 3 } else { 1 };
    while index < bytes.len() {
        if block && starts(index, b"\\\"\"\"") {
            index += 4;
        } else if block && starts(index, b"\"\"\"") {
            return index + 3;
        } else if !block && starts(index, b"\\") {
            index += 2;
        } else if !block && (starts(index, b"\"") || starts(index, b"\n")) {
            return index + 1;
        } else {
            index += 1;
        }
    }
    bytes.len()
}

/// Whether the variables' lists are short enough to be read.
///
/// # Errors
/// A list with more items than any argument takes.
pub fn check_values(variables: &serde_json::Map<String, Json>) -> Result<(), Refusal> {
    fn longest(value: &Json) -> usize {
        match value {
            Json::Array(items) => {
                items.iter().map(longest).max().unwrap_or_default().max(items.len())
            }
            Json::Object(fields) => fields.values().map(longest).max().unwrap_or_default(),
            _ => 0,
        }
    }
    if variables.values().map(longest).max().unwrap_or_default() > MAX_LIST {
        return refuse(ErrorCode::BadUserInput, format!("a list may have {MAX_LIST} items"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(query: &str) -> Result<(), ErrorCode> {
        check_text(query).map_err(|refusal| refusal.code)
    }

    #[test]
    fn a_query_that_would_overflow_the_parser_is_refused() {
        let bomb = format!("{{echo(s:{}{})}}", "[".repeat(1_542), "]".repeat(1_542));
        assert_eq!(check(&bomb), Err(ErrorCode::QueryTooDeep));
        let objects = format!("{{echo(s:{}1{})}}", "{a:".repeat(1_542), "}".repeat(1_542));
        assert_eq!(check(&objects), Err(ErrorCode::QueryTooDeep));
    }

    #[test]
    fn brackets_in_strings_and_comments_do_not_nest() {
        let text = "[".repeat(200);
        assert_eq!(
            check(&format!("{{ a(s: \"{text}\") b(s: \"\"\"{text}\\\"\"\"\"\"\") # {text}\n }}")),
            Ok(())
        );
    }
}
