//! Who a client says it is, in the payload of its first message: the documented way, and the ways
//! that clients made for other servers have. Whoever means to be somebody is never taken for
//! nobody.

use serde_json::{Map, Value};

use super::messages::Close;

/// Where an access token is understood, in lower case and without separators.
const UNDERSTOOD: &[&str] =
    &["authorization", "token", "authtoken", "accesstoken", "bearer", "bearertoken", "jwt"];
/// What the names of credentials have in them.
const LIKE: &[&str] = &[
    "auth",
    "token",
    "jwt",
    "bearer",
    "credential",
    "cookie",
    "apikey",
    "secret",
    "password",
    "session",
    "signature",
];
/// How deep a payload is searched: `{"context": {"headers": {"authorization": ..}}}`.
const DEPTH: usize = 4;

/// The access token in a payload, without its scheme; `None` when it names no credential at all.
///
/// # Errors
/// [`Close::NotUnderstood`] for one by a name that means nothing here, or for two that differ;
/// [`Close::Forbidden`] for one that is no text.
pub(super) fn token_in(payload: &Map<String, Value>) -> Result<Option<&str>, Close> {
    let mut found = None;
    search(payload, DEPTH, &mut found)?;
    Ok(found)
}

/// The new access token in the payload of a ping: `{"authorization": "Bearer .."}`; `Some(None)`
/// for one that is none.
pub(super) fn new_token(payload: Option<&Value>) -> Option<Option<&str>> {
    let fields = payload?.as_object()?;
    let (_, value) = fields.iter().find(|(name, _)| name.eq_ignore_ascii_case("authorization"))?;
    Some(token_in(fields).ok().flatten().filter(|_| value.is_string()))
}

fn search<'a>(
    object: &'a Map<String, Value>,
    depth: usize,
    found: &mut Option<&'a str>,
) -> Result<(), Close> {
    for (name, value) in object {
        let plain: String =
            name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase();
        let is_like = LIKE.iter().any(|like| plain.contains(like)) && plain != "author";
        match value {
            Value::Null => {}
            Value::Object(inner) if depth > 1 => search(inner, depth - 1, found)?,
            Value::String(text) if UNDERSTOOD.contains(&plain.as_str()) => {
                let token = without_scheme(text);
                if found.is_some_and(|other| other != token) {
                    return Err(Close::NotUnderstood);
                }
                *found = Some(token);
            }
            _ if UNDERSTOOD.contains(&plain.as_str()) => return Err(Close::Forbidden),
            _ if is_like => return Err(Close::NotUnderstood),
            _ => {}
        }
    }
    Ok(())
}

fn without_scheme(text: &str) -> &str {
    match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim_start(),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn token(payload: &Value) -> Result<Option<String>, Close> {
        token_in(payload.as_object().unwrap()).map(|token| token.map(str::to_owned))
    }

    #[test]
    fn every_usual_way_is_understood() {
        for name in [
            "authorization",
            "Authorization",
            "AUTHORIZATION",
            "token",
            "authToken",
            "auth_token",
            "accessToken",
            "access_token",
            "access-token",
            "jwt",
            "bearer",
            "bearerToken",
        ] {
            for text in ["t.o.k", "Bearer t.o.k", "bearer t.o.k"] {
                for around in [
                    json!({ name: text }),
                    json!({ "headers": { name: text } }),
                    json!({ "http": { "headers": { name: text } } }),
                    json!({ "auth": { name: text }, "lang": "en" }),
                ] {
                    assert_eq!(token(&around), Ok(Some("t.o.k".to_owned())), "{around}");
                }
            }
        }
    }

    #[test]
    fn what_means_to_be_a_credential_is_never_passed_over() {
        for name in [
            "x-hasura-admin-secret",
            "apiKey",
            "api_key",
            "X-Api-Key",
            "cookie",
            "sessionId",
            "password",
            "credentials",
            "authentication",
            "idTokens",
            "x-auth",
            "clientSecret",
        ] {
            for value in [json!("x"), json!(7), json!(true), json!(["x"])] {
                for around in [json!({ name: value }), json!({ "headers": { name: value } })] {
                    assert_eq!(token(&around), Err(Close::NotUnderstood), "{around}");
                }
            }
        }
        for value in [json!(7), json!(true), json!(["x"])] {
            assert_eq!(token(&json!({ "authorization": value })), Err(Close::Forbidden));
        }
        let two = json!({ "authorization": "Bearer a", "token": "b" });
        assert_eq!(token(&two), Err(Close::NotUnderstood));
        let same = json!({ "authorization": "Bearer a", "headers": { "authorization": "a" } });
        assert_eq!(token(&same), Ok(Some("a".to_owned())));
    }

    #[test]
    fn a_ping_brings_a_new_token_or_none() {
        let new = |payload: Value| new_token(Some(&payload)).map(|token| token.map(str::to_owned));
        assert_eq!(new(json!({ "authorization": "Bearer a" })), Some(Some("a".to_owned())));
        assert_eq!(new(json!({ "authorization": null })), Some(None));
        assert_eq!(new(json!({ "authorization": 7 })), Some(None));
        assert_eq!(new(json!({ "at": 7, "token": "a" })), None);
        assert_eq!((new(json!([1])), new(json!("x")), new_token(None)), (None, None, None));
    }

    #[test]
    fn nobody_is_nobody() {
        for payload in [
            json!({}),
            json!({ "authorization": null }),
            json!({ "headers": {} }),
            json!({ "headers": { "authorization": null, "accept-language": "en" } }),
            json!({ "lazy": true, "author": "ann", "version": 2 }),
        ] {
            assert_eq!(token(&payload), Ok(None), "{payload}");
        }
    }
}
