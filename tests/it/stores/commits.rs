//! A shard whose commits no replica acknowledges: here the answer to COMMIT is held back on the
//! way.

use std::time::{Duration, Instant};

use plaza::cli::roles::Role;
use plaza::ids::UserId;
use plaza::stores::postgres::ShardIndex;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::app::{Answer, Person, TestApp, with_roles_and_config};

/// The name, as it is bound, under which a COMMIT is prepared in what a client sends.
fn prepared_commit(sent: &[u8]) -> Option<Vec<u8>> {
    // P, the length, the name, the text.
    let text = sent.windows(8).position(|word| word == b"\0COMMIT\0")?;
    let begin = sent[..text].iter().rposition(|byte| !byte.is_ascii_alphanumeric())?;
    // After the empty name of the portal.
    Some([b"\0", &sent[begin + 1..=text]].concat())
}

/// A wire to a server on which nothing comes back once a COMMIT has gone over it.
struct Wire {
    url: String,
    holds: watch::Sender<bool>,
    _tasks: JoinSet<()>,
}

async fn wire(to: &str) -> Wire {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (head, rest) = to.rsplit_once('@').unwrap();
    let (address, database) = rest.split_once('/').unwrap();
    let url = format!("{head}@{}/{database}", listener.local_addr().unwrap());
    let (holds, held) = watch::channel(false);
    let (mut tasks, address) = (JoinSet::new(), address.to_owned());
    tasks.spawn(async move {
        let mut wires = JoinSet::new();
        loop {
            let (near, _) = listener.accept().await.unwrap();
            let (address, mut held) = (address.clone(), held.clone());
            wires.spawn(async move {
                let Ok(far) = TcpStream::connect(&address).await else { return };
                let ((mut near_in, mut near_out), (mut far_in, mut far_out)) =
                    (near.into_split(), far.into_split());
                let (committing, mut committed) = watch::channel(false);
                let watched = held.clone();
                let there = async {
                    let mut bytes = vec![0; 64 * 1024];
                    let mut commit = None;
                    while let Ok(read) = near_in.read(&mut bytes).await {
                        let sent = &bytes[..read];
                        commit = prepared_commit(sent).or(commit);
                        let commits = commit.as_ref().is_some_and(|name| {
                            sent.windows(name.len()).any(|word| word == name.as_slice())
                        });
                        if *watched.borrow() && commits {
                            committing.send_replace(true);
                        }
                        if read == 0 || far_out.write_all(&bytes[..read]).await.is_err() {
                            return;
                        }
                    }
                };
                let back = async {
                    let mut bytes = vec![0; 64 * 1024];
                    while let Ok(read) = far_in.read(&mut bytes).await {
                        if *committed.borrow_and_update() {
                            let _ = held.wait_for(|held| !held).await;
                        }
                        if read == 0 || near_out.write_all(&bytes[..read]).await.is_err() {
                            return;
                        }
                    }
                };
                tokio::select! { () = there => {}, () = back => {} }
            });
        }
    });
    Wire { url, holds, _tasks: tasks }
}

async fn post(app: &TestApp, author: &Person, text: &str) -> (Answer, Duration) {
    let began = Instant::now();
    let query = "mutation($text: String!) { postCreate(input: {text: $text}) { post { id } userErrors { code } } }";
    let authorization = format!("Bearer {}", author.token);
    let answer =
        app.send(&[("authorization", &authorization)], query, json!({ "text": text })).await;
    (answer, began.elapsed())
}

fn code(answer: &Answer) -> Option<&str> {
    answer.body.pointer("/errors/0/extensions/code").and_then(Value::as_str)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shard_whose_commits_hang_refuses_writes_at_once_and_costs_only_itself() {
    let (hand, wired) = std::sync::mpsc::channel();
    with_roles_and_config(
        &[Role::Server],
        |config| {
            let primary = config.postgres.shards[0].primary.expose_secret().to_owned();
            let wire = tokio::task::block_in_place(|| {
                tokio::runtime::Handle::current().block_on(wire(&primary))
            });
            config.postgres.shards[0].primary = wire.url.clone().into();
            hand.send(wire).unwrap();
            // The product's.
            config.server.deadline_ms = 2_500;
        },
        async |app| {
            let wire = wired.recv().unwrap();
            let (mut there, mut elsewhere) = (Vec::new(), None);
            for number in 0.. {
                let person = app.sign_up(&format!("person{number}")).await;
                let raw: UserId = plaza::graphql::ids::parse(&person.id).unwrap();
                match app.app.domain.cluster.shard_of_id(raw) {
                    ShardIndex(0) => there.push(person),
                    _ => elsewhere = Some(person),
                }
                if there.len() >= 2 && elsewhere.is_some() {
                    break;
                }
            }
            let elsewhere = elsewhere.unwrap();
            wire.holds.send_replace(true);
            // After two the shard refuses; more people may be on it, as ids fall.
            for person in there.iter().take(2) {
                let (answer, took) = post(app, person, "unknown").await;
                assert_eq!(code(&answer), Some("OUTCOME_UNKNOWN"), "{}", answer.body);
                assert!(took < Duration::from_millis(3_500), "{took:?}");
            }
            let (mut refused, mut unknown) = (0, 0);
            for _ in 0..10 {
                let (answer, took) = post(app, &there[0], "refused").await;
                match code(&answer) {
                    Some("SHARD_UNAVAILABLE") => {
                        assert!(took < Duration::from_secs(1), "{took:?}");
                        refused += 1;
                    }
                    Some("OUTCOME_UNKNOWN") => unknown += 1,
                    _ => panic!("{}", answer.body),
                }
                app.ask(&there[0], "{ viewer { user { handle } } }", json!({})).await;
                assert_eq!(code(&post(app, &elsewhere, "another shard").await.0), None);
            }
            assert!(refused >= 6, "{refused} of 10: one at a time probes");
            wire.holds.send_replace(false);
            app.until("commits are acknowledged again", async || {
                code(&post(app, &there[0], "back").await.0).is_none()
            })
            .await;
            let stored = app.count("SELECT count(*) FROM posts WHERE text = 'refused'").await;
            assert!(stored <= unknown, "{stored} of what was refused are there");
        },
    )
    .await;
}
