//! What the system has used and what a payer has left, read before and after a batch.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context;
use chrono::{DateTime, Utc};
use plaza::clock::Clock;
use plaza::graphql::{cost, document};
use serde::Serialize;
use serde_json::{Value, json};

use super::operation::Operation;
use crate::admin::{STATEMENTS, sums};
use crate::client::Client;
use crate::processes::{CpuSeconds, cpu_seconds};

/// Standings read one after the other: behind nginx each server gives back with one of them what
/// the last requests there did not use.
const READINGS: usize = 4;
/// Readings whose own processor time is measured.
const LOOKS: u32 = 20;
/// What refills while a batch runs may be so much of what the batch took, where it is not known
/// whether the bucket was full in between.
const REFILL: f64 = 0.02;

/// Processor time in milliseconds by what used it, and statements.
#[derive(Debug, Default, Clone, Copy, PartialEq, Serialize)]
pub struct Used {
    /// SQL statements that the servers sent.
    pub statements: f64,
    /// The servers, as they say themselves.
    pub servers_ms: f64,
    /// PostgreSQL, primaries and replicas.
    pub postgres_ms: f64,
    /// Worker, relay, projector.
    pub roles_ms: f64,
    /// Redis.
    pub redis_ms: f64,
}

impl Used {
    /// All processors' time.
    pub fn cpu_ms(&self) -> f64 {
        self.servers_ms + self.postgres_ms + self.roles_ms + self.redis_ms
    }

    /// Each with the same of another.
    fn with(self, other: Self, both: impl Fn(f64, f64) -> f64) -> Self {
        Self {
            statements: both(self.statements, other.statements),
            servers_ms: both(self.servers_ms, other.servers_ms),
            postgres_ms: both(self.postgres_ms, other.postgres_ms),
            roles_ms: both(self.roles_ms, other.roles_ms),
            redis_ms: both(self.redis_ms, other.redis_ms),
        }
    }

    /// A share of it.
    pub fn over(self, count: f64) -> Self {
        self.with(Self::default(), |all, _| all / count)
    }

    /// What is left of it without what the system uses anyway in so many seconds; never less than
    /// nothing.
    fn without(self, other: Self, times: f64) -> Self {
        self.with(other, |all, part| (all - part * times).max(0.0))
    }

    fn of(statements: f64, servers_s: f64, others: &CpuSeconds) -> Self {
        let ms = |groups: &[&str]| {
            let of = |group: &&str| others.get(group).copied().unwrap_or_default();
            groups.iter().map(of).sum::<f64>() * 1_000.0
        };
        Self {
            statements,
            servers_ms: servers_s * 1_000.0,
            postgres_ms: ms(&["postgres primaries", "postgres replicas"]),
            roles_ms: ms(&["plaza worker", "plaza relay", "plaza projector"]),
            redis_ms: ms(&["redis"]),
        }
    }
}

/// What had been used at a moment.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    at: Instant,
    total: Used,
}

/// How a payer's bucket stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Standing {
    /// Points left.
    left: f64,
    /// Points when full.
    limit: f64,
    /// Points that these readings cost themselves.
    paid: f64,
    /// Points that refill in a second; infinite where it is full again at once.
    per_second: f64,
}

impl Standing {
    fn of(answers: &[Value], now: DateTime<Utc>) -> Option<Self> {
        let number = |answer: &Value, name: &str| {
            answer.pointer(&format!("/data/rateLimit/{name}")).and_then(Value::as_f64)
        };
        let last = answers.last()?;
        let (left, limit) = (number(last, "remaining")?, number(last, "limit")?);
        let full_at = last.pointer("/data/rateLimit/resetAt").and_then(Value::as_str)?;
        let until_full = DateTime::parse_from_rfc3339(full_at).ok()?.to_utc() - now;
        // In a moment so short nothing can be told from the clocks' differences.
        let seconds = until_full.as_seconds_f64();
        let per_second = if seconds < 0.02 { f64::INFINITY } else { (limit - left) / seconds };
        let paid = answers.iter().filter_map(|answer| number(answer, "cost")).sum();
        Some(Self { left, limit, paid, per_second })
    }

    fn is_full(&self) -> bool {
        self.left + self.paid >= self.limit * 0.999
    }

    /// Points that were taken for good between this standing and a later one; nothing where so much
    /// refilled meanwhile that it is not known.
    pub fn kept(&self, later: &Self, between: Duration) -> Option<f64> {
        let fell = self.left - later.left - later.paid;
        let refilled = later.per_second.min(self.per_second) * between.as_secs_f64();
        let is_known = refilled <= REFILL * fell || !(self.is_full() || later.is_full());
        (is_known && refilled.is_finite()).then_some((fell + refilled).max(0.0))
    }
}

