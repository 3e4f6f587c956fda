//! `plaza dead-letters`: jobs that were given up, with their cause; back to work with them, or
//! deleted.

use std::io::Write;

use clap::{Args, Subcommand};
use lapin::message::BasicGetMessage;
use lapin::options::{BasicAckOptions, BasicGetOptions, BasicNackOptions};
use serde::Serialize;
use tokio::time::Instant;

use super::write_json;
use plaza_base::ids::Bucket;
use plaza_config::Config;
use plaza_protocol::routing::Queue;
use plaza_stores::StoreError;
use plaza_stores::postgres::{Cluster, jobs as attempts, migrations};
use plaza_stores::rabbitmq::publisher::{Message, Publisher};
use plaza_stores::rabbitmq::{connect, topology};

/// Read in one run.
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
    List(ListArgs),
    /// Puts jobs back to work, with all their attempts before them.
    Replay(Which),
    /// Deletes jobs.
    Discard(Which),
}

#[derive(Debug, Clone, Default, Args)]
struct ListArgs {
    /// A JSON array.
    #[arg(long)]
    json: bool,
}

/// A job that was given up, as it is listed.
#[derive(Debug, Serialize)]
struct Listed {
    queue: &'static str,
    id: String,
    cause: String,
    /// What it asks; text, for it may be anything.
    payload: String,
}

#[derive(Debug, Clone, Args)]
struct Which {
    /// Their ids, as `list` shows them.
    #[arg(required_unless_present = "all")]
    ids: Vec<String>,
    /// All of them.
    #[arg(long)]
    all: bool,
    /// A JSON array of the ids, instead of a line each.
    #[arg(long)]
    json: bool,
}

impl Which {
    fn has(&self, id: &str) -> bool {
        self.all || self.ids.iter().any(|wanted| wanted == id)
    }
}

/// # Errors
/// RabbitMQ or a shard cannot be reached; a named job is not there.
pub async fn run(config: &Config, args: DeadLetterArgs) -> anyhow::Result<()> {
    let verb = args.verb.unwrap_or_else(|| Verb::List(ListArgs::default()));
    let connection = connect(&config.rabbitmq.url, "plaza dead-letters").await?;
    let publisher =
        Publisher::connect(&config.rabbitmq.url, &config.rabbitmq.retry_delays_ms).await?;
    let cluster = Cluster::new(&config.postgres)?;
    let cluster = {
        let map = migrations::load_map(&cluster).await?;
        cluster.with_map(map)
    };
    let mut out = std::io::stdout();
    let (mut done, mut listed) = (Vec::new(), Vec::new());
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
                    say(&mut out, which, "replayed", &id)?;
                    done.push(id);
                }
                Verb::Discard(which) if which.has(&id) => {
                    forget(&cluster, &id).await?;
                    message.acker.ack(BasicAckOptions::default()).await?;
                    say(&mut out, which, "discarded", &id)?;
                    done.push(id);
                }
                Verb::List(_) => {
                    listed.push(Listed {
                        queue: queue.name(),
                        id: printable(id.as_bytes()),
                        cause: printable(cause(&message).as_bytes()),
                        payload: printable(&message.delivery.data),
                    });
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
        Verb::List(ListArgs { json: true }) => {
            write_json(&mut out, &listed)?;
        }
        Verb::List(_) if listed.is_empty() => writeln!(out, "there are none")?,
        Verb::List(_) => {
            for Listed { queue, id, cause, payload } in listed {
                writeln!(out, "{queue:<14} {id}: {cause}")?;
                writeln!(out, "{:<14} {payload}", "")?;
            }
        }
        Verb::Replay(which) | Verb::Discard(which) => {
            if which.json {
                write_json(&mut out, &done)?;
            }
            anyhow::ensure!(
                done.len() >= which.ids.len(),
                "{} of {} were not there: see `plaza dead-letters list`",
                which.ids.len() - done.len(),
                which.ids.len()
            );
        }
    }
    Ok(())
}

/// Prints what became of a job, unless JSON is asked for.
fn say(out: &mut impl Write, which: &Which, what: &str, id: &str) -> std::io::Result<()> {
    match which.json {
        true => Ok(()),
        false => writeln!(out, "{what} {id}"),
    }
}

/// Bytes as a terminal may be given them: text as it is, without its control characters, and what
/// is no text escaped.
fn printable(bytes: &[u8]) -> String {
    let mut printed = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for letter in chunk.valid().chars() {
            match letter.is_control() {
                true => printed.extend(letter.escape_default()),
                false => printed.push(letter),
            }
        }
        for byte in chunk.invalid() {
            printed.push_str(&format!("\\x{byte:02x}"));
        }
    }
    printed
}

fn cause(message: &BasicGetMessage) -> String {
    let headers = message.delivery.properties.headers().as_ref();
    let cause = headers.and_then(|headers| headers.inner().get(plaza_jobs::CAUSE));
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
    forget(cluster, id).await?;
    let message = Message { queue: queue.name(), id, payload: &message.delivery.data };
    Ok(publisher.publish_with(&message, &[]).await?)
}

/// Its failed attempts are forgotten: it begins anew, or is no longer.
async fn forget(cluster: &Cluster, id: &str) -> anyhow::Result<()> {
    let deadline = Instant::now() + std::time::Duration::from_secs(5);
    cluster
        .write(
            cluster.shard_of(Bucket::of_text(id)),
            deadline,
            async |connection| -> Result<(), StoreError> {
                attempts::forget_attempts(connection, id).await
            },
        )
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_does_nothing_to_a_terminal() {
        assert_eq!(printable("{\"größe\": 1}".as_bytes()), "{\"größe\": 1}");
        assert_eq!(printable(b"\x1b[2Ja\xff\n"), "\\u{1b}[2Ja\\xff\\n");
    }
}
