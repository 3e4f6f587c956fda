//! One GraphQL request.

use std::time::Duration;

use serde_json::{Value, json};

/// Talks to one endpoint.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    url: String,
}

impl Client {
    /// # Errors
    /// When the HTTP client cannot be built.
    pub fn new(url: &str) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder()
            .timeout(Duration::from_secs(10))
            .pool_max_idle_per_host(512)
            .no_proxy()
            .build()?;
        Ok(Self { http, url: url.to_owned() })
    }

    /// One that opens a connection for each request: an nginx that is told of other servers closes
    /// the idle ones, and a request that was just then sent on one would be lost, without anybody's
    /// fault.
    ///
    /// # Errors
    /// As [`Client::new`].
    pub fn without_keepalive(url: &str) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder()
            .timeout(Duration::from_secs(10))
            .pool_max_idle_per_host(0)
            .no_proxy()
            .build()?;
        Ok(Self { http, url: url.to_owned() })
    }

    /// Where it asks.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Sends a request; the answer's `data`, when there are no errors in it.
    ///
    /// # Errors
    /// Any failure of the transport, any top-level error.
    pub async fn send(
        &self,
        token: Option<&str>,
        query: &str,
        variables: Value,
    ) -> anyhow::Result<Value> {
        self.send_keyed(token, None, query, variables).await
    }

    /// The same with an idempotency key, so that it may be sent again.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub async fn send_keyed(
        &self,
        token: Option<&str>,
        key: Option<&str>,
        query: &str,
        variables: Value,
    ) -> anyhow::Result<Value> {
        let mut request = self.request(token, query, variables);
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        data(request.send().await?).await
    }

    /// The same, sending what this client has seen so far, and keeping what the answer says it has
    /// seen now.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub async fn send_seeing(
        &self,
        token: Option<&str>,
        seen: &mut Option<String>,
        query: &str,
        variables: Value,
    ) -> anyhow::Result<Value> {
        let mut request = self.request(token, query, variables);
        if let Some(seen) = seen {
            request = request.header(CONSISTENCY, seen.as_str());
        }
        let response = request.send().await?;
        if let Some(now) = response.headers().get(CONSISTENCY).and_then(|value| value.to_str().ok())
        {
            *seen = Some(now.to_owned());
        }
        data(response).await
    }

    /// Sends a request; the whole answer, whatever its status and its errors.
    ///
    /// # Errors
    /// Any failure of the transport; an answer that is not JSON.
    pub async fn answer(
        &self,
        token: Option<&str>,
        query: &str,
        variables: &Value,
    ) -> anyhow::Result<Value> {
        let response = self.request(token, query, variables.clone()).send().await?;
        let status = response.status();
        response.json().await.map_err(|error| anyhow::anyhow!("HTTP {status}: {error}"))
    }

    fn request(
        &self,
        token: Option<&str>,
        query: &str,
        variables: Value,
    ) -> reqwest::RequestBuilder {
        let request =
            self.http.post(&self.url).json(&json!({ "query": query, "variables": variables }));
        match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }
}

const CONSISTENCY: &str = "Plaza-Consistency";

async fn data(response: reqwest::Response) -> anyhow::Result<Value> {
    let status = response.status();
    let mut body: Value =
        response.json().await.map_err(|error| anyhow::anyhow!("HTTP {status}: {error}"))?;
    if let Some(errors) = body.get("errors") {
        anyhow::bail!("HTTP {status}: {errors}");
    }
    Ok(body.get_mut("data").map(Value::take).unwrap_or_default())
}

/// The number in a global id.
pub fn raw_id(global: &str) -> Option<i64> {
    use base64::Engine;
    let text = base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(global.trim_end_matches('='))
        .ok()?;
    String::from_utf8(text).ok()?.rsplit(':').next()?.parse().ok()
}

/// The global id of a number.
pub fn global_id(noun: &str, id: i64) -> String {
    use base64::Engine;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(format!("{noun}:{id}"))
}
