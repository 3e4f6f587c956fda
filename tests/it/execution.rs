//! One way from a prepared operation to its response: what HTTP does, a socket does too, in the
//! same order and with the same outcomes.

use plaza::cli::roles::Role;
use plaza::config::Config;
use plaza::stores::redis::rate_limit::Bucket;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_postgres::NoTls;

use crate::app::{Person, TestApp, with_roles_and_config};
use crate::websocket::{Heard, Socket};

#[derive(Debug, Clone, Copy, PartialEq)]
enum Transport {
    Http,
    Socket,
}

const TRANSPORTS: [Transport; 2] = [Transport::Http, Transport::Socket];

impl Transport {
    /// Sends an operation and waits for what it comes to: a response, as both transports carry it.
    async fn ask(self, app: &TestApp, person: Option<&Person>, query: &str) -> Value {
        match self {
            Self::Http => {
                let mut request = app.http().post(&app.url).json(&json!({ "query": query }));
                if let Some(person) = person {
                    request = request.bearer_auth(&person.token);
                }
                request.send().await.unwrap().json().await.unwrap()
            }
            Self::Socket => {
                let mut socket = Socket::of(app, person).await;
                socket.subscribe("1", query, json!({})).await;
                match socket.hear().await {
                    Heard::Message(message) if message["type"] == "error" => {
                        json!({ "errors": message["payload"] })
                    }
                    Heard::Message(message) => message["payload"].clone(),
                    Heard::Closed(code) => panic!("closed with {code}"),
                }
            }
        }
    }

    /// Sends an operation and leaves once `meanwhile` is over.
    async fn ask_and_leave(
        self,
        app: &TestApp,
        person: &Person,
        query: &str,
        meanwhile: impl AsyncFnOnce(),
    ) {
        match self {
            Self::Http => {
                let body = json!({ "query": query }).to_string();
                let address = app.url.trim_start_matches("http://").trim_end_matches("/graphql");
                let mut stream = TcpStream::connect(address).await.unwrap();
                let request = format!(
                    "POST /graphql HTTP/1.1\r\nhost: plaza\r\ncontent-type: application/json\r\n\
                     authorization: Bearer {}\r\ncontent-length: {}\r\n\r\n{body}",
                    person.token,
                    body.len()
                );
                stream.write_all(request.as_bytes()).await.unwrap();
                meanwhile().await;
                drop(stream);
            }
            Self::Socket => {
                let mut socket = Socket::of(app, Some(person)).await;
                socket.subscribe("1", query, json!({})).await;
                meanwhile().await;
                drop(socket);
            }
        }
    }
}

fn code(response: &Value) -> &str {
    response
        .pointer("/errors/0/extensions/code")
        .and_then(Value::as_str)
        .unwrap_or_else(|| panic!("no error in {response}"))
}

/// Keeps a table of every primary from being read or written until it is dropped.
struct Locked(Vec<tokio_postgres::Client>);

async fn lock(app: &TestApp, table: &str) -> Locked {
    let mut holders = Vec::new();
    for urls in &app.app.config.postgres.shards {
        let (client, connection) =
            tokio_postgres::connect(urls.primary.expose_secret(), NoTls).await.unwrap();
        tokio::task::spawn(connection);
        let lock = format!("BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE");
        client.batch_execute(&lock).await.unwrap();
        holders.push(client);
    }
    Locked(holders)
}

impl Locked {
    async fn release(self) {
        for client in self.0 {
            client.batch_execute("ROLLBACK").await.unwrap();
        }
    }
}

