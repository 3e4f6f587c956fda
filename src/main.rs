//! plaza: one executable, a subcommand per role and per verb of the operator's.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = plaza::cli::Cli::parse();
    match plaza::lifecycle::runtime()
        .map_err(anyhow::Error::from)
        .and_then(|runtime| runtime.block_on(plaza::cli::run(cli)))
    {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The other end is closed: there is nowhere to report it.
            let _ = writeln!(std::io::stderr(), "plaza: {error:#}");
            ExitCode::FAILURE
        }
    }
}
