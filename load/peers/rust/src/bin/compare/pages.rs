//! The pages: whose they are, what each program is asked for, and whether the answers are equal.

use std::net::SocketAddr;

use anyhow::Context;
use base64::Engine;
use serde_json::{Value, json};
use tokio_postgres::NoTls;

use crate::generator::{Connection, Prepared};

/// Posts of a page.
const POSTS: usize = 20;
const FIELDS: &str = "text author { handle } likeCount commentCount \
    comments(first: 3) { edges { node { text author { handle } } } }";

/// The newest posts of whom a viewer follows, and their own.
const VIEWERS: &str = "
    SELECT v.handle, h.ids
    FROM (SELECT u.id, u.handle FROM users u
          WHERE (SELECT count(*) FROM follows f WHERE f.follower_id = u.id AND f.active)
                BETWEEN 15 AND 120
          ORDER BY md5(u.id::text) LIMIT $1) v
    CROSS JOIN LATERAL (
        SELECT array_agg(p.id ORDER BY p.id DESC) AS ids
        FROM (SELECT id FROM posts
              WHERE NOT deleted AND (author_id = v.id OR author_id IN
                  (SELECT followee_id FROM follows WHERE follower_id = v.id AND active))
              ORDER BY id DESC LIMIT $2::bigint) p) h
    WHERE cardinality(h.ids) = $2::bigint
    ORDER BY v.id";

/// One page.
#[derive(Debug)]
pub struct Page {
    handle: String,
    ids: Vec<i64>,
    token: String,
}

/// How a page is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// plaza's `nodes`, by a viewer.
    Nodes,
    /// plaza's home of the viewer.
    Home,
    /// A peer's `posts`.
    Posts,
    /// The same of PostGraphile, whose numbers of rows are of a type of their own.
    BigIntPosts,
}

/// At most so many pages, without tokens.
///
/// # Errors
/// The database's; no viewer with a whole page.
pub async fn choose(database: &str, count: u32) -> anyhow::Result<Vec<Page>> {
    let (client, connection) = tokio_postgres::connect(database, NoTls).await?;
    tokio::spawn(connection);
    let posts = i64::try_from(POSTS)?;
    let rows = client.query(VIEWERS, &[&i64::from(count), &posts]).await?;
    anyhow::ensure!(!rows.is_empty(), "nobody has a page of {POSTS} posts: seed more users");
    let page = |row: tokio_postgres::Row| {
        Ok(Page { handle: row.try_get(0)?, ids: row.try_get(1)?, token: String::new() })
    };
    rows.into_iter().map(page).collect()
}

const LOG_IN: &str = "mutation($handle: String!, $password: String!) {
    logIn(input: { handle: $handle, password: $password }) { accessToken userErrors { message } } }";

/// Logs the viewers in at plaza.
///
/// # Errors
/// A log-in that fails.
pub async fn log_in(plaza: SocketAddr, pages: &mut [Page], password: &str) -> anyhow::Result<()> {
    let mut connection = Connection::open(plaza).await?;
    for page in pages {
        let variables = json!({ "handle": page.handle, "password": password });
        let request = Prepared::new(&json!({ "query": LOG_IN, "variables": variables }), None)?;
        let answer: Value = serde_json::from_slice(&connection.send(&request).await?)?;
        let token = answer.pointer("/data/logIn/accessToken").and_then(Value::as_str);
        page.token =
            token.with_context(|| format!("{} cannot log in: {answer}", page.handle))?.into();
    }
    Ok(())
}

fn global(id: &i64) -> String {
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(format!("Post:{id}"))
}

impl Asked {
    /// The request for a page.
    ///
    /// # Errors
    /// As [`Prepared::new`].
    pub fn request(self, page: &Page) -> anyhow::Result<Prepared> {
        let token = (!page.token.is_empty()).then_some(page.token.as_str());
        let plain = || page.ids.iter().map(i64::to_string).collect::<Vec<_>>();
        match self {
            Self::Nodes => {
                let query = format!(
                    "query($ids: [ID!]!) {{ nodes(ids: $ids) {{ ... on Post {{ {FIELDS} }} }} }}"
                );
                let ids: Vec<String> = page.ids.iter().map(global).collect();
                Prepared::new(&json!({ "query": query, "variables": { "ids": ids } }), token)
            }
            Self::Home => {
                let query = format!(
                    "{{ viewer {{ home(first: {POSTS}) {{ edges {{ node {{ {FIELDS} }} }} }} }} }}"
                );
                Prepared::new(&json!({ "query": query }), token)
            }
            Self::Posts => {
                let query = format!("query($ids: [ID!]!) {{ posts(ids: $ids) {{ {FIELDS} }} }}");
                Prepared::new(&json!({ "query": query, "variables": { "ids": plain() } }), None)
            }
            Self::BigIntPosts => {
                let query = format!(
                    "query($ids: [BigInt!]!) {{ posts: postsList(ids: $ids) {{ {FIELDS} }} }}"
                );
                Prepared::new(&json!({ "query": query, "variables": { "ids": plain() } }), None)
            }
        }
    }

    /// The posts of an answer.
    fn posts(self, answer: &Value) -> Option<Vec<&Value>> {
        match self {
            Self::Nodes => Some(answer.pointer("/data/nodes")?.as_array()?.iter().collect()),
            Self::Home => {
                let edges = answer.pointer("/data/viewer/home/edges")?.as_array()?;
                edges.iter().map(|edge| edge.get("node")).collect()
            }
            Self::Posts | Self::BigIntPosts => {
                Some(answer.pointer("/data/posts")?.as_array()?.iter().collect())
            }
        }
    }

    /// The posts of every page as JSON that is alike for all who answer alike, and the mean length
    /// of a body.
    ///
    /// # Errors
    /// A request that fails, an answer without its posts.
    pub async fn answers(
        self,
        address: SocketAddr,
        pages: &[Page],
    ) -> anyhow::Result<(Vec<String>, usize)> {
        let mut connection = Connection::open(address).await?;
        let (mut answers, mut bytes) = (Vec::new(), 0);
        for page in pages {
            let body = connection.send(&self.request(page)?).await?;
            let answer: Value = serde_json::from_slice(&body)?;
            let posts = self.posts(&answer).with_context(|| format!("no posts: {answer}"))?;
            // Objects are sorted by name here, whatever order they came in.
            answers.push(serde_json::to_string(&posts)?);
            bytes += body.len();
        }
        Ok((answers, bytes / pages.len()))
    }
}
