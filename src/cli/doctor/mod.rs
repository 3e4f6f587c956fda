//! `plaza doctor`: the configuration and everything plaza depends on, a line each, and what to do
//! about what is wrong.

mod brokers;
mod postgres;
mod process;

use std::fmt;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::{last_words, write_json};
use plaza_config::{Config, redacted};

/// How.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// A JSON array of findings.
    #[arg(long)]
    json: bool,
}

/// How long a server has for all its answers when an operator asks.
const TIMEOUT: Duration = Duration::from_secs(5);

/// What was found about one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was checked: `shard 2 replica 1`, `kafka`.
    pub subject: String,
    /// How it is, or what is wrong with it.
    pub verdict: Result<String, Wrong>,
    /// Of a local server that does not answer: which process it should be, and what that said last.
    pub last_words: Vec<String>,
}

/// What is wrong, and what an operator can do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// What was seen.
    pub what: String,
    /// What to do.
    pub remedy: String,
}

impl Wrong {
    fn new(what: impl fmt::Display, remedy: impl fmt::Display) -> Self {
        Self { what: what.to_string(), remedy: remedy.to_string() }
    }
}

impl Finding {
    fn new(subject: &str, verdict: Result<String, Wrong>) -> Self {
        Self { subject: subject.to_owned(), verdict, last_words: Vec::new() }
    }

    fn json(&self) -> serde_json::Value {
        let (ok, state, remedy) = match &self.verdict {
            Ok(state) => (true, state, None),
            Err(wrong) => (false, &wrong.what, Some(&wrong.remedy)),
        };
        json!({
            "subject": self.subject,
            "ok": ok,
            "state": state,
            "remedy": remedy,
            "lastWords": self.last_words,
        })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.verdict {
            Ok(state) => write!(f, "ok     {}: {state}", self.subject),
            Err(wrong) => write!(f, "WRONG  {}: {} -> {}", self.subject, wrong.what, wrong.remedy),
        }?;
        self.last_words.iter().try_for_each(|line| write!(f, "\n       | {line}"))
    }
}

/// # Errors
/// A configuration that cannot be read; anything that is wrong, after all of it was printed.
pub async fn run(
    args: &DoctorArgs,
    file: Option<&Path>,
    config: Result<Config, plaza_config::ConfigError>,
) -> anyhow::Result<()> {
    let mut out = std::io::stdout();
    let source =
        file.map_or_else(|| "environment only".to_owned(), |file| file.display().to_string());
    let config = config.map_err(|error| {
        anyhow::anyhow!("{error} (from {source}) -> correct it there, or in PLAZA_SECTION__FIELD; `make up` writes the local system's file")
    })?;
    let mut findings = vec![Finding::new("configuration", Ok(source))];
    findings.extend(examine(&config, TIMEOUT).await);
    if let Some(folder) = file.and_then(Path::parent) {
        add_last_words(&config, &folder.join("run"), &mut findings);
    }
    if args.json {
        let findings: Vec<_> = findings.iter().map(Finding::json).collect();
        write_json(&mut out, &findings)?;
    } else {
        for finding in &findings {
            writeln!(out, "{finding}")?;
        }
    }
    let wrong = findings.iter().filter(|finding| finding.verdict.is_err()).count();
    anyhow::ensure!(wrong == 0, "{wrong} of {} checks found something wrong", findings.len());
    Ok(())
}

/// To every server of this machine that does not answer: which process was started for its port,
/// and the last lines of its log.
pub fn add_last_words(config: &Config, run_dir: &Path, findings: &mut [Finding]) {
    for finding in findings.iter_mut() {
        let Some(port) = server_of(config, &finding.subject).and_then(|url| local_port(&url))
        else {
            continue;
        };
        let down = finding.verdict.as_ref().is_err_and(|wrong| wrong.remedy.contains("start it"));
        if let Some(silent) = last_words::of_port(run_dir, port).filter(|_| down) {
            let state = if silent.runs { "runs, but does not answer" } else { "is not running" };
            finding.last_words =
                vec![format!("{} {state}; the end of {}:", silent.name, silent.log)];
            finding.last_words.extend(silent.lines);
        }
    }
}

