//! What plaza's sockets are compared with: the subscription service of async-graphql-axum as its
//! documentation shows it, over a broadcast channel in memory. It knows nobody, stores nothing and
//! checks nothing, so it is the least that the stock stack costs.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, Ordering};

use async_graphql::{Context, ID, InputObject, Object, Schema, SimpleObject, Subscription};
use async_graphql_axum::{GraphQL, GraphQLSubscription};
use base64::Engine;
use clap::Parser;
use futures_util::{Stream, StreamExt, stream};
use tokio::sync::broadcast;

/// Serves subscriptions with the stock stack.
#[derive(Debug, Parser)]
struct Arguments {
    /// Where.
    #[arg(long, default_value = "127.0.0.1:4900")]
    listen: SocketAddr,
}

#[derive(Debug, Clone, SimpleObject)]
struct Person {
    handle: String,
}

#[derive(Debug, Clone, SimpleObject)]
struct Post {
    id: ID,
    text: String,
    author: Person,
}

#[derive(Debug, Clone, SimpleObject)]
struct PostEdge {
    cursor: String,
    node: Post,
}

#[derive(Debug, InputObject)]
struct PostCreateInput {
    text: String,
}

#[derive(Debug, SimpleObject)]
struct Problem {
    code: String,
    message: String,
}

#[derive(Debug, SimpleObject)]
struct PostCreatePayload {
    post: Option<Post>,
    user_errors: Vec<Problem>,
}

struct Posts {
    sender: broadcast::Sender<Post>,
    last: AtomicI64,
}

struct Query;

#[Object]
impl Query {
    async fn ok(&self) -> bool {
        true
    }
}

struct Mutation;

#[Object]
impl Mutation {
    async fn post_create(
        &self,
        ctx: &Context<'_>,
        input: PostCreateInput,
    ) -> async_graphql::Result<PostCreatePayload> {
        let posts = ctx.data::<Posts>()?;
        let number = posts.last.fetch_add(1, Ordering::Relaxed) + 1;
        let id = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(format!("Post:{number}"));
        let post =
            Post { id: ID(id), text: input.text, author: Person { handle: "somebody".to_owned() } };
        let _nobody_watches = posts.sender.send(post.clone());
        Ok(PostCreatePayload { post: Some(post), user_errors: Vec::new() })
    }
}

struct Watch;

#[Subscription]
impl Watch {
    async fn home_updated(
        &self,
        ctx: &Context<'_>,
    ) -> async_graphql::Result<impl Stream<Item = PostEdge>> {
        let receiver = ctx.data::<Posts>()?.sender.subscribe();
        let posts = stream::unfold(receiver, |mut receiver| async move {
            Some((receiver.recv().await.ok()?, receiver))
        });
        Ok(posts.map(|post| PostEdge { cursor: post.id.to_string(), node: post }))
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let (sender, _) = broadcast::channel(1_024);
    let schema = Schema::build(Query, Mutation, Watch)
        .data(Posts { sender, last: AtomicI64::new(0) })
        .finish();
    let app = axum::Router::new()
        .route("/graphql", axum::routing::post_service(GraphQL::new(schema.clone())))
        .route_service("/graphql/ws", GraphQLSubscription::new(schema));
    let listener = tokio::net::TcpListener::bind(arguments.listen).await?;
    Ok(axum::serve(listener, app).await?)
}
