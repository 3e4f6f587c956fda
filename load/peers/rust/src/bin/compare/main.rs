//! plaza and its peers over the same rows: the same page, answers that are equal, and what each
//! costs. Rounds of the two that are compared take turns, so that what the machine does otherwise
//! meets both; results are the ratios of pairs.

mod cpu;
mod drawing;
mod generator;
mod pages;
mod programs;
mod ratio;
mod report;
mod series;
mod statements;

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::Parser;

use cpu::Roots;
use generator::{Prepared, Target};
use pages::{Asked, Page};
use programs::Program;
use report::Report;
use series::{Comparison, Plan, Side};
use statements::Logged;

/// Measures plaza against its peers.
#[derive(Debug, Parser)]
pub struct Arguments {
    /// plaza's executable.
    #[arg(long, default_value = "target/release/plaza")]
    plaza: PathBuf,
    /// Its configuration; the shards are replaced by the database.
    #[arg(long, env = "PLAZA_CONFIG", default_value = ".local/plaza.toml")]
    config: PathBuf,
    /// The one database that all programs read.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    database: String,
    /// The number of its first process.
    #[arg(long)]
    postgres: u32,
    /// Its log.
    #[arg(long)]
    postgres_log: PathBuf,
    /// The number of Redis' process.
    #[arg(long)]
    redis: u32,
    /// Node.
    #[arg(long, default_value = "node")]
    node: PathBuf,
    /// Where its programs are.
    #[arg(long, default_value = "load/peers/node")]
    node_folder: PathBuf,
    /// The first of some twenty ports.
    #[arg(long, default_value_t = 4_950)]
    port: u16,
    /// The password of seeded users.
    #[arg(long, default_value = "plaza-demo-1")]
    password: String,
    /// Pages.
    #[arg(long, default_value_t = 300)]
    pages: u32,
    /// Pairs of rounds of each comparison.
    #[arg(long, default_value_t = 7)]
    pairs: u64,
    /// Seconds of a round.
    #[arg(long, default_value_t = 4.0)]
    seconds: f64,
    /// Connections at full load.
    #[arg(long, default_value_t = 24)]
    connections: usize,
    /// One pair of short rounds of each comparison: a try, kept nowhere.
    #[arg(long)]
    quick: bool,
    /// Only comparisons with this peer (several: repeat it).
    #[arg(long)]
    peer: Vec<String>,
    /// Only comparisons of plaza so: uncached or warm.
    #[arg(long)]
    only: Option<String>,
    /// What it is measured on, for the results.
    #[arg(long, default_value = "an unnamed machine")]
    machine: String,
    /// Where results are added, as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
    /// The document that the tables are written into, between its marks.
    #[arg(long)]
    document: Option<PathBuf>,
}

/// plaza that has nothing cached, asked for posts by id as the peers are; and as it is, asked for a
/// home.
const UNCACHED: &str = "uncached";
const WARM: &str = "warm";
const PEERS: [(&str, Asked); 4] = [
    ("mercurius", Asked::Posts),
    ("postgraphile", Asked::BigIntPosts),
    ("stock", Asked::Posts),
    ("bare", Asked::Posts),
];
const CONSTANT: &str = "constant";

fn say(text: &str) -> std::io::Result<()> {
    writeln!(std::io::stdout(), "{text}")
}

impl Arguments {
    fn plan(&self) -> Plan {
        let (pairs, seconds) = if self.quick { (1, 2.0) } else { (self.pairs, self.seconds) };
        let during = Duration::from_secs_f64(seconds);
        Plan { pairs, during, connections: self.connections }
    }

    fn wants(&self, name: &str) -> bool {
        self.peer.is_empty() || self.peer.iter().any(|peer| peer == name)
    }
}

/// A program with what it is asked.
struct Ready {
    program: Program,
    asked: Asked,
    side: Side,
}

impl Ready {
    fn new(
        arguments: &Arguments,
        program: Program,
        asked: Asked,
        pages: &[Page],
    ) -> anyhow::Result<Self> {
        let requests = pages.iter().map(|page| asked.request(page)).collect::<Result<_, _>>()?;
        let roots =
            Roots { server: program.pid()?, postgres: arguments.postgres, redis: arguments.redis };
        let target = Arc::new(Target { address: program.address, requests });
        let side = Side { name: program.name, target, roots };
        Ok(Self { program, asked, side })
    }
}

/// Everything that runs: plaza twice, then the peers.
async fn start(arguments: &Arguments, pages: &mut [Page]) -> anyhow::Result<Vec<Ready>> {
    let trivial = Prepared::new(&serde_json::json!({ "query": "{ __typename }" }), None)?;
    let off = [("PLAZA_REDIS__CACHE_TTL_MS", "0")];
    let mut uncached = Program::plaza(UNCACHED, arguments.port, arguments, &off)?;
    let mut warm = Program::plaza(WARM, arguments.port + 1, arguments, &[])?;
    uncached.ready(&trivial).await?;
    warm.ready(&trivial).await?;
    pages::log_in(uncached.address, pages, &arguments.password).await?;
    let mut all = vec![
        Ready::new(arguments, uncached, Asked::Nodes, pages)?,
        Ready::new(arguments, warm, Asked::Home, pages)?,
    ];
    for ((name, asked), port) in PEERS.into_iter().zip(arguments.port + 2..) {
        if !arguments.wants(name) {
            continue;
        }
        let mut program = match name {
            "stock" | "bare" => Program::rust(name, port, arguments, &[])?,
            _ => Program::node(name, port, arguments)?,
        };
        let first = pages.first().context("there are no pages")?;
        program.ready(&asked.request(first)?).await?;
        all.push(Ready::new(arguments, program, asked, pages)?);
    }
    Ok(all)
}

