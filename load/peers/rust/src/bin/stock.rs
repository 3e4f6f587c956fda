//! async-graphql as its book shows it: objects with resolvers, DataLoader for what they have in
//! common, async-graphql-axum in front, the system's allocator.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::dataloader::{DataLoader, Loader};
use async_graphql::{Context, EmptyMutation, EmptySubscription, ID, Object, Schema, SimpleObject};
use async_graphql_axum::GraphQL;
use axum::{Router, routing};
use clap::Parser;
use plaza_peers::rows::Database;
use plaza_peers::{Arguments, serve};

type Fault = Arc<anyhow::Error>;

struct Posts(Arc<Database>);
struct Users(Arc<Database>);
struct AllCounts(Arc<Database>);
struct FirstComments(Arc<Database>);

#[derive(Clone)]
struct Post {
    id: i64,
    author_id: i64,
    text: String,
}

#[derive(Clone, SimpleObject)]
struct User {
    handle: String,
}

#[derive(Clone, Copy)]
struct Counts {
    likes: i64,
    comments: i64,
}

#[derive(Clone)]
struct Comment {
    author_id: i64,
    text: String,
}

#[derive(SimpleObject)]
struct CommentConnection {
    edges: Vec<CommentEdge>,
}

#[derive(SimpleObject)]
struct CommentEdge {
    node: Comment,
}

/// Comments of one post: of which, and how many.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct First {
    post: i64,
    first: i64,
}

impl Loader<i64> for Posts {
    type Value = Post;
    type Error = Fault;

    async fn load(&self, ids: &[i64]) -> Result<HashMap<i64, Post>, Fault> {
        let load = async {
            let mut found = HashMap::new();
            for row in self.0.connection()?.posts(ids).await? {
                let id = row.try_get(0)?;
                found.insert(id, Post { id, author_id: row.try_get(1)?, text: row.try_get(2)? });
            }
            Ok(found)
        };
        load.await.map_err(Arc::new)
    }
}

impl Loader<i64> for Users {
    type Value = User;
    type Error = Fault;

    async fn load(&self, ids: &[i64]) -> Result<HashMap<i64, User>, Fault> {
        let load = async {
            let mut found = HashMap::new();
            for row in self.0.connection()?.users(ids).await? {
                found.insert(row.try_get(0)?, User { handle: row.try_get(1)? });
            }
            Ok(found)
        };
        load.await.map_err(Arc::new)
    }
}

impl Loader<i64> for AllCounts {
    type Value = Counts;
    type Error = Fault;

    async fn load(&self, posts: &[i64]) -> Result<HashMap<i64, Counts>, Fault> {
        let load = async {
            let mut found = HashMap::new();
            for row in self.0.connection()?.counts(posts).await? {
                let counts = Counts { likes: row.try_get(1)?, comments: row.try_get(2)? };
                found.insert(row.try_get(0)?, counts);
            }
            Ok(found)
        };
        load.await.map_err(Arc::new)
    }
}

impl FirstComments {
    async fn of(&self, keys: &[First]) -> anyhow::Result<HashMap<First, Vec<Comment>>> {
        let mut by_first: HashMap<i64, Vec<i64>> = HashMap::new();
        for key in keys {
            by_first.entry(key.first).or_default().push(key.post);
        }
        let mut found: HashMap<First, Vec<Comment>> = HashMap::new();
        for (first, posts) in by_first {
            for row in self.0.connection()?.comments(&posts, first).await? {
                let comment = Comment { author_id: row.try_get(1)?, text: row.try_get(2)? };
                found.entry(First { post: row.try_get(0)?, first }).or_default().push(comment);
            }
        }
        Ok(found)
    }
}

impl Loader<First> for FirstComments {
    type Value = Vec<Comment>;
    type Error = Fault;

    async fn load(&self, keys: &[First]) -> Result<HashMap<First, Vec<Comment>>, Fault> {
        self.of(keys).await.map_err(Arc::new)
    }
}

async fn user(ctx: &Context<'_>, id: i64) -> async_graphql::Result<Option<User>> {
    Ok(ctx.data::<DataLoader<Users>>()?.load_one(id).await?)
}

async fn counts(ctx: &Context<'_>, post: i64) -> async_graphql::Result<Counts> {
    let found = ctx.data::<DataLoader<AllCounts>>()?.load_one(post).await?;
    found.ok_or_else(|| "the post has no counts".into())
}

struct Query;

#[Object]
impl Query {
    async fn posts(
        &self,
        ctx: &Context<'_>,
        ids: Vec<ID>,
    ) -> async_graphql::Result<Vec<Option<Post>>> {
        let ids: Vec<i64> = ids.iter().map(|id| id.parse()).collect::<Result<_, _>>()?;
        let posts = ctx.data::<DataLoader<Posts>>()?;
        let mut found = posts.load_many(ids.iter().copied()).await?;
        Ok(ids.iter().map(|id| found.remove(id)).collect())
    }
}

#[Object]
impl Post {
    async fn text(&self) -> &str {
        &self.text
    }

    async fn author(&self, ctx: &Context<'_>) -> async_graphql::Result<Option<User>> {
        user(ctx, self.author_id).await
    }

    async fn like_count(&self, ctx: &Context<'_>) -> async_graphql::Result<i64> {
        Ok(counts(ctx, self.id).await?.likes)
    }

    async fn comment_count(&self, ctx: &Context<'_>) -> async_graphql::Result<i64> {
        Ok(counts(ctx, self.id).await?.comments)
    }

    async fn comments(
        &self,
        ctx: &Context<'_>,
        #[graphql(default = 20)] first: i32,
    ) -> async_graphql::Result<CommentConnection> {
        let key = First { post: self.id, first: first.into() };
        let found = ctx.data::<DataLoader<FirstComments>>()?.load_one(key).await?;
        let edges = found.unwrap_or_default().into_iter().map(|node| CommentEdge { node });
        Ok(CommentConnection { edges: edges.collect() })
    }
}

#[Object]
impl Comment {
    async fn text(&self) -> &str {
        &self.text
    }

    async fn author(&self, ctx: &Context<'_>) -> async_graphql::Result<Option<User>> {
        user(ctx, self.author_id).await
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let database = Arc::new(Database::connect(&arguments.database).await?);
    let schema = Schema::build(Query, EmptyMutation, EmptySubscription)
        .data(DataLoader::new(Posts(Arc::clone(&database)), tokio::spawn))
        .data(DataLoader::new(Users(Arc::clone(&database)), tokio::spawn))
        .data(DataLoader::new(AllCounts(Arc::clone(&database)), tokio::spawn))
        .data(DataLoader::new(FirstComments(database), tokio::spawn))
        .finish();
    let app = Router::new().route("/graphql", routing::post_service(GraphQL::new(schema)));
    serve(arguments.listen, app).await
}
