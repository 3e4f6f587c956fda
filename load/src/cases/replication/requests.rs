//! What requests ask for, and what of the answers was stale.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Context;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

use crate::client::Client;
use crate::people::LoggedIn;

const READ: &str =
    "query($handle: String!) { user(handle: $handle) { displayName followerCount posts(first: 20) { edges { node { id text likeCount
  comments(first: 3) { edges { node { text author { handle } } } } } } } } }";
const HOME: &str = "{ viewer { home(first: 20) { edges { node { id text author { handle } likeCount
  comments(first: 3) { edges { node { text author { handle } } } } } } } } }";
const POST: &str = "mutation($text: String!) { postCreate(input: {text: $text}) { post { id } userErrors { code message } } }";

/// Posts that were read back, and how many of them were not there.
#[derive(Debug, Default)]
pub struct Seen {
    /// Posts read back.
    pub pairs: AtomicU64,
    /// Of these, not there.
    pub stale: AtomicU64,
}

/// Who looks at the author's page once the post is acknowledged.
#[derive(Debug, Clone, Copy)]
pub enum Reader {
    /// The author, with the token of the answer.
    Author,
    /// Somebody who has no token, and of whom the servers remember no write of now.
    Stranger,
    /// Nobody.
    Nobody,
}

/// Who asks whom.
#[derive(Debug, Clone)]
pub struct Requests {
    /// Where.
    pub client: Client,
    /// The users.
    pub people: Arc<Vec<LoggedIn>>,
    /// What came of it.
    pub seen: Arc<Seen>,
}

impl Requests {
    /// The mix: six home feeds and two pages to a post with its author's page after it.
    ///
    /// # Errors
    /// The server's.
    pub async fn mixed(self, number: u64) -> anyhow::Result<()> {
        let mut random = StdRng::seed_from_u64(number);
        let people = &self.people;
        let both = people.choose(&mut random).zip(people.choose(&mut random));
        let (person, other) = both.context("nobody is logged in")?;
        match random.random_range(0..9) {
            0 => {
                let text = format!("case {number:x}");
                self.write_and_read((person, other), Reader::Author, text).await
            }
            1 | 2 => self.page(&mut None, person, &other.person.handle).await.map(drop),
            _ => self.home(person).await,
        }
    }

    /// A post by anybody, then its author's page as somebody sees it.
    ///
    /// # Errors
    /// The server's.
    pub async fn seen_by(self, reader: Reader, number: u64) -> anyhow::Result<()> {
        let mut random = StdRng::seed_from_u64(number);
        let mut two = self.people.choose_multiple(&mut random, 2);
        let pair = two.next().zip(two.next()).context("fewer than two are logged in")?;
        self.write_and_read(pair, reader, format!("pause {number:x}")).await
    }

    /// Somebody's page; the ids on it.
    async fn page(
        &self,
        seen: &mut Option<String>,
        person: &LoggedIn,
        of: &str,
    ) -> anyhow::Result<Vec<String>> {
        let (token, of) = (Some(person.token.as_str()), json!({ "handle": of }));
        let data = self.client.send_seeing(token, seen, READ, of).await?;
        let edges = data.pointer("/user/posts/edges").and_then(Value::as_array);
        let edges = edges.with_context(|| format!("no posts: {data}"))?;
        let id = |edge: &Value| Some(edge.pointer("/node/id")?.as_str()?.to_owned());
        Ok(edges.iter().filter_map(id).collect())
    }

    /// The person's own home feed.
    async fn home(&self, person: &LoggedIn) -> anyhow::Result<()> {
        let data = self.client.send(Some(&person.token), HOME, json!({})).await?;
        anyhow::ensure!(data.pointer("/viewer/home/edges").is_some(), "no home: {data}");
        Ok(())
    }

    async fn write_and_read(
        &self,
        (person, other): (&LoggedIn, &LoggedIn),
        reader: Reader,
        text: String,
    ) -> anyhow::Result<()> {
        let (token, mut seen) = (Some(person.token.as_str()), None);
        let text = json!({ "text": text });
        let data = self.client.send_seeing(token, &mut seen, POST, text).await?;
        let id = data.pointer("/postCreate/post/id").and_then(Value::as_str);
        let id = id.with_context(|| format!("no post: {data}"))?;
        let handle = &person.person.handle;
        let own = match reader {
            Reader::Author => self.page(&mut seen, person, handle).await?,
            Reader::Stranger => self.page(&mut None, other, handle).await?,
            Reader::Nobody => return Ok(()),
        };
        self.seen.pairs.fetch_add(1, Ordering::Relaxed);
        if !own.iter().any(|shown| shown == id) {
            self.seen.stale.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }
}
