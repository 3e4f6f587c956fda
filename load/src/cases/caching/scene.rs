//! Who reads and who writes, and what of the answers was stale.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Context;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::cases::zipf::Zipf;
use crate::client::{Client, global_id};
use crate::people::LoggedIn;
use crate::session::Session;

const READ: &str = "query($ids: [ID!]!) { nodes(ids: $ids) { ... on Post { text likeCount commentCount author { handle displayName } } } }";
const RENAME: &str = "mutation($name: String!) { profileUpdate(input: {displayName: $name}) { user { displayName } userErrors { code message } } }";
const NAME: &str = "query($handle: String!) { user(handle: $handle) { displayName } }";
/// Posts a read asks for.
pub const AT_ONCE: usize = 20;

/// Whom requests are sent to.
#[derive(Debug, Clone)]
pub struct Clients {
    /// All requests but
    pub loaded: Client,
    /// reads of what was just written, which another process may have in its memory.
    pub read_back: Client,
}

/// What the requests need.
#[derive(Debug)]
pub struct Scene {
    /// Global ids, the newest post's first.
    pub posts: Vec<String>,
    zipf: Zipf,
    readers: Vec<LoggedIn>,
    /// One change of each name at a time, so that it is known what must be read back.
    pub writers: Vec<Mutex<LoggedIn>>,
    /// Names changed and read back.
    pub written: AtomicU64,
    /// Of these, read as they were before.
    pub stale: AtomicU64,
}

impl Scene {
    /// 5,000 posts, 80 readers, 40 writers.
    ///
    /// # Errors
    /// The servers'.
    pub async fn set(session: &Session) -> anyhow::Result<Self> {
        let newest = session.truth.newest_posts(5_000).await?;
        let posts: Vec<String> = newest.into_iter().map(|id| global_id("Post", id)).collect();
        let mut readers = session.logged_in(120, 3).await?;
        let writers = readers.split_off(readers.len().min(80));
        Ok(Self {
            zipf: Zipf::new(posts.len()),
            posts,
            readers,
            writers: writers.into_iter().map(Mutex::new).collect(),
            written: AtomicU64::new(0),
            stale: AtomicU64::new(0),
        })
    }

    /// Changes a name and reads it back.
    ///
    /// # Errors
    /// The servers'.
    pub async fn write(self: Arc<Self>, clients: Clients, number: u64) -> anyhow::Result<()> {
        let writer = self.writers.choose(&mut StdRng::seed_from_u64(number));
        let writer = writer.context("nobody writes")?.lock().await;
        let (token, mut seen) = (Some(writer.token.as_str()), None);
        let name = format!("case {number:x}");
        let variables = json!({ "name": name });
        let data = clients.loaded.send_seeing(token, &mut seen, RENAME, variables).await?;
        anyhow::ensure!(
            data.pointer("/profileUpdate/user/displayName").is_some(),
            "answered {data}"
        );
        let variables = json!({ "handle": writer.person.handle });
        let data = clients.read_back.send_seeing(token, &mut seen, NAME, variables).await?;
        self.written.fetch_add(1, Ordering::Relaxed);
        if data.pointer("/user/displayName").and_then(Value::as_str) != Some(name.as_str()) {
            self.stale.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Reads posts that are chosen by Zipf's law.
    ///
    /// # Errors
    /// The servers'; a post that is missing.
    pub async fn read(self: Arc<Self>, clients: Clients, number: u64) -> anyhow::Result<()> {
        let mut random = StdRng::seed_from_u64(number);
        let reader = self.readers.choose(&mut random).context("nobody reads")?;
        let mut ids: Vec<&str> = (0..AT_ONCE)
            .filter_map(|_| self.posts.get(self.zipf.draw(&mut random)).map(String::as_str))
            .collect();
        ids.sort_unstable();
        ids.dedup();
        let data = clients.loaded.send(Some(&reader.token), READ, json!({ "ids": ids })).await?;
        let found = data.pointer("/nodes").and_then(Value::as_array).map_or(0, Vec::len);
        anyhow::ensure!(found == ids.len(), "{found} of {} nodes", ids.len());
        Ok(())
    }

    /// Writers whose name a server answers otherwise than the rows have it.
    ///
    /// # Errors
    /// The servers'.
    pub async fn stale_at_rest(&self, client: &Client, session: &Session) -> anyhow::Result<u64> {
        let names = session.truth.display_names().await?;
        let mut stale = 0;
        for writer in &self.writers {
            let writer = writer.lock().await;
            let data = client.send(None, NAME, json!({ "handle": writer.person.handle })).await?;
            let told = data.pointer("/user/displayName").and_then(Value::as_str).map(str::to_owned);
            stale += u64::from(told.as_ref() != names.get(&writer.person.id));
        }
        Ok(stale)
    }
}
