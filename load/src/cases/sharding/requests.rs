//! What requests of the three loads ask for.

use std::sync::Arc;

use anyhow::Context;
use plaza::ids::Bucket;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

use super::databases::Plan;
use crate::client::{Client, global_id};
use crate::people::LoggedIn;

const PAGE: &str = "query($id: ID!) { node(id: $id) { ... on User { displayName posts(first: 20) { edges { node { id text } } } } } }";
const MANY: &str =
    "query($ids: [ID!]!) { nodes(ids: $ids) { ... on Post { text author { handle } } } }";
const POST: &str = "mutation($text: String!) { postCreate(input: {text: $text}) { post { id } userErrors { code message } } }";
/// Posts that one scattered read asks for.
const AT_ONCE: usize = 40;

/// A load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Load {
    /// Somebody's page: one shard.
    Page,
    /// Posts of many users: all shards, scattered and gathered.
    Many,
    /// A post: one shard.
    Write,
}

/// The loads, in the order of measuring.
pub const LOADS: [(Load, &str); 3] = [
    (Load::Page, "a page of one person's, one shard"),
    (Load::Many, "40 posts of 40 people, all shards"),
    (Load::Write, "posting, one shard"),
];

/// Whom and what requests ask for.
#[derive(Debug)]
pub struct Rows {
    people: Vec<(u32, Bucket)>,
    /// Everybody's id.
    pub ids: Vec<i64>,
    plan: Plan,
}

impl Rows {
    /// All that the plan has.
    pub fn of(plan: &Plan) -> Self {
        Self { people: plan.people(), ids: plan.ids(), plan: plan.clone() }
    }

    fn any_post(&self, random: &mut StdRng) -> Option<String> {
        let (person, bucket) = self.people.choose(random)?;
        let round = random.random_range(0..self.plan.posts);
        Some(global_id("Post", self.plan.post(*person, *bucket, round)))
    }
}

/// Sends the request of that number.
///
/// # Errors
/// The server's; an answer without what was asked for.
pub async fn request(
    load: Load,
    client: Client,
    rows: Arc<Rows>,
    writers: Arc<Vec<LoggedIn>>,
    number: u64,
) -> anyhow::Result<()> {
    let mut random = StdRng::seed_from_u64(number);
    match load {
        Load::Page => {
            let person = rows.ids.choose(&mut random).context("nobody is there")?;
            let data = page(&client, *person).await?;
            let edges = data.pointer("/node/posts/edges").and_then(Value::as_array);
            anyhow::ensure!(edges.is_some_and(|edges| !edges.is_empty()), "answered {data}");
        }
        Load::Many => {
            let ids: Vec<String> =
                (0..AT_ONCE).filter_map(|_| rows.any_post(&mut random)).collect();
            let data = client.send(None, MANY, json!({ "ids": ids })).await?;
            let nodes = data.pointer("/nodes").and_then(Value::as_array).context("no nodes")?;
            anyhow::ensure!(
                nodes.len() == AT_ONCE && !nodes.contains(&Value::Null),
                "a post is missing: {data}"
            );
        }
        Load::Write => {
            let writer = writers.choose(&mut random).context("nobody writes")?;
            let text = json!({ "text": format!("case {number:x}") });
            let data = client.send(Some(&writer.token), POST, text).await?;
            anyhow::ensure!(data.pointer("/postCreate/post/id").is_some(), "answered {data}");
        }
    }
    Ok(())
}

/// Somebody's page.
///
/// # Errors
/// The server's.
pub async fn page(client: &Client, person: i64) -> anyhow::Result<Value> {
    client.send(None, PAGE, json!({ "id": global_id("User", person) })).await
}
