//! `plaza trace`: what is known of one request, without a collector: the messages that it caused,
//! and the lines of the local logs that name it.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use clap::Args;
use serde::Serialize;

use super::{nearest, write_json};
use plaza_config::Config;
use plaza_outbox::Sink;
use plaza_stores::postgres::outbox::of_trace;
use plaza_stores::postgres::{Cluster, ReadSession};

/// Where a checkout keeps the logs of the processes that it has started.
const LOG_DIR: &str = ".local/log";

/// Of which request.
#[derive(Debug, Args)]
pub struct TraceArgs {
    /// A response's `X-Request-Id`, or the id of a trace.
    id: String,
    /// How far back messages are searched for, in hours: all of that time's are read.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(i32).range(1..=168))]
    hours: i32,
    /// The folder with a log per process. Not said: `.local/log` of this folder or the nearest one
    /// above it.
    #[arg(long)]
    log_dir: Option<PathBuf>,
    /// A JSON object.
    #[arg(long)]
    json: bool,
}

/// What is known of a request.
#[derive(Debug, Serialize)]
struct Known {
    /// The ids of its traces: the one that was asked for, and those that lines name beside it.
    traces: BTreeSet<String>,
    messages: Vec<Message>,
    lines: Vec<Line>,
}

/// A message that it caused.
#[derive(Debug, Serialize)]
struct Message {
    shard: usize,
    id: i64,
    /// `rabbitmq` or `kafka`.
    to: &'static str,
    topic: String,
    key: String,
    written_at: DateTime<Utc>,
    /// Null while the relay has not sent it.
    sent_at: Option<DateTime<Utc>>,
}

/// A line of a log.
#[derive(Debug, Serialize)]
struct Line {
    process: String,
    line: String,
}

/// # Errors
/// A shard cannot be reached; a log cannot be read.
pub async fn run(config: &Config, args: &TraceArgs) -> anyhow::Result<()> {
    let known = known(config, args).await?;
    let mut out = std::io::stdout().lock();
    if args.json {
        return write_json(&mut out, &known);
    }
    for Message { shard, to, topic, key, written_at, sent_at, .. } in &known.messages {
        let sent = sent_at.map_or_else(
            || "not sent yet".to_owned(),
            |sent| format!("sent after {} ms", (sent - *written_at).num_milliseconds()),
        );
        let written = written_at.format("%FT%T%.3fZ");
        writeln!(out, "{written}  shard {shard}  {to:<8}  {topic:<16} {key:<24} {sent}")?;
    }
    for Line { process, line } in &known.lines {
        writeln!(out, "{process}: {line}")?;
    }
    if known.messages.is_empty() && known.lines.is_empty() {
        writeln!(
            out,
            "nothing has this id: a request that wrote nothing and went well leaves no line"
        )?;
    }
    Ok(())
}

async fn known(config: &Config, args: &TraceArgs) -> anyhow::Result<Known> {
    let mut traces = BTreeSet::from([args.id.clone()]);
    let here = std::env::current_dir()?;
    let lines = match args.log_dir.clone().or_else(|| nearest(&here, LOG_DIR, Path::is_dir)) {
        Some(dir) => lines(&dir, &mut traces)?,
        None => Vec::new(),
    };
    let cluster = Cluster::new(&config.postgres)?;
    let session = ReadSession::primary(cluster.len());
    let mut messages = Vec::new();
    for trace in &traces {
        let found = cluster
            .scatter_all(&session, async |connection| of_trace(connection, trace, args.hours).await)
            .await;
        for (shard, rows) in found.answers {
            messages.extend(rows.into_iter().map(|row| {
                Message {
                    shard: shard.0,
                    id: row.id,
                    to: Sink::ALL
                        .into_iter()
                        .find(|sink| sink.code() == row.sink)
                        .map_or("nobody", Sink::name),
                    topic: row.topic,
                    key: row.key,
                    written_at: row.created_at,
                    sent_at: row.sent_at,
                }
            }));
        }
        if let Some((shard, error)) = found.failures.into_iter().next() {
            anyhow::bail!("shard {} cannot be asked: {error}", shard.0);
        }
    }
    messages.sort_by_key(|message| (message.written_at, message.shard, message.id));
    Ok(Known { traces, messages, lines })
}

/// The lines that have one of the ids, in the order of their times; the ids of traces on lines that
/// have the id asked for are searched for too.
fn lines(dir: &Path, traces: &mut BTreeSet<String>) -> anyhow::Result<Vec<Line>> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(dir)?.flatten().map(|entry| entry.path()).collect();
    files.retain(|file| file.is_file());
    files.sort();
    let having = |ids: &BTreeSet<String>| -> anyhow::Result<Vec<Line>> {
        let mut found = Vec::new();
        for file in &files {
            let process = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            for line in BufReader::new(File::open(file)?).split(b'\n') {
                let line = String::from_utf8_lossy(&line?).into_owned();
                if ids.iter().any(|id| line.contains(id.as_str())) {
                    found.push(Line { process: process.clone(), line });
                }
            }
        }
        Ok(found)
    };
    let mut found = having(traces)?;
    let named: BTreeSet<String> = found.iter().filter_map(|line| trace_of(&line.line)).collect();
    if !named.is_subset(traces) {
        traces.extend(named);
        found = having(traces)?;
    }
    found.sort_by(|one, other| time_of(&one.line).cmp(time_of(&other.line)));
    Ok(found)
}

/// The id of the trace that a line was written for: `[id] ` before the text, or a field.
fn trace_of(line: &str) -> Option<String> {
    let id = match line.strip_prefix('[') {
        Some(rest) => rest.split_once("] ")?.0,
        None => line.split_once("\"trace_id\":\"")?.1.split_once('"')?.0,
    };
    (id.len() == 32 && id.chars().all(|c| c.is_ascii_hexdigit())).then(|| id.to_owned())
}

/// When a line was written, as text that sorts; empty where it does not say.
fn time_of(line: &str) -> &str {
    let is_time = |word: &&str| {
        let bytes = word.as_bytes();
        bytes.len() >= 19 && bytes.get(4) == Some(&b'-') && bytes.get(10) == Some(&b'T')
    };
    line.split(['"', ' ', '[', ']']).find(is_time).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_request_are_found_in_every_log_by_its_trace() {
        let dir = tempfile::tempdir().unwrap();
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
        write(
            "server-1",
            &format!(
                "2026-11-29T00:00:00Z  INFO other\n\
                 [{trace}] 2026-11-29T00:00:02.5Z ERROR failed request_id=\"an-id-of-1\"\n"
            ),
        );
        write(
            "worker",
            &format!(
                "{{\"timestamp\":\"2026-11-29T00:00:01Z\",\"trace_id\":\"{trace}\"}}\n\u{fffd}\n"
            ),
        );
        let mut traces = BTreeSet::from(["an-id-of-1".to_owned()]);
        let found = lines(dir.path(), &mut traces).unwrap();
        let processes: Vec<&str> = found.iter().map(|line| line.process.as_str()).collect();
        assert_eq!(processes, ["worker", "server-1"], "by time");
        assert_eq!(traces.len(), 2);
        assert!(lines(dir.path(), &mut BTreeSet::from(["nobody".to_owned()])).unwrap().is_empty());
    }
}
