//! Logging seeded people in.

use anyhow::Context;
use futures_util::{StreamExt, TryStreamExt, stream};
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
pub async fn log_in(client: &Client, people: &[Person], password: &str) -> anyhow::Result<Vec<LoggedIn>> {
    let logged_in = people.iter().cloned().map(|person| async move {
        let data = client.send(None, LOG_IN, json!({ "handle": person.handle, "password": password })).await?;
        let token = data
            .pointer("/logIn/accessToken")
            .and_then(serde_json::Value::as_str)
            .with_context(|| format!("{} cannot log in: {data}", person.handle))?
            .to_owned();
        anyhow::Ok(LoggedIn { person, token })
    });
    stream::iter(logged_in).buffer_unordered(4).try_collect().await
}
