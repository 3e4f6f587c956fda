//! `plaza completions` and `plaza man`: what shells and readers of manuals are given, made from the
//! command line's own definition.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::Cli;

/// For which shell.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell: `source <(plaza completions bash)`.
    shell: Shell,
}

/// Where to.
#[derive(Debug, Args)]
pub struct ManArgs {
    /// A folder for one page per subcommand (`plaza.1`, `plaza-seed.1` ..); without it `plaza(1)`
    /// is printed.
    folder: Option<PathBuf>,
}

/// # Errors
/// Standard output is closed.
pub fn completions(args: &CompletionsArgs) -> anyhow::Result<()> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "plaza", &mut text);
    Ok(std::io::stdout().write_all(&text)?)
}

/// # Errors
/// The folder cannot be written to.
pub fn man(args: &ManArgs) -> anyhow::Result<()> {
    match &args.folder {
        Some(folder) => write_pages(folder),
        None => Ok(clap_mangen::Man::new(Cli::command()).render(&mut std::io::stdout())?),
    }
}

fn write_pages(folder: &Path) -> anyhow::Result<()> {
    let cannot = || format!("cannot write to {}", folder.display());
    std::fs::create_dir_all(folder).with_context(cannot)?;
    clap_mangen::generate_to(Cli::command(), folder).with_context(cannot)
}
