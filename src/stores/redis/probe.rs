//! What an operator asks Redis about itself, on a connection of its own: a pool reports a refusal
//! from a timeout no more.

use std::collections::HashMap;
use std::time::Duration;

use redis::AsyncConnectionConfig;
use secrecy::SecretString;

use super::client::client;
use crate::StoreError;

/// A server's own account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RedisState {
    /// Whether it writes its data to disk; `None` where it keeps its configuration to itself, as
    /// managed ones do.
    pub persists: Option<bool>,
}

/// Asks the server.
///
/// # Errors
/// [`StoreError::Unavailable`] with what it, or the network, said.
pub async fn probe(url: &SecretString, timeout: Duration) -> Result<RedisState, StoreError> {
    let unavailable = |error: redis::RedisError| StoreError::unavailable("redis", error);
    let client = client(url).map_err(unavailable)?;
    let limits = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(timeout))
        .set_response_timeout(Some(timeout));
    let mut connection =
        client.get_multiplexed_async_connection_with_config(&limits).await.map_err(unavailable)?;
    redis::cmd("PING").query_async::<()>(&mut connection).await.map_err(unavailable)?;
    let asked: redis::RedisResult<HashMap<String, String>> = redis::cmd("CONFIG")
        .arg("GET")
        .arg("save")
        .arg("appendonly")
        .query_async(&mut connection)
        .await;
    let is_on = |settings: HashMap<String, String>| {
        settings.get("appendonly").is_some_and(|value| value == "yes")
            || settings.get("save").is_some_and(|value| !value.is_empty())
    };
    Ok(RedisState { persists: asked.ok().map(is_on) })
}
