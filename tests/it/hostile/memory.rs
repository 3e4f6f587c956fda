//! What makes a server take memory, many at a time: it stays within what its pod has.

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use super::{Canary, aliases, post};
use crate::app::{Person, TestApp, with_roles};
use crate::operate::process::Process;

/// Most memory of a server, in KiB: half of what `k8s/deployment.yaml` gives it.
const MOST_KIB: u64 = 512 * 1_024;
/// Requests of one kind at a time.
const AT_ONCE: usize = 24;
/// Bodies that are announced and never end.
const SLOW: usize = 200;

/// Operations whose answers, or whose work, would be far larger than they are, by a name for each.
fn operations(author: &str) -> Vec<(&'static str, Value)> {
    let posts = |inner: &str| {
        format!("{{ user(handle: \"author\") {{ posts(first: 100) {{ nodes {{ {inner} }} }} }} }}")
    };
    let ids = vec![format!("\"{author}\""); 100].join(", ");
    let variable = vec!["$a"; 100].join(", ");
    let list = "followers(first: 100) { nodes { handle displayName bio } }";
    let circle = |open: &str, close: &str, times: usize| {
        format!(
            "{{ __type(name: \"Node\") {{ {}name{} }} }}",
            open.repeat(times),
            close.repeat(times)
        )
    };
    let plain = |query: String| json!({ "query": query });
    vec![
        ("a text by 480 names", plain(posts(&aliases(480, "text")))),
        ("as much as is answered", plain(posts(&aliases(4, "text")))),
        (
            "a list by 60 names",
            plain(format!("{{ user(handle: \"author\") {{ {} }} }}", aliases(60, list))),
        ),
        (
            "one thing a hundred times",
            plain(format!(
                "{{ nodes(ids: [{ids}]) {{ ... on User {{ posts(first: 5) {{ nodes {{ text }} }} }} }} }}"
            )),
        ),
        (
            "the same by a variable",
            json!({
                "query": format!("query($a: ID!) {{ nodes(ids: [{variable}]) {{ ... on User {{ posts(first: 100) {{ nodes {{ a: text }} }} }} }} }}"),
                "variables": { "a": author },
            }),
        ),
        (
            "addresses in texts, by 40 names",
            plain(format!(
                "{{ user(handle: \"linker\") {{ posts(first: 100) {{ nodes {{ entities {{ {} }} }} }} }} }}",
                aliases(40, "start")
            )),
        ),
        (
            "long orders with long titles, by 40 names",
            plain(format!(
                "{{ viewer {{ orders(first: 100) {{ nodes {{ lines {{ {} }} }} }} }} }}",
                aliases(40, "title")
            )),
        ),
        ("circles through the schema", plain(circle("possibleTypes{interfaces{", "}}", 10))),
        ("a text that is not GraphQL", plain("{ ".repeat(8_000))),
        (
            "a variable of a list of lists",
            json!({ "query": "{ __typename }", "variables": { "a": "[".repeat(60_000) } }),
        ),
    ]
}

/// Lists that are as long as they may be and that no argument bounds: texts full of addresses, and
/// orders of `buyer`'s of 50 lines.
async fn long_lists(app: &TestApp, buyer: &Person) {
    let linker = app.sign_up("linker").await;
    let links = "https://a.co/ ".repeat(140);
    for _ in 0..40 {
        app.post(&linker, &links).await;
    }
    let offer = "mutation($title: String!) { productCreate(input: {title: $title, description: \"\", price: {amount: \"1\", currency: \"EUR\"}, stock: 900}) { product { id } } }";
    let title = "\u{1f600}".repeat(120);
    let mut lines = Vec::new();
    for _ in 0..50 {
        let made = app.ask(&linker, offer, json!({ "title": title })).await;
        lines.push(json!({ "productId": made.text("/productCreate/product/id"), "quantity": 1 }));
    }
    let place = "mutation($lines: [OrderLineInput!]!) { orderPlace(input: {lines: $lines}) { order { id } userErrors { code message } } }";
    for _ in 0..20 {
        let placed = app.ask(buyer, place, json!({ "lines": lines })).await;
        assert_eq!(placed.at("/orderPlace/userErrors"), json!([]));
    }
}

/// Sends each many times at once; each answer is whole, or a refusal with a code.
async fn besiege(app: &TestApp, canary: &mut Canary, token: &str, author: &str) {
    for (what, body) in operations(author) {
        let all = (0..AT_ONCE).map(|_| post(app, Some(token), &body));
        for (status, code, answer) in futures_util::future::join_all(all).await {
            let is_whole = status == 200 && answer.get("data").is_some();
            assert!(
                is_whole || (!code.is_empty() && code != "INTERNAL"),
                "{what}: {status} {answer}"
            );
        }
        canary.sings(app, what).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_stays_within_512_mib_whatever_is_asked_of_it_at_once() {
    with_roles(&[], async |app| {
        let server = Process::start_role(app, "server", &[]).await;
        let web = &server.app;
        let mut canary = Canary::new(web).await;
        let author = web.sign_up("author").await;
        let long = "\u{1f600}".repeat(2_000);
        for _ in 0..100 {
            web.post(&author, &long).await;
        }
        long_lists(web, &author).await;
        let address = web.url.trim_start_matches("http://").trim_end_matches("/graphql");
        let head = "POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 64000\r\n\r\n";
        let mut slow = Vec::new();
        for _ in 0..SLOW {
            let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
            let _ = stream.write_all(head.as_bytes()).await;
            let _ = stream.write_all(&[b' '; 60_000]).await;
            slow.push(stream);
        }
        besiege(web, &mut canary, &author.token, &author.id).await;
        drop(slow);
        canary.report("a siege");
        let peak = server.peak_kib();
        assert!(peak < MOST_KIB, "{peak} KiB");
        server.end().await;
    })
    .await;
}
