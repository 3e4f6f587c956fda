//! One socket, from its handshake to its end: a single task, so that an idle one costs little.

use std::collections::HashMap;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{Message, WebSocket};
use futures_util::stream::{AbortHandle, BoxStream, SelectAll, StreamExt, abortable};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, sleep_until};

use super::Open;
use super::allowance::Allowance;
use super::credentials;
use super::messages::{self, Close, FromClient};
use super::operation::{Asker, Frame, operation};
use crate::prepare::{Incoming, NotRun};
use crate::{RequestId, Served};
use plaza_base::ids::SessionId;
use plaza_domain::Viewer;
use plaza_domain::identity::Holder;
use plaza_graphql::error::ErrorCode;

/// How long a socket may be silent at least before its client is asked whether it is there.
/// Proxies on the way close what is silent for a minute.
const PING_AFTER: Duration = Duration::from_secs(40);
/// How much longer at most: the thousands that got the same post must not all be pinged at
/// once.
const SPREAD: Duration = Duration::from_secs(15);
/// How long a message may take to be sent: a client that does not read is let go.
const SEND: Duration = Duration::from_secs(10);

struct Connection {
    served: Served,
    id: RequestId,
    address: IpAddr,
    socket: WebSocket,
    acknowledged: bool,
    viewer: Option<Viewer>,
    /// When its access token ends, unless the client sends another one.
    until: Option<Instant>,
    /// Until when its client may say nothing before its first message.
    init_until: Instant,
    /// When its client is asked whether it is there.
    silent_until: Instant,
    operations: SelectAll<BoxStream<'static, Frame>>,
    running: HashMap<Arc<str>, AbortHandle>,
    allowance: Allowance,
}

/// For how long a socket may be silent now.
fn silence() -> Duration {
    PING_AFTER + SPREAD.mul_f64(rand::random())
}

/// The next session that has ended, and where to hear of the one after it.
async fn heard(
    mut ended: Receiver<SessionId>,
) -> (Result<SessionId, RecvError>, Receiver<SessionId>) {
    let session = ended.recv().await;
    (session, ended)
}

/// Serves a socket to its end. Not an `async fn`, which would keep room for what it is given beside
/// the connection that is made of it.
pub(super) fn serve(
    served: Served,
    id: RequestId,
    address: IpAddr,
    socket: WebSocket,
    open: Open,
) -> impl Future<Output = ()> + Send {
    let init = Duration::from_millis(served.app.config.limits.socket_init_ms);
    let mut connection = Connection {
        served,
        id,
        address,
        socket,
        acknowledged: false,
        viewer: None,
        until: None,
        init_until: Instant::now() + init,
        silent_until: Instant::now() + silence(),
        operations: SelectAll::new(),
        running: HashMap::new(),
        allowance: Allowance::default(),
    };
    async move {
        let _open = open;
        if let Err(Some(close)) = connection.run().await {
            let _ = tokio::time::timeout(SEND, connection.socket.send(close.frame())).await;
        }
    }
}

/// `Err(None)`: the client is gone.
type Step = Result<(), Option<Close>>;

impl Connection {
    async fn run(&mut self) -> Step {
        let stop = self.served.app.tasks.stopping();
        let ended = self.served.app.domain.identity.revocations.listen();
        // Waited for by thousands at once: none of them is begun anew for each message.
        let mut stopped = pin!(stop.cancelled());
        let mut ended = pin!(heard(ended));
        let mut due = pin!(sleep_until(self.due()));
        loop {
            tokio::select! {
                // What has come in time counts, however late a busy server reads it.
                biased;
                message = self.socket.recv() => {
                    match message {
                        // Seldom: a socket at rest is not to keep room for it.
                        Some(Ok(message)) => Box::pin(self.receive(message)).await?,
                        // Too long a message, or one that breaks the framing, ends in an error too.
                        Some(Err(_)) => return Err(Some(Close::BadMessage)),
                        None => return Err(None),
                    }
                    if self.due() < due.deadline() {
                        due.as_mut().reset(self.due());
                    }
                }
                (session, receiver) = &mut ended => {
                    self.check_session(session)?;
                    ended.set(heard(receiver));
                }
                () = &mut stopped => return Err(Some(Close::Restart)),
                Some(frame) = self.operations.next(), if !self.operations.is_empty() => {
                    self.silent_until = Instant::now() + silence();
                    self.say(frame).await?;
                }
                () = &mut due => {
                    Box::pin(self.check_time()).await?;
                    due.as_mut().reset(self.due());
                }
            }
        }
    }

    /// When something is to be done that nobody asks for. It may be later by then.
    fn due(&self) -> Instant {
        let first = if self.acknowledged { self.silent_until } else { self.init_until };
        self.until.map_or(first, |until| until.min(first))
    }

    async fn check_time(&mut self) -> Step {
        let now = Instant::now();
        if self.until.is_some_and(|until| until <= now) {
            return Err(Some(Close::TokenEnded));
        }
        if !self.acknowledged && self.init_until <= now {
            return Err(Some(Close::InitTimeout));
        }
        if self.acknowledged && self.silent_until <= now {
            self.silent_until = now + silence();
            self.send(messages::ping()).await?;
        }
        Ok(())
    }

