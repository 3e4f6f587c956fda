//! The laws. The order of reading matters: what was sent before the log was read must be in it.

use std::collections::BTreeMap;

use super::aside::{Aside, Skipped, reached};
use super::check::Check;
use super::jobs;
use super::log::{self, Log, Span};
use super::scope::{Scope, Stores};
use super::{files, homes, rows as pieces};
use plaza_config::Config;
use plaza_outbox::Sink;
use plaza_protocol::routing::{Queue, Topic};
use plaza_read_models::all;
use plaza_read_models::view_windows::{projector, totals};
use plaza_stores::kafka::{ANSWERS_A_COMMAND_WITHIN, views};
use plaza_stores::postgres::ledger::{self as rows, VersionRow, Versions};
use plaza_stores::postgres::projections::positions;
use plaza_stores::postgres::strangers::{Strangers, strangers};
use plaza_stores::postgres::{Connection, outbox};

/// Applies every law once.
///
/// # Errors
/// A server that cannot be reached.
pub async fn verify(config: &Config) -> anyhow::Result<Vec<Check>> {
    apply(&Stores::open(config).await?, &mut Scope::whole()).await
}

/// Applies the laws to as much as the scope says; its cursors are where to go on.
///
/// # Errors
/// A server that cannot be reached.
pub async fn apply(stores: &Stores, scope: &mut Scope) -> anyhow::Result<Vec<Check>> {
    let mut shards = stores.primaries().await?;
    let mut checks = Vec::new();
    if scope.log {
        checks.extend(Box::pin(with_log(&stores.config, &mut shards)).await?);
    }
    checks.extend(Box::pin(pieces::apply(stores, scope)).await?);
    let (pending, of_jobs) = Box::pin(jobs::apply(stores, scope, &mut shards)).await?;
    checks.extend(of_jobs);
    let busy = pending.is_busy(Queue::Feed);
    checks.push(Box::pin(homes::homes(stores, scope, busy)).await?);
    checks.push(files::files(stores, scope, &mut shards).await?);
    if scope.log {
        checks.push(follows(&mut shards).await?);
        checks.extend(views(&stores.config, &mut shards).await?);
    }
    Ok(checks)
}

/// The names of the laws that need no log: those of a part.
pub(super) fn names_without_log() -> impl Iterator<Item = &'static str> {
    pieces::names().chain(["orders", "jobs", "homes", "files"])
}

/// What can only be compared with the whole log.
async fn with_log(config: &Config, shards: &mut [Connection]) -> anyhow::Result<Vec<Check>> {
    let mut checks = sending(shards).await?;
    let mut sent: Vec<VersionRow> = Vec::new();
    for shard in shards.iter_mut() {
        rows::versions(shard, Versions::Sent, |row| sent.push(row)).await?;
    }
    let aside = Aside::read(config, shards).await?;
    let log = log::read(config, &aside).await?;
    checks.extend([log.order.clone(), log.aside.clone()]);
    checks.push(sent_is_in(&log, &sent));
    drop(sent);
    let mut compared = versions(config, shards, &log, &aside).await?;
    let mut unsent = 0;
    for shard in shards.iter_mut() {
        unsent += outbox::backlog(shard, Sink::Kafka.code()).await?.unsent;
    }
    // While events still come, what is ahead of the log that was read is only newer than it.
    if unsent > 0 || log::ends(config).await? != log.ends {
        for check in compared.iter_mut().filter(|check| check.law.starts_with(AHEAD)) {
            (check.waiting, check.wrong, check.example) = (check.waiting + check.wrong, 0, None);
        }
    }
    checks.extend(compared);
    checks.push(counted(shards, &log).await?);
    checks.push(places(config).await?);
    Ok(checks)
}

/// Likes and comments are those that the log's events leave.
async fn counted(shards: &mut [Connection], log: &Log) -> anyhow::Result<Check> {
    let mut check = Check::of("counted", "likes and comments of posts are those of their events");
    let Some(posts) = log.topics.get(Topic::Posts.name()) else { return Ok(check) };
    for shard in shards {
        rows::posts(shard, |row| {
            // A post that was loaded has what it was loaded with, and a newer one is compared next
            // time.
            let span = posts.get(&row.aggregate).filter(|span| span.born);
            let Some(span) = span.filter(|span| span.last == row.version) else { return };
            check.checked += 1;
            let of_events = (i64::from(span.likes), i64::from(span.comments));
            if (row.likes, row.comments) != of_events {
                check.wrong(|| {
                    let (likes, comments) = of_events;
                    format!("{}: {likes} and {comments} by its events", row.aggregate)
                });
            }
        })
        .await?;
    }
    Ok(check)
}

