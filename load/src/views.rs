//! Views at full speed: through the log, or by an update of the rows; and how many were
//! acknowledged and applied.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use plaza::clock::Clock;
use plaza::domain::{Domain, views};
use plaza::ids::{Id, PostId, UserId};
use plaza::protocol::views::View;
use plaza::stores::kafka::views::ViewProducer;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde::Serialize;
use tokio::time::Instant;

use crate::cases::zipf::Zipf;
use crate::processes::{CpuSeconds, between, cpu_seconds};
use crate::report::{Latencies, OperationReport, write_json};
use crate::session::Session;
use crate::table;
use crate::truth::Truth;

/// How much, how long.
#[derive(Debug, Args)]
pub struct ViewArguments {
    /// Views a second.
    #[arg(long, default_value_t = 110_000.0)]
    pub rate: f64,
    /// Seconds.
    #[arg(long, default_value_t = 20)]
    pub seconds: u64,
    /// Posts that are viewed, by Zipf's law.
    #[arg(long, default_value_t = 10_000)]
    pub posts: i64,
    /// Where to write the metrics, as JSON.
    #[arg(long)]
    pub json: Option<PathBuf>,
}

/// Views prepared, so that drawing them takes no time from what is measured.
const PREPARED: usize = 500_000;
/// People who view.
const VIEWERS: u64 = 100_000;
/// Seconds left out of the rates at the beginning: connections, first windows.
const WARM_S: u64 = 2;

/// Who views what, over and over.
#[derive(Debug)]
pub struct Audience(Vec<View>);

impl Audience {
    /// Views of the newest posts, the newest most often.
    ///
    /// # Errors
    /// The servers'; nobody has posted.
    pub async fn of_newest(truth: &Truth, posts: i64) -> anyhow::Result<Self> {
        let posts = truth.newest_posts_by(posts).await?;
        anyhow::ensure!(!posts.is_empty(), "there are no posts: seed first");
        let (zipf, mut random) = (Zipf::new(posts.len()), StdRng::seed_from_u64(22));
        let mut views = Vec::with_capacity(PREPARED);
        for _ in 0..PREPARED {
            let (post, author) =
                posts.get(zipf.draw(&mut random)).copied().context("a place that there is not")?;
            let viewer = random.random_range(0..VIEWERS).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            views.push(View {
                post_id: PostId::from_i64(post),
                author_id: UserId::from_i64(author),
                viewer,
                at_ms: 0,
            });
        }
        Ok(Self(views))
    }

    /// The view at a place, as of now; the last is followed by the first.
    fn at(&self, place: usize, now_ms: i64) -> Option<View> {
        self.0.get(place % self.0.len().max(1)).map(|view| View { at_ms: now_ms, ..*view })
    }
}

/// What a run came to.
#[derive(Debug, Default, Serialize)]
pub struct Flow {
    /// Views a second that were acknowledged, after the first seconds.
    pub acknowledged_per_s: f64,
    /// Views a second that came to be in windows, in the same time.
    pub applied_per_s: f64,
    /// Views acknowledged in all.
    pub acknowledged: i64,
    /// Views dropped.
    pub dropped: i64,
    /// Seconds from the last acknowledgement until all were applied.
    pub behind_s: f64,
    /// CPU-seconds a million views, by group of processes.
    pub cpu_s_per_million: BTreeMap<&'static str, f64>,
    /// How long a view's writer waited for its commit.
    pub waited: Option<OperationReport>,
}

fn float(count: i64) -> f64 {
    // Exact up to 2^53.
    f64::from(i32::try_from(count / 1_000_000).unwrap_or(i32::MAX)) * 1e6
        + f64::from(i32::try_from(count % 1_000_000).unwrap_or_default())
}

fn count(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn per_million(cpu: &CpuSeconds, views: i64) -> BTreeMap<&'static str, f64> {
    cpu.iter().map(|(group, seconds)| (*group, seconds * 1e6 / float(views.max(1)))).collect()
}

