//! The least that such a page costs a server: axum, three prepared statements in two steps, serde.
//! It knows one query and no GraphQL.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Json, Router, routing};
use clap::Parser;
use futures_util::future::try_join;
use plaza_peers::rows::Database;
use plaza_peers::{Arguments, serve};
use serde::{Deserialize, Serialize};
use tokio_postgres::Row;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Comments of each post.
const COMMENTS: i64 = 3;

#[derive(Deserialize)]
struct Request {
    variables: Variables,
}

#[derive(Deserialize)]
struct Variables {
    ids: Vec<String>,
}

#[derive(Serialize)]
struct Answer<'a> {
    data: Page<'a>,
}

#[derive(Serialize)]
struct Page<'a> {
    posts: Vec<Option<Post<'a>>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Post<'a> {
    text: &'a str,
    author: Option<User<'a>>,
    like_count: i64,
    comment_count: i64,
    comments: Edges<'a>,
}

#[derive(Serialize)]
struct User<'a> {
    handle: &'a str,
}

#[derive(Serialize, Default)]
struct Edges<'a> {
    edges: Vec<Edge<'a>>,
}

#[derive(Serialize)]
struct Edge<'a> {
    node: Comment<'a>,
}

#[derive(Serialize)]
struct Comment<'a> {
    text: &'a str,
    author: Option<User<'a>>,
}

/// The answer, from the rows of the three statements.
fn page<'a>(
    ids: &[i64],
    posts: &'a [Row],
    comments: &'a [Row],
    users: &'a [Row],
) -> Result<Answer<'a>, tokio_postgres::Error> {
    let mut handles = HashMap::with_capacity(users.len());
    for row in users {
        handles.insert(row.try_get::<_, i64>(0)?, row.try_get::<_, &str>(1)?);
    }
    let user = |id| handles.get(&id).map(|&handle| User { handle });
    let mut edges: HashMap<i64, Edges<'_>> = HashMap::with_capacity(posts.len());
    for row in comments {
        let node = Comment { text: row.try_get(2)?, author: user(row.try_get(1)?) };
        edges.entry(row.try_get(0)?).or_default().edges.push(Edge { node });
    }
    let mut found = HashMap::with_capacity(posts.len());
    for row in posts {
        let id: i64 = row.try_get(0)?;
        let post = Post {
            text: row.try_get(2)?,
            author: user(row.try_get(1)?),
            like_count: row.try_get(3)?,
            comment_count: row.try_get(4)?,
            comments: edges.remove(&id).unwrap_or_default(),
        };
        found.insert(id, post);
    }
    Ok(Answer { data: Page { posts: ids.iter().map(|id| found.remove(id)).collect() } })
}

async fn answer(database: &Database, request: Request) -> anyhow::Result<Response> {
    let ids: Vec<i64> =
        request.variables.ids.iter().map(|id| id.parse()).collect::<Result<_, _>>()?;
    let connection = database.connection()?;
    let (posts, comments) =
        try_join(connection.counted_posts(&ids), connection.comments(&ids, COMMENTS)).await?;
    let authors = posts.iter().chain(&comments).map(|row| row.try_get(1));
    let mut authors: Vec<i64> = authors.collect::<Result<_, _>>()?;
    authors.sort_unstable();
    authors.dedup();
    let users = connection.users(&authors).await?;
    Ok(Json(page(&ids, &posts, &comments, &users)?).into_response())
}

async fn handle(State(database): State<Arc<Database>>, Json(request): Json<Request>) -> Response {
    match answer(&database, request).await {
        Ok(response) => response,
        Err(error) => {
            (axum::http::StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response()
        }
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let database = Arc::new(Database::connect(&arguments.database).await?);
    let app = Router::new().route("/graphql", routing::post(handle)).with_state(database);
    serve(arguments.listen, app).await
}