/// Every program's posts of every page against the first one's; the mean length of an answer.
async fn check(all: &[Ready], pages: &[Page]) -> anyhow::Result<usize> {
    let mut reference: Option<(Vec<String>, usize)> = None;
    for ready in all {
        let (answers, bytes) = ready.asked.answers(ready.program.address, pages).await?;
        let (expected, _) = reference.get_or_insert_with(|| (answers.clone(), bytes));
        let equal = expected.iter().zip(&answers).filter(|(one, other)| one == other).count();
        say(&format!("{}: {equal} of {} pages equal", ready.program.name, pages.len()))?;
        if let Some((one, other)) = expected.iter().zip(&answers).find(|(one, other)| one != other)
        {
            anyhow::bail!("{} answers\n{other}\nwhere plaza answers\n{one}", ready.program.name);
        }
    }
    Ok(reference.map(|(_, bytes)| bytes).unwrap_or_default())
}

async fn idle(all: &[Ready], report: &mut Report) -> anyhow::Result<()> {
    let over = Duration::from_secs(3);
    let before: Vec<_> = all.iter().map(|ready| ready.side.roots.read()).collect();
    tokio::time::sleep(over).await;
    let ms = |ns| Duration::from_nanos(ns).as_secs_f64() * 1e3 / over.as_secs_f64();
    for (ready, before) in all.iter().zip(before) {
        let used = before.until(&ready.side.roots.read());
        let idle = &mut report.idle_ms_per_s;
        idle.insert(ready.program.name.into(), ms(used.server));
        idle.insert("PostgreSQL".into(), ms(used.postgres));
        idle.insert("Redis".into(), ms(used.redis));
    }
    Ok(())
}

async fn count_statements(
    arguments: &Arguments,
    all: &[Ready],
    report: &mut Report,
) -> anyhow::Result<()> {
    let logged = Logged::begin(&arguments.database, &arguments.postgres_log).await?;
    for ready in all {
        let count = logged.of(&ready.side.target).await?;
        report.statements.insert(ready.program.name.into(), count);
    }
    logged.end().await
}

async fn compare(arguments: &Arguments, all: &[Ready], report: &mut Report) -> anyhow::Result<()> {
    let (plazas, peers) = all.split_at(2);
    for plaza in plazas {
        if arguments.only.as_ref().is_some_and(|only| only != plaza.program.name) {
            continue;
        }
        for peer in peers {
            if peer.program.name == CONSTANT && plaza.program.name != WARM {
                continue;
            }
            let (one, other) = (&plaza.side, &peer.side);
            say(&format!("{} against {} ..", one.name, other.name))?;
            let at = now()?;
            report.add(Comparison::measure(one, other, arguments.plan(), at).await?);
            if let Some(json) = arguments.json.as_ref().filter(|_| !arguments.quick) {
                report.write(json)?;
            }
        }
    }
    Ok(())
}

/// The day and the minute, UTC.
fn now() -> anyhow::Result<String> {
    let date = std::process::Command::new("date").args(["-u", "+%Y-%m-%dT%H:%MZ"]).output()?;
    Ok(String::from_utf8(date.stdout)?.trim().to_owned())
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let json = arguments.json.as_deref().filter(|_| !arguments.quick);
    let mut report = json.map(Report::read).unwrap_or_default();
    let mut pages = pages::choose(&arguments.database, arguments.pages).await?;
    let mut all = start(&arguments, &mut pages).await?;
    report.bytes = check(&all, &pages).await?;
    report.pages = pages.len();
    report.machine.clone_from(&arguments.machine);
    count_statements(&arguments, &all, &mut report).await?;
    if arguments.wants(CONSTANT) {
        let bytes = ["--bytes".to_owned(), report.bytes.to_string()];
        let port = arguments.port + 8;
        let mut program = Program::rust(CONSTANT, port, &arguments, &bytes)?;
        program.ready(&Prepared::new(&serde_json::Value::Null, None)?).await?;
        all.push(Ready::new(&arguments, program, Asked::Posts, &pages)?);
    }
    idle(&all, &mut report).await?;
    compare(&arguments, &all, &mut report).await?;
    let text = report.markdown()?;
    say(&text)?;
    match (json, &arguments.document) {
        (Some(json), Some(document)) => {
            report.write(json)?;
            report::insert(document, &text)
        }
        (Some(json), None) => report.write(json),
        (None, _) => Ok(()),
    }
}
