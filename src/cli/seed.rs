//! `plaza seed`.

mod scene;

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use tokio::time::Instant;

use super::{shards, write_json};
use plaza_app::App;
use plaza_base::clock::Clock;
use plaza_config::Config;
use plaza_domain::identity::{Identity, Keys};
use plaza_seeding::{Follows, Loader, Plan, Step, World, follows_of_file, people};
use plaza_stores::postgres::Cluster;
use plaza_stores::postgres::migrations::load_map;

/// The password of every seeded account.
const PASSWORD: &str = "plaza-demo-1";
/// People followed, on average, in a generated graph.
const MEAN_FOLLOWS: f64 = 50.0;
/// The same among so few people that the other would be everybody.
const MEAN_FOLLOWS_OF_FEW: f64 = 20.0;
const FEW: u64 = 10_000;
/// Of the people who are there, the scene is given so many: those whom most follow.
const BEST_KNOWN: u32 = 100;

/// What to make. Without `--graph` or `--users`, posts, products and orders are added to the people
/// who are there.
#[derive(Debug, Clone, Default, Args)]
pub struct SeedArgs {
    /// An edge list, `a b` a line: people who follow each other.
    #[arg(long, conflicts_with = "users")]
    pub graph: Option<PathBuf>,
    /// So many people, with power-law follows.
    #[arg(long)]
    pub users: Option<u64>,
    /// People whom a person follows, on average: 50; among up to 10,000 people, 20.
    #[arg(long)]
    pub follows: Option<f64>,
    /// Posts, with likes and comments; three a person by default where people are made.
    #[arg(long)]
    pub posts: Option<u64>,
    /// Products; one for ten people by default where people are made.
    #[arg(long)]
    pub products: Option<u64>,
    /// Confirmed orders of the products made; one for five people by default where people are made.
    #[arg(long)]
    pub orders: Option<u64>,
    /// The same seed makes the same rows.
    #[arg(long, default_value_t = 1)]
    pub random_seed: u64,
    /// Do nothing when there are people already.
    #[arg(long)]
    pub if_empty: bool,
    /// Let alice and some of the people she follows do something, as clients do it: posts with
    /// pictures, mentions, a thread, views, orders; and give a hundred people faces. Once an
    /// installation.
    #[arg(long)]
    pub scene: bool,
    /// A JSON object of what was made, instead of lines and a table.
    #[arg(long)]
    pub json: bool,
}

/// What a seeding came to.
#[derive(Debug, Default, Serialize)]
struct Report {
    /// People who were there before.
    people_before: usize,
    /// Rows of each kind; none where nothing was to be done.
    steps: Vec<Seeded>,
    /// Rows and bytes by table and shard; none where nothing was to be done.
    tables: Vec<shards::Table>,
    /// Whether the scene was played, now.
    scene_played: bool,
}

/// Rows of a kind.
#[derive(Debug, Serialize)]
struct Seeded {
    step: &'static str,
    rows: u64,
    /// Those of them that were not there before.
    new: u64,
    seconds: f64,
}

impl SeedArgs {
    /// Who is to be made, and whom they follow.
    fn graph(&self) -> anyhow::Result<Option<(u64, Follows)>> {
        if let Some(file) = &self.graph {
            let (people, follows) = follows_of_file(file)?;
            return Ok(Some((u64::from(people), follows)));
        }
        let Some(users) = self.users else { return Ok(None) };
        let mean =
            self.follows.unwrap_or(if users <= FEW { MEAN_FOLLOWS_OF_FEW } else { MEAN_FOLLOWS });
        anyhow::ensure!((0.0..=1_000.0).contains(&mean), "--follows is a mean between 0 and 1000");
        let count =
            u32::try_from(users).map_err(|_| anyhow::anyhow!("--users is at most {}", u32::MAX))?;
        Ok(Some((users, Follows::drawn(count, mean, self.random_seed))))
    }

    /// By default in proportion to the people made.
    fn plan(&self, made: u64) -> Plan {
        let orders = self.orders.unwrap_or(made / 5);
        let products = self.products.unwrap_or(made / 10);
        // An order needs something to order.
        Plan {
            posts: self.posts.unwrap_or(made * 3),
            products: if orders > 0 { products.max(1) } else { products },
            orders,
        }
    }
}