async fn sending(shards: &mut [Connection]) -> anyhow::Result<Vec<Check>> {
    let (mut jobs, mut events) = (
        Check::of("jobs_sent", "jobs in the outbox have reached RabbitMQ"),
        Check::of("events_sent", "events in the outbox have reached Kafka"),
    );
    for shard in shards {
        for row in rows::outbox(shard).await? {
            let check = if row.sink == 0 { &mut jobs } else { &mut events };
            check.checked += row.messages;
            check.waiting += row.unsent;
        }
    }
    Ok(vec![jobs, events])
}

/// What a relay has marked as sent lies in Kafka.
fn sent_is_in(log: &Log, sent: &[VersionRow]) -> Check {
    let mut check = Check::of("sent", "events marked as sent are in Kafka");
    for row in sent {
        check.checked += 1;
        let held = log.topics.get(row.of.as_str()).and_then(|topic| topic.get(&row.aggregate));
        if !held.is_some_and(|span| (span.first..=span.last).contains(&row.version)) {
            check.wrong(|| format!("{} version {}", row.aggregate, row.version));
        }
    }
    check
}

/// Begins the laws about versions that may be ahead of the log.
const AHEAD: &str = "versions of ";

/// The rows and every projection are exactly where the log is.
async fn versions(
    config: &Config,
    shards: &mut [Connection],
    log: &Log,
    aside: &Aside,
) -> anyhow::Result<Vec<Check>> {
    let mut of_rows = Check::of("versions", format!("{AHEAD}rows are the log's newest"));
    let mut of_projections: BTreeMap<&'static str, OfProjection<'_>> = BTreeMap::new();
    for projection in all(&config.feed) {
        let law = format!("{AHEAD}{} are the log's newest", projection.name());
        let check = Check::of("projections", law);
        let skipped = aside.skipped(projection.name());
        let of_it = OfProjection { check, topics: projection.topics(), seen: 0, skipped };
        of_projections.insert(projection.name(), of_it);
    }
    let compare = |check: &mut Check, row: &VersionRow, last: i64| {
        check.checked += 1;
        match row.version - last {
            0 => {}
            ..0 => check.waiting += 1,
            1.. => check
                .wrong(|| format!("{} is at {}, the log at {last}", row.aggregate, row.version)),
        }
    };
    for shard in shards {
        rows::versions(shard, Versions::Applied, |row| {
            let Some(of_it) = of_projections.get_mut(row.of.as_str()) else {
                return;
            };
            match of_it.span(log, &row.aggregate) {
                Some(span) => {
                    of_it.seen += 1;
                    let skipped = of_it.skipped.remove(row.aggregate.as_str());
                    let version = reached(row.version, skipped.as_ref());
                    compare(&mut of_it.check, &VersionRow { version, ..row }, span.last);
                }
                // A share that was loaded without events has the version of its beginning.
                None if row.version <= 1 && row.aggregate.starts_with("share:") => {}
                None => compare(&mut of_it.check, &row, 0),
            }
        })
        .await?;
        rows::versions(shard, Versions::Rows, |row| {
            let held = log.topics.get(row.of.as_str()).and_then(|topic| topic.get(&row.aggregate));
            // One that the log does not know was loaded without events, and has none.
            compare(&mut of_rows, &row, held.map_or(0, |span| span.last));
        })
        .await?;
    }
    let mut checks = vec![of_rows];
    for mut of_it in of_projections.into_values() {
        let unseen = of_it.unseen(log)?;
        of_it.check.checked += unseen;
        of_it.check.waiting += unseen;
        checks.push(of_it.check);
    }
    Ok(checks)
}

/// What a projection's versions come to.
struct OfProjection<'a> {
    check: Check,
    topics: &'static [Topic],
    /// Aggregates of the log that it has a version of.
    seen: usize,
    /// What it has skipped of others.
    skipped: Skipped<'a>,
}

