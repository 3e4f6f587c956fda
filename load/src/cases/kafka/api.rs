//! Views recorded through the API.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use serde_json::{Value, json};

use crate::cases::CaseArguments;
use crate::cases::case::{Side, in_turns};
use crate::cases::open_loop::drive;
use crate::cases::outcome::Pair;
use crate::cases::served::{Launch, Served};
use crate::cases::zipf::Zipf;
use crate::client::{Client, global_id};
use crate::people::LoggedIn;
use crate::report::OperationReport;
use crate::session::Session;

const RECORD: &str = "mutation($ids: [ID!]!) { postViewsRecord(input: {postIds: $ids}) { recorded userErrors { code message } } }";
/// Views that a request records: a page of a home feed.
const PAGE: usize = 20;
/// Requests a second.
const RATE: f64 = 50.0;

/// Two servers alike but for `views.counted`.
pub struct Api {
    without: Served,
    with: Served,
    page: Arc<Page>,
}

/// Who views what.
struct Page {
    people: Vec<LoggedIn>,
    posts: Vec<String>,
    zipf: Zipf,
}

impl Page {
    /// Records that somebody has viewed a page.
    async fn record(self: Arc<Self>, client: Client, seed: u64) -> anyhow::Result<()> {
        let mut random = StdRng::seed_from_u64(seed);
        let person = self.people.choose(&mut random).context("nobody is logged in")?;
        let mut page: Vec<&String> =
            (0..PAGE).filter_map(|_| self.posts.get(self.zipf.draw(&mut random))).collect();
        page.sort_unstable();
        page.dedup();
        let data = client.send(Some(&person.token), RECORD, json!({ "ids": page })).await?;
        let recorded = data.pointer("/postViewsRecord/recorded").and_then(Value::as_i64);
        anyhow::ensure!(recorded.is_some(), "answered {data}");
        Ok(())
    }
}

impl Api {
    /// Starts both servers.
    ///
    /// # Errors
    /// The servers'.
    pub async fn start(
        session: &Session,
        arguments: &CaseArguments,
        posts: i64,
    ) -> anyhow::Result<Self> {
        let launch = |port: u16| {
            Ok::<_, anyhow::Error>(
                Launch::new(session, arguments, port)?
                    .with("PLAZA_TELEMETRY__FILTER", "warn")
                    // A few users view the same posts over and over, and each view is to be work.
                    .with("PLAZA_VIEWS__ONCE_AN_HOUR", false),
            )
        };
        let by_the_request = launch(4_191)?.with("PLAZA_VIEWS__COUNTED", "by_the_request");
        let newest = session.truth.newest_posts(posts).await?;
        let posts: Vec<String> = newest.into_iter().map(|id| global_id("Post", id)).collect();
        let people = session.logged_in(60, 1).await?;
        Ok(Self {
            with: Served::start(launch(4_192)?).await?,
            without: Served::start(by_the_request).await?,
            page: Arc::new(Page { people, zipf: Zipf::new(posts.len()), posts }),
        })
    }

    /// The rounds in turns; a first pair warms both and is not measured.
    ///
    /// # Errors
    /// A round without a success.
    pub async fn measure(
        &self,
        rounds: u64,
        length: Duration,
    ) -> anyhow::Result<Vec<Pair<OperationReport>>> {
        let mut pairs = Vec::new();
        for number in 0..=rounds {
            let round = async |side| {
                let served = match side {
                    Side::Before => &self.without,
                    Side::After => &self.with,
                };
                let latencies = drive(RATE, length, number, |seed| {
                    Arc::clone(&self.page).record(served.client.clone(), seed)
                });
                latencies.await.measured(length.as_secs_f64())
            };
            let pair = in_turns(number, round).await?;
            if number > 0 {
                pairs.push(pair);
            }
        }
        Ok(pairs)
    }
}