/// # Errors
/// A file that cannot be read, a shard that cannot be reached or is not migrated.
pub async fn run(config: Config, args: SeedArgs) -> anyhow::Result<()> {
    let map = load_map(&Cluster::new(&config.postgres)?).await?;
    let mut loader = Loader::connect(&config.postgres, config.feed.pull_from).await?;
    let there = loader.people().await?;
    let beginning = loader.beginning(Clock::System.now_ms()).await?;
    let graph = args.graph()?;
    let to_make = graph
        .as_ref()
        .map(|(count, _)| people(*count, args.random_seed, beginning))
        .unwrap_or_default();
    let mut report = Report { people_before: there.len(), ..Report::default() };
    if args.if_empty && !there.is_empty() {
        // The first person is loaded last: as long as only others of this seeding are there, it was
        // interrupted.
        let finished = to_make.first().is_none_or(|first| there.binary_search(first).is_ok());
        if finished || there.iter().any(|person| to_make.binary_search(person).is_err()) {
            say(&args, &format!("there are {} people already: nothing seeded", there.len()))?;
            report.scene_played = play(&config, &loader, &args).await?;
            return print(&report, &args);
        }
        say(&args, "a seeding was interrupted: going on")?;
    }
    let world = match graph {
        Some((count, follows)) => {
            if let Some(name) = loader.taken_by_others(&to_make).await? {
                anyhow::bail!(
                    "{name} is somebody else's: seed people with the random seed that was used before, or where nobody is yet"
                );
            }
            let hash = Identity::new(&config.auth, &config.limits, &Keys::of_this_process()?)?
                .hash(PASSWORD.to_owned())
                .await?;
            World::of_new_people(
                map,
                args.random_seed,
                to_make,
                hash,
                follows,
                args.plan(count),
                beginning,
            )
        }
        None => {
            anyhow::ensure!(
                !there.is_empty(),
                "there is nobody yet: seed people first, with --users or --graph"
            );
            World::of_people(map, args.random_seed, there.clone(), args.plan(0), beginning)
        }
    };
    let world = Arc::new(world);
    let changed = load(&mut loader, &world, &args, &mut report).await?;
    loader.derive_sales().await?;
    if changed && !there.is_empty() {
        loader.recount_everybody().await?;
    }
    if args.json {
        report.tables = shards::all_tables(&config).await?;
    } else {
        shards::run(&config, &shards::ShardsArgs::default()).await?;
    }
    report.scene_played = play(&config, &loader, &args).await?;
    say(&args, &format!("log in as alice, password {PASSWORD}"))?;
    print(&report, &args)
}

/// Prints a line, unless JSON is asked for.
fn say(args: &SeedArgs, line: &str) -> std::io::Result<()> {
    match args.json {
        true => Ok(()),
        false => writeln!(std::io::stdout(), "{line}"),
    }
}

/// Prints the report, where JSON is asked for.
fn print(report: &Report, args: &SeedArgs) -> anyhow::Result<()> {
    match args.json {
        true => write_json(&mut std::io::stdout(), report),
        false => Ok(()),
    }
}

/// Has the scene played where it is wanted and was not played yet; whether it was, now.
async fn play(config: &Config, loader: &Loader, args: &SeedArgs) -> anyhow::Result<bool> {
    if !args.scene || loader.was_played().await? {
        return Ok(false);
    }
    let app = App::build(config.clone(), Clock::System).await?;
    let first = loader.first_people(BEST_KNOWN).await?;
    let played = Box::pin(scene::play(&app, args.random_seed, &first)).await;
    let played = played.context("the scene")?;
    if played {
        loader.note_played().await?;
    }
    Ok(played)
}

/// Step by step; whether anything of people who may have been there before is new.
async fn load(
    loader: &mut Loader,
    world: &Arc<World>,
    args: &SeedArgs,
    report: &mut Report,
) -> anyhow::Result<bool> {
    let steps: Vec<Step> = Step::ALL.into_iter().filter(|step| world.chunks(*step) > 0).collect();
    let expected: u64 = steps.iter().map(|step| world.expected(*step)).sum();
    let bar = if args.json { ProgressBar::hidden() } else { ProgressBar::new(expected) };
    if let Ok(style) = ProgressStyle::with_template(
        "{msg:22} {wide_bar} {human_pos} of {human_len} rows  {per_sec:>14}  {eta} left",
    ) {
        bar.set_style(style);
    }
    let mut changed = false;
    for step in steps {
        bar.set_message(step.name());
        let (begun, started) = (bar.position(), Instant::now());
        // What an earlier run has loaded says nothing about the rate of this one.
        bar.set_position(begun + loader.there(world, step).await?);
        bar.reset_eta();
        let loaded = loader.load(world, step, &bar).await?;
        // There were rather fewer rows than expected; what is not to come is not waited for.
        let rows = loaded.new + loaded.there;
        bar.set_position(begun + rows);
        bar.set_length(
            bar.length()
                .unwrap_or_default()
                .saturating_sub(world.expected(step).saturating_sub(rows)),
        );
        changed |= loaded.new > 0 && !matches!(step, Step::Claims | Step::People | Step::First);
        let (step, new, seconds) = (step.name(), loaded.new, started.elapsed().as_secs_f64());
        report.steps.push(Seeded { step, rows, new, seconds });
        if !args.json {
            let line = format!("{step:<24} {rows:>12} rows, {new} new in {seconds:.1} s");
            bar.suspend(|| writeln!(std::io::stdout(), "{line}"))?;
        }
    }
    bar.finish_and_clear();
    Ok(changed)
}
