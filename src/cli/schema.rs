//! `plaza schema`: schema.graphql, generated.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use plaza_graphql::schema::sdl;

/// What to do with it; printed when nothing is asked.
#[derive(Debug, Args)]
pub struct SchemaArgs {
    /// Write it to the file.
    #[arg(long, conflicts_with = "check")]
    write: bool,
    /// Fail when the file is not what the code says.
    #[arg(long)]
    check: bool,
    /// The file.
    #[arg(long, default_value = "schema.graphql")]
    file: PathBuf,
}

/// # Errors
/// The file cannot be written, or differs.
pub fn run(args: &SchemaArgs) -> anyhow::Result<()> {
    let sdl = sdl();
    if args.write {
        std::fs::write(&args.file, sdl)?;
    } else if args.check {
        let held = std::fs::read_to_string(&args.file).unwrap_or_default();
        anyhow::ensure!(
            held == sdl,
            "{} is not what the code says: run `plaza schema --write`",
            args.file.display()
        );
    } else {
        std::io::stdout().write_all(sdl.as_bytes())?;
    }
    Ok(())
}
