//! Rows of plaza's tables, by prepared statements on a few connections that all requests share and
//! on which statements are pipelined.

use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Context;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, NoTls, Row, Statement};

/// As many as plaza has to a primary.
const CONNECTIONS: usize = 8;

const POSTS: &str = "SELECT id, author_id, text FROM posts WHERE id = ANY($1) AND NOT deleted";
const USERS: &str = "SELECT id, handle FROM users WHERE id = ANY($1)";
const COUNTS: &str = "SELECT p.id,
    CASE WHEN c.version = p.version THEN c.like_count
         ELSE (SELECT count(*) FROM likes l WHERE l.post_id = p.id) END AS likes,
    CASE WHEN c.version = p.version THEN c.comment_count
         ELSE (SELECT count(*) FROM comments m WHERE m.post_id = p.id) END AS comments
  FROM posts p LEFT JOIN post_counts c ON c.post_id = p.id WHERE p.id = ANY($1)";
const COUNTED_POSTS: &str = "SELECT p.id, p.author_id, p.text,
    CASE WHEN c.version = p.version THEN c.like_count
         ELSE (SELECT count(*) FROM likes l WHERE l.post_id = p.id) END AS likes,
    CASE WHEN c.version = p.version THEN c.comment_count
         ELSE (SELECT count(*) FROM comments m WHERE m.post_id = p.id) END AS comments
  FROM posts p LEFT JOIN post_counts c ON c.post_id = p.id
  WHERE p.id = ANY($1) AND NOT p.deleted";
const COMMENTS: &str = "SELECT c.post_id, c.author_id, c.text FROM unnest($1::bigint[]) AS p(id)
  CROSS JOIN LATERAL (SELECT id, post_id, author_id, text FROM comments
                      WHERE post_id = p.id AND in_reply_to IS NULL ORDER BY id LIMIT $2) c
  ORDER BY c.id";

/// Connections, of which each request takes the next.
#[derive(Debug)]
pub struct Database {
    connections: Vec<Connection>,
    next: AtomicUsize,
}

/// A connection with its statements.
#[derive(Debug)]
pub struct Connection {
    client: Client,
    posts: Statement,
    users: Statement,
    counts: Statement,
    counted_posts: Statement,
    comments: Statement,
}

/// What a statement answered.
pub type Rows = Result<Vec<Row>, tokio_postgres::Error>;

impl Database {
    /// Connects.
    ///
    /// # Errors
    /// A database that cannot be reached, or is not plaza's.
    pub async fn connect(url: &str) -> anyhow::Result<Self> {
        let mut connections = Vec::new();
        for _ in 0..CONNECTIONS {
            connections.push(Connection::new(url).await?);
        }
        Ok(Self { connections, next: AtomicUsize::new(0) })
    }

    /// The next connection.
    ///
    /// # Errors
    /// None: there is always one.
    pub fn connection(&self) -> anyhow::Result<&Connection> {
        let next = self.next.fetch_add(1, Ordering::Relaxed) % self.connections.len();
        self.connections.get(next).context("there are no connections")
    }
}

impl Connection {
    async fn new(url: &str) -> anyhow::Result<Self> {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
        tokio::spawn(connection);
        Ok(Self {
            posts: client.prepare(POSTS).await?,
            users: client.prepare(USERS).await?,
            counts: client.prepare(COUNTS).await?,
            counted_posts: client.prepare(COUNTED_POSTS).await?,
            comments: client.prepare(COMMENTS).await?,
            client,
        })
    }

    async fn query(&self, statement: &Statement, values: &[&(dyn ToSql + Sync)]) -> Rows {
        self.client.query(statement, values).await
    }

    /// Posts: id, author_id, text.
    ///
    /// # Errors
    /// The server's.
    pub async fn posts(&self, ids: &[i64]) -> Rows {
        self.query(&self.posts, &[&ids]).await
    }

    /// Users: id, handle.
    ///
    /// # Errors
    /// The server's.
    pub async fn users(&self, ids: &[i64]) -> Rows {
        self.query(&self.users, &[&ids]).await
    }

    /// Counts of posts: id, likes, comments.
    ///
    /// # Errors
    /// The server's.
    pub async fn counts(&self, posts: &[i64]) -> Rows {
        self.query(&self.counts, &[&posts]).await
    }

    /// Posts with their counts: id, author_id, text, likes, comments.
    ///
    /// # Errors
    /// The server's.
    pub async fn counted_posts(&self, ids: &[i64]) -> Rows {
        self.query(&self.counted_posts, &[&ids]).await
    }

    /// The first comments on each post, oldest first: post_id, author_id, text.
    ///
    /// # Errors
    /// The server's.
    pub async fn comments(&self, posts: &[i64], first: i64) -> Rows {
        self.query(&self.comments, &[&posts, &first]).await
    }
}
