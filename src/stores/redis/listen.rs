//! Hearing what other processes say.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use super::Redis;
use super::client::client;
use crate::StoreError;
use crate::postgres::ShardIndex;
use plaza_base::clock::pause;

/// How soon after a lost connection another is tried.
const RETRY: Duration = Duration::from_millis(200);
/// How often a connection is asked whether it is one still: a channel that says nothing and one
/// that is cut sound alike.
const CHECK: Duration = Duration::from_millis(250);
/// How long it may take to answer.
const ANSWER: Duration = Duration::from_secs(1);

/// What somebody learns who hears a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard<'a> {
    /// What is said from now on is heard; something may have been missed before.
    Begun,
    /// A message.
    Said(&'a str),
    /// Whatever was said until this moment has been heard.
    Complete(Instant),
    /// The connection is gone: nothing is heard until it begins again.
    Lost,
}

fn hung() -> redis::RedisError {
    std::io::Error::from(std::io::ErrorKind::TimedOut).into()
}

impl Redis {
    /// Hears a channel until it is stopped. Reconnects.
    ///
    /// # Errors
    /// A URL that is none.
    pub async fn hear(
        &self,
        channel: &str,
        stop: &CancellationToken,
        heard: impl Fn(Heard<'_>),
    ) -> anyhow::Result<()> {
        let client = client(&self.inner.url)?;
        while !stop.is_cancelled() {
            let hearing = async {
                let (mut sink, mut messages) = client.get_async_pubsub().await?.split();
                let began = Instant::now();
                sink.subscribe(channel).await?;
                heard(Heard::Begun);
                heard(Heard::Complete(began));
                let say = |message: redis::Msg| {
                    heard(Heard::Said(&message.get_payload::<String>()?));
                    redis::RedisResult::Ok(())
                };
                let mut check = interval(CHECK);
                check.set_missed_tick_behavior(MissedTickBehavior::Delay);
                loop {
                    tokio::select! {
                        message = messages.next() => match message {
                            Some(message) => say(message)?,
                            None => return redis::RedisResult::Ok(()),
                        },
                        _ = check.tick() => {
                            let asked = Instant::now();
                            timeout(ANSWER, sink.ping::<()>()).await.map_err(|_| hung())??;
                            // What was said before it comes before the answer.
                            while let Some(message) = messages.next().now_or_never().flatten() {
                                say(message)?;
                            }
                            heard(Heard::Complete(asked));
                        }
                    }
                }
            };
            tokio::select! {
                result = hearing => {
                    if let Err(error) = result {
                        tracing::debug!(%error, channel, "not hearing");
                    }
                    heard(Heard::Lost);
                }
                () = stop.cancelled() => {}
            }
            pause(RETRY, stop).await;
        }
        Ok(())
    }

    /// Forgets in process memory what other processes say has changed, until it is stopped.
    /// Whatever may have been missed is forgotten altogether.
    ///
    /// # Errors
    /// A URL that is none.
    pub async fn listen(&self, stop: CancellationToken) -> anyhow::Result<()> {
        let heard = |heard: Heard<'_>| match heard {
            Heard::Begun | Heard::Lost => self.inner.local.deaf(),
            Heard::Complete(at) => self.inner.local.complete_until(at + self.inner.trust.lasts()),
            Heard::Said(entries) => {
                for (kind, id) in
                    entries.split_ascii_whitespace().filter_map(|entry| entry.split_once(':'))
                {
                    if let Ok(id) = id.parse() {
                        self.inner.local.forget(kind, id);
                    }
                }
            }
        };
        self.hear(&self.inner.keys.invalidations(), &stop, heard).await
    }

    /// Where relays hear which outboxes have new rows.
    pub fn relays_channel(&self) -> String {
        self.inner.keys.relays()
    }

    /// Wakes the relays of these shards: there are rows.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: no relay was woken, or it is not known.
    pub async fn tell_relays(&self, shards: &BTreeSet<ShardIndex>) -> Result<(), StoreError> {
        let mut said = String::new();
        for shard in shards {
            said.push_str(&format!("{shard} "));
        }
        let channel = self.relays_channel();
        self.inner
            .pool
            .run(async |connection| {
                redis::cmd("PUBLISH").arg(&channel).arg(&said).query_async::<()>(connection).await
            })
            .await
    }
}
