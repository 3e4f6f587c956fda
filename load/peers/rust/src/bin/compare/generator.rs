//! Requests to one server: as fast as it answers, or on a schedule.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue};
use hyper_util::rt::TokioIo;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinSet;

/// Connections that a schedule may use: more than a server executes at once.
const SCHEDULED_CONNECTIONS: usize = 64;

/// A request that is ready to be sent.
#[derive(Debug, Clone)]
pub struct Prepared {
    body: Bytes,
    authorization: Option<HeaderValue>,
}

impl Prepared {
    /// A GraphQL request, with the token of a user if it is one's.
    ///
    /// # Errors
    /// A token that is no header.
    pub fn new(body: &serde_json::Value, token: Option<&str>) -> anyhow::Result<Self> {
        let authorization = match token {
            Some(token) => Some(HeaderValue::from_str(&format!("Bearer {token}"))?),
            None => None,
        };
        Ok(Self { body: Bytes::from(serde_json::to_vec(body)?), authorization })
    }
}

/// Where requests go, and which: each in its turn.
#[derive(Debug)]
pub struct Target {
    /// Where.
    pub address: SocketAddr,
    /// What.
    pub requests: Vec<Prepared>,
}

/// What a round has seen.
#[derive(Debug, Default)]
pub struct Seen {
    /// Of those that succeeded, in ascending order.
    pub latencies: Vec<Duration>,
    /// Requests that failed.
    pub failed: usize,
    /// How long it took.
    pub taken: Duration,
}

/// An open connection.
pub struct Connection {
    address: SocketAddr,
    sender: SendRequest<Full<Bytes>>,
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// A server that is not there.
    pub async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self { address, sender })
    }

    /// The body of an answer that has status 200.
    ///
    /// # Errors
    /// Another status; a connection that was lost.
    pub async fn send(&mut self, prepared: &Prepared) -> anyhow::Result<Bytes> {
        if self.sender.ready().await.is_err() {
            *self = Self::open(self.address).await?;
        }
        let mut request = Request::post("/graphql")
            .header(HOST, "127.0.0.1")
            .header(CONTENT_TYPE, "application/json");
        if let Some(authorization) = &prepared.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        let request = request.body(Full::new(prepared.body.clone()))?;
        let response = self.sender.send_request(request).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        anyhow::ensure!(status.is_success(), "{status}: {}", String::from_utf8_lossy(&body));
        Ok(body)
    }
}

const ERRORS: &[u8] = br#""errors":"#;

fn is_whole(body: &[u8]) -> bool {
    let head = body.get(..256).unwrap_or(body);
    let tail = body.get(body.len().saturating_sub(256)..).unwrap_or(body);
    // Errors stand beside the data: before it or after it.
    body.len() > 2
        && ![head, tail].iter().any(|part| part.windows(ERRORS.len()).any(|at| at == ERRORS))
}

impl Target {
    fn request(&self, number: usize) -> anyhow::Result<&Prepared> {
        self.requests.get(number % self.requests.len()).context("there are no requests")
    }

    async fn succeeds(&self, connection: &mut Connection, number: usize) -> bool {
        match self.request(number) {
            Ok(request) => connection.send(request).await.is_ok_and(|body| is_whole(&body)),
            Err(_) => false,
        }
    }

    /// So many connections, each with its next request as soon as the last one is answered.
    ///
    /// # Errors
    /// A server that is not there.
    pub async fn at_once(
        self: &Arc<Self>,
        connections: usize,
        during: Duration,
    ) -> anyhow::Result<Seen> {
        let next = Arc::new(AtomicUsize::new(rand::rng().random_range(0..1_000)));
        let mut all = JoinSet::new();
        let started = Instant::now();
        for _ in 0..connections {
            let mut connection = Connection::open(self.address).await?;
            let (target, next) = (Arc::clone(self), Arc::clone(&next));
            all.spawn(async move {
                let mut seen = Seen::default();
                while started.elapsed() < during {
                    let sent = Instant::now();
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let succeeded = target.succeeds(&mut connection, number).await;
                    seen.record(sent, succeeded);
                }
                seen
            });
        }
        Ok(Seen::of_all(all.join_all().await, started))
    }

    /// Requests at so many a second, with exponential gaps, each timed from when it was to start.
    ///
    /// # Errors
    /// A server that is not there.
    pub async fn on_schedule(
        self: &Arc<Self>,
        rate: f64,
        during: Duration,
        seed: u64,
    ) -> anyhow::Result<Seen> {
        let (sender, receiver) = unbounded_channel();
        let receiver = Arc::new(Mutex::new(receiver));
        let mut all = JoinSet::new();
        for _ in 0..SCHEDULED_CONNECTIONS {
            let connection = Connection::open(self.address).await?;
            all.spawn(work(Arc::clone(self), connection, Arc::clone(&receiver)));
        }
        let (started, mut random) = (Instant::now(), StdRng::seed_from_u64(seed));
        // A thread of its own: a runtime's timer has a resolution of a millisecond.
        let clock = std::thread::spawn(move || {
            let mut at = 0.0;
            for number in 0_usize.. {
                at -= (1.0 - random.random::<f64>()).ln() / rate;
                let due = started + Duration::from_secs_f64(at);
                if at > during.as_secs_f64() {
                    break;
                }
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
                if sender.send((number, due)).is_err() {
                    break;
                }
            }
        });
        let seen = all.join_all().await;
        clock.join().map_err(|_| anyhow::anyhow!("the clock has stopped"))?;
        Ok(Seen::of_all(seen, started))
    }
}

type Due = (usize, Instant);

async fn work(
    target: Arc<Target>,
    mut connection: Connection,
    receiver: Arc<Mutex<UnboundedReceiver<Due>>>,
) -> Seen {
    let mut seen = Seen::default();
    loop {
        let due = receiver.lock().await.recv().await;
        let Some((number, due)) = due else { break };
        let succeeded = target.succeeds(&mut connection, number).await;
        seen.record(due, succeeded);
    }
    seen
}

impl Seen {
    fn record(&mut self, since: Instant, succeeded: bool) {
        if succeeded {
            self.latencies.push(since.elapsed());
        } else {
            self.failed += 1;
        }
    }

    fn of_all(parts: Vec<Self>, started: Instant) -> Self {
        let mut all = Self { taken: started.elapsed(), ..Self::default() };
        for part in parts {
            all.latencies.extend(part.latencies);
            all.failed += part.failed;
        }
        all.latencies.sort_unstable();
        all
    }
}
