//! `plaza seed`.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use super::shards;
use crate::config::Config;
use crate::domain::identity::Identity;
use crate::seeding::{Loader, Plan, World, email, follows_of_file, follows_of_users, handle, people, summary};
use crate::stores::postgres::Cluster;
use crate::stores::postgres::migrations::load_map;

/// The password of every seeded account.
const PASSWORD: &str = "plaza-demo-1";
/// People followed, on average, in a generated graph.
const MEAN_FOLLOWS: f64 = 20.0;

/// What to make. Without `--graph` or `--users`, posts, products and orders are added to the people who are there.
#[derive(Debug, Args)]
pub struct SeedArgs {
    /// An edge list, `a b` a line: people who follow each other.
    #[arg(long, conflicts_with = "users")]
    graph: Option<PathBuf>,
    /// So many people, with power-law follows.
    #[arg(long)]
    users: Option<u64>,
    /// Posts, with likes and comments; three a person by default where people are made.
    #[arg(long)]
    posts: Option<u64>,
    /// Products; one for ten people by default where people are made.
    #[arg(long)]
    products: Option<u64>,
    /// Confirmed orders of the products made; one for five people by default where people are made.
    #[arg(long)]
    orders: Option<u64>,
    /// The same seed makes the same rows.
    #[arg(long, default_value_t = 1)]
    random_seed: u64,
    /// Do nothing when there are people already.
    #[arg(long)]
    if_empty: bool,
}

/// # Errors
/// A file that cannot be read, a shard that cannot be reached or is not migrated.
pub async fn run(config: Config, args: SeedArgs) -> anyhow::Result<()> {
    let map = load_map(&Cluster::new(&config.postgres)?).await?;
    let mut loader = Loader::connect(&config.postgres).await?;
    let there = loader.people().await?;
    let graph = match (&args.graph, args.users) {
        (Some(file), _) => Some(follows_of_file(file)?),
        (None, Some(users)) => Some((users, follows_of_users(users, MEAN_FOLLOWS, args.random_seed))),
        (None, None) => None,
    };
    let to_make = graph.as_ref().map(|(count, _)| people(*count, args.random_seed)).unwrap_or_default();
    if args.if_empty && !there.is_empty() {
        // The first person is loaded last: as long as only others of this seeding are there, it was interrupted.
        let finished = to_make.first().is_none_or(|first| there.binary_search(first).is_ok());
        if finished || there.iter().any(|person| to_make.binary_search(person).is_err()) {
            writeln!(std::io::stdout(), "there are {} people already: nothing seeded", there.len())?;
            return Ok(());
        }
        writeln!(std::io::stdout(), "a seeding was interrupted: going on")?;
    }
    let mut world = World::new(&map, args.random_seed);
    let mut first = None;
    let (everybody, made) = match &graph {
        Some((count, follows)) => {
            let made = to_make;
            let handles: Vec<String> = (0..made.len()).map(handle).collect();
            let emails: Vec<String> = handles.iter().map(|handle| email(handle)).collect();
            if let Some(name) = loader.taken_by_others(&made, &handles, &emails).await? {
                anyhow::bail!("{name} is somebody else's: seed people with the random seed that was used before, or where nobody is yet");
            }
            let hash = Identity::new(&config.auth, &config.limits)?.hash(PASSWORD.to_owned()).await?;
            first = Some(world.accounts(&made, &hash));
            world.follows(&made, follows);
            (made, *count)
        }
        None => (there, 0),
    };
    anyhow::ensure!(!everybody.is_empty(), "there is nobody yet: seed people first, with --users or --graph");
    let plan = Plan {
        posts: args.posts.unwrap_or(made * 3),
        products: args.products.unwrap_or(made / 10),
        orders: args.orders.unwrap_or(made / 5),
    };
    world.posts(&everybody, plan.posts);
    // An order needs something to order.
    let products = if plan.orders > 0 { plan.products.max(1) } else { plan.products };
    world.shop(&everybody, products, plan.orders);
    let mut loaded = Vec::new();
    for rows in world.rows.iter().filter(|rows| rows.count > 0) {
        loaded.push((rows.table.name, rows.count, loader.load(rows).await?));
    }
    loader.derive(config.feed.pull_from).await?;
    if let Some(first) = first {
        loaded.push((first.table.name, first.count, loader.load(&first).await?));
        for shard in first.by_shard.keys() {
            loader.derive_shard(*shard, config.feed.pull_from).await?;
        }
    }
    summary(&loaded)?;
    shards::run(&config, &shards::ShardsArgs::table()).await?;
    writeln!(std::io::stdout(), "log in as alice, password {PASSWORD}")?;
    Ok(())
}
