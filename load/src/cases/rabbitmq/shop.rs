//! A shop under load: its products and buyers, and the servers and workers that a case starts for
//! it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Context;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::cases::CaseArguments;
use crate::cases::served::{Launch, Served};
use crate::client::{Client, raw_id};
use crate::people::LoggedIn;
use crate::session::Session;

const OFFER: &str = "mutation { productCreate(input: {title: \"Plenty\", description: \"\", price: {amount: \"500\", currency: \"EUR\"},
  stock: 1000000}) { product { id } userErrors { code message } } }";
const BUY: &str =
    "mutation($product: ID!) { orderPlace(input: {lines: [{productId: $product, quantity: 1}]}) {
  order { id } userErrors { code message } } }";
/// Pieces of each product.
pub const STOCK: i64 = 1_000_000;
/// What a capture takes at the provider.
pub const PROVIDER_MS: u64 = 150;
/// How long a failed job waits before each next attempt, in milliseconds: plaza's own delays add up
/// to 13 minutes.
pub const RETRY_DELAYS: &str = "[250, 500, 1000, 2000, 4000]";

/// Who buys what, and what was acknowledged.
#[derive(Debug)]
pub struct Market {
    buyers: Vec<LoggedIn>,
    /// The products' global ids.
    pub products: Vec<String>,
    /// Orders that were answered with their id.
    pub acknowledged: Mutex<BTreeSet<i64>>,
    asked: AtomicU64,
}

impl Market {
    /// Forty products, each of a seller of its own, and a hundred buyers.
    ///
    /// # Errors
    /// The servers'.
    pub async fn open(session: &Session) -> anyhow::Result<Self> {
        let mut buyers = session.logged_in(140, 21).await?;
        let sellers = buyers.split_off(buyers.len().saturating_sub(40));
        let mut products = Vec::new();
        for seller in sellers {
            let data = session.client.send(Some(&seller.token), OFFER, json!({})).await?;
            let id = data
                .pointer("/productCreate/product/id")
                .and_then(Value::as_str)
                .with_context(|| format!("no product: {data}"))?;
            products.push(id.to_owned());
        }
        Ok(Self { buyers, products, acknowledged: Mutex::default(), asked: AtomicU64::new(0) })
    }

    /// One piece of one product, for somebody.
    ///
    /// # Errors
    /// Whatever was answered that is no order.
    pub async fn buy(self: Arc<Self>, client: Client, number: u64) -> anyhow::Result<()> {
        let mut random = StdRng::seed_from_u64(number);
        let (buyer, product) = self
            .buyers
            .choose(&mut random)
            .zip(self.products.choose(&mut random))
            .context("nobody buys")?;
        // Both sides are asked for the same: of two orders with one key, the second would be
        // answered as the first.
        let key = format!(
            "case-2.1-{}-{}",
            std::process::id(),
            self.asked.fetch_add(1, Ordering::Relaxed)
        );
        let data = client
            .send_keyed(Some(&buyer.token), Some(&key), BUY, json!({ "product": product }))
            .await?;
        let id = data.pointer("/orderPlace/order/id").and_then(Value::as_str).and_then(raw_id);
        self.acknowledged.lock().await.insert(id.with_context(|| format!("no order: {data}"))?);
        Ok(())
    }
}

/// Starts servers and workers of the case.
#[derive(Debug)]
pub struct Shop {
    plaza: PathBuf,
    config: PathBuf,
}

