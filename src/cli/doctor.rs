//! `plaza doctor`: the configuration and everything plaza depends on, a line each, and what to do
//! about what is wrong.

use std::fmt;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use rdkafka::consumer::Consumer as _;
use secrecy::SecretString;

use super::last_words;
use super::listeners::{self, Listener};
use crate::config::{
    AuthConfig, Config, KafkaConfig, LimitsConfig, RabbitmqConfig, RedisConfig, redacted,
};
use crate::domain::identity::Identity;
use crate::protocol::routing::Topic;
use crate::stores::kafka::topology::full_name;
use crate::stores::postgres::health::{applied_migrations, server_state};
use crate::stores::postgres::migrations::{connect, stored_map_version, versions};
use crate::stores::postgres::position::{primary_lsn, replayed_lsn};
use crate::stores::postgres::session::Lsn;
use crate::stores::rabbitmq;
use crate::stores::redis::probe::probe;

/// How long a server has for all its answers when an operator asks.
const PATIENCE: Duration = Duration::from_secs(5);

/// What was found about one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at: `shard 2 replica 1`, `kafka`.
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
}

/// Whether a client said that the host's name means nothing.
fn unknown_host(said: &str) -> bool {
    [
        "lookup address",
        "Name or service not known",
        "No address associated",
        "nodename nor servname",
    ]
    .iter()
    .any(|words| said.contains(words))
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
    file: Option<&Path>,
    config: Result<Config, crate::config::ConfigError>,
) -> anyhow::Result<()> {
    let mut out = std::io::stdout();
    let source =
        file.map_or_else(|| "environment only".to_owned(), |file| file.display().to_string());
    let config = config.map_err(|error| {
        anyhow::anyhow!("{error} (from {source}) -> correct it there, or in PLAZA_SECTION__FIELD; `make up` writes the local system's file")
    })?;
    writeln!(out, "ok     configuration: {source}")?;
    let mut findings = examine(&config, PATIENCE).await;
    if let Some(folder) = file.and_then(Path::parent) {
        add_last_words(&config, &folder.join("run"), &mut findings);
    }
    for finding in &findings {
        writeln!(out, "{finding}")?;
    }
    let wrong = findings.iter().filter(|finding| finding.verdict.is_err()).count();
    anyhow::ensure!(wrong == 0, "{wrong} of {} checks found something wrong", findings.len() + 1);
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
        let away = finding.verdict.as_ref().is_err_and(|wrong| wrong.remedy.contains("start it"));
        if let Some(silent) = last_words::of_port(run_dir, port).filter(|_| away) {
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

/// Looks at everything a valid configuration names, each server for at most `patience`.
pub async fn examine(config: &Config, patience: Duration) -> Vec<Finding> {
    let shards = futures_util::future::join_all(config.postgres.shards.iter().enumerate().map(
        |(number, urls)| async move {
            let (primary, lsn) =
                within(patience, primary(&urls.primary, !urls.replicas.is_empty()), "postgres")
                    .await
                    .map_or_else(|wrong| (Err(wrong), None), |(state, lsn)| (Ok(state), Some(lsn)));
            let mut findings = vec![Finding::new(
                &format!("shard {number} primary"),
                primary.map_err(|wrong| at_shard(wrong, number)),
            )];
            let replicas = urls
                .replicas
                .iter()
                .map(|url| within(patience, replica(url, lsn, patience), "postgres"));
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
        within(patience, redis(&config.redis, patience), "redis"),
        within(patience, rabbitmq(&config.rabbitmq), "rabbitmq"),
        // Its client has a time limit of its own.
        kafka(&config.kafka, patience),
    );
    let mut findings: Vec<Finding> = shards.into_iter().flatten().collect();
    let mut add = |subject: &str, verdict| findings.push(Finding::new(subject, verdict));
    add("redis", redis);
    add("rabbitmq", rabbitmq);
    add("kafka", kafka);
    add("signing key", signing_key(&config.auth, &config.limits));
    add("server.listen", listen(config.server.listen, "server.listen"));
    add("admin.listen", listen(config.admin.listen, "admin.listen"));
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
    patience: Duration,
    check: impl Future<Output = Result<T, Wrong>>,
    server: &str,
) -> Result<T, Wrong> {
    let none = || {
        Wrong::new(
            format!("connected, but no answer in {} s", patience.as_secs()),
            format!("look at the load and the log of {server}"),
        )
    };
    tokio::time::timeout(patience, check).await.unwrap_or_else(|_| Err(none()))
}

/// A refusal in the operator's words; every postgres says these in English to clients that ask for
/// nothing else.
fn unreachable_postgres(error: &crate::stores::StoreError) -> Wrong {
    let said = error.to_string();
    let remedy = if said.contains("authentication failed") || said.contains("no password") {
        "correct the user or password in postgres.shards"
    } else if said.contains("does not exist") {
        "create the database, or correct its name in postgres.shards"
    } else if said.contains("too many clients") || said.contains("connection slots") {
        "lower postgres.*_pool or raise the server's max_connections"
    } else if said.contains("starting up") || said.contains("recovery") {
        "wait until it has recovered"
    } else if unknown_host(&said) {
        "correct the host in postgres.shards: no machine has that name"
    } else {
        "start it (locally: `make up`), or correct postgres.shards"
    };
    Wrong::new(said, remedy)
}

fn unanswered(url: &SecretString) -> impl Fn(crate::stores::StoreError) -> Wrong {
    move |error| Wrong::new(format!("{}: {error}", redacted(url)), "look at the server's log")
}

async fn primary(url: &SecretString, has_replicas: bool) -> Result<(String, Lsn), Wrong> {
    let mut connection = connect(url).await.map_err(|error| unreachable_postgres(&error))?;
    let state = server_state(&mut connection).await.map_err(unanswered(url))?;
    if state.is_replica {
        return Err(Wrong::new(
            format!("{} is a replica", redacted(url)),
            "put the primary first in postgres.shards, or promote this server",
        ));
    }
    let applied = if state.has_migrations {
        applied_migrations(&mut connection).await.map_err(unanswered(url))?
    } else {
        Vec::new()
    };
    let known = versions();
    let missing = known.iter().filter(|version| !applied.contains(version)).count();
    if missing > 0 {
        return Err(Wrong::new(
            format!("not migrated: {missing} of {} migrations are missing", known.len()),
            "run `plaza migrate`",
        ));
    }
    if let Some(unknown) = applied.iter().find(|version| !known.contains(version)) {
        return Err(Wrong::new(
            format!("holds migration {unknown}, which this build does not know"),
            "run the build that made it, or a newer one",
        ));
    }
    let Some(map) = stored_map_version(&mut connection).await.map_err(unanswered(url))? else {
        return Err(Wrong::new("migrated, but without a shard map", "run `plaza migrate`"));
    };
    if has_replicas && state.synchronous_standby_names.is_empty() {
        return Err(Wrong::new(
            "commits wait for no replica: a failover would lose some",
            "set synchronous_standby_names = 'ANY 1 (..)'",
        ));
    }
    if has_replicas && state.sees_standbys && state.synchronous_standbys == 0 {
        return Err(Wrong::new(
            "no synchronous replica is connected: commits hang",
            "start its replicas (locally: `make up`)",
        ));
    }
    let lsn = primary_lsn(&mut connection).await.map_err(unanswered(url))?;
    let standbys = if state.sees_standbys {
        format!(", {} synchronous replicas", state.synchronous_standbys)
    } else {
        String::new()
    };
    Ok((format!("migrated, shard map version {map}{standbys}"), lsn))
}

/// A replica is well when it comes to what its primary had when that was asked, or is on its way
/// there: what it replays a busy primary goes on adding to. One that stands still for two fifths of
/// `patience` is not.
async fn replica(
    url: &SecretString,
    primary: Option<Lsn>,
    patience: Duration,
) -> Result<String, Wrong> {
    let mut connection = connect(url).await.map_err(|error| unreachable_postgres(&error))?;
    let state = server_state(&mut connection).await.map_err(unanswered(url))?;
    if !state.is_replica {
        return Err(Wrong::new(
            format!("{} is a primary: reads there would see another history", redacted(url)),
            "correct postgres.shards, or rebuild it from its primary (locally: `infra/local/rebuild-replica`)",
        ));
    }
    let Some(primary) = primary else {
        return Ok("replaying; its primary could not be compared".to_owned());
    };
    let still = patience * 2 / 5;
    let started = tokio::time::Instant::now();
    let (mut moved, mut least) = (started, Lsn::MAX);
    loop {
        let behind =
            primary.saturating_sub(replayed_lsn(&mut connection).await.map_err(unanswered(url))?);
        if behind == 0 {
            return Ok("level with its primary".to_owned());
        }
        if behind < least {
            (moved, least) = (tokio::time::Instant::now(), behind);
        }
        if moved.elapsed() > still {
            return Err(Wrong::new(
                format!(
                    "{behind} bytes behind its primary, and none replayed in {} s",
                    still.as_secs()
                ),
                "look at its log; one that cannot follow is copied again (locally: `infra/local/rebuild-replica`)",
            ));
        }
        if started.elapsed() > patience * 4 / 5 {
            return Ok(format!("{behind} bytes behind its primary, and replaying"));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn redis(config: &RedisConfig, patience: Duration) -> Result<String, Wrong> {
    let state = probe(&config.url, patience / 2).await.map_err(|error| {
        let said = error.to_string();
        let refused = ["WRONGPASS", "NOAUTH", "AuthenticationFailed", "authentication"]
            .iter()
            .any(|word| said.contains(word));
        let remedy = if refused {
            "correct the user or password in redis.url"
        } else if unknown_host(&said) {
            "correct the host in redis.url: no machine has that name"
        } else {
            "start it (locally: `make up`), or correct redis.url"
        };
        Wrong::new(format!("{}: {said}", redacted(&config.url)), remedy)
    })?;
    if state.persists == Some(true) {
        return Err(Wrong::new(
            "it keeps data on disk: after a crash it would come back with timelines that lack what was appended since",
            "set `save \"\"` and `appendonly no`",
        ));
    }
    Ok("answers".to_owned())
}

async fn rabbitmq(config: &RabbitmqConfig) -> Result<String, Wrong> {
    let connection = rabbitmq::connect(&config.url, "plaza doctor").await.map_err(|error| {
        let said = error.to_string();
        let remedy = if said.contains("ACCESS_REFUSED") || said.contains("ACCESS-REFUSED") {
            "correct the user or password in rabbitmq.url"
        } else if said.contains("NOT_ALLOWED") || said.contains("NOT-ALLOWED") {
            "create the vhost and let the user in, or correct rabbitmq.url"
        } else if unknown_host(&said) {
            "correct the host in rabbitmq.url: no machine has that name"
        } else {
            "start it (locally: `make up`), or correct rabbitmq.url"
        };
        Wrong::new(format!("{}: {said}", redacted(&config.url)), remedy)
    })?;
    if let Err(error) = connection.close(200, "bye".into()).await {
        tracing::debug!(%error, "the connection did not close in order");
    }
    Ok("lets us in".to_owned())
}

async fn kafka(config: &KafkaConfig, patience: Duration) -> Result<String, Wrong> {
    // Its client only ever says that a broker is not there.
    for broker in config.brokers.split(',') {
        if let Err(error) = tokio::net::lookup_host(broker.trim()).await {
            return Err(Wrong::new(
                format!("{broker}: {error}"),
                "correct the host in kafka.brokers: no machine has that name",
            ));
        }
    }
    let (asked, brokers) = (config.clone(), config.brokers.clone());
    let metadata = tokio::task::spawn_blocking(move || {
        let client: rdkafka::consumer::BaseConsumer =
            rdkafka::ClientConfig::new().set("bootstrap.servers", &asked.brokers).create()?;
        let metadata = client.fetch_metadata(None, patience)?;
        let held = |topic: &Topic| {
            let name = full_name(&asked.topic_prefix, topic.name());
            metadata
                .topics()
                .iter()
                .any(|held| held.name() == name && !held.partitions().is_empty())
        };
        let missing: Vec<String> = Topic::ALL
            .iter()
            .filter(|topic| !held(topic))
            .map(|topic| full_name(&asked.topic_prefix, topic.name()))
            .collect();
        Ok::<_, rdkafka::error::KafkaError>((metadata.brokers().len(), missing))
    })
    .await;
    match metadata {
        Ok(Ok((count, missing))) if missing.is_empty() => {
            Ok(format!("brokers: {count}, topics: {}", Topic::ALL.len()))
        }
        Ok(Ok((_, missing))) => {
            Err(Wrong::new(format!("no topic {}", missing.join(", ")), "run `plaza migrate`"))
        }
        Ok(Err(error)) => Err(Wrong::new(
            format!("{brokers}: {error}"),
            "start it (locally: `make up`), or correct kafka.brokers",
        )),
        Err(error) => Err(Wrong::new(error, "this is plaza's own fault: report it")),
    }
}

fn signing_key(config: &AuthConfig, limits: &LimitsConfig) -> Result<String, Wrong> {
    use std::os::unix::fs::PermissionsExt;
    let file = &config.signing_key_file;
    let make = format!("run `plaza keygen {}`", file.display());
    let metadata = std::fs::metadata(file)
        .map_err(|error| Wrong::new(format!("{}: {error}", file.display()), &make))?;
    Identity::new(config, limits).map_err(|error| {
        Wrong::new(
            format!("no Ed25519 key in PKCS#8 PEM ({error})"),
            format!("move it away, then {make}"),
        )
    })?;
    if metadata.permissions().mode() & 0o077 != 0 {
        return Err(Wrong::new(
            format!("{} can be read by others", file.display()),
            format!("chmod 600 {}", file.display()),
        ));
    }
    Ok(file.display().to_string())
}

fn listen(address: std::net::SocketAddr, field: &str) -> Result<String, Wrong> {
    match listeners::at(address) {
        Listener::Free => Ok(format!("{address} is free")),
        Listener::Process { pid, program } if program == "plaza" => {
            Ok(format!("{address} is held by plaza, pid {pid}"))
        }
        Listener::Process { pid, program } => Err(Wrong::new(
            format!("{address} is taken by {program}, pid {pid}"),
            format!("stop that process, or change {field}"),
        )),
        Listener::Hidden => Err(Wrong::new(
            format!("{address} is taken by a process that this user may not see"),
            format!("find it as root (`ss -ltnp`), or change {field}"),
        )),
        Listener::Refused(error) => Err(Wrong::new(
            format!("cannot listen on {address}: {error}"),
            format!("change {field}"),
        )),
    }
}