impl OfProjection<'_> {
    fn span(&self, log: &Log, aggregate: &str) -> Option<Span> {
        let of_topic = |topic: &Topic| log.topics.get(topic.name())?.get(aggregate);
        self.topics.iter().find_map(of_topic)
    }

    /// Aggregates of the log that it has no version of; those of which everything was skipped are
    /// none to wait for.
    fn unseen(&self, log: &Log) -> anyhow::Result<i64> {
        let topics = self.topics.iter().filter_map(|topic| log.topics.get(topic.name()));
        let known: usize = topics.map(log::Aggregates::len).sum();
        let whole = |(aggregate, skipped): &(&&str, &BTreeMap<i64, bool>)| {
            self.span(log, aggregate).is_some_and(|span| reached(0, Some(skipped)) >= span.last)
        };
        let skipped = self.skipped.iter().filter(whole).count();
        Ok(i64::try_from(known.saturating_sub(self.seen + skipped))?)
    }
}

/// Every row is on the shard of its bucket.
async fn places(config: &Config) -> anyhow::Result<Check> {
    let mut check = Check::of("places", "rows are on the shards of their buckets");
    for Strangers { shard, table, rows, strangers } in strangers(&config.postgres).await? {
        check.checked += rows;
        if strangers > 0 {
            check.wrong += strangers;
            let example = || format!("shard {shard} has {strangers} of others in {table}");
            check.example.get_or_insert_with(example);
        }
    }
    Ok(check)
}

/// The two sides of every follow, which are on two shards, agree.
async fn follows(shards: &mut [Connection]) -> anyhow::Result<Check> {
    let mut check = Check::of("follows", "follows are the same on both sides");
    let (mut count, mut sum) = (0_i64, 0_i64);
    for shard in shards {
        let (follower, followee) = rows::sides(shard).await?;
        check.checked += follower.follows;
        count += follower.follows - followee.follows;
        sum = sum.wrapping_add(follower.sum).wrapping_sub(followee.sum);
    }
    // The followee's side is a projection: another count may only be late, but as many of others is
    // no delay.
    check.waiting = count.max(0);
    if count < 0 || (count == 0 && sum != 0) {
        check.wrong = count.abs().max(1);
        check.example = Some(format!("the followees' side has {} more, or others", -count));
    }
    Ok(check)
}

async fn views(config: &Config, shards: &mut [Connection]) -> anyhow::Result<Vec<Check>> {
    let mut counted =
        Check::of("views", "records of views are counted, late or unreadable, each once");
    let mut windows = Check::of("view_windows", "views in windows are those counted");
    let kafka = config.kafka.clone();
    let bounds =
        tokio::task::spawn_blocking(move || views::bounds(&kafka, ANSWERS_A_COMMAND_WITHIN))
            .await??;
    // By partition: what became of its records, and the lowest and the highest offset of a shard.
    let mut found: BTreeMap<i32, (i64, i64, i64)> = BTreeMap::new();
    let (mut of_posts, mut of_authors) = (0, 0);
    for shard in shards {
        let held = rows::views(shard).await?;
        windows.checked += held.counted;
        of_posts += held.of_posts;
        of_authors += held.of_authors;
        for row in totals(shard).await? {
            found.entry(row.partition).or_insert((0, i64::MAX, 0)).0 +=
                row.counted + row.late + row.unreadable;
        }
        for position in positions(shard, projector::NAME).await? {
            let entry = found.entry(position.partition).or_insert((0, i64::MAX, 0));
            entry.1 = position.next_offset.min(entry.1);
            entry.2 = position.next_offset.max(entry.2);
        }
    }
    // Over all shards: windows move with their bucket, what was counted stays where it was.
    for sum in [of_posts, of_authors] {
        if sum != windows.checked {
            windows.wrong += (sum - windows.checked).abs();
            windows.example = Some(format!("{} counted, {sum} in windows", windows.checked));
        }
    }
    for (partition, (_, end)) in bounds {
        let (records, lowest, highest) = found.get(&partition).copied().unwrap_or((0, 0, 0));
        counted.checked += end;
        // Shards at different offsets, or behind the end: on its way.
        counted.waiting += end - lowest.min(end);
        if lowest == highest && records != lowest {
            counted.wrong += (records - lowest).abs();
            counted.example.get_or_insert_with(|| {
                format!("partition {partition}: {records} of {lowest} records")
            });
        }
    }
    Ok(vec![counted, windows])
}
