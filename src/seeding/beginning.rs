//! When seeded time began: a month before the first seeding, and the same for every later one, so
//! that what is made again has the same ids.

use super::load::Loader;
use super::world::{DAY_MS, DAYS};

/// From the beginning to when the first seeding was begun. A day lies before the first thing that
/// anybody does; what is said of the last one comes some minutes after it.
pub(super) const SPAN_MS: i64 = (DAYS + 1) * DAY_MS + 15 * 60_000;
/// The note of it, among those of what is there.
const NOTE: &str = "beginning";
/// The note that the scene was played.
const PLAYED: &str = "scene";

impl Loader {
    /// The beginning of seeded time here (Unix milliseconds): noted by an earlier seeding, or else
    /// now, so that what is seeded ends now.
    ///
    /// # Errors
    /// The server's.
    pub async fn beginning(&self, now_ms: i64) -> anyhow::Result<i64> {
        const NOTED: &str = "SELECT min(rows) FROM seeded_chunks WHERE step = $1";
        const WRITE: &str = "INSERT INTO seeded_chunks (step, chunk, rows) VALUES ($1, 0, $2) \
            ON CONFLICT DO NOTHING";
        let mut noted: Option<i64> = None;
        for shard in &self.shards {
            let here: Option<i64> = shard.query_one(NOTED, &[&NOTE]).await?.get(0);
            noted = noted.or(here);
        }
        let beginning = noted.unwrap_or(now_ms - SPAN_MS);
        for shard in &self.shards {
            shard.execute(WRITE, &[&NOTE, &beginning]).await?;
        }
        Ok(beginning)
    }

    /// Whether the scene was played here.
    ///
    /// # Errors
    /// The server's.
    pub async fn was_played(&self) -> anyhow::Result<bool> {
        let noted = "SELECT EXISTS (SELECT FROM seeded_chunks WHERE step = $1)";
        for shard in &self.shards {
            if shard.query_one(noted, &[&PLAYED]).await?.get(0) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Notes that the scene was played.
    ///
    /// # Errors
    /// The server's.
    pub async fn note_played(&self) -> anyhow::Result<()> {
        let write = "INSERT INTO seeded_chunks (step, chunk, rows) VALUES ($1, 0, 0) \
            ON CONFLICT DO NOTHING";
        for shard in &self.shards {
            shard.execute(write, &[&PLAYED]).await?;
        }
        Ok(())
    }
}
