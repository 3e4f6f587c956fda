//! Bytes on their way in.

use std::time::Duration;

use plaza::cli::roles::Role;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{announce, objects, put, seen};
use crate::app::{TestApp, with_roles_and_config, with_server};

/// Begins a request by hand, with a body of these pieces, each a chunk; what the server says, or
/// nothing when it hangs up.
async fn chunked(app: &TestApp, url: &str, pieces: &[&[u8]], ends: bool) -> String {
    let address = app.url.trim_start_matches("http://").trim_end_matches("/graphql");
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let head = format!(
        "PUT {url} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    for piece in pieces {
        let _ = stream.write_all(format!("{:x}\r\n", piece.len()).as_bytes()).await;
        let _ = stream.write_all(piece).await;
        let _ = stream.write_all(b"\r\n").await;
    }
    if ends {
        let _ = stream.write_all(b"0\r\n\r\n").await;
    }
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(60), stream.read_to_end(&mut answer))
        .await
        .expect("an answer");
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_announced_is_bounded() {
    let few = |config: &mut plaza::config::Config| {
        // One that is answered as before, under its key, counts for nothing.
        config.limits.images_per_hour = 3;
        config.media.max_unused = 2;
    };
    with_roles_and_config(&[Role::Server], few, async |app| {
        let (ann, bob) = (app.sign_up("ann").await, app.sign_up("bob").await);
        let query = "mutation($bytes: Int!, $alt: String!) { imageCreate(input: {byteCount: $bytes, altText: $alt}) {
            image { id } uploadUrl userErrors { code path } } }";
        for (bytes, alt, field) in
            [(0, "", "byteCount"), (-1, "", "byteCount"), (10 * 1_024 * 1_024 + 1, "", "byteCount"), (1, "\0", "altText")]
        {
            let refused = app.ask(&ann, query, json!({ "bytes": bytes, "alt": alt })).await;
            let errors = json!([{ "code": "INVALID", "path": ["input", field] }]);
            assert_eq!(refused.at("/imageCreate"), json!({ "image": null, "uploadUrl": null, "userErrors": errors }));
        }
        // Sent again with its key, it is the same image, at the same address.
        let first = app.ask_with_key(&ann, "once", query, json!({ "bytes": 9, "alt": "" })).await;
        let again = app.ask_with_key(&ann, "once", query, json!({ "bytes": 9, "alt": "" })).await;
        assert_eq!(first.body, again.body);
        app.ask(&ann, query, json!({ "bytes": 9, "alt": "" })).await;
        let many = app.ask(&ann, query, json!({ "bytes": 9, "alt": "" })).await;
        assert_eq!(many.text("/imageCreate/userErrors/0/code"), "LIMIT_EXCEEDED", "two are at hand");
        let limited = app.send(&[("authorization", &format!("Bearer {}", ann.token))], query, json!({ "bytes": 9, "alt": "" })).await;
        assert_eq!(limited.code(), "RATE_LIMITED");
        assert_eq!(app.ask(&bob, query, json!({ "bytes": 9, "alt": "" })).await.at("/imageCreate/userErrors"), json!([]));
        let nobody = app.ask_anonymously(query, json!({ "bytes": 9, "alt": "" })).await;
        assert_eq!(nobody.code(), "UNAUTHENTICATED");
        assert_eq!(app.count("SELECT count(*) FROM images").await, 3);
    })
    .await;
}

/// What was refused, or can no longer be sent, waits for nothing and keeps nobody from sending
/// another.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_refused_or_never_sent_does_not_count() {
    let few = |config: &mut plaza::config::Config| config.media.max_unused = 2;
    with_roles_and_config(&Role::ALL, few, async |app| {
        let ann = app.sign_up("ann").await;
        for _ in 0..3 {
            let id = super::sent(app, &ann, b"no image at all").await;
            app.until("it is rejected", async || {
                seen(app, &ann, &id).await["status"] == "REJECTED"
            })
            .await;
        }
        let query =
            "mutation { imageCreate(input: {byteCount: 9}) { image { id } userErrors { code } } }";
        let codes = async || app.ask(&ann, query, json!({})).await.at("/imageCreate/userErrors");
        assert_eq!(codes().await, json!([]));
        assert_eq!(codes().await, json!([]));
        assert_eq!(codes().await, json!([{ "code": "LIMIT_EXCEEDED" }]), "two are awaited");
        // A minute later by the ids' clock they give way, one for each that is announced.
        let age = async |ms: i64| {
            let older =
                "UPDATE images SET id = id - (MS::bigint << 22) WHERE state = 'AWAITING_UPLOAD'";
            app.execute(&older.replace("MS", &ms.to_string())).await;
        };
        age(61_000).await;
        assert_eq!(codes().await, json!([]));
        assert_eq!(codes().await, json!([]));
        assert_eq!(
            codes().await,
            json!([{ "code": "LIMIT_EXCEEDED" }]),
            "two new ones are awaited"
        );
        // Their addresses have ended: an hour of the ids' clock ago.
        age(3_601_000).await;
        assert_eq!(codes().await, json!([]));
    })
    .await;
}

