//! Hearing of other processes' invalidations.

use std::time::Duration;

use futures_util::StreamExt;
use secrecy::ExposeSecret;
use tokio_util::sync::CancellationToken;

use super::Redis;
use crate::clock::pause;

impl Redis {
    /// Forgets in process memory what other processes say has changed, until told to stop. Reconnects; whatever may have been missed
    /// meanwhile is forgotten altogether.
    ///
    /// # Errors
    /// A URL that is none.
    pub async fn listen(&self, stop: CancellationToken) -> anyhow::Result<()> {
        let client = redis::Client::open(self.inner.url.expose_secret())?;
        loop {
            let heard = async {
                let mut subscription = client.get_async_pubsub().await?;
                subscription.subscribe(self.inner.keys.invalidations()).await?;
                self.inner.local.clear();
                let mut messages = subscription.on_message();
                while let Some(message) = messages.next().await {
                    for entry in message.get_payload::<String>()?.split_ascii_whitespace() {
                        if let Some((kind, id)) = entry.split_once(':')
                            && let Ok(id) = id.parse()
                        {
                            self.inner.local.forget(kind, id);
                        }
                    }
                }
                redis::RedisResult::Ok(())
            };
            tokio::select! {
                result = heard => {
                    if let Err(error) = result {
                        tracing::debug!(%error, "not hearing invalidations");
                    }
                    self.inner.local.clear();
                }
                () = stop.cancelled() => return Ok(()),
            }
            pause(Duration::from_millis(200), &stop).await;
        }
    }
}
