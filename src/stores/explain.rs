//! What a request asked of the stores, for whoever wants to know: where each field's data came
//! from. A request that does not ask pays for one check of that, and nothing else.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde::Serialize;

/// Most steps kept of a request.
const MOST: usize = 500;

/// One thing that was asked.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// The field it was for, list positions starred: `viewer.home.edges.*.node.author`. A batch is
    /// reported at the field that led it.
    pub path: String,
    /// Milliseconds from the request's beginning to the step's end.
    pub at_ms: f64,
    /// What.
    #[serde(flatten)]
    pub what: What,
}

/// What was asked.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum What {
    /// A read on one shard.
    Sql {
        /// Its number.
        shard: usize,
        /// `shard 0 primary`, `shard 0 replica 1`.
        server: String,
        /// How far the replica was behind when it was last asked; absent for a primary.
        #[serde(skip_serializing_if = "Option::is_none")]
        lag_ms: Option<u64>,
        /// How long it took, with the wait for a connection.
        took_ms: f64,
    },
    /// A transaction on one shard's primary.
    Transaction {
        /// The shard's number.
        shard: usize,
        /// How long it took.
        took_ms: f64,
    },
    /// Keys asked for in the cache.
    Cache {
        /// `user`, `post`.
        of: &'static str,
        /// `local` (this process), `hit` (Redis), `miss`, `shared` (another request was loading
        /// it), `waited` (another process was), `early` (held, and loaded anew before its end),
        /// `unavailable` (no Redis).
        outcome: &'static str,
        /// How many keys.
        keys: usize,
    },
}

/// The steps of one request.
#[derive(Debug)]
pub struct Explanation {
    began: Instant,
    steps: Mutex<Vec<Step>>,
}

impl Default for Explanation {
    fn default() -> Self {
        Self { began: Instant::now(), steps: Mutex::default() }
    }
}

impl Explanation {
    /// The steps so far.
    pub fn steps(&self) -> Vec<Step> {
        self.steps.lock().clone()
    }
}

tokio::task_local! {
    static EXPLANATION: Arc<Explanation>;
    static PATH: String;
}

/// Runs a request that wants to know.
pub async fn explained<T>(explanation: Arc<Explanation>, request: impl Future<Output = T>) -> T {
    EXPLANATION.scope(explanation, request).await
}

/// Runs what is done for one field.
pub async fn for_field<T>(path: String, field: impl Future<Output = T>) -> T {
    PATH.scope(path, field).await
}

fn record(what: impl FnOnce() -> What) {
    let _ = EXPLANATION.try_with(|explanation| {
        let mut steps = explanation.steps.lock();
        if steps.len() < MOST {
            let path = PATH.try_with(Clone::clone).unwrap_or_default();
            steps.push(Step { path, at_ms: ms(explanation.began.elapsed()), what: what() });
        }
    });
}

fn ms(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1_000_000.0).round() / 1_000.0
}

/// A read was made.
pub fn sql(shard: usize, server: &str, lag_ms: Option<u64>, took: Duration) {
    record(|| What::Sql { shard, server: server.to_owned(), lag_ms, took_ms: ms(took) });
}

/// A transaction was made.
pub fn transaction(shard: usize, took: Duration) {
    record(|| What::Transaction { shard, took_ms: ms(took) });
}

/// Keys were asked for.
pub fn cache(of: &'static str, outcome: &'static str, keys: usize) {
    record(|| What::Cache { of, outcome, keys });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn steps_are_kept_only_for_those_who_ask() {
        cache("user", "hit", 1);
        let explanation = Arc::new(Explanation::default());
        explained(Arc::clone(&explanation), async {
            for_field("viewer.user".to_owned(), async { cache("user", "miss", 2) }).await;
            sql(3, "shard 3 replica 1", Some(4), Duration::from_micros(1_500));
        })
        .await;
        let steps = serde_json::to_value(explanation.steps()).unwrap();
        assert_eq!(steps[0]["path"], "viewer.user");
        assert_eq!((&steps[0]["kind"], &steps[0]["keys"]), (&"cache".into(), &2.into()));
        assert_eq!(
            (&steps[1]["server"], &steps[1]["lagMs"], &steps[1]["tookMs"]),
            (&"shard 3 replica 1".into(), &4.into(), &1.5.into())
        );
    }
}
