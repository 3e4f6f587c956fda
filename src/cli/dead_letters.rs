//! `plaza dead-letters`: jobs that were given up, with their cause; back to work with them, or
//! away.

use std::io::Write;

use clap::{Args, Subcommand};
use lapin::message::BasicGetMessage;
use lapin::options::{BasicAckOptions, BasicGetOptions, BasicNackOptions};
use tokio::time::Instant;

use crate::config::Config;
use crate::ids::Bucket;
use crate::protocol::routing::Queue;
use crate::stores::StoreError;
use crate::stores::postgres::{Cluster, Connection, jobs as attempts, migrations};
use crate::stores::rabbitmq::publisher::{Message, Publisher};
use crate::stores::rabbitmq::{connect, topology};

/// Looked at in one run.
const MOST: usize = 1_000;

/// What to do.
#[derive(Debug, Args)]
pub struct DeadLetterArgs {
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, Clone, Subcommand)]
enum Verb {
    /// Each with its queue, id, cause and what it asks (the default).
    List,
    /// Puts jobs back to work, with all their attempts before them.
    Replay(Which),
    /// Throws jobs away.
    Discard(Which),
}

#[derive(Debug, Clone, Args)]
struct Which {
    /// Their ids, as `list` shows them.
    #[arg(required_unless_present = "all")]
    ids: Vec<String>,
    /// All of them.
    #[arg(long)]
    all: bool,
}

impl Which {
    fn has(&self, id: &str) -> bool {
        self.all || self.ids.iter().any(|wanted| wanted == id)
    }
}

/// # Errors
/// RabbitMQ or a shard cannot be reached; a named job is not there.
pub async fn run(config: &Config, args: DeadLetterArgs) -> anyhow::Result<()> {
    let verb = args.verb.unwrap_or(Verb::List);
    let connection = connect(&config.rabbitmq.url, "plaza dead-letters").await?;
    let publisher =
        Publisher::connect(&config.rabbitmq.url, &config.rabbitmq.retry_delays_ms).await?;
    let cluster = Cluster::new(&config.postgres)?;
    let cluster = {
        let map = migrations::load_map(&cluster).await?;
        cluster.with_map(map)
    };
    let mut out = std::io::stdout();
    let mut done = 0;
    for queue in Queue::ALL {
        let channel = connection.create_channel().await?;
        let mut kept = Vec::new();
        for _ in 0..MOST {
            let Some(message) = channel
                .basic_get(topology::dead_queue(queue).into(), BasicGetOptions::default())
                .await?
            else {
                break;
            };
            let id = message
                .delivery
                .properties
                .message_id()
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default();
            match &verb {
                Verb::Replay(which) if which.has(&id) => {
                    replay(&cluster, &publisher, queue, &id, &message).await?;
                    message.acker.ack(BasicAckOptions::default()).await?;
                    writeln!(out, "replayed {id}")?;
                    done += 1;
                }
                Verb::Discard(which) if which.has(&id) => {
                    message.acker.ack(BasicAckOptions::default()).await?;
                    writeln!(out, "discarded {id}")?;
                    done += 1;
                }
                Verb::List => {
                    writeln!(out, "{:<14} {id}: {}", queue.name(), cause(&message))?;
                    writeln!(
                        out,
                        "{:<14} {}",
                        "",
                        String::from_utf8_lossy(&message.delivery.data)
                    )?;
                    done += 1;
                    kept.push(message);
                }
                Verb::Replay(_) | Verb::Discard(_) => kept.push(message),
            }
        }
        // Only now: a message that is given back at once would come again.
        for message in kept {
            message
                .acker
                .nack(BasicNackOptions { requeue: true, ..BasicNackOptions::default() })
                .await?;
        }
    }
    match &verb {
        Verb::List if done == 0 => writeln!(out, "there are none")?,
        Verb::Replay(which) | Verb::Discard(which) if done < which.ids.len() => {
            anyhow::bail!(
                "{} of {} were not there: see `plaza dead-letters list`",
                which.ids.len() - done,
                which.ids.len()
            );
        }
        _ => {}
    }
    Ok(())
}

fn cause(message: &BasicGetMessage) -> String {
    let headers = message.delivery.properties.headers().as_ref();
    let cause = headers.and_then(|headers| headers.inner().get(crate::jobs::CAUSE));
    match cause {
        Some(lapin::types::AMQPValue::LongString(text)) => text.to_string(),
        // The broker's own limit of deliveries: every worker that took it died.
        _ => "no worker lived to say why".to_owned(),
    }
}

/// Back into its queue, with its failures forgotten: published before it is taken from the dead, so
/// that nothing between the two loses it.
async fn replay(
    cluster: &Cluster,
    publisher: &Publisher,
    queue: Queue,
    id: &str,
    message: &BasicGetMessage,
) -> anyhow::Result<()> {
    let deadline = Instant::now() + std::time::Duration::from_secs(5);
    cluster
        .write(
            cluster.shard_of(Bucket::of_text(id)),
            deadline,
            async |connection: &mut Connection| -> Result<(), StoreError> {
                attempts::forget_attempts(connection, id).await
            },
        )
        .await?;
    let payload = String::from_utf8_lossy(&message.delivery.data);
    Ok(publisher.publish_with(&Message { queue: queue.name(), id, payload: &payload }, &[]).await?)
}
