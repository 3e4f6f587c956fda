//! How the names of headers are spelled in the answer that opens a WebSocket.
//!
//! Names are written with a capital after each hyphen, and case means nothing in them. Some clients
//! compare them all the same, with the spelling of RFC 6455: `Sec-WebSocket-Protocol`. Which nginx
//! writes; here it is put in where there is no nginx.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// With what the answer begins that opens a WebSocket.
const OPENS: &[u8] = b"HTTP/1.1 101 ";
const WRITTEN: &[u8] = b"Sec-Websocket-";
const SPELLED: &[u8] = b"Sec-WebSocket-";

/// A connection on which that answer, once it comes, is spelled as clients expect it; all else
/// passes as it is.
#[derive(Debug)]
pub struct Spelled<S> {
    stream: S,
    /// It has come: what follows are frames.
    opened: bool,
}

impl<S> Spelled<S> {
    /// Wraps a connection on which nothing was written yet.
    pub fn new(stream: S) -> Self {
        Self { stream, opened: false }
    }
}

/// The same text with the names spelled; of the same length.
fn spelled(head: &[u8]) -> Vec<u8> {
    let mut text = head.to_vec();
    let mut rest = text.as_mut_slice();
    while let Some(place) = rest.windows(WRITTEN.len()).position(|part| part == WRITTEN) {
        let (_, from) = rest.split_at_mut(place);
        let (name, after) = from.split_at_mut(SPELLED.len());
        name.copy_from_slice(SPELLED);
        rest = after;
    }
    text
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Spelled<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.opened || !bytes.starts_with(OPENS) {
            return Pin::new(&mut self.stream).poll_write(cx, bytes);
        }
        // The head is small and is given in one piece; it fits into an empty buffer of a socket.
        let written = Pin::new(&mut self.stream).poll_write(cx, &spelled(bytes));
        self.opened = matches!(written, Poll::Ready(Ok(_)));
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let first = parts.iter().find(|part| !part.is_empty());
        match first {
            Some(head) if !self.opened && head.starts_with(OPENS) => self.poll_write(cx, head),
            _ => Pin::new(&mut self.stream).poll_write_vectored(cx, parts),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Spelled<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn the_answer_that_opens_a_websocket_is_spelled_and_nothing_else_is_touched() {
        let (near, mut far) = tokio::io::duplex(4_096);
        let mut near = Spelled::new(near);
        let other = "HTTP/1.1 200 OK\r\nSec-Websocket-Accept: a\r\n\r\n";
        let opens = "HTTP/1.1 101 Switching Protocols\r\nSec-Websocket-Accept: a\r\nSec-Websocket-Protocol: b\r\n\r\n";
        for text in [other, opens, opens] {
            near.write_all(text.as_bytes()).await.unwrap();
        }
        drop(near);
        let mut written = String::new();
        far.read_to_string(&mut written).await.unwrap();
        let spelled = opens.replace("Websocket", "WebSocket");
        assert_eq!(written, [other, &spelled, opens].concat());
    }
}
