//! kill -9, one process after the other, under load; each comes back by `infra/local/up NAME`.
//! Clients send posts, likes and orders with idempotency keys and repeat what was not answered. At
//! the end: nothing acknowledged is missing, nothing is there twice, every counter equals its rows,
//! every feed is right, every order has ended and the stock adds up.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::audit;
use crate::client::{Client, raw_id};
use crate::people::LoggedIn;
use crate::session::Session;
use crate::truth::Truth;

/// Whom to kill, and how busy it is meanwhile.
#[derive(Debug, Args)]
pub struct FaultArguments {
    /// The processes, in turn.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "worker,relay,projector,server-1,shard-0-replica-1,redis,rabbitmq,kafka"
    )]
    pub kill: Vec<String>,
    /// Seconds that each stays dead.
    #[arg(long, default_value_t = 3)]
    pub dead: u64,
    /// Seconds after it is back, before the next.
    #[arg(long, default_value_t = 5)]
    pub calm: u64,
    /// Clients, each sending one request after the other.
    #[arg(long, default_value_t = 8)]
    pub clients: usize,
    /// People logged in, whose feeds are audited.
    #[arg(long, default_value_t = 200)]
    pub people: usize,
}

const POST: &str = "mutation($text: String!) { postCreate(input: {text: $text}) { post { id } userErrors { code message } } }";
/// Pieces of the product.
const STOCK: i64 = 100_000;
const LIKE: &str = "mutation($post: ID!) { postLike(input: {postId: $post}) { post { id } userErrors { code message } } }";
const OFFER: &str = "mutation { productCreate(input: {title: \"Plenty\", description: \"\", price: {amount: \"500\", currency: \"EUR\"},
  stock: 100000}) { product { id } userErrors { code message } } }";
const BUY: &str =
    "mutation($product: ID!) { orderPlace(input: {lines: [{productId: $product, quantity: 1}]}) {
  order { id } userErrors { code message } } }";

#[derive(Debug, Default)]
struct Acknowledged {
    posts: BTreeMap<i64, String>,
    orders: BTreeMap<i64, i64>,
}

#[derive(Debug, Default)]
struct Counts {
    requests: AtomicUsize,
    repeated: AtomicUsize,
}

