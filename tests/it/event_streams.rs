//! Server-sent events: one operation a response, as graphql-sse's distinct connections.

use plaza::cli::roles::Role;
use reqwest::{Response, StatusCode, header};
use serde_json::{Value, json};

use crate::app::{Person, TestApp, with_app, with_config, with_roles_and_config, with_server};
use crate::edge::{Nginx, address_of};
use crate::websocket::resume::streams;

const HOME: &str =
    "subscription($after: String) { homeUpdated(after: $after) { cursor node { text } } }";

/// Events as they come.
pub struct Events {
    response: Response,
    read: String,
}

impl Events {
    async fn of(app: &TestApp, person: &Person, query: &str, variables: Value) -> Self {
        Self::by(app, "plan", person, query, variables).await
    }

    /// By one of the engines.
    pub async fn by(
        app: &TestApp,
        engine: &str,
        person: &Person,
        query: &str,
        variables: Value,
    ) -> Self {
        let response = ask_engine(app, engine, Some(person), query, variables).await;
        assert_eq!(response.status(), StatusCode::OK);
        let of = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        assert_eq!(of("content-type"), Some("text/event-stream; charset=utf-8"));
        assert_eq!((of("cache-control"), of("content-encoding")), (Some("no-store"), None));
        Self { response, read: String::new() }
    }

