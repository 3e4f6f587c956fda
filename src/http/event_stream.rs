//! Server-sent events by graphql-sse's distinct connections: one operation a response. For clients
//! that have no WebSockets, or whose way to us has none. The same guard, cost and limits as on a
//! socket.

use std::convert::Infallible;
use std::net::IpAddr;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, BoxStream, Stream, StreamExt};
use tokio::sync::broadcast::Receiver;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::Served;
use super::execute::{Asked, Refused};
use super::subscribe::subscribe;
use super::websocket::{Open, place};
use plaza_base::ids::SessionId;
use plaza_graphql::output::Rendered;

/// What a stream is, for whoever reads its head.
const CONTENT_TYPE: HeaderValue = HeaderValue::from_static("text/event-stream; charset=utf-8");
/// How long a stream is silent at most: proxies on the way close what is silent for longer.
const SILENCE: Duration = Duration::from_secs(12);
/// Says nothing, so that the stream is not silent.
const COMMENT: &str = ":\n\n";
/// The operation is over, and is not to be asked for again.
const COMPLETE: &str = "event: complete\ndata:\n\n";

fn next_event(body: &str) -> String {
    // JSON has its line breaks escaped.
    format!("event: next\ndata: {body}\n\n")
}

/// All that an operation has to say that is no subscription, or was not begun.
pub fn whole(status: StatusCode, body: &str) -> Response {
    with_head((status, next_event(body) + COMPLETE).into_response())
}

/// What may not be kept by anybody on the way, nor gathered.
fn with_head(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, CONTENT_TYPE);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    response
}

/// Answers a subscription. It ends with `complete` when there is nothing more to say, and without
/// it when the client is to ask again: its access token has ended, its session was revoked, or this
/// server stops.
///
/// # Errors
/// Why nothing was begun.
pub async fn respond(served: &Served, address: IpAddr, asked: Asked) -> Result<Response, Refused> {
    let open = place(served, address)?;
    let domain = &served.app.domain;
    let session = asked.context.viewer.map(|viewer| viewer.session_id);
    let revocations = &domain.identity.revocations;
    let revoked = revocations.listen();
    // What ended before somebody listened is over at once.
    let left = match session.is_some_and(|session| revocations.has_ended(session)) {
        true => Some(Duration::ZERO),
        false => asked
            .context
            .access_ends
            .map(|until| (until - domain.clock.now()).to_std().unwrap_or_default()),
    };
    let events = subscribe(served, asked).await?;
    let stream = EventStream {
        served: served.clone(),
        session,
        until: left.map(|left| Instant::now() + left),
        revoked,
        stopping: served.app.tasks.stopping(),
        silent_until: Instant::now() + SILENCE,
        events,
        is_complete: false,
        _open: open,
    };
    let body = Body::from_stream(stream.frames().map(Ok::<_, Infallible>));
    Ok(with_head((StatusCode::OK, body).into_response()))
}

struct EventStream {
    served: Served,
    session: Option<SessionId>,
    /// When the access token ends.
    until: Option<Instant>,
    revoked: Receiver<SessionId>,
    stopping: CancellationToken,
    silent_until: Instant,
    events: BoxStream<'static, Rendered>,
    is_complete: bool,
    _open: Open,
}

impl EventStream {
    fn frames(self) -> impl Stream<Item = String> + Send {
        stream::unfold(self, async |mut stream| {
            let frame = stream.frame().await?;
            stream.silent_until = Instant::now() + SILENCE;
            Some((frame, stream))
        })
    }

    /// What is sent next; nothing when the stream is over.
    async fn frame(&mut self) -> Option<String> {
        if self.is_complete {
            return None;
        }
        let until = self.until.unwrap_or(self.silent_until);
        loop {
            tokio::select! {
                biased;
                () = self.stopping.cancelled() => return None,
                heard = self.revoked.recv() => {
                    let revocations = &self.served.app.domain.identity.revocations;
                    if self.session.is_some_and(|session| revocations.ends(session, heard)) {
                        return None;
                    }
                }
                () = sleep_until(until), if self.until.is_some() => return None,
                event = self.events.next() => return Some(match event {
                    Some(event) => next_event(&event.body),
                    None => {
                        self.is_complete = true;
                        COMPLETE.to_owned()
                    }
                }),
                () = sleep_until(self.silent_until) => return Some(COMMENT.to_owned()),
            }
        }
    }
}
