//! plaza: one executable, a subcommand per role and per verb of the operator's.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    match plaza::cli::run(plaza::cli::Cli::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody reads it: then nobody can be told either.
            let _ = writeln!(std::io::stderr(), "plaza: {error:#}");
            ExitCode::FAILURE
        }
    }
}
