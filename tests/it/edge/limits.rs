//! One address takes no more than its share, and nobody sends bytes that they have no right to.

use serde_json::json;
use tokio::io::AsyncWriteExt;

use super::errors::raw;
use super::{LIMITS, Nginx, address_of, send};
use crate::app::with_server;
use crate::images::{announce, put};

fn number(text: &str, name: &str) -> u64 {
    let mut words = text
        .lines()
        .map(str::trim)
        .find(|line| line.starts_with(&format!("{name} ")))
        .unwrap_or_else(|| panic!("no {name}"))
        .trim_end_matches(';')
        .split(' ')
        .skip(1);
    let size = |word: &str| match word.strip_suffix('k') {
        Some(kib) => kib.parse::<u64>().unwrap() * 1_024,
        None => word.parse().unwrap(),
    };
    let first = size(words.next().unwrap());
    words.next().map_or(first, |second| first * size(second))
}

#[test]
fn what_connections_may_hold_is_less_than_the_memory_there_is() {
    let manifest =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/k8s/nginx.yaml")).unwrap();
    let of = |name: &str| number(&manifest, name);
    // A connection's and a request's own structures, by measurement about 3 KiB.
    let each = of("client_header_buffer_size")
        + of("large_client_header_buffers")
        + of("client_body_buffer_size")
        + 4 * 1_024;
    let held = of("worker_processes") * of("worker_connections") * each;
    let limit = manifest.lines().find_map(|line| line.trim().strip_prefix("limits: {")).unwrap();
    let limit = limit.split("memory: ").nth(1).unwrap().split("Mi").next().unwrap();
    let limit = limit.parse::<u64>().unwrap() * 1_024 * 1_024;
    assert!(held < limit, "{held} bytes may be held, of {limit}");
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_for_an_address_that_was_not_given_out_are_not_read() {
    with_server(async |app| {
        let nginx = Nginx::before([address_of(&app.url); 2]).await;
        // Nothing of the body has come, nor will: it is answered at once all the same.
        for path in ["nothing", "1-2-3", "1-99999999999-AAAAAAAAAAAAAAAAAAAAAA"] {
            let head = format!(
                "PUT /media/uploads/{path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 9000000\r\n\r\nabc"
            );
            let (status, _, body) = raw(&nginx, head.as_bytes()).await;
            assert!(status == 403 && body.contains("FORBIDDEN"), "{path}: {status} {body}");
        }
        // Who sends all of it, and to one address several times at once, hears no other reason.
        let all = [&b"PUT /media/uploads/nothing HTTP/1.1\r\nhost: x\r\ncontent-length: 9000000\r\n\r\n"[..], &vec![7; 9_000_000]].concat();
        for _ in 0..4 {
            let sent = (0..4).map(|_| raw(&nginx, &all));
            for (status, _, body) in futures_util::future::join_all(sent).await {
                assert!(matches!(status, 403 | 429), "{status} {body}");
            }
        }
        let ann = app.sign_up("ann").await;
        let (bytes, through) = (vec![7_u8; 300_000], nginx.app(app));
        let url = announce(app, &ann, bytes.len(), "", "POST").await.url;
        // One at a time to one address: the second is told to come again.
        let mut first = tokio::net::TcpStream::connect(nginx.address).await.unwrap();
        let head = format!(
            "PUT {url} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 300000\r\n\r\nabc"
        );
        first.write_all(head.as_bytes()).await.unwrap();
        app.until("the first is at work", async || put(&through, &url, &bytes[..1]).await == 429)
            .await;
        drop(first);
        app.until("it is gone, and the bytes are taken", async || {
            put(&through, &url, &bytes).await == 204
        })
        .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_has_no_more_than_its_share_at_work() {
    with_server(async |app| {
        let mut words = LIMITS.to_vec();
        words[0].1 = "3";
        let nginx = Nginx::with([address_of(&app.url); 2], &words).await;
        let head = "POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 60000\r\n\r\n{";
        let slow = std::sync::Mutex::new(Vec::new());
        let ask = async || {
            let body = json!({ "query": "{ __typename }" });
            send(app.http().post(nginx.url("/graphql")).json(&body)).await
        };
        app.until("a fourth is refused", async || {
            // Anew each time: nginx waits for a body only so long.
            let mut begun = Vec::new();
            for _ in 0..3 {
                let mut stream = tokio::net::TcpStream::connect(nginx.address).await.unwrap();
                stream.write_all(head.as_bytes()).await.unwrap();
                begun.push(stream);
            }
            *slow.lock().unwrap() = begun;
            let answer = ask().await;
            if answer.status == 429 {
                assert_eq!(answer.code(), "RATE_LIMITED");
                assert_eq!(answer.header("retry-after"), "1");
            }
            answer.status == 429
        })
        .await;
        // Sockets are counted apart.
        let mut socket = crate::websocket::Socket::of(&nginx.app(app), None).await;
        socket.subscribe("1", "query { __typename }", json!({})).await;
        assert!(matches!(socket.hear().await, crate::websocket::Heard::Message(_)));
        drop(slow);
        app.until("there is room again", async || ask().await.status == 200).await;
    })
    .await;
}
