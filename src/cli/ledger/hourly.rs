//! The ledger by itself: one worker applies the laws every hour to a part of the rows, and goes on
//! the next time where it ended. What it came to is on the shards, for the operator's page, and a
//! metric, for an alarm.

use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::check::Check;
use super::checks::names_without_log;
use super::scope::{Cursors, Scope, Stores};
use super::{apply, jobs};
use plaza_stores::postgres::leader::exclusively_anywhere;
use plaza_stores::postgres::ledger::runs::{self, LawReport, Report};
use plaza_telemetry::metrics::float;

/// Before the first run of all: a new installation is filled first.
const FIRST: Duration = Duration::from_secs(300);
/// After a run that failed, since a server was unavailable.
const RETRY: Duration = Duration::from_secs(60);
/// What is late is lost when it is so still after this time.
const LOST: Duration = Duration::from_secs(60);

/// Runs it until it is stopped; one process at a time does.
///
/// # Errors
/// None: what fails is tried again.
pub async fn run(stores: Stores, stop: CancellationToken) -> anyhow::Result<()> {
    if stores.config.ledger.every_s == 0 {
        stop.cancelled().await;
        return Ok(());
    }
    let cluster = std::sync::Arc::clone(&stores.cluster);
    exclusively_anywhere(cluster, "ledger", stop, || watch(&stores)).await;
    Ok(())
}

async fn watch(stores: &Stores) -> anyhow::Result<()> {
    let every = Duration::from_secs(stores.config.ledger.every_s);
    let published = Published;
    let mut last = newest(stores).await;
    loop {
        published.publish(stores, last.as_ref());
        tokio::time::sleep(due(stores, last.as_ref(), every)).await;
        let cursors = last.as_ref().map(|report| Cursors(report.cursors.clone()));
        match once(stores, cursors.unwrap_or_default()).await {
            Ok(report) => {
                keep(stores, &report).await;
                last = Some(report);
            }
            Err(error) => {
                tracing::warn!(error = format!("{error:#}"), "the ledger runs again in a minute");
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

/// How long until the next run.
fn due(stores: &Stores, last: Option<&Report>, every: Duration) -> Duration {
    let Some(last) = last else { return FIRST.min(every) };
    let ago = (stores.clock.now() - last.began_at).to_std().unwrap_or_default();
    every.saturating_sub(ago)
}

/// Applies the laws once, and a minute later those again by which something is late.
///
/// # Errors
/// A server that cannot be reached.
pub async fn once(stores: &Stores, cursors: Cursors) -> anyhow::Result<Report> {
    let (began, began_at) = (Instant::now(), stores.clock.now());
    let mut scope = Scope::part(stores.config.ledger.rows, cursors);
    let mut checks = apply(stores, &mut scope).await?;
    if checks.iter().any(|check| !check.suspects.is_empty()) {
        tokio::time::sleep(LOST).await;
        let (_, again) = jobs::apply(stores, &scope, &mut stores.primaries().await?).await?;
        for check in &mut checks {
            let second = again.iter().find(|second| second.name == check.name);
            confirm(check, second.map(|second| second.suspects.as_slice()).unwrap_or_default());
        }
    }
    let laws: Vec<LawReport> = checks.into_iter().map(report_of).collect();
    for law in laws.iter().filter(|law| law.broken > 0) {
        tracing::error!(law = law.law, broken = law.broken, example = law.example, "broken");
    }
    let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(Report { began_at, took_ms, laws, cursors: scope.cursors.0 })
}

/// What was late twice is lost.
fn confirm(check: &mut Check, still: &[String]) {
    for suspect in std::mem::take(&mut check.suspects) {
        if still.contains(&suspect) {
            check.waiting -= 1;
            check.wrong(|| suspect);
        }
    }
}

fn report_of(check: Check) -> LawReport {
    let example = check.example.filter(|_| check.wrong > 0);
    LawReport {
        name: check.name.to_owned(),
        law: check.law,
        checked: check.checked,
        broken: check.wrong,
        example,
    }
}

/// What the run before came to: the newest of what the shards have.
async fn newest(stores: &Stores) -> Option<Report> {
    let mut found = Vec::new();
    for index in stores.cluster.indexes() {
        let Ok(shard) = stores.cluster.shard(index) else { continue };
        if let Ok(mut connection) = shard.direct().await {
            found.extend(runs::last(&mut connection).await.ok().flatten());
        }
    }
    found.into_iter().max_by_key(|report| report.began_at)
}

/// Writes a report to every shard that answers.
pub async fn keep(stores: &Stores, report: &Report) {
    for index in stores.cluster.indexes() {
        let kept = async {
            let mut connection = stores.cluster.shard(index)?.direct().await?;
            runs::keep(&mut connection, report).await
        };
        if let Err(error) = kept.await {
            tracing::warn!(shard = index.0, %error, "the ledger's report is not kept here");
        }
    }
}

/// The metrics of the process that runs it; 0 in all others.
struct Published;

impl Published {
    fn publish(&self, stores: &Stores, last: Option<&Report>) {
        // Without a run it is this beginning that must not be too long ago.
        let at = last.map_or_else(|| stores.clock.now(), |report| report.began_at);
        metrics::gauge!("plaza_ledger_last_run_time_seconds")
            .set(float(u64::try_from(at.timestamp()).unwrap_or_default()));
        let laws = last.map(|report| report.laws.as_slice()).unwrap_or_default();
        for name in names_without_log() {
            let law = laws.iter().find(|law| law.name == name);
            metrics::gauge!("plaza_ledger_violations", "law" => name)
                .set(float(law.map_or(0, |law| law.broken.unsigned_abs())));
        }
    }
}

impl Drop for Published {
    fn drop(&mut self) {
        metrics::gauge!("plaza_ledger_last_run_time_seconds").set(0);
        for name in names_without_log() {
            metrics::gauge!("plaza_ledger_violations", "law" => name).set(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_late_once_is_not_broken_and_what_is_late_twice_is() {
        let mut check = Check::of("orders", "orders end");
        check.suspect("order 1 is PAID".to_owned());
        check.suspect("order 2 is PAID".to_owned());
        confirm(&mut check, &["order 2 is PAID".to_owned()]);
        assert_eq!((check.waiting, check.wrong), (1, 1));
        let report = report_of(check);
        assert_eq!((report.broken, report.name.as_str()), (1, "orders"));
        let mut late = Check::of("orders", "orders end");
        late.suspect("order 1 is PAID".to_owned());
        confirm(&mut late, &[]);
        assert_eq!(report_of(late).example, None);
    }
}
