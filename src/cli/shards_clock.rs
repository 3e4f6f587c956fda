//! `plaza shards clock`: how far each shard's clock is behind the ids it has issued.

use std::io::Write;

use clap::Args;

use plaza_config::Config;
use plaza_stores::postgres::id_clock;
use plaza_stores::postgres::migrations::connect;

/// What to do beside showing it.
#[derive(Debug, Args)]
pub struct ClockArgs {
    /// Set clocks that are ahead back, as far as no row has a later id.
    #[arg(long)]
    set_back: bool,
}

/// # Errors
/// A shard cannot be reached; with `--set-back`, one that issues no ids afterwards either.
pub async fn run(config: &Config, args: &ClockArgs) -> anyhow::Result<()> {
    let mut out = std::io::stdout();
    let mut refusing = Vec::new();
    for (number, urls) in config.postgres.shards.iter().enumerate() {
        let mut connection = connect(&urls.primary).await?;
        let mut clock = id_clock::read(&mut connection).await?;
        if args.set_back && clock.behind_ms() > 0 {
            id_clock::set_back(&mut connection).await?;
            clock = id_clock::read(&mut connection).await?;
        }
        let behind = clock.behind_ms();
        let state = if behind > 1_000 { "issues no ids" } else { "issues ids" };
        writeln!(out, "shard {number}: {state}, clock behind the last id by {behind} ms")?;
        if behind > 1_000 {
            refusing.push(number.to_string());
        }
    }
    anyhow::ensure!(
        !args.set_back || refusing.is_empty(),
        "rows with later ids exist on shard {}: correct its server's clock, or wait",
        refusing.join(", ")
    );
    Ok(())
}