    /// What stands between two blank lines; nothing at the end.
    async fn part(&mut self) -> Option<String> {
        loop {
            if let Some((part, rest)) = self.read.split_once("\n\n") {
                let (part, rest) = (part.to_owned(), rest.to_owned());
                self.read = rest;
                return Some(part);
            }
            let chunk = self.response.chunk().await.expect("a whole stream")?;
            self.read.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    /// The next event's data, comments left out.
    async fn next(&mut self) -> Option<Value> {
        Some(serde_json::from_str(&self.text().await?).unwrap())
    }

    /// The same as it was sent.
    pub async fn text(&mut self) -> Option<String> {
        loop {
            let part = self.part().await?;
            if part == ":" {
                continue;
            }
            let data = part.strip_prefix("event: next\ndata: ").unwrap_or_else(|| panic!("{part}"));
            return Some(data.to_owned());
        }
    }
}

async fn ask(app: &TestApp, person: Option<&Person>, query: &str, variables: Value) -> Response {
    ask_engine(app, "plan", person, query, variables).await
}

async fn ask_engine(
    app: &TestApp,
    engine: &str,
    person: Option<&Person>,
    query: &str,
    variables: Value,
) -> Response {
    let mut request = app.http().post(&app.url).header(header::ACCEPT, "text/event-stream");
    request = request.header("plaza-engine", engine);
    if let Some(person) = person {
        request = request.bearer_auth(&person.token);
    }
    request.json(&json!({ "query": query, "variables": variables })).send().await.unwrap()
}

fn text(event: Option<Value>) -> String {
    let event = event.expect("an event");
    let text = event["data"]["homeUpdated"]["node"]["text"].as_str();
    text.unwrap_or_else(|| panic!("{event}")).to_owned()
}

async fn followed(app: &TestApp) -> (Person, Person) {
    let (ann, bob) = (app.sign_up("ann").await, app.sign_up("bob").await);
    app.follow(&bob, &ann).await;
    app.until("the follow is known", async || {
        app.count("SELECT count(*) FROM followers").await == 1
    })
    .await;
    (ann, bob)
}

/// Through nginx, which keeps a silent response for 4 s only, and gathers what is no stream.
#[tokio::test(flavor = "multi_thread")]
async fn events_come_as_they_happen_and_silence_is_kept_open() {
    with_app(async |app| {
        let (ann, bob) = followed(app).await;
        let server = address_of(&app.url);
        let nginx = Nginx::before([server, server]).await;
        let front = nginx.app(app);
        let mut events = Events::of(&front, &bob, HOME, json!({})).await;
        app.until("the home is watched", async || streams(app).await == 1).await;
        app.post(&ann, "one").await;
        let first = events.next().await.unwrap();
        assert_eq!(first["data"]["homeUpdated"]["node"]["text"], "one");
        assert_eq!(events.part().await.as_deref(), Some(":"), "so that nobody closes it");
        app.post(&ann, "two").await;
        assert_eq!(text(events.next().await), "two");
        drop(events);
        app.post(&ann, "three").await;
        let after = first["data"]["homeUpdated"]["cursor"].clone();
        let mut events = Events::of(&front, &bob, HOME, json!({ "after": after })).await;
        let mut missed = vec![text(events.next().await), text(events.next().await)];
        missed.sort();
        assert_eq!(missed, ["three", "two"], "each once");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn queries_and_mutations_are_one_event_and_errors_are_told_in_it() {
    with_server(async |app| {
        let ann = app.sign_up("ann").await;
        let whole = async |person: Option<&Person>, query: &str| {
            let response = ask(app, person, query, json!({})).await;
            (response.status(), response.text().await.unwrap())
        };
        let (status, said) = whole(Some(&ann), "{ viewer { user { handle } } }").await;
        let data = json!({ "data": { "viewer": { "user": { "handle": "ann" } } } });
        let expected = format!("event: next\ndata: {data}\n\nevent: complete\ndata:\n\n");
        assert_eq!((status, said), (StatusCode::OK, expected));
        let post = "mutation { postCreate(input: {text: \"by events\"}) { post { text } } }";
        let response = ask(app, Some(&ann), post, json!({})).await;
        assert!(response.headers().contains_key("plaza-consistency"));
        assert!(response.text().await.unwrap().contains("by events"));
        for (query, code) in [
            ("{ nonsense }", "GRAPHQL_VALIDATION_FAILED"),
            ("{", "GRAPHQL_PARSE_FAILED"),
            ("subscription { homeUpdated(after: \"x\") { cursor } }", "BAD_USER_INPUT"),
        ] {
            let (status, said) = whole(Some(&ann), query).await;
            assert_eq!(status, StatusCode::OK, "{said}");
            assert!(said.starts_with("event: next\ndata: {"), "{said}");
            assert!(
                said.contains(code) && said.ends_with("\n\nevent: complete\ndata:\n\n"),
                "{said}"
            );
        }
        // Nobody has a home.
        let (_, said) = whole(None, "subscription { homeUpdated { cursor } }").await;
        assert!(said.contains("UNAUTHENTICATED") && said.contains("event: complete"), "{said}");
        let stranger = Person { token: "x.y.z".to_owned(), ..ann.clone() };
        let (status, said) =
            whole(Some(&stranger), "subscription { homeUpdated { cursor } }").await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{said}");
        assert!(said.contains("UNAUTHENTICATED") && !said.contains("event:"), "{said}");
        // Without events a subscription has no response.
        let token = format!("Bearer {}", ann.token);
        let subscription = "subscription { homeUpdated { cursor } }";
        let refused = app.send(&[("authorization", &token)], subscription, json!({})).await;
        assert_eq!(refused.code(), "GRAPHQL_VALIDATION_FAILED");
    })
    .await;
}

/// A stream that ends without `complete` is to be asked for again.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_with_its_token_its_session_and_its_server() {
    let short = |config: &mut plaza::config::Config| config.auth.access_ttl_s = 3;
    with_roles_and_config(&[Role::Server], short, async |app| {
        let ann = app.sign_up("ann").await;
        let mut events = Events::of(app, &ann, HOME, json!({})).await;
        assert_eq!(events.next().await, None, "its token has ended");
    })
    .await;
    with_server(async |app| {
        let ann = app.sign_up("ann").await;
        let mut events = Events::of(app, &ann, HOME, json!({})).await;
        app.ask(&ann, "mutation { logOut { loggedOut } }", json!({})).await;
        assert_eq!(events.next().await, None, "its session has ended");
        let bob = app.sign_up("bob").await;
        let mut left = None;
        app.beside_another_server(async |other| {
            let other = app.at(other.to_owned());
            left = Some(Events::of(&other, &bob, HOME, json!({})).await);
        })
        .await;
        assert_eq!(left.unwrap().next().await, None, "its server has stopped");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_of_an_address_are_bounded_with_its_sockets() {
    with_config(
        |config| config.limits.sockets_per_address = 2,
        async |app| {
            let ann = app.sign_up("ann").await;
            let held = [
                Events::of(app, &ann, HOME, json!({})).await,
                Events::of(app, &ann, HOME, json!({})).await,
            ];
            let refused = ask(app, Some(&ann), HOME, json!({})).await;
            assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
            assert_eq!(refused.headers()["retry-after"], "10");
            let body: Value = refused.json().await.unwrap();
            assert_eq!(body["errors"][0]["extensions"]["code"], "RATE_LIMITED");
            drop(held);
            app.until("their places are free", async || {
                ask(app, Some(&ann), HOME, json!({})).await.status() == StatusCode::OK
            })
            .await;
        },
    )
    .await;
}
