//! How connections are taken: HTTP/1.1 alone, since that is what nginx speaks to servers, each with
//! a bound on how long it may send no request.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use super::spelling::Spelled;
use plaza_app::Tasks;

/// How long a connection may stand without a whole head of a request, from its first moment and
/// after each response. Longer than nginx keeps an idle connection to a server (30 s), so that it
/// is nginx who closes it, and no request meets a connection that is just being closed.
const HEAD: Duration = Duration::from_secs(40);
/// How long to wait after a failure to accept: out of descriptors, the next would fail at once.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// Serves a router until `stopped`; then no connection is accepted, idle ones are closed, and
/// requests in flight are finished.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    tasks: &Tasks,
    stopped: impl Future<Output = ()>,
) {
    serve_within(HEAD, listener, router, tasks, stopped).await;
}

async fn serve_within(
    head: Duration,
    listener: TcpListener,
    router: Router,
    tasks: &Tasks,
    stopped: impl Future<Output = ()>,
) {
    let mut builder = http1::Builder::new();
    // Names of headers as they are usually written: some clients compare them so.
    builder.timer(TokioTimer::new()).header_read_timeout(head).title_case_headers(true);
    let (open, closing) = (TaskTracker::new(), CancellationToken::new());
    let mut stopped = std::pin::pin!(stopped);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stopped => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(ACCEPT_AGAIN).await;
                continue;
            }
        };
        // A response is one write: nothing is gained by waiting for more.
        let _ = stream.set_nodelay(true);
        let router = router.clone();
        let service = service_fn(move |request: Request<Incoming>| {
            let router = router.clone();
            async move { Ok::<_, Infallible>(respond(router, peer, request).await) }
        });
        let connection =
            builder.serve_connection(TokioIo::new(Spelled::new(stream)), service).with_upgrades();
        let closing = closing.clone();
        tasks.spawn_detached(open.track_future(async move {
            let mut connection = std::pin::pin!(connection);
            let ended = tokio::select! {
                ended = connection.as_mut() => ended,
                () = closing.cancelled() => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            // Clients leave as they like: that is no error.
            if let Err(error) = ended {
                tracing::debug!(%error, "a connection ended");
            }
        }));
    }
    drop(listener);
    closing.cancel();
    open.close();
    open.wait().await;
}

async fn respond(
    router: Router,
    peer: SocketAddr,
    request: Request<Incoming>,
) -> axum::response::Response {
    let mut request = request.map(Body::new);
    request.extensions_mut().insert(ConnectInfo(peer));
    match router.oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tokio::sync::Notify;

    use super::*;

    /// Everything until the server closes.
    async fn said(mut stream: TcpStream) -> String {
        let mut text = Vec::new();
        let _ = stream.read_to_end(&mut text).await;
        String::from_utf8_lossy(&text).into_owned()
    }

    #[tokio::test]
    async fn connections_that_ask_nothing_are_closed_and_requests_at_work_are_finished() {
        let (begun, go_on) =
            (std::sync::Arc::new(Notify::new()), std::sync::Arc::new(Notify::new()));
        let (at_work, waited_for) = (begun.clone(), go_on.clone());
        let slow = move || async move {
            at_work.notify_one();
            waited_for.notified().await;
            "done"
        };
        let router = Router::new().route("/", get(|| async { "ok" })).route("/slow", get(slow));
        let (tasks, stop) = (Tasks::default(), CancellationToken::new());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (serving, stopped) = (tasks.clone(), stop.clone());
        let served = tasks.to_the_end(async move {
            let head = Duration::from_millis(300);
            serve_within(head, listener, router, &serving, stopped.cancelled()).await;
        });
        let sent = async |text: &str| {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(text.as_bytes()).await.unwrap();
            stream
        };
        // Nothing, half a head, a whole request and then nothing: all end by themselves.
        for (text, answered) in [
            ("", false),
            ("GET / HTTP/1.1\r\nhost: x\r\n", false),
            ("GET / HTTP/1.1\r\nhost: x\r\n\r\n", true),
        ] {
            let text = said(sent(text).await).await;
            assert_eq!(
                text.contains("200 OK") && text.contains("Content-Type: "),
                answered,
                "{text}"
            );
        }
        // Not spoken here: streams within a connection would have no bound.
        let two = said(sent("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await).await;
        assert!(!two.contains("200 OK") && !two.as_bytes().starts_with(&[0, 0]), "{two:?}");
        let last = sent("GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await;
        begun.notified().await;
        stop.cancel();
        go_on.notify_one();
        assert!(said(last).await.ends_with("done"));
        served.await.unwrap();
        assert!(TcpStream::connect(address).await.is_err(), "nobody listens");
    }
}
