//! The broker, the relay and the projector killed while views go on, and what the ledger says of
//! it.

use std::time::Duration;

use plaza::cli::ledger::{self, Check};
use tokio::time::Instant;

use crate::faults::{self, FaultArguments};
use crate::session::Session;
use crate::views::{Audience, Flow, through_the_log};

/// Views a second meanwhile.
const RATE: f64 = 5_000.0;
/// How long what was acknowledged may take to arrive.
const PATIENCE: Duration = Duration::from_secs(90);

/// What the kills left.
#[derive(Debug)]
pub struct Aftermath {
    /// Whether every acknowledged mutation is there once, every feed and counter right.
    pub sound: bool,
    /// The views meanwhile.
    pub views: Flow,
    /// What the ledger found.
    pub found: Found,
    /// How many processes were killed.
    pub kills: usize,
}

/// Things that the ledger found, by what became of them.
#[derive(Debug, Default)]
pub struct Found {
    /// Things checked.
    pub checked: i64,
    /// Of these, lost.
    pub lost: i64,
    /// Applied twice.
    pub doubled: i64,
    /// Versions that do not follow each other.
    pub gaps: i64,
}

/// Posts, likes, orders and views while the processes are killed in turn; then the ledger, once all
/// is settled.
///
/// # Errors
/// The servers'.
pub async fn killed(
    session: &Session,
    audience: &Audience,
    quick: bool,
) -> anyhow::Result<Aftermath> {
    let config = session.settings()?;
    let kill = ["kafka", "relay", "projector"].map(str::to_owned);
    let kill = if quick { kill.to_vec() } else { [kill.clone(), kill].concat() };
    let kills = kill.len();
    let faults = FaultArguments { kill, dead: 3, calm: 4, clients: 8, people: 100 };
    let load = (RATE, Duration::from_secs(if quick { 35 } else { 80 }));
    let views = through_the_log(&session.truth, &config, audience, &session.run_dir, load);
    let (sound, views) = tokio::join!(faults::run(session, &faults), views);
    let (sound, views) = (sound?, views?);
    let began = Instant::now();
    let checks = loop {
        let checks = ledger::verify(&config).await?;
        let settled = checks.iter().all(|check| check.waiting == 0);
        if settled || began.elapsed() > PATIENCE {
            break checks;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    };
    Ok(Aftermath { sound, views, found: classify(&checks), kills })
}

fn classify(checks: &[Check]) -> Found {
    let mut found = Found::default();
    for check in checks {
        found.checked += check.checked;
        // What has not arrived after all that time will not.
        found.lost += check.waiting;
        let law = check.law.as_str();
        *match () {
            () if law.contains("follow each other") => &mut found.gaps,
            () if law.starts_with("versions of") || law.starts_with("records of views") => {
                &mut found.doubled
            }
            () => &mut found.lost,
        } += check.wrong;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_ledger_found_is_called_by_its_name() {
        let check = |law: &str, waiting, wrong| Check {
            law: law.to_owned(),
            checked: 10,
            waiting,
            wrong,
            ..Check::default()
        };
        let found = classify(&[
            check("versions of an aggregate follow each other in Kafka", 0, 1),
            check("versions of post_counts are the log's newest", 2, 4),
            check("events marked as sent are in Kafka", 0, 8),
        ]);
        assert_eq!((found.checked, found.lost, found.doubled, found.gaps), (30, 10, 4, 1));
    }
}
