//! Many buyers at once of one scarce product: exactly the stock is sold.

use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};

use crate::client::{Client, raw_id};
use crate::patience::again;
use crate::people::LoggedIn;
use crate::session::Session;

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
const BUY: &str =
    "mutation($product: ID!) { orderPlace(input: {lines: [{productId: $product, quantity: 1}]}) {
  order { id } userErrors { code message } } }";
const STATUS: &str = "query($order: ID!) { order(id: $order) { status } }";

/// How long somebody who was sent away waits at first, and at most.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(4);
/// How often one asks before one gives up.
const PATIENCE: u32 = 60;

/// One who buys as a shop's page does: what is refused for the moment is asked again, under the
/// same key, after a longer and longer pause.
struct Buyer<'a> {
    client: &'a Client,
    person: &'a LoggedIn,
    again: &'a AtomicUsize,
}

impl Buyer<'_> {
    fn pause(&self, earlier: u32) -> Duration {
        let longest = (FIRST_PAUSE * 2_u32.saturating_pow(earlier)).min(LONGEST_PAUSE);
        longest.mul_f64(rand::random_range(0.5..1.0))
    }

    async fn ask(&self, key: Option<&str>, query: &str, variables: Value) -> anyhow::Result<Value> {
        let send =
            || self.client.send_keyed(Some(&self.person.token), key, query, variables.clone());
        let pause = |earlier| {
            self.again.fetch_add(1, Ordering::Relaxed);
            self.pause(earlier)
        };
        again(PATIENCE, send, pause).await
    }

    /// Places the order, and waits for what becomes of it.
    async fn buy(&self, product: &str) -> anyhow::Result<String> {
        let key = format!("buyer-{product}");
        let data = self.ask(Some(&key), BUY, json!({ "product": product })).await?;
        let order = data
            .pointer("/orderPlace/order/id")
            .and_then(Value::as_str)
            .with_context(|| format!("no order: {data}"))?;
        for looks in 0..PATIENCE {
            let data = self.ask(None, STATUS, json!({ "order": order })).await?;
            match data.pointer("/order/status").and_then(Value::as_str) {
                Some(status @ ("CONFIRMED" | "REJECTED" | "CANCELLED")) => {
                    return Ok(status.to_owned());
                }
                _ => tokio::time::sleep(self.pause(looks)).await,
            }
        }
        Ok("UNFINISHED".to_owned())
    }
}

/// The verb.
///
/// # Errors
/// The servers'.
pub async fn run(session: &Session, arguments: &BuyersArguments) -> anyhow::Result<bool> {
    let Session { client, truth, .. } = session;
    let mut people = truth.people().await?;
    people.truncate(arguments.buyers + 1);
    let people = session.signer()?.log_in(&people)?;
    let (seller, buyers) = people.split_first().context("nobody is there: seed first")?;
    anyhow::ensure!(
        buyers.len() == arguments.buyers,
        "there are only {} people: seed more first",
        people.len()
    );
    let data =
        client.send(Some(&seller.token), OFFER, json!({ "stock": arguments.pieces })).await?;
    let product = data
        .pointer("/productCreate/product/id")
        .and_then(Value::as_str)
        .with_context(|| format!("no product: {data}"))?;
    let (started, asked_again) = (Instant::now(), AtomicUsize::new(0));
    let outcomes: Vec<String> = stream::iter(buyers)
        .map(|person| {
            let buyer = Buyer { client, person, again: &asked_again };
            async move { buyer.buy(product).await }
        })
        .buffer_unordered(arguments.buyers)
        .try_collect()
        .await?;
    let count = |status: &str| outcomes.iter().filter(|outcome| *outcome == status).count();
    let stock = truth
        .sum(
            "SELECT coalesce(sum(stock), 0)::bigint FROM products WHERE id = $1",
            raw_id(product).context("not an id")?,
        )
        .await?;
    let (confirmed, rejected) = (count("CONFIRMED"), count("REJECTED"));
    writeln!(
        std::io::stdout(),
        "buyers: {}, pieces: {}: confirmed {confirmed}, rejected {rejected}, stock {stock}, all ended after {} ms; asked again {} times",
        buyers.len(),
        arguments.pieces,
        started.elapsed().as_millis(),
        asked_again.load(Ordering::Relaxed)
    )?;
    let sold = arguments.pieces.min(buyers.len());
    Ok(confirmed == sold
        && rejected == buyers.len() - sold
        && usize::try_from(stock)? == arguments.pieces - sold)
}
