//! What a point costs: every operation of the schema and the shapes that an attacker would send,
//! each as often as it takes to be read off the processors' clocks, ranked by CPU-milliseconds a
//! point.

mod batch;
#[cfg(test)]
mod checked;
mod hostile;
mod meter;
mod mutations;
mod operation;
mod queries;
mod ranking;
mod world;

/// The schema as the tests read it: operations are made of it in one way.
#[expect(
    dead_code,
    clippy::expect_used,
    reason = "what the tests ask of it beside is not asked here"
)]
#[path = "../../../tests/it/graphql/every_path/paths.rs"]
mod schema;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;

use batch::{Bounds, Outcome, measure};
use meter::{Meter, Used};
use operation::{Inputs, Operation};
use ranking::{Measured, Ranking, Unranked};
use schema::Schema;
use world::{Size, World, settle};

use crate::admin;
use crate::cases::outcome::say;
use crate::client::raw_id;
use crate::report::{float, write_json};
use crate::session::Session;

/// How much, how long.
#[derive(Debug, Args)]
pub struct CostArguments {
    /// CPU-milliseconds that the requests of one operation use at least, all processes together.
    #[arg(long, default_value_t = 500)]
    pub cpu_ms: u64,
    /// Seconds after which what is left is reported as not measured.
    #[arg(long, default_value_t = 300)]
    pub seconds: u64,
    /// A smoke run: a tenth of the CPU time, a fifth of the seconds, fewer rows, and no wait for
    /// what the other roles do about a mutation.
    #[arg(long)]
    pub quick: bool,
    /// The servers' admin addresses, for SQL statements and CPU time: both of this clone when left
    /// out.
    #[arg(long, value_delimiter = ',')]
    pub admin: Vec<String>,
    /// Where to write the metrics, as JSON.
    #[arg(long)]
    pub json: Option<PathBuf>,
}

/// The shortest time in which an operation is measured.
const LEAST: Duration = Duration::from_millis(200);
/// The longest.
const MOST: Duration = Duration::from_secs(5);

/// The dearest that are measured twice.
const CONFIRMED: usize = 12;

/// A run: what it has, and what it found.
struct Run<'a> {
    session: &'a Session,
    meter: Meter,
    world: World,
    bounds: Bounds,
    until: Instant,
    /// Operations that are still to come, about.
    left: usize,
    measured: Vec<Measured>,
    unranked: Vec<Unranked>,
    /// Operations that can be sent again at any time.
    repeatable: Vec<Operation>,
}