/// Offers views to the log on a schedule, whatever it says, and waits until those it acknowledged
/// are applied.
///
/// # Errors
/// The servers'; what was acknowledged is not applied within two minutes.
pub async fn through_the_log(
    truth: &Truth,
    config: &plaza::config::Config,
    audience: &Audience,
    run_dir: &Path,
    (rate, length): (f64, Duration),
) -> anyhow::Result<Flow> {
    let (producer, clock) = (Arc::new(ViewProducer::new(&config.kafka)?), Clock::System);
    let (cpu, counted) = (cpu_seconds(run_dir), truth.counted_views().await?);
    let (began, warm) = (Instant::now(), Duration::from_secs(WARM_S));
    let (mut offered, mut from) = (0_usize, None);
    while began.elapsed() < length {
        #[expect(clippy::as_conversions, reason = "a float becomes an integer in no other way")]
        let due = (began.elapsed().as_secs_f64() * rate) as usize;
        let now_ms = clock.now_ms();
        for view in (offered..due).filter_map(|place| audience.at(place, now_ms)) {
            producer.offer(&view);
        }
        offered = due.max(offered);
        if from.is_none() && began.elapsed() >= warm {
            from = Some((
                Instant::now(),
                count(producer.fates().acknowledged()),
                truth.counted_views().await?,
            ));
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let (since, acknowledged_then, applied_then) =
        from.context("a run is longer than it takes to get warm")?;
    let (seconds, acknowledged_now) =
        (since.elapsed().as_secs_f64(), count(producer.fates().acknowledged()));
    let applied_now = truth.counted_views().await?;
    let flushed = Arc::clone(&producer);
    tokio::task::spawn_blocking(move || flushed.flush(Duration::from_secs(60))).await??;
    let (acknowledged, last) = (count(producer.fates().acknowledged()), Instant::now());
    while truth.counted_views().await? - counted < acknowledged {
        anyhow::ensure!(
            last.elapsed() < Duration::from_secs(120),
            "of {acknowledged} acknowledged views some are not counted after two minutes"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(Flow {
        acknowledged_per_s: float(acknowledged_now - acknowledged_then) / seconds,
        applied_per_s: float(applied_now - applied_then) / seconds,
        acknowledged,
        dropped: count(producer.fates().dropped()),
        behind_s: last.elapsed().as_secs_f64(),
        cpu_s_per_million: per_million(&between(&cpu, &cpu_seconds(run_dir)), acknowledged),
        waited: None,
    })
}

/// Writers who each count one view after the other by updating its rows, in a transaction of its
/// own.
///
/// # Errors
/// The servers'.
pub async fn by_updates(
    truth: &Truth,
    domain: &Arc<Domain>,
    audience: &Audience,
    run_dir: &Path,
    (writers, length): (usize, Duration),
) -> anyhow::Result<Flow> {
    let (cpu, counted, done) =
        (cpu_seconds(run_dir), truth.counted_views().await?, AtomicU64::new(0));
    let (began, warm) = (Instant::now(), Duration::from_secs(WARM_S));
    let writing = (0..writers).map(|number| {
        let done = &done;
        async move {
            let (mut place, mut latencies) = (number * 7_919, Latencies::default());
            while began.elapsed() < length {
                let view = audience.at(place, domain.clock.now_ms()).context("no views")?;
                let (op, sent) = (
                    plaza::domain::Operation::internal(domain, Duration::from_secs(10)),
                    Instant::now(),
                );
                views::at_once::count(&op, &[view]).await?;
                latencies.record(sent.elapsed());
                done.fetch_add(1, Ordering::Relaxed);
                place += 1;
            }
            anyhow::Ok(latencies)
        }
    });
    let look = async {
        tokio::time::sleep(warm).await;
        (Instant::now(), done.load(Ordering::Relaxed))
    };
    let (latencies, (since, then)) =
        tokio::join!(futures_util::future::try_join_all(writing), look);
    let (seconds, all) = (since.elapsed().as_secs_f64(), count(done.load(Ordering::Relaxed)));
    anyhow::ensure!(
        truth.counted_views().await? - counted == all,
        "what was committed is not what was counted"
    );
    let mut together = Latencies::default();
    latencies?.iter().for_each(|one| together.add(one));
    let rate = float(all - count(then)) / seconds;
    Ok(Flow {
        acknowledged_per_s: rate,
        applied_per_s: rate,
        acknowledged: all,
        dropped: 0,
        behind_s: 0.0,
        cpu_s_per_million: per_million(&between(&cpu, &cpu_seconds(run_dir)), all),
        waited: Some(together.report(began.elapsed().as_secs_f64())),
    })
}

/// The verb: the log alone.
///
/// # Errors
/// The servers'.
pub async fn run(session: &Session, arguments: &ViewArguments) -> anyhow::Result<bool> {
    let (truth, config) = (&session.truth, session.settings()?);
    let audience = Audience::of_newest(truth, arguments.posts).await?;
    let load = (arguments.rate, Duration::from_secs(arguments.seconds));
    let flow = through_the_log(truth, &config, &audience, &session.run_dir, load).await?;
    writeln!(
        std::io::stdout(),
        "offered {:.0}/s for {} s: acknowledged {:.0}/s ({} in all, {} dropped), applied {:.0}/s, the last {:.1} s after its acknowledgement\n",
        arguments.rate,
        arguments.seconds,
        flow.acknowledged_per_s,
        flow.acknowledged,
        flow.dropped,
        flow.applied_per_s,
        flow.behind_s
    )?;
    let cpu = flow.cpu_s_per_million.iter();
    table::print(
        &["CPU", "seconds a million views"],
        cpu.map(|(group, seconds)| [(*group).to_owned(), format!("{seconds:.2}")]),
    )?;
    if let Some(file) = &arguments.json {
        write_json(file, &flow)?;
    }
    Ok(true)
}