/// Sends until it is answered.
async fn settle(
    client: &Client,
    counts: &Counts,
    person: &LoggedIn,
    key: &str,
    query: &str,
    variables: Value,
) -> anyhow::Result<Value> {
    counts.requests.fetch_add(1, Ordering::Relaxed);
    let started = Instant::now();
    loop {
        match client.send_keyed(Some(&person.token), Some(key), query, variables.clone()).await {
            Ok(data) => return Ok(data),
            Err(error) if started.elapsed() > Duration::from_secs(90) => {
                return Err(error.context("not answered in 90 s"));
            }
            Err(_) => {
                counts.repeated.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }
}

/// What every client shares.
struct Shared {
    client: Client,
    people: Vec<LoggedIn>,
    product: String,
    counts: Counts,
    acknowledged: Mutex<Acknowledged>,
    stop: AtomicBool,
}

async fn act(shared: Arc<Shared>, number: usize) -> anyhow::Result<()> {
    let mut random = StdRng::seed_from_u64(u64::try_from(number)?);
    let run = random.random::<u32>();
    let mut step = 0_u64;
    while !shared.stop.load(Ordering::Relaxed) {
        step += 1;
        let key = format!("faults-{}-{run}-{number}-{step}", std::process::id());
        let person = shared.people.choose(&mut random).context("nobody is logged in")?;
        match random.random_range(0..10) {
            0..5 => {
                let data = settle(
                    &shared.client,
                    &shared.counts,
                    person,
                    &key,
                    POST,
                    json!({ "text": key }),
                )
                .await?;
                let id =
                    data.pointer("/postCreate/post/id").and_then(Value::as_str).and_then(raw_id);
                let id = id.with_context(|| format!("a post was refused: {data}"))?;
                shared.acknowledged.lock().await.posts.insert(id, key);
            }
            5..8 => {
                let known =
                    shared.acknowledged.lock().await.posts.keys().copied().collect::<Vec<_>>();
                if let Some(post) = known.choose(&mut random) {
                    let post = crate::client::global_id("Post", *post);
                    settle(
                        &shared.client,
                        &shared.counts,
                        person,
                        &key,
                        LIKE,
                        json!({ "post": post }),
                    )
                    .await?;
                }
            }
            _ => {
                let data = settle(
                    &shared.client,
                    &shared.counts,
                    person,
                    &key,
                    BUY,
                    json!({ "product": shared.product }),
                )
                .await?;
                let id =
                    data.pointer("/orderPlace/order/id").and_then(Value::as_str).and_then(raw_id);
                let id = id.with_context(|| format!("an order was refused: {data}"))?;
                shared.acknowledged.lock().await.orders.insert(id, person.person.id);
            }
        }
    }
    Ok(())
}

/// Starts a process again.
///
/// # Errors
/// It does not start.
pub async fn up(name: &str) -> anyhow::Result<()> {
    let up = tokio::process::Command::new("infra/local/up")
        .arg(name)
        .env("PROFILE", "release")
        .output()
        .await?;
    anyhow::ensure!(up.status.success(), "`up {name}`: {}", String::from_utf8_lossy(&up.stderr));
    Ok(())
}

/// kill -9.
///
/// # Errors
/// It is not running.
pub fn kill(run_dir: &Path, name: &str) -> anyhow::Result<()> {
    let text =
        fs::read_to_string(run_dir.join(name)).with_context(|| format!("{name} is not running"))?;
    let pid = text.lines().find_map(|line| line.strip_prefix("pid=")).context("no pid")?;
    let status = std::process::Command::new("kill").args(["-9", pid]).status()?;
    anyhow::ensure!(status.success(), "cannot kill {name}");
    Ok(())
}

/// Logs users in, and has the last of them offer the product that the others buy: nobody buys from
/// themselves.
async fn shared(session: &Session, people: usize) -> anyhow::Result<Shared> {
    let mut people = session.logged_in(people, 7).await?;
    let seller = people.pop().context("nobody is there: seed first")?;
    let client = session.client.clone();
    let data = client.send(Some(&seller.token), OFFER, json!({})).await?;
    let product = data.pointer("/productCreate/product/id").and_then(Value::as_str);
    let product = product.context("no product")?.to_owned();
    Ok(Shared {
        client,
        people,
        product,
        counts: Counts::default(),
        acknowledged: Mutex::default(),
        stop: AtomicBool::new(false),
    })
}

/// Kills one process and starts it again.
async fn kill_and_start(
    session: &Session,
    shared: &Shared,
    arguments: &FaultArguments,
    name: &str,
) -> anyhow::Result<()> {
    let before = shared.counts.repeated.load(Ordering::Relaxed);
    kill(&session.run_dir, name)?;
    tokio::time::sleep(Duration::from_secs(arguments.dead)).await;
    let started = Instant::now();
    up(name).await?;
    let back = started.elapsed();
    tokio::time::sleep(Duration::from_secs(arguments.calm)).await;
    let repeated = shared.counts.repeated.load(Ordering::Relaxed) - before;
    writeln!(
        std::io::stdout(),
        "killed {name:<20} back {:>6} ms after `up`; requests that had to be repeated: {repeated}",
        back.as_millis()
    )?;
    Ok(())
}

/// What is not as it must be, after the clients have stopped.
#[derive(Debug)]
struct Damage {
    lost: usize,
    doubled: usize,
    wrong_feeds: usize,
    wrong_counters: i64,
    open_orders: usize,
    confirmed: usize,
    stock: i64,
}

impl Damage {
    async fn find(session: &Session, shared: &Shared) -> anyhow::Result<Self> {
        let truth = &session.truth;
        let product = raw_id(&shared.product).context("not an id")?;
        let acknowledged = shared.acknowledged.lock().await;
        truth.wait_until_sent().await?;
        let open_orders = wait_for_orders(truth, product).await?;
        let feeds = audit::compare(&session.client, truth, &shared.people).await?;
        let stored = truth.texts("faults-%").await?;
        let mut twice = 0;
        for (text, rows) in stored.iter().filter(|(_, rows)| **rows > 1) {
            twice += 1;
            writeln!(std::io::stdout(), "there {rows} times: {text}")?;
        }
        let orders = truth.orders_of(product).await?;
        let lost_posts = acknowledged.posts.values().filter(|text| !stored.contains_key(*text));
        let lost_orders = acknowledged.orders.keys().filter(|id| !orders.contains_key(id));
        let unknown = orders.keys().filter(|id| !acknowledged.orders.contains_key(id));
        let stock = "SELECT coalesce(sum(stock), 0)::bigint FROM products WHERE id = $1";
        Ok(Self {
            lost: lost_posts.count() + lost_orders.count(),
            doubled: twice + unknown.count(),
            wrong_feeds: feeds.wrong,
            wrong_counters: truth.wrong_counters().await?,
            open_orders,
            confirmed: orders.values().filter(|status| *status == "CONFIRMED").count(),
            stock: truth.sum(stock, product).await?,
        })
    }

    fn is_none(&self) -> anyhow::Result<bool> {
        let wrong = self.lost + self.doubled + self.wrong_feeds + self.open_orders;
        let stock_right = i64::try_from(self.confirmed)? + self.stock == STOCK;
        Ok(wrong == 0 && self.wrong_counters == 0 && stock_right)
    }
}

/// The verb.
///
/// # Errors
/// The servers'; a client that was not answered for 90 s.
pub async fn run(session: &Session, arguments: &FaultArguments) -> anyhow::Result<bool> {
    let shared = Arc::new(shared(session, arguments.people).await?);
    let mut clients = tokio::task::JoinSet::new();
    for number in 0..arguments.clients {
        clients.spawn(act(Arc::clone(&shared), number));
    }
    tokio::time::sleep(Duration::from_secs(arguments.calm)).await;
    for name in &arguments.kill {
        kill_and_start(session, &shared, arguments, name).await?;
    }
    shared.stop.store(true, Ordering::Relaxed);
    while let Some(ended) = clients.join_next().await {
        ended??;
    }
    let (posts, orders) = {
        let acknowledged = shared.acknowledged.lock().await;
        (acknowledged.posts.len(), acknowledged.orders.len())
    };
    let requests = shared.counts.requests.load(Ordering::Relaxed);
    let mut out = std::io::stdout();
    writeln!(out, "requests {requests}, posts {posts}, orders {orders}")?;
    let damage = Damage::find(session, &shared).await?;
    writeln!(
        out,
        "lost {}, doubled {}, wrong feeds {} of {}, wrong counters {}, orders not ended {}, sold {}, stock {}",
        damage.lost,
        damage.doubled,
        damage.wrong_feeds,
        shared.people.len(),
        damage.wrong_counters,
        damage.open_orders,
        damage.confirmed,
        damage.stock
    )?;
    damage.is_none()
}

/// Waits until every order of the product has ended; how many have not after two minutes.
async fn wait_for_orders(truth: &Truth, product: i64) -> anyhow::Result<usize> {
    let started = Instant::now();
    loop {
        let orders = truth.orders_of(product).await?;
        let open = orders
            .values()
            .filter(|status| !matches!(status.as_str(), "CONFIRMED" | "REJECTED" | "CANCELLED"))
            .count();
        if open == 0 || started.elapsed() > Duration::from_secs(120) {
            return Ok(open);
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}