impl Run<'_> {
    fn leave_out(&mut self, name: &str, why: impl Into<String>) {
        self.unranked.push(Unranked { name: name.to_owned(), why: why.into() });
    }

    /// Measures the dearest again, as far as they can be sent again and there is time: what else
    /// the machine did meanwhile makes one dearer, never cheaper, so the lower of both counts.
    async fn confirm(&mut self) -> anyhow::Result<()> {
        let first = std::mem::take(&mut self.measured);
        let ranking = Ranking::of(first.clone(), Vec::new(), Used::default(), 0.0);
        let dearest = ranking.rows.into_iter().map(|row| row.measured.name);
        let all = std::mem::take(&mut self.repeatable);
        let again = dearest.filter_map(|name| all.iter().find(|one| one.name == name));
        let before = self.unranked.len();
        self.left = CONFIRMED;
        for operation in again.take(CONFIRMED) {
            self.measure(operation).await?;
        }
        self.unranked.truncate(before);
        let second = std::mem::replace(&mut self.measured, first);
        for one in second {
            let held = self.measured.iter_mut().find(|held| held.name == one.name);
            if let Some(held) = held.filter(|held| one.used.cpu_ms() < held.used.cpu_ms()) {
                *held = one;
            }
        }
        Ok(())
    }

    /// Measures an operation in its share of the time that is left.
    async fn measure(&mut self, operation: &Operation) -> anyhow::Result<()> {
        let left = self.until.saturating_duration_since(Instant::now());
        let share = left.div_f64(float(self.left.max(1))).mul_f64(1.5);
        self.left = self.left.saturating_sub(1);
        if left.is_zero() {
            self.leave_out(&operation.name, "no time was left: --seconds");
            return Ok(());
        }
        let bounds = Bounds { time: share.clamp(LEAST, MOST), ..self.bounds };
        let outcome = measure(self.session, &self.meter, &mut self.world, operation, bounds);
        match Box::pin(outcome).await? {
            Outcome::Measured(measured) => {
                say(&format!(
                    "{}: {} requests, {:.0} CPU-ms",
                    measured.name, measured.requests, measured.batch_cpu_ms
                ))?;
                self.measured.push(measured);
                if matches!(operation.inputs, Inputs::Again(_)) {
                    self.repeatable.push(operation.clone());
                }
            }
            Outcome::Refused(code, sent) => {
                say(&format!("{}: refused, {code}", operation.name))?;
                let why = match sent {
                    0 => format!("refused: {code}"),
                    _ => format!("refused at request {sent}: {code}"),
                };
                self.leave_out(&operation.name, why);
            }
        }
        Ok(())
    }

    /// Mutations in their order: what one makes, a later one needs.
    async fn measure_mutations(&mut self, schema: &Schema, sessions: usize) -> anyhow::Result<()> {
        let client = &self.session.client;
        for name in mutations::ORDER {
            match name {
                "userSuspend" => {
                    if let Some(viewer) = raw_id(&self.world.viewer.id) {
                        self.session.truth.make_admin(viewer).await?;
                    }
                }
                "logOut" => self.world.make_sessions(client, sessions).await?,
                "sessionRevoke" => {
                    self.world.make_sessions(client, sessions).await?;
                    self.world.look_up_sessions(client).await?;
                }
                "notificationsMarkRead" => self.world.look_up_notifications(client).await?,
                _ => {}
            }
            match mutations::mutation(schema, &self.world, name) {
                Some(operation) => self.measure(&operation).await?,
                None => self.leave_out(&format!("Mutation.{name}"), "there is nothing to give it"),
            }
        }
        for field in schema.fields("Mutation") {
            let name = field.name.node.as_str();
            if !mutations::ORDER.contains(&name) {
                self.leave_out(&format!("Mutation.{name}"), "it is not known what to give it");
            }
        }
        Ok(())
    }
}

/// The verb.
///
/// # Errors
/// Servers that do not answer; a system without seeded users and posts.
pub async fn run(session: &Session, arguments: &CostArguments) -> anyhow::Result<bool> {
    let (share, of_seconds) = if arguments.quick { (10, 5) } else { (1, 1) };
    let wanted = Duration::from_millis(arguments.cpu_ms) / share;
    let size = match arguments.quick {
        true => Size { people: 150, hidden: 30, asking: 20, sessions: 4 },
        false => Size { people: 320, hidden: 150, asking: 120, sessions: 16 },
    };
    say("making what is asked for")?;
    let world = Box::pin(World::make(session, size)).await?;
    let settles = settle(session).await;
    if !settles {
        say("relay and worker do not run, or are behind: what they do is not measured")?;
    }
    let idle = Duration::from_secs(5).min(wanted * 10);
    say(&format!("watching the idle system for {:.1} s", idle.as_secs_f64()))?;
    let admin = admin::servers(&arguments.admin);
    let meter = Meter::new(session.client.clone(), admin, session.run_dir.clone(), idle).await?;
    let schema = Schema::parse(&plaza::graphql::schema::sdl());
    let (queries, unknown) = queries::queries(&schema, &world);
    let hostile = hostile::hostile(&world);
    let seconds = Duration::from_secs(arguments.seconds) / of_seconds;
    let mut run = Run {
        session,
        meter,
        world,
        bounds: Bounds { cpu: wanted, time: MOST, settles: settles && !arguments.quick },
        until: Instant::now() + seconds,
        left: queries.len() + hostile.len() + mutations::ORDER.len(),
        measured: Vec::new(),
        unranked: Vec::new(),
        repeatable: Vec::new(),
    };
    for name in unknown {
        run.leave_out(&name, "it is not known what to give it");
    }
    for operation in queries.iter().chain(&hostile) {
        run.measure(operation).await?;
    }
    Box::pin(run.measure_mutations(&schema, size.sessions)).await?;
    run.confirm().await?;
    let Run { meter, measured, unranked, .. } = run;
    let wanted_ms = wanted.as_secs_f64() * 1_000.0;
    let ranking = Ranking::of(measured, unranked, meter.idle(), wanted_ms);
    ranking.print()?;
    if let Some(file) = &arguments.json {
        write_json(file, &ranking)?;
    }
    // A goal that is missed is a result; a run that measured little is none.
    Ok(ranking.share() > 0.5)
}
