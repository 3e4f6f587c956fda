//! Logging seeded people in.

use std::path::Path;

use anyhow::Context;
use futures_util::{StreamExt, TryStreamExt, stream};
use plaza::clock::Clock;
use plaza::domain::Viewer;
use plaza::domain::identity::{Keys, Tokens};
use plaza::ids::{Id, SessionId, UserId};
use serde_json::json;

use crate::client::Client;
use crate::truth::Person;

/// A person with an access token.
#[derive(Debug, Clone)]
pub struct LoggedIn {
    /// Who.
    pub person: Person,
    /// The token.
    pub token: String,
}

const LOG_IN: &str = "mutation($handle: String!, $password: String!) {
  logIn(input: {handle: $handle, password: $password}) { accessToken userErrors { code message } } }";

/// Logs everybody in, a few at a time: password hashing is meant to be slow.
///
/// # Errors
/// The first that fails.
pub async fn log_in(
    client: &Client,
    people: &[Person],
    password: &str,
) -> anyhow::Result<Vec<LoggedIn>> {
    let logged_in = people.iter().cloned().map(|person| async move {
        let data = client
            .send(None, LOG_IN, json!({ "handle": person.handle, "password": password }))
            .await?;
        let token = data
            .pointer("/logIn/accessToken")
            .and_then(serde_json::Value::as_str)
            .with_context(|| format!("{} cannot log in: {data}", person.handle))?
            .to_owned();
        anyhow::Ok(LoggedIn { person, token })
    });
    stream::iter(logged_in).buffer_unordered(4).try_collect().await
}

/// How long a signed token is good for: longer than any run. One from a log-in ends after a quarter
/// of an hour, and some runs take as long.
const GOOD_FOR_S: u64 = 24 * 3_600;

/// Signs people's tokens with plaza's own key, which whoever runs the system has: 100,000 passwords
/// would take hours to check. Sessions of that kind are in no list, and end with their tokens.
pub struct Signer {
    tokens: Tokens,
}

impl Signer {
    /// # Errors
    /// A configuration or a key that cannot be read.
    pub fn new(config: &Path) -> anyhow::Result<Self> {
        let mut auth = plaza::config::Config::load(Some(&config.to_path_buf()))?.auth;
        auth.access_ttl_s = GOOD_FOR_S;
        Ok(Self { tokens: Tokens::new(&auth, &Keys::read(&auth)?)? })
    }

    /// A token for somebody.
    ///
    /// # Errors
    /// When signing fails.
    pub fn token(&self, person: i64) -> anyhow::Result<String> {
        let viewer =
            Viewer { user_id: UserId::from_i64(person), session_id: SessionId::from_i64(person) };
        Ok(self.tokens.issue(Clock::System.now(), viewer)?.0)
    }

    /// All of them, with tokens.
    ///
    /// # Errors
    /// As [`Signer::token`].
    pub fn log_in(&self, people: &[Person]) -> anyhow::Result<Vec<LoggedIn>> {
        people
            .iter()
            .map(|person| Ok(LoggedIn { person: person.clone(), token: self.token(person.id)? }))
            .collect()
    }
}