/// Reads all of it.
#[derive(Debug)]
pub struct Meter {
    client: Client,
    admin: Vec<String>,
    run_dir: PathBuf,
    /// In a second.
    idle: Used,
    /// By a look itself.
    own: Used,
    /// What asking for a request's cost costs.
    asking: u64,
}

const STANDING: &str = "{ rateLimit { cost limit remaining resetAt } }";
const COST: &str = "{ rateLimit { cost } }";

fn cost_of(answer: &Value) -> Option<u64> {
    answer.pointer("/data/rateLimit/cost").and_then(Value::as_u64)
}

impl Meter {
    /// One that knows what the system uses when nothing is asked of it: it watches for so long.
    ///
    /// # Errors
    /// Servers that do not answer.
    pub async fn new(
        client: Client,
        admin: Vec<String>,
        run_dir: PathBuf,
        idle: Duration,
    ) -> anyhow::Result<Self> {
        let asking = cost_of(&client.answer(None, COST, &json!({})).await?)
            .context("the address has no points left")?;
        let nothing = Used::default();
        let mut meter = Self { client, admin, run_dir, idle: nothing, own: nothing, asking };
        let before = meter.look().await?;
        tokio::time::sleep(idle).await;
        let after = meter.look().await?;
        let seconds = (after.at - before.at).as_secs_f64();
        meter.idle = after.total.without(before.total, 1.0).over(seconds);
        for _ in 1..LOOKS {
            meter.look().await?;
        }
        let busy = meter.look().await?;
        meter.own = meter.used(&after, &busy, 0).over(f64::from(LOOKS));
        Ok(meter)
    }

    /// What the system uses in a second when nothing is asked of it.
    pub fn idle(&self) -> Used {
        self.idle
    }

    /// What has been used so far.
    ///
    /// # Errors
    /// Servers that do not answer.
    pub async fn look(&self) -> anyhow::Result<Look> {
        let sums = sums(&self.admin, [STATEMENTS, "process_cpu_seconds_total"]).await;
        let [statements, servers_s] =
            sums.with_context(|| format!("no metrics from {}: --admin", self.admin.join(", ")))?;
        let total = Used::of(statements, servers_s, &cpu_seconds(&self.run_dir));
        Ok(Look { at: Instant::now(), total })
    }

    /// What was used between two looks, with so many others between them, beyond what is used
    /// anyway.
    pub fn used(&self, before: &Look, after: &Look, looks: u32) -> Used {
        let seconds = (after.at - before.at).as_secs_f64();
        after
            .total
            .without(before.total, 1.0)
            .without(self.idle, seconds)
            .without(self.own, f64::from(looks + 1))
    }

    /// How a payer stands; nothing where they are refused.
    ///
    /// # Errors
    /// Servers that do not answer.
    pub async fn standing(&self, token: Option<&str>) -> anyhow::Result<Option<Standing>> {
        let mut answers = Vec::new();
        for _ in 0..READINGS {
            answers.push(self.client.answer(token, STANDING, &json!({})).await?);
        }
        Ok(Standing::of(&answers, Clock::System.now()))
    }

    /// What one request of an operation is charged before it runs. Of a query the answer says it,
    /// and the refusal stands for it; a mutation's answer does not, so plaza's own weights do.
    ///
    /// # Errors
    /// Servers that do not answer; a text that the schema does not take.
    pub async fn charge(
        &self,
        operation: &Operation,
        token: Option<&str>,
    ) -> anyhow::Result<Result<u64, Value>> {
        let variables = operation.variables(0).cloned().unwrap_or_default();
        if operation.writes {
            let then = operation.then.iter().map(|(text, _)| (text, json!({ "id": "x" })));
            let texts = std::iter::once((&operation.text, variables)).chain(then);
            return texts
                .map(|(text, variables)| weigh(text, &variables))
                .sum::<anyhow::Result<u64>>()
                .map(Ok);
        }
        let text = with_cost(&operation.text);
        let answer = self.client.answer(token, &text, &variables).await?;
        Ok(match cost_of(&answer) {
            Some(cost) => Ok(cost.saturating_sub(self.asking)),
            None => Err(answer),
        })
    }
}

/// A query that asks for its cost as well.
fn with_cost(text: &str) -> String {
    let text = text.trim_end();
    format!("{} rateLimit {{ cost }} }}", text.strip_suffix('}').unwrap_or(text))
}