/// Where a finding's server is, without credentials.
fn server_of(config: &Config, subject: &str) -> Option<String> {
    match subject {
        "redis" => return Some(redacted(&config.redis.url)),
        "rabbitmq" => return Some(redacted(&config.rabbitmq.url)),
        "kafka" => return config.kafka.brokers.split(',').next().map(str::to_owned),
        _ => {}
    }
    let mut words = subject.strip_prefix("shard ")?.split(' ');
    let urls = config.postgres.shards.get(words.next()?.parse::<usize>().ok()?)?;
    match words.next()? {
        "primary" => Some(redacted(&urls.primary)),
        _ => urls.replicas.get(words.next()?.parse::<usize>().ok()?.checked_sub(1)?).map(redacted),
    }
}

/// The port of `scheme://user@host:port/..` or `host:port`, when the host is this machine.
fn local_port(url: &str) -> Option<u16> {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split('/').next()?;
    let (host, port) = authority.rsplit('@').next()?.rsplit_once(':')?;
    ["127.0.0.1", "localhost", "[::1]"].contains(&host).then(|| port.parse().ok())?
}

/// Checks everything a valid configuration names, each server for at most `timeout`.
pub async fn examine(config: &Config, timeout: Duration) -> Vec<Finding> {
    let shards = futures_util::future::join_all(config.postgres.shards.iter().enumerate().map(
        |(number, urls)| async move {
            let (primary, lsn) = within(
                timeout,
                postgres::primary(&urls.primary, number, !urls.replicas.is_empty()),
                "postgres",
            )
            .await
            .map_or_else(|wrong| (Err(wrong), None), |(state, lsn)| (Ok(state), Some(lsn)));
            let mut findings = vec![Finding::new(
                &format!("shard {number} primary"),
                primary.map_err(|wrong| at_shard(wrong, number)),
            )];
            let replicas = urls.replicas.iter().map(|url| {
                within(timeout, postgres::replica(url, number, lsn, timeout), "postgres")
            });
            for (replica, verdict) in
                futures_util::future::join_all(replicas).await.into_iter().enumerate()
            {
                let subject = format!("shard {number} replica {}", replica + 1);
                findings
                    .push(Finding::new(&subject, verdict.map_err(|wrong| at_shard(wrong, number))));
            }
            findings
        },
    ));
    let (shards, redis, rabbitmq, kafka) = tokio::join!(
        shards,
        within(timeout, brokers::redis(&config.redis, timeout), "redis"),
        within(timeout, brokers::rabbitmq(&config.rabbitmq), "rabbitmq"),
        // Its client has a time limit of its own.
        brokers::kafka(&config.kafka, timeout),
    );
    let mut findings: Vec<Finding> = shards.into_iter().flatten().collect();
    let mut add = |subject: &str, verdict| findings.push(Finding::new(subject, verdict));
    add("redis", redis);
    add("rabbitmq", rabbitmq);
    add("kafka", kafka);
    add("signing key", process::signing_key(&config.auth, &config.limits));
    add("server.listen", process::listen(config.server.listen, "server.listen"));
    add("admin.listen", process::listen(config.admin.listen, "admin.listen"));
    findings
}

fn at_shard(wrong: Wrong, number: usize) -> Wrong {
    Wrong {
        remedy: wrong
            .remedy
            .replace("postgres.shards", &format!("postgres.shards, entry {number}")),
        ..wrong
    }
}

async fn within<T>(
    timeout: Duration,
    check: impl Future<Output = Result<T, Wrong>>,
    server: &str,
) -> Result<T, Wrong> {
    let none = || {
        Wrong::new(
            format!("connected, but no answer in {} s", timeout.as_secs()),
            format!("check the load and the log of {server}"),
        )
    };
    tokio::time::timeout(timeout, check).await.unwrap_or_else(|_| Err(none()))
}