/// What was chosen and not shown gives way, the oldest first, and its files go.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_ready_and_not_shown_keeps_nobody_from_another() {
    let few = |config: &mut plaza::config::Config| config.media.max_unused = 2;
    with_roles_and_config(&[Role::Server, Role::Relay, Role::Worker], few, async |app| {
        let ann = app.sign_up("ann").await;
        let shown = super::ready(app, &ann, "", "POST").await;
        let post = "mutation($ids: [ID!]!) { postCreate(input: {text: \"see\", imageIds: $ids}) {
            userErrors { code path } } }";
        let posted = app.ask(&ann, post, json!({ "ids": [shown] })).await;
        assert_eq!(posted.at("/postCreate/userErrors"), json!([]));
        let (first, second) =
            (super::ready(app, &ann, "", "POST").await, super::ready(app, &ann, "", "POST").await);
        let third = super::ready(app, &ann, "", "POST").await;
        assert_eq!(seen(app, &ann, &first).await, json!(null), "the oldest gave way");
        for kept in [&second, &third] {
            assert_eq!(seen(app, &ann, kept).await["status"], "READY");
        }
        assert_eq!(app.count("SELECT count(*) FROM images WHERE used").await, 1);
        // Two sizes of three images.
        app.until("its files are gone", async || objects(app, "images").len() == 6).await;
        let late = app.ask(&ann, post, json!({ "ids": [first] })).await;
        let errors = json!([{ "code": "NOT_FOUND", "path": ["input", "imageIds"] }]);
        assert_eq!(late.at("/postCreate/userErrors"), errors);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn exactly_the_announced_bytes_are_taken_and_nothing_is_left_of_others() {
    with_server(async |app| {
        let ann = app.sign_up("ann").await;
        let image = announce(app, &ann, 10, "", "POST").await;
        assert_eq!(put(app, &image.url, b"012345678").await, 400, "fewer");
        assert_eq!(put(app, &image.url, b"0123456789a").await, 400, "more");
        assert_eq!(put(app, &image.url, b"").await, 400, "none");
        for (pieces, ends, what) in [
            (vec![&b"01234"[..]], true, "fewer, without saying how many"),
            (vec![&b"01234"[..], b"56789", b"a"], true, "more, without saying how many"),
            (vec![&b"01234"[..], b"56789", b"a"], false, "bytes that never end"),
        ] {
            let answer = chunked(app, &image.url, &pieces, ends).await;
            assert!(
                answer.starts_with("HTTP/1.1 400") && answer.contains("announced with 10 bytes"),
                "{what}: {answer}"
            );
        }
        // A client that leaves half-way.
        let address = app.url.trim_start_matches("http://").trim_end_matches("/graphql");
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        stream
            .write_all(
                format!("PUT {} HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n01234", image.url)
                    .as_bytes(),
            )
            .await
            .unwrap();
        drop(stream);
        assert_eq!(seen(app, &ann, &image.id).await["status"], "AWAITING_UPLOAD");
        // The server hears of it when it reads on.
        app.until("nothing is left", async || objects(app, "uploads").is_empty()).await;
        assert_eq!(put(app, &image.url, b"0123456789").await, 204, "and it can still be sent");
        assert_eq!(seen(app, &ann, &image.id).await["status"], "PROCESSING");
        assert_eq!(app.count("SELECT count(*) FROM outbox WHERE topic = 'plaza.images'").await, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_bytes_may_come_again_and_others_may_not() {
    with_server(async |app| {
        let ann = app.sign_up("ann").await;
        let image = announce(app, &ann, 5, "", "POST").await;
        let tries = (0..6)
            .map(|number| put(app, &image.url, if number % 2 == 0 { b"aaaaa" } else { b"bbbbb" }));
        let mut statuses = futures_util::future::join_all(tries).await;
        statuses.sort_unstable();
        assert_eq!(statuses, [204, 204, 204, 409, 409, 409], "whichever was first");
        assert_eq!(objects(app, "uploads").len(), 1, "the others left nothing");
        assert_eq!(app.count("SELECT count(*) FROM outbox WHERE topic = 'plaza.images'").await, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_not_good_takes_nothing() {
    with_roles_and_config(
        &[Role::Server],
        |config| config.media.upload_ttl_s = 2,
        async |app| {
            let ann = app.sign_up("ann").await;
            let (mine, other) = (
                announce(app, &ann, 5, "", "POST").await,
                announce(app, &ann, 5, "", "POST").await,
            );
            let parts = |url: &str| {
                url.rsplit('/')
                    .next()
                    .unwrap()
                    .splitn(3, '-')
                    .map(str::to_owned)
                    .collect::<Vec<_>>()
            };
            let (own, foreign) = (parts(&mine.url), parts(&other.url));
            for bad in [
                format!("{}-{}-{}", foreign[0], own[1], own[2]),
                format!("{}-{}0-{}", own[0], own[1], own[2]),
                format!("{}-{}-", own[0], own[1]),
                "x".to_owned(),
                "-".repeat(3_000),
            ] {
                assert_eq!(
                    put(app, &format!("/media/uploads/{bad}"), b"aaaaa").await,
                    403,
                    "{bad}"
                );
            }
            app.until("the address has ended", async || {
                put(app, &mine.url, b"too many").await == 410
            })
            .await;
            assert_eq!(put(app, &mine.url, b"aaaaa").await, 410);
            assert_eq!(
                app.count("SELECT count(*) FROM images WHERE state = 'AWAITING_UPLOAD'").await,
                2
            );
            let get = app.http().get(super::at(app, &mine.url)).send().await.unwrap();
            assert_eq!(get.status(), 405);
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_is_too_slow_is_told_so() {
    with_roles_and_config(
        &[Role::Server],
        |config| config.media.upload_timeout_s = 1,
        async |app| {
            let ann = app.sign_up("ann").await;
            let image = announce(app, &ann, 5, "", "POST").await;
            let answer = chunked(app, &image.url, &[b"aa"], false).await;
            assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
            assert_eq!(objects(app, "uploads"), Vec::<String>::new());
            assert_eq!(put(app, &image.url, b"aaaaa").await, 204, "and may try again");
        },
    )
    .await;
}
