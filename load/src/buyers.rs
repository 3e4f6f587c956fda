//! Many buyers at once of one scarce product: exactly the stock is sold.

use std::io::Write;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};

use crate::client::{Client, raw_id};
use crate::people::log_in;
use crate::truth::Truth;

/// How many of what.
#[derive(Debug, Args)]
pub struct BuyersArguments {
    /// Buyers, one piece each.
    #[arg(long, default_value_t = 100)]
    pub buyers: usize,
    /// Pieces.
    #[arg(long, default_value_t = 10)]
    pub pieces: usize,
}

const OFFER: &str = "mutation($stock: Int!) { productCreate(input: {title: \"Scarce\", description: \"\",
  price: {amount: \"1999\", currency: \"EUR\"}, stock: $stock}) { product { id } userErrors { code message } } }";
const BUY: &str = "mutation($product: ID!) { orderPlace(input: {lines: [{productId: $product, quantity: 1}]}) {
  order { id } userErrors { code message } } }";
const STATUS: &str = "query($order: ID!) { order(id: $order) { status } }";

/// The verb.
///
/// # Errors
/// The servers'.
pub async fn run(client: &Client, truth: &Truth, password: &str, arguments: &BuyersArguments) -> anyhow::Result<bool> {
    let mut people = truth.people().await?;
    people.truncate(arguments.buyers + 1);
    let people = log_in(client, &people, password).await?;
    let (seller, buyers) = people.split_first().context("nobody is there: seed first")?;
    let data = client.send(Some(&seller.token), OFFER, json!({ "stock": arguments.pieces })).await?;
    let product = data.pointer("/productCreate/product/id").and_then(Value::as_str).with_context(|| format!("no product: {data}"))?;
    let started = Instant::now();
    let outcomes: Vec<String> = stream::iter(buyers)
        .map(|buyer| async move {
            let data = client.send(Some(&buyer.token), BUY, json!({ "product": product })).await?;
            let order =
                data.pointer("/orderPlace/order/id").and_then(Value::as_str).with_context(|| format!("no order: {data}"))?.to_owned();
            for _ in 0..1_200 {
                let data = client.send(Some(&buyer.token), STATUS, json!({ "order": order })).await?;
                match data.pointer("/order/status").and_then(Value::as_str) {
                    Some(status @ ("CONFIRMED" | "REJECTED" | "CANCELLED")) => return Ok(status.to_owned()),
                    _ => tokio::time::sleep(Duration::from_millis(50)).await,
                }
            }
            Ok("UNFINISHED".to_owned())
        })
        .buffer_unordered(arguments.buyers)
        .try_collect::<Vec<_>>()
        .await
        .map_err(|error: anyhow::Error| error)?;
    let count = |status: &str| outcomes.iter().filter(|outcome| *outcome == status).count();
    let stock =
        truth.sum("SELECT coalesce(sum(stock), 0)::bigint FROM products WHERE id = $1", raw_id(product).context("not an id")?).await?;
    let (confirmed, rejected) = (count("CONFIRMED"), count("REJECTED"));
    writeln!(
        std::io::stdout(),
        "buyers: {}, pieces: {}: confirmed {confirmed}, rejected {rejected}, stock {stock}, all ended after {} ms",
        buyers.len(),
        arguments.pieces,
        started.elapsed().as_millis()
    )?;
    let sold = arguments.pieces.min(buyers.len());
    Ok(confirmed == sold && rejected == buyers.len() - sold && usize::try_from(stock)? == arguments.pieces - sold)
}
