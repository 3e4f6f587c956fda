//! More live connections than one process may have files: several servers, several generators, each
//! generator at an address of its own.
//!
//! A process may hold so many files, and an address so many ports to one server; so the sockets are
//! shared out among servers and generators, and generator `n` speaks from 127.0.0.(n + 2). A
//! generator is this program again (`sockets-part`): it opens its sockets, notes when each post
//! arrives at each, and answers the questions that it reads from its standard input.

mod memory;
pub mod part;
mod servers;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use futures_util::future::try_join_all;
use plaza::clock::Clock;
use serde::Serialize;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::cases::served::of_its_own_session;
use crate::client::Client;
use crate::patience::again;
use crate::ports::at;
use crate::report::{Latencies, write_json};
use crate::session::Session;
use crate::watching::{POST, posted};
use memory::Memory;
use part::Told;
use servers::Servers;

/// Files that a process has open beside its sockets.
const OTHER_FILES: usize = 500;
/// Sockets opened a second, all generators together: two cores open some 1,100, with everything on
/// them.
pub const PACE: usize = 800;
/// How long all sockets may take to open.
const PATIENCE: Duration = Duration::from_secs(600);

/// How many sockets, and for how long.
#[derive(Debug, Clone, Args)]
pub struct CrowdArguments {
    /// Sockets, each with one subscription of a follower of the most followed person.
    #[arg(long, default_value_t = 100_000)]
    pub sockets: usize,
    /// Servers of the run's own; 0: as many as are needed for what files a process may open.
    #[arg(long, default_value_t = 0)]
    pub servers: usize,
    /// Minutes held, with a post each.
    #[arg(long, default_value_t = 10)]
    pub minutes: u64,
    /// Posts, one after the other, before that.
    #[arg(long, default_value_t = 5)]
    pub posts: usize,
    /// Sockets opened a second, all generators together.
    #[arg(long, default_value_t = PACE)]
    pub pace: usize,
    /// The executable that serves.
    #[arg(long, default_value = "target/release/plaza")]
    pub plaza: PathBuf,
    /// The first server's port, in a clone whose ports are not shifted; each takes one, and its
    /// admin port is 200 above.
    #[arg(long, default_value_t = 4_300)]
    pub first_port: u16,
    /// Where to write the figures, as JSON.
    #[arg(long, default_value = "bench-results/sockets-many.json")]
    pub json: PathBuf,
}

/// What was found.
#[derive(Debug, Clone, Serialize)]
pub struct Crowded {
    /// Sockets wanted.
    pub wanted: usize,
    /// Sockets open when all had been tried.
    pub open: usize,
    /// Openings that failed and were tried again.
    pub again: usize,
    /// Servers, and as many generators.
    pub servers: usize,
    /// Seconds until all were open.
    pub opened_s: f64,
    /// Resident bytes of the servers a socket.
    pub server_bytes: u64,
    /// Bytes of kernel memory a connection, both of its ends.
    pub kernel_bytes: u64,
    /// Resident bytes of the generators a socket.
    pub generator_bytes: u64,
    /// From a post's sending, milliseconds: half of its arrivals, 99 % of them, the last; post by
    /// post.
    pub arrivals_ms: Vec<[i64; 3]>,
    /// Arrivals that did not come.
    pub not_told: usize,
    /// Sockets closed while they were held.
    pub dropped: usize,
    /// Minutes held.
    pub minutes: u64,
}

