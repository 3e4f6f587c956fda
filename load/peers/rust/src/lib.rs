//! What the programs that plaza is compared with share: their arguments, their connections to
//! PostgreSQL, and the statements.

pub mod rows;

use std::net::SocketAddr;

use axum::serve::ListenerExt;
use clap::Parser;

/// Where a program serves, and what from.
#[derive(Debug, Parser)]
pub struct Arguments {
    /// Where.
    #[arg(long, default_value = "127.0.0.1:4950")]
    pub listen: SocketAddr,
    /// The database, as a URL.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    pub database: String,
}

/// Serves until it is killed.
///
/// # Errors
/// A port that is taken.
pub async fn serve(listen: SocketAddr, app: axum::Router) -> anyhow::Result<()> {
    let app = app.route("/ready", axum::routing::get(|| async { "ready" }));
    let listener = tokio::net::TcpListener::bind(listen).await?;
    // Where it cannot be set answers come later, and all the same.
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    Ok(axum::serve(listener, app).await?)
}