impl Shop {
    /// The configuration with the case's retry delays, beside the one it was made from.
    ///
    /// # Errors
    /// A configuration that cannot be read or has no section of RabbitMQ.
    pub fn prepare(config: &Path, arguments: &CaseArguments) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(config)?;
        anyhow::ensure!(
            text.contains("\n[rabbitmq]\n"),
            "{} has no section [rabbitmq]",
            config.display()
        );
        let folder = arguments.root.join(".local/case");
        std::fs::create_dir_all(&folder)?;
        let file = std::path::absolute(folder.join("2.1.toml"))?;
        std::fs::write(
            &file,
            text.replace(
                "\n[rabbitmq]\n",
                &format!("\n[rabbitmq]\nretry_delays_ms = {RETRY_DELAYS}\n"),
            ),
        )?;
        Ok(Self { plaza: arguments.plaza.clone(), config: file })
    }

    /// One of the roles, with this provider.
    ///
    /// # Errors
    /// As [`Served::start`].
    pub async fn start(
        &self,
        role: &'static str,
        port: u16,
        more: &[(&'static str, u64)],
    ) -> anyhow::Result<Served> {
        let mut settings = vec![
            ("PLAZA_TELEMETRY__FILTER", "off".to_owned()),
            ("PLAZA_SERVER__MAX_IN_FLIGHT", "2000".to_owned()),
            ("PLAZA_PAYMENTS__LATENCY_MS", PROVIDER_MS.to_string()),
        ];
        settings.extend(more.iter().map(|(name, value)| (*name, value.to_string())));
        let launch = Launch {
            plaza: self.plaza.clone(),
            config: self.config.clone(),
            port,
            admin_port: port + 100,
            settings,
        };
        Served::start_role(role, launch).await
    }

    /// A server with the saga inside the request, whose provider fails so many attempts of a
    /// thousand.
    ///
    /// # Errors
    /// As [`Served::start`].
    pub async fn inside(&self, port: u16, fail_permille: u64) -> anyhow::Result<Served> {
        let mut launch = vec![("PLAZA_PAYMENTS__FAIL_PERMILLE", fail_permille)];
        launch.push(("PLAZA_ORDERS__SAGA_IN_REQUEST", 1));
        self.start("server", port, &launch).await
    }

    /// A worker whose provider fails so many attempts, and so many orders for good, of a thousand.
    ///
    /// # Errors
    /// As [`Served::start`].
    pub async fn worker(&self, fail_permille: u64, poison_permille: u64) -> anyhow::Result<Served> {
        let faults = [
            ("PLAZA_PAYMENTS__FAIL_PERMILLE", fail_permille),
            ("PLAZA_PAYMENTS__POISON_PERMILLE", poison_permille),
        ];
        self.start("worker", 4193, &faults).await
    }

    /// The dead letters of orders: order to cause.
    ///
    /// # Errors
    /// What `plaza dead-letters` says.
    pub async fn dead(&self) -> anyhow::Result<BTreeMap<i64, String>> {
        let output = tokio::process::Command::new(&self.plaza)
            .args(["dead-letters", "list"])
            .env("PLAZA_CONFIG", &self.config)
            .output()
            .await?;
        anyhow::ensure!(
            output.status.success(),
            "dead-letters: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let text = String::from_utf8(output.stdout)?;
        let letters = text.lines().filter_map(|line| {
            let (head, cause) = line.strip_prefix("plaza.orders")?.split_once(": ")?;
            let id = head.trim().strip_prefix("order:")?.split('/').next()?.parse().ok()?;
            Some((id, cause.to_owned()))
        });
        Ok(letters.collect())
    }

    /// Puts the dead letters of these orders back to work.
    ///
    /// # Errors
    /// As [`Shop::dead`].
    pub async fn replay(&self, orders: impl Iterator<Item = &i64>) -> anyhow::Result<()> {
        let ids: Vec<String> = orders.map(|order| format!("order:{order}/process")).collect();
        if ids.is_empty() {
            return Ok(());
        }
        let replay = tokio::process::Command::new(&self.plaza)
            .args(["dead-letters", "replay"])
            .args(&ids)
            .env("PLAZA_CONFIG", &self.config)
            .output()
            .await?;
        anyhow::ensure!(
            replay.status.success(),
            "dead-letters replay: {}",
            String::from_utf8_lossy(&replay.stderr)
        );
        Ok(())
    }
}