/// A generator.
struct Generator {
    process: Child,
    questions: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Generator {
    fn start(
        arguments: &CrowdArguments,
        config: &Path,
        people: &Path,
        number: usize,
        count: usize,
        files: usize,
    ) -> anyhow::Result<Self> {
        let own = std::env::current_exe()?;
        let port = usize::from(at(arguments.first_port)) + number;
        let (pace, servers) = (arguments.pace, arguments.servers.max(1));
        let mut process = with_files(&own, files)
            .args([
                "--config".as_ref(),
                config.as_os_str(),
                "sockets-part".as_ref(),
                "--people".as_ref(),
                people.as_os_str(),
            ])
            .args([
                "--socket-url",
                &format!("ws://127.0.0.1:{port}/graphql"),
                "--count",
                &count.to_string(),
            ])
            .args([
                "--source",
                &format!("127.0.0.{}", number + 2),
                "--pace",
                &pace.div_ceil(servers).to_string(),
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let questions = process.stdin.take().context("no standard input")?;
        let answers = BufReader::new(process.stdout.take().context("no standard output")?).lines();
        Ok(Self { process, questions, answers })
    }

    async fn told(&mut self) -> anyhow::Result<Told> {
        let line = self.answers.next_line().await?.context("a generator ended")?;
        serde_json::from_str(&line).with_context(|| line)
    }

    async fn ask(&mut self, question: &str) -> anyhow::Result<Told> {
        self.questions.write_all(format!("{question}\n").as_bytes()).await?;
        self.told().await
    }
}

/// A command that may open as many files as the hard limit lets it, in a session of its own.
fn with_files(program: &Path, files: usize) -> Command {
    let mut command = of_its_own_session([Path::new("sh")]);
    command.arg("-c").arg(format!("ulimit -n {files}; exec \"$@\"")).arg("sh").arg(program);
    command
}

/// The hard limit of open files a process.
fn hard_limit() -> anyhow::Result<usize> {
    let text = std::fs::read_to_string("/proc/self/limits")?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))
        .context("no limit of open files")?;
    let hard = line.split_ascii_whitespace().nth(1).context("no hard limit")?;
    Ok(if hard == "unlimited" { 1_000_000 } else { hard.parse()? })
}

/// Sockets that are open and measured, held until this is dropped.
pub struct Crowd {
    generators: Vec<Generator>,
    servers: Servers,
    author: String,
    /// The figures so far.
    pub found: Crowded,
}

impl Crowd {
    /// Starts the servers and opens the sockets.
    ///
    /// # Errors
    /// An executable that is not there, ports that are taken; the servers'.
    pub async fn gather(session: &Session, arguments: &CrowdArguments) -> anyhow::Result<Self> {
        let (mut arguments, config) = (arguments.clone(), session.config.as_path());
        let files = hard_limit()?;
        let most = files.saturating_sub(OTHER_FILES).max(1);
        if arguments.servers == 0 {
            arguments.servers = arguments.sockets.div_ceil(most).max(1);
        }
        let share = arguments.sockets.div_ceil(arguments.servers);
        anyhow::ensure!(
            share <= most,
            "{share} sockets a process, and {most} are what its {files} files allow: more --servers"
        );
        let (author, followers) = session.truth.most_followed().await?;
        let people = listed(&followers)?;
        let signer = session.signer()?;
        let servers = Servers::start(&arguments, config, files).await?;
        let before = Memory::look(&servers.pids(), &[]);
        let began = tokio::time::Instant::now();
        let mut generators = Vec::new();
        for number in 0..arguments.servers {
            let count = share.min(arguments.sockets.saturating_sub(number * share));
            generators.push(Generator::start(
                &arguments,
                config,
                people.path(),
                number,
                count,
                files,
            )?);
        }
        let (mut open, mut again) = (0, 0);
        for generator in &mut generators {
            let told = tokio::time::timeout(PATIENCE, generator.told())
                .await
                .context("the sockets are not open in time")??;
            open += told.open;
            again += told.again;
        }
        let opened_s = began.elapsed().as_secs_f64();
        // Subscriptions begin after their acknowledgement; then the servers are given the time to
        // be idle.
        tokio::time::sleep(Duration::from_secs(10)).await;
        let pids: Vec<u32> =
            generators.iter().filter_map(|generator| generator.process.id()).collect();
        let after = Memory::look(&servers.pids(), &pids);
        let each = |bytes: u64| bytes / u64::try_from(open.max(1)).unwrap_or(1);
        let found = Crowded {
            wanted: arguments.sockets,
            open,
            again,
            servers: arguments.servers,
            opened_s,
            server_bytes: each(after.servers.saturating_sub(before.servers)),
            kernel_bytes: each(after.kernel.saturating_sub(before.kernel)),
            generator_bytes: each(after.generators),
            arrivals_ms: Vec::new(),
            not_told: 0,
            dropped: 0,
            minutes: 0,
        };
        Ok(Self { generators, servers, author: signer.token(author)?, found })
    }

