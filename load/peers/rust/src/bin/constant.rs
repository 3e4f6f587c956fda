//! The least that any answer costs: axum, and a body of so many bytes that is always the same.

use std::net::SocketAddr;

use axum::http::header::CONTENT_TYPE;
use axum::{Router, routing};
use bytes::Bytes;
use clap::Parser;
use plaza_peers::serve;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Where it serves, and how much.
#[derive(Debug, Parser)]
struct Arguments {
    /// Where.
    #[arg(long, default_value = "127.0.0.1:4950")]
    listen: SocketAddr,
    /// Bytes of the body.
    #[arg(long, default_value_t = 4_700)]
    bytes: usize,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let frame = r#"{"data":""}"#;
    let text = "x".repeat(arguments.bytes.saturating_sub(frame.len()));
    let body = Bytes::from(format!(r#"{{"data":"{text}"}}"#));
    let answer = async move |_request: Bytes| ([(CONTENT_TYPE, "application/json")], body.clone());
    serve(arguments.listen, Router::new().route("/graphql", routing::post(answer))).await
}