    /// A session has ended; all of them, when this socket fell behind in hearing of it.
    fn check_session(&self, heard: Result<SessionId, RecvError>) -> Step {
        let Some(viewer) = self.viewer else { return Ok(()) };
        let revocations = &self.served.app.domain.identity.revocations;
        if revocations.ends(viewer.session_id, heard) { Err(Some(Close::Ended)) } else { Ok(()) }
    }

    async fn send(&mut self, message: Message) -> Step {
        match tokio::time::timeout(SEND, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(None),
            Err(_) => Err(Some(Close::TooSlow)),
        }
    }

    async fn receive(&mut self, message: Message) -> Step {
        let text = match message {
            Message::Text(text) => text,
            Message::Close(_) => return Err(None),
            Message::Ping(_) | Message::Pong(_) => return Ok(()),
            Message::Binary(_) => return Err(Some(Close::BadMessage)),
        };
        if !self.allowance.take() {
            return Err(Some(Close::TooFast));
        }
        let message: FromClient =
            serde_json::from_str(&text).map_err(|_| Some(Close::BadMessage))?;
        match message {
            FromClient::ConnectionInit { payload } => self.init(payload.unwrap_or_default()).await,
            FromClient::Ping { payload } => match credentials::new_token(payload.as_ref()) {
                Some(token) => self.renew(token).await,
                None => self.send(messages::pong(payload)).await,
            },
            FromClient::Pong {} => Ok(()),
            FromClient::Subscribe { .. } | FromClient::Complete { .. } if !self.acknowledged => {
                Err(Some(Close::Unauthorized))
            }
            FromClient::Subscribe { id, payload } => self.subscribe(id, payload).await,
            FromClient::Complete { id } => {
                if let Some(operation) = self.running.remove(id.as_str()) {
                    operation.abort();
                }
                Ok(())
            }
        }
    }

    async fn init(&mut self, payload: serde_json::Map<String, serde_json::Value>) -> Step {
        if self.acknowledged {
            return Err(Some(Close::TooManyInits));
        }
        if let Some(token) = credentials::token_in(&payload).map_err(Some)? {
            let holder = self.holder_of(token).ok_or(Some(Close::Forbidden))?;
            self.hold(holder);
        }
        self.acknowledged = true;
        self.send(messages::ack()).await
    }

    fn holder_of(&self, token: &str) -> Option<Holder> {
        let domain = &self.served.app.domain;
        domain.identity.holder_of(&domain.clock, token)
    }

    fn hold(&mut self, holder: Holder) {
        let left = holder.until - self.served.app.domain.clock.now();
        self.viewer = Some(holder.viewer);
        self.until = Some(Instant::now() + left.to_std().unwrap_or_default());
    }

    /// Goes on with a new access token of the same session: operations that run are not disturbed.
    async fn renew(&mut self, token: Option<&str>) -> Step {
        let session = self.viewer.map(|viewer| viewer.session_id);
        let holder = token
            .and_then(|token| self.holder_of(token))
            .filter(|holder| Some(holder.viewer.session_id) == session)
            .ok_or(Some(Close::Forbidden))?;
        self.hold(holder);
        self.send(messages::renewed(holder.until)).await
    }

    async fn subscribe(&mut self, id: String, incoming: Incoming) -> Step {
        // A client that never stops talking is heard first: its token ends all the same.
        if self.until.is_some_and(|until| until <= Instant::now()) {
            return Err(Some(Close::TokenEnded));
        }
        if id.is_empty() || id.len() > 128 {
            return Err(Some(Close::BadMessage));
        }
        if self.running.contains_key(id.as_str()) {
            return Err(Some(Close::AlreadyInUse));
        }
        if self.running.len() >= self.served.app.config.limits.subscriptions_per_socket {
            let message = "too many operations on this socket";
            let refused = NotRun::new(ErrorCode::RateLimited, message);
            return self.send(messages::error(&id, &refused.errors())).await;
        }
        let id: Arc<str> = id.into();
        let work = operation(self.served.clone(), self.asker(), Arc::clone(&id), incoming);
        let (work, handle) = abortable(work);
        self.running.insert(id, handle);
        self.operations.push(work.boxed());
        Ok(())
    }

    fn asker(&self) -> Asker {
        Asker { request_id: self.id.clone(), address: self.address, viewer: self.viewer }
    }

    async fn say(&mut self, frames: Frame) -> Step {
        let message = match frames {
            Frame::Next(id, response) if self.running.contains_key(&id) => {
                messages::next(&id, &response)
            }
            Frame::Refused(id, errors) if self.running.remove(&id).is_some() => {
                messages::error(&id, &errors)
            }
            Frame::Done(id) if self.running.remove(&id).is_some() => messages::complete(&id),
            // The client has completed it meanwhile: silence.
            _ => return Ok(()),
        };
        self.send(message).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size_of_future<A, F: Future>(_: impl FnOnce(A) -> F) -> usize {
        size_of::<F>()
    }

    /// A hundred thousand of them rest at once: what one keeps is counted in bytes.
    #[test]
    fn a_socket_at_rest_keeps_little() {
        let socket = size_of_future(|(served, id, address, socket, open)| {
            serve(served, id, address, socket, open)
        });
        let operation = size_of_future(|(served, asker, id, incoming)| async move {
            operation(served, asker, id, incoming).collect::<Vec<_>>().await
        });
        assert!(socket <= 2_048, "{socket}");
        assert!(operation <= 512, "{operation}");
    }
}