    /// A post by whom all of them follow, and its arrivals.
    ///
    /// # Errors
    /// The servers'.
    pub async fn post(&mut self) -> anyhow::Result<()> {
        let client = Client::new(&self.servers.first_url())?;
        let started = Clock::System.now_ms();
        let key = format!("crowd-{started}");
        // Asked again under the same key, a mutation is done once.
        let send = || {
            client.send_keyed(
                Some(&self.author),
                Some(&key),
                POST,
                json!({ "text": "To everyone who is watching" }),
            )
        };
        let data = again(5, send, |_| Duration::ZERO).await?;
        let post = posted(&data).with_context(|| format!("no post: {data}"))?;
        // All at once: each may wait a minute for the last of its sockets.
        let question = format!("arrivals {post}");
        let told =
            try_join_all(self.generators.iter_mut().map(|generator| generator.ask(&question)))
                .await?;
        let came = told.into_iter().flat_map(|told| told.arrivals);
        let after_ms = came.map(|came| u64::try_from(came - started).unwrap_or(0));
        let arrivals: Latencies = after_ms.map(Duration::from_millis).collect();
        let at = |share| i64::try_from(arrivals.quantile(share).as_millis()).unwrap_or(i64::MAX);
        self.found.arrivals_ms.push([at(0.5), at(0.99), at(1.0)]);
        self.found.not_told += self.found.open.saturating_sub(arrivals.succeeded());
        Ok(())
    }

    /// Holds them for a minute, and counts how many were closed so far.
    ///
    /// # Errors
    /// A generator that ended.
    pub async fn hold_a_minute(&mut self) -> anyhow::Result<()> {
        let until = tokio::time::Instant::now() + Duration::from_secs(60);
        self.post().await?;
        tokio::time::sleep_until(until).await;
        let mut dropped = 0;
        for generator in &mut self.generators {
            dropped += generator.ask("dropped").await?.dropped;
        }
        self.found.dropped = dropped;
        self.found.minutes += 1;
        Ok(())
    }
}

/// The followers' ids in a file, for the generators.
fn listed(followers: &[i64]) -> anyhow::Result<tempfile::NamedTempFile> {
    let mut file = tempfile::NamedTempFile::new()?;
    let lines: Vec<String> = followers.iter().map(ToString::to_string).collect();
    file.write_all(lines.join("\n").as_bytes())?;
    Ok(file)
}

/// The verb.
///
/// # Errors
/// The servers'.
pub async fn run(session: &Session, arguments: &CrowdArguments) -> anyhow::Result<bool> {
    let mut out = std::io::stdout();
    let mut crowd = Crowd::gather(session, arguments).await?;
    let found = &crowd.found;
    writeln!(
        out,
        "sockets: {} of {} open after {:.1} s ({} opened again) at {} servers; bytes a socket: plaza {}, kernel (both ends) {}, generator {}, in all {}",
        found.open,
        found.wanted,
        found.opened_s,
        found.again,
        found.servers,
        found.server_bytes,
        found.kernel_bytes,
        found.generator_bytes,
        found.server_bytes + found.kernel_bytes + found.generator_bytes
    )?;
    for _ in 0..arguments.posts {
        crowd.post().await?;
        if let Some([half, most, last]) = crowd.found.arrivals_ms.last() {
            writeln!(
                out,
                "post: p50 {half} ms, p99 {most} ms, last {last} ms; not told so far {}",
                crowd.found.not_told
            )?;
        }
    }
    for minute in 1..=arguments.minutes {
        crowd.hold_a_minute().await?;
        writeln!(
            out,
            "minute {minute}: dropped so far {}, not told so far {}",
            crowd.found.dropped, crowd.found.not_told
        )?;
    }
    write_json(&arguments.json, &crowd.found)?;
    Ok(crowd.found.open == crowd.found.wanted
        && crowd.found.dropped == 0
        && crowd.found.not_told == 0)
}