/// What a text is charged, by plaza's own weights.
fn weigh(text: &str, variables: &Value) -> anyhow::Result<u64> {
    let variables = variables.as_object().cloned().unwrap_or_default();
    let checked = document::check(text, None, variables, true)
        .map_err(|problems| anyhow::anyhow!("{text}: {problems:?}"))?;
    let weighed = cost::weigh(checked.runs.document(), &checked.variables)
        .map_err(|refused| anyhow::anyhow!("{text}: {}", refused.message))?;
    Ok(weighed.cost.saturating_add(cost::reading(text.len())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used(statements: f64, servers_ms: f64) -> Used {
        Used { statements, servers_ms, ..Used::default() }
    }

    #[tokio::test]
    async fn what_is_used_anyway_is_not_the_batchs() {
        let meter = Meter {
            client: Client::new("http://127.0.0.1:1").unwrap(),
            admin: Vec::new(),
            run_dir: PathBuf::new(),
            idle: used(10.0, 20.0),
            own: used(0.0, 2.0),
            asking: 2,
        };
        let at = Instant::now();
        let before = Look { at, total: used(100.0, 1_000.0) };
        let after = Look { at: at + Duration::from_secs(2), total: used(150.0, 1_546.0) };
        assert_eq!(meter.used(&before, &after, 2), used(30.0, 500.0));
        assert_eq!(meter.used(&before, &before, 0), Used::default(), "never less than nothing");
        assert_eq!(used(30.0, 500.0).over(10.0), used(3.0, 50.0));
    }

    #[test]
    fn processes_are_added_up_by_what_they_are() {
        let seconds = CpuSeconds::from([
            ("postgres primaries", 1.0),
            ("postgres replicas", 0.5),
            ("plaza server", 9.0),
            ("plaza worker", 0.25),
            ("plaza relay", 0.25),
            ("redis", 0.125),
            ("kafka", 7.0),
        ]);
        let of = Used::of(3.0, 2.0, &seconds);
        let wanted = Used {
            statements: 3.0,
            servers_ms: 2_000.0,
            postgres_ms: 1_500.0,
            roles_ms: 500.0,
            redis_ms: 125.0,
        };
        assert_eq!((of, of.cpu_ms()), (wanted, 4_125.0));
    }

    fn answer(remaining: u32, cost: u32, reset_at: &str) -> Value {
        json!({ "data": { "rateLimit": {
            "cost": cost, "limit": 1_000_000, "remaining": remaining, "resetAt": reset_at } } })
    }

    #[test]
    fn points_are_counted_where_the_bucket_hardly_refills() {
        let now: DateTime<Utc> = "2026-01-01T00:00:00Z".parse().unwrap();
        let of = |left, reset_at| {
            Standing::of(&[answer(left + 5, 5, reset_at), answer(left, 5, reset_at)], now)
        };
        // A point a second: full until the first reading.
        let before = of(999_990, "2026-01-01T00:00:10Z").unwrap();
        assert!((before.per_second - 1.0).abs() < 0.1 && before.is_full(), "{before:?}");
        let after = of(989_980, "2026-01-01T02:47:00Z").unwrap();
        let kept = before.kept(&after, Duration::from_secs(2)).unwrap();
        assert!((kept - 10_002.0).abs() < 0.1, "{kept}");

        // Ten thousand a second: full again before anybody sees it.
        let fast = of(999_990, "2026-01-01T00:00:00.001Z").unwrap();
        assert_eq!(fast.per_second, f64::INFINITY);
        assert_eq!(fast.kept(&fast, Duration::from_secs(2)), None);
        // Where it was never full, what refilled is counted.
        let half = Standing { left: 500_000.0, limit: 1e6, paid: 20.0, per_second: 10_000.0 };
        let later = Standing { left: 510_000.0, ..half };
        assert_eq!(half.kept(&later, Duration::from_secs(2)), Some(9_980.0));
        assert_eq!(Standing::of(&[json!({ "errors": [] })], now), None);
    }

    #[test]
    fn a_query_asks_for_its_own_cost_and_a_mutation_is_weighed() {
        assert_eq!(with_cost("{ viewer { id } }\n"), "{ viewer { id }  rateLimit { cost } }");
        let log_out = weigh("mutation { logOut { loggedOut } }", &json!({})).unwrap();
        assert!(log_out > 1);
        assert!(weigh("mutation { nothing }", &json!({})).is_err());
    }
}