/// How many statements wait for a lock of this test's databases.
async fn waiting(app: &TestApp) -> i64 {
    app.count(
        "SELECT count(*) FROM pg_locks WHERE NOT granted
         AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
    )
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_finds_no_place_has_paid_nothing() {
    let full = |config: &mut Config| {
        config.server.max_in_flight = 0;
        config.limits.address_points_per_s = 1;
    };
    with_roles_and_config(&[Role::Server], full, async |app| {
        let limits = &app.app.config.limits;
        let bucket = Bucket { capacity: limits.address_points, per_second: 1 };
        for transport in TRANSPORTS {
            for query in [
                "{ products(first: 100) { nodes { id title } } }",
                "mutation { logOut { loggedOut } }",
            ] {
                let refused = transport.ask(app, None, query).await;
                assert_eq!(code(&refused), "OVERLOADED", "{transport:?}: {refused}");
                let retry = refused.pointer("/errors/0/extensions/retryAfter");
                assert_eq!(retry, Some(&json!(1)), "{transport:?}: {refused}");
            }
            let left = app.app.domain.redis.take_points("a:127.0.0.1", bucket, 0, 0).await.left;
            assert_eq!(left, bucket.capacity, "{transport:?}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_no_points_left_hears_when_to_come_back() {
    let poor = |config: &mut Config| {
        (config.limits.address_points, config.limits.address_points_per_s) = (10, 1);
    };
    with_roles_and_config(&[Role::Server], poor, async |app| {
        for transport in TRANSPORTS {
            let query = "{ products(first: 100) { nodes { id title } } }";
            let refused = transport.ask(app, None, query).await;
            assert_eq!(code(&refused), "RATE_LIMITED", "{transport:?}: {refused}");
            let retry = refused.pointer("/errors/0/extensions/retryAfter").and_then(Value::as_u64);
            assert!(retry.is_some_and(|retry| retry > 0), "{transport:?}: {refused}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_whose_client_has_left_stops_and_a_mutation_does_not() {
    let one_at_a_time = |config: &mut Config| {
        config.server.max_in_flight = 1;
        // Far beyond what the test waits for: what ends before it was not ended by it.
        config.server.deadline_ms = 600_000;
        config.postgres.query_timeout_ms = 600_000;
        // A lock on a primary holds up its replicas' readers only once they have heard of it.
        for shard in &mut config.postgres.shards {
            shard.replicas.clear();
        }
    };
    with_roles_and_config(&[Role::Server], one_at_a_time, async |app| {
        let ann = app.sign_up("ann").await;
        app.post(&ann, "first").await;
        let is_taken = async || {
            let answer = app.ask_anonymously("{ __typename }", json!({})).await;
            answer.body["data"].is_null()
        };
        for transport in TRANSPORTS {
            let locked = lock(app, "posts").await;
            let query = "{ user(handle: \"ann\") { posts(first: 5) { nodes { text } } } }";
            transport
                .ask_and_leave(app, &ann, query, async || {
                    app.until("the query is at work", is_taken).await;
                })
                .await;
            app.until("its place is free", async || !is_taken().await).await;
            locked.release().await;
        }
        for (number, transport) in TRANSPORTS.into_iter().enumerate() {
            let locked = lock(app, "posts").await;
            let mutation = "mutation { postCreate(input: {text: \"left\"}) { post { id } } }";
            transport
                .ask_and_leave(app, &ann, mutation, async || {
                    app.until("it waits", async || waiting(app).await == 1).await;
                })
                .await;
            assert!(is_taken().await, "{transport:?}: it goes on");
            locked.release().await;
            app.until("its place is free", async || !is_taken().await).await;
            let made = app.count("SELECT count(*) FROM posts WHERE text = 'left'").await;
            assert_eq!(made, i64::try_from(number).unwrap() + 1, "{transport:?}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mutation_that_is_not_done_in_time_goes_on_and_its_client_hears_so() {
    let slow_to_pay = |config: &mut Config| {
        // The provider takes far longer than a request may, within the request.
        config.orders.saga_in_request = true;
        config.payments.latency_ms = 25_000;
        config.server.deadline_ms = 6_000;
        config.server.max_in_flight = 2;
    };
    with_roles_and_config(&[Role::Server], slow_to_pay, async |app| {
        let (ann, bob) = (app.sign_up("ann").await, app.sign_up("bob").await);
        let sol = app.sign_up("sol").await;
        let offer = "mutation { productCreate(input: {title: \"t\", description: \"\",
            price: {amount: \"1\", currency: \"EUR\"}, stock: 9}) { product { id } } }";
        let product = app.ask(&sol, offer, json!({})).await.text("/productCreate/product/id");
        let order = format!(
            "mutation {{ orderPlace(input: {{lines: [{{productId: \"{product}\", quantity: 1}}]}}) \
             {{ order {{ id }} userErrors {{ code }} }} }}"
        );
        let (http, socket) = tokio::join!(
            Transport::Http.ask(app, Some(&ann), &order),
            Transport::Socket.ask(app, Some(&bob), &order)
        );
        assert_eq!((code(&http), code(&socket)), ("OUTCOME_UNKNOWN", "OUTCOME_UNKNOWN"));
        let places = async || {
            let answer = app.ask_anonymously("{ __typename }", json!({})).await;
            answer.body["data"].is_object()
        };
        assert!(!places().await, "both are still at work");
        assert_eq!(app.count("SELECT count(*) FROM orders").await, 2);
        app.until("both have come to their ends", places).await;
    })
    .await;
}
