//! plaza-load: open-loop load through nginx, and audits of what it left behind.
//!
//! Requests start on a schedule (exponential gaps at a fixed mean rate) and are timed from the
//! moment they *should* have started, so a server that falls behind shows it. The audit compares
//! whole home feeds with what the shards' own rows say they must be.

mod admin;
mod audit;
mod buyers;
mod cases;
mod celebrity;
mod client;
mod compare;
mod costs;
mod crowd;
mod failover;
mod fan_out;
mod faults;
mod mix;
mod patience;
mod people;
mod ports;
mod processes;
mod report;
mod resume;
mod revocations;
mod session;
mod sockets;
mod table;
mod truth;
mod views;
mod watching;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use session::Session;

/// Loads plaza and audits it.
#[derive(Debug, Parser)]
#[command(name = "plaza-load", version)]
struct Arguments {
    /// Where GraphQL is served: by the configuration's `server.public_url` when left out.
    #[arg(long, global = true)]
    url: Option<String>,
    /// plaza's configuration: where the shards are, for the audit.
    #[arg(long, global = true, env = "PLAZA_CONFIG", default_value = ".local/plaza.toml")]
    config: PathBuf,
    /// The folder in which each running process has a file: for CPU-seconds.
    #[arg(long, global = true, default_value = ".local/run")]
    run_dir: PathBuf,
    /// The password of seeded people.
    #[arg(long, global = true, default_value = "plaza-demo-1")]
    password: String,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// The mix: 60 % home feed, 30 % a user's posts, 10 % post; then the audit.
    Run(mix::MixArguments),
    /// Only the audit: every home feed against the rows.
    Audit(audit::AuditArguments),
    /// One post by the person with the most followers: in which feeds, and how soon.
    FanOut,
    /// Posts by the most followed person: how soon in the last home, and other people's latencies
    /// before, meanwhile and after.
    Celebrity(celebrity::CelebrityArguments),
    /// Many buyers at once of one scarce product.
    Buyers(buyers::BuyersArguments),
    /// Many idle subscriptions on one server: bytes each, and how soon a post has reached the last.
    Sockets(sockets::SocketArguments),
    /// More sockets than one process may hold: servers and generators of the run's own; memory,
    /// arrivals, drops.
    SocketsMany(crowd::CrowdArguments),
    /// One generator of `sockets-many`.
    #[command(hide = true)]
    SocketsPart(crowd::part::PartArguments),
    /// Subscriptions while a server is killed: nothing may be missed, nothing told twice.
    Resume(resume::ResumeArguments),
    /// How soon a log-out, a block and a suspension at one server hold at the other.
    Revocations(revocations::RevocationArguments),
    /// Posts, likes and orders while one process after the other is killed; then what was
    /// acknowledged against the rows.
    Faults(faults::FaultArguments),
    /// A shard's primary is killed while people write there, and replaced; then what was
    /// acknowledged against the rows.
    Failover(failover::FailoverArguments),
    /// Views of posts through the log: how many a second are acknowledged and applied, and for how
    /// much CPU.
    Views(views::ViewArguments),
    /// What a point costs: every operation of the schema and the hostile shapes, by CPU and SQL
    /// statements a point.
    Costs(costs::CostArguments),
    /// The seeding's loader against `psql \copy`: the same follows into tables alike, in turns.
    CompareCopy(compare::CompareArguments),
    /// A case study: before and after one mechanism, interleaved, against its targets; into
    /// docs/results/.
    Case(cases::CaseArguments),
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Arguments { url, config, run_dir, password, verb } = Arguments::parse();
    if let Verb::SocketsPart(part) = &verb {
        return crowd::part::run(&config, part).await;
    }
    let session = Session::open(url.as_deref(), config, run_dir, password).await?;
    anyhow::ensure!(run(&session, verb).await?, "what was found is not what must be: see above");
    Ok(())
}

/// Whether everything was as it must be.
async fn run(session: &Session, verb: Verb) -> anyhow::Result<bool> {
    match verb {
        Verb::Run(mix) => mix::run(session, &mix).await,
        Verb::Audit(audit) => audit::run(session, &audit).await,
        Verb::FanOut => fan_out::run(session).await,
        Verb::Celebrity(celebrity) => celebrity::run(session, &celebrity).await,
        Verb::Buyers(buyers) => buyers::run(session, &buyers).await,
        Verb::Sockets(sockets) => sockets::run(session, &sockets).await,
        Verb::SocketsMany(crowd) => crowd::run(session, &crowd).await,
        Verb::SocketsPart(part) => {
            crowd::part::run(&session.config, &part).await?;
            Ok(true)
        }
        Verb::Resume(resume) => resume::run(session, &resume).await,
        Verb::Revocations(revocations) => revocations::run(session, &revocations).await,
        Verb::Faults(faults) => faults::run(session, &faults).await,
        Verb::Failover(failover) => failover::run(session, &failover).await,
        Verb::Views(views) => views::run(session, &views).await,
        Verb::Costs(costs) => costs::run(session, &costs).await,
        Verb::CompareCopy(compare) => compare::run(session, &compare).await,
        Verb::Case(case) => cases::run(session, &case).await,
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_help_of_every_verb_is_as_it_was() {
        let mut command = Arguments::command().mut_args(|arg| arg.hide_env_values(true));
        command.build();
        let mut all = command.render_long_help().to_string();
        for verb in command.get_subcommands_mut().filter(|verb| !verb.is_hide_set()) {
            all.push_str(&format!("\n## {}\n\n", verb.get_name()));
            all.push_str(&verb.render_long_help().to_string());
        }
        insta::assert_snapshot!("help", all);
    }
}
