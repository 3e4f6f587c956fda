//! `plaza keygen`: the key that signs access tokens.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use plaza_domain::identity::generate_key_file;

/// Where it goes.
#[derive(Debug, Args)]
pub struct KeygenArgs {
    /// A key that is there already is fine, and kept.
    #[arg(long)]
    if_missing: bool,
    /// The file to make, readable by its owner only.
    file: PathBuf,
}

/// # Errors
/// The file is there already, or cannot be written.
pub fn run(args: &KeygenArgs) -> anyhow::Result<()> {
    let made = generate_key_file(&args.file)?;
    anyhow::ensure!(made || args.if_missing, "{} is there already", args.file.display());
    if made {
        writeln!(std::io::stdout(), "made {}", args.file.display())?;
    }
    Ok(())
}
