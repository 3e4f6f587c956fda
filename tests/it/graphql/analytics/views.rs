//! Views and what comes of them: counted once each, whatever happens to whoever counts, and told to
//! nobody but the author.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use plaza::clock::Clock;
use plaza::ids::{Bucket, Id, PostId, UserId, compose};
use plaza::protocol::views::View;
use plaza::read_models::view_windows::{self, Kind, Size, Windows, fold, projector};
use plaza::stores::StoreError;
use plaza::stores::postgres::{Connection, ReadSession};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::app::{Answer, Person, TestApp, with_app, with_roles};

const VIEWS: &str = "query($id: ID!) { post(id: $id) { analytics { views(size: HOUR, last: 2) { views reach windows { startsAt views viewers } } } } }";

const OWN: &str = "{ viewer { analytics { views(size: MINUTE, last: 5) { from to views reach windows { views } } } } }";

async fn record(app: &TestApp, person: Option<&Person>, posts: &[&str]) -> Value {
    let query = "mutation($ids: [ID!]!) { postViewsRecord(input: {postIds: $ids}) { recorded userErrors { code path } } }";
    let variables = json!({ "ids": posts });
    let answer = match person {
        Some(person) => app.ask(person, query, variables).await,
        None => app.ask_anonymously(query, variables).await,
    };
    answer.at("/postViewsRecord")
}

async fn views(app: &TestApp, person: &Person, post: &str) -> Answer {
    app.send(
        &[("authorization", &format!("Bearer {}", person.token))],
        VIEWS,
        json!({ "id": post }),
    )
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn views_are_counted_and_told_to_the_author_alone() {
    with_app(async |app| {
        let (ann, bob) = (app.sign_up("ann").await, app.sign_up("bob").await);
        let (first, second) = (app.post(&ann, "one").await, app.post(&ann, "two").await);
        let recorded = |count: i32| json!({ "recorded": count, "userErrors": [] });
        assert_eq!(record(app, Some(&bob), &[&first, &second, &first]).await, recorded(2));
        assert_eq!(record(app, Some(&bob), &[&first]).await, recorded(0), "once an hour");
        assert_eq!(record(app, None, &[&first]).await, recorded(1));
        assert_eq!(record(app, Some(&ann), &[&first]).await, recorded(0), "one's own views are none");
        for (ids, code) in [(vec![], "INVALID"), (vec![first.as_str(); 101], "INVALID"), (vec![bob.id.as_str()], "INVALID")] {
            let refused = record(app, Some(&bob), &ids).await;
            assert_eq!(refused, json!({ "recorded": null, "userErrors": [{ "code": code, "path": ["input", "postIds"] }] }));
        }
        app.until("the views are counted", async || app.count("SELECT coalesce(sum(counted), 0)::bigint FROM view_totals").await == 3)
            .await;
        let told = async |query: &str, pointer: &str| app.ask(&ann, query, json!({ "id": first })).await.at(pointer);
        // Each replica comes to it in its own time: what one has shown is looked at.
        let (own, series) = (Mutex::new(Value::Null), Mutex::new(Value::Null));
        app.until("a replica shows them", async || {
            *own.lock().unwrap() = told(OWN, "/viewer/analytics/views").await;
            own.lock().unwrap()["views"] == 3
        })
        .await;
        app.until("a replica shows the post's", async || {
            *series.lock().unwrap() = told(VIEWS, "/post/analytics/views").await;
            series.lock().unwrap()["views"] == 2
        })
        .await;
        let (own, series) = (own.into_inner().unwrap(), series.into_inner().unwrap());
        assert_eq!(series["reach"], 2);
        let windows = series["windows"].as_array().unwrap();
        assert_eq!(windows.len(), 2, "every window is told, also one without views");
        assert_eq!(windows.iter().map(|window| window["views"].as_i64().unwrap()).sum::<i64>(), 2);
        assert_eq!((&own["reach"], own["windows"].as_array().unwrap().len()), (&json!(2), 5));
        assert_eq!(views(app, &bob, &first).await.code(), "FORBIDDEN");
        assert_eq!(app.ask_anonymously(VIEWS, json!({ "id": first })).await.code(), "UNAUTHENTICATED");
        let range = "{ viewer { analytics { views(size: MINUTE, last: 101) { views } } } }";
        let refused = app.send(&[("authorization", &format!("Bearer {}", ann.token))], range, json!({})).await;
        assert_eq!(refused.code(), "BAD_USER_INPUT");
        // Years that no database has.
        for time in ["-5000-01-01T00:00:00Z", "+99999-01-01T00:00:00Z", " 2026-1-31 1:2:3Z"] {
            let at = format!("{{ viewer {{ analytics {{ views(size: DAY, last: 1, to: \"{time}\") {{ views }} }} }} }}");
            let refused = app.send(&[("authorization", &format!("Bearer {}", ann.token))], &at, json!({})).await;
            assert_eq!(refused.code(), "GRAPHQL_VALIDATION_FAILED", "{time}");
        }
        let oldest = "{ viewer { analytics { views(size: DAY, last: 1, to: \"0000-01-01T00:00:00Z\") { views } } } }";
        assert_eq!(app.ask(&ann, oldest, json!({})).await.at("/viewer/analytics/views/views"), 0);
        // An administrator may look, too.
        app.count("WITH made AS (UPDATE users SET is_admin = true WHERE handle = 'bob' RETURNING 1) SELECT count(*) FROM made").await;
        assert_eq!(views(app, &bob, &first).await.at("/post/analytics/views/views"), 2);
    })
    .await;
}

/// Whoever a client says it is, an address counts once a post and hour, and no more than that.
#[tokio::test(flavor = "multi_thread")]
async fn an_address_is_one_viewer_whatever_it_calls_itself() {
    with_app(async |app| {
        let ann = app.sign_up("ann").await;
        let post = app.post(&ann, "one").await;
        let query = "mutation($id: ID!) { postViewsRecord(input: {postIds: [$id]}) { recorded } }";
        let mut taken = 0;
        for number in 0..12 {
            let program = format!("program {number}");
            let answer = app.send(&[("user-agent", &program)], query, json!({ "id": post })).await;
            taken += answer.at("/postViewsRecord/recorded").as_i64().unwrap();
        }
        // Two when the hour ended meanwhile.
        assert!((1..=2).contains(&taken), "{taken}");
        app.until("it is counted", async || counted(app).await == taken).await;
        let series = async || {
            let told = app.ask(&ann, VIEWS, json!({ "id": post })).await;
            told.at("/post/analytics/views/reach") == 1
        };
        app.until("one person was reached", series).await;
    })
    .await;
}

/// Views of a few posts on every shard, by many people, within a minute; one in ten comes from a
/// clock that is a little behind.
fn synthetic(count: u64, now_ms: i64) -> Vec<View> {
    let view = |number: u64| {
        let bucket = Bucket::new(number % 64);
        View {
            post_id: PostId::from_i64(compose(now_ms, bucket, 1)),
            author_id: UserId::from_i64(compose(now_ms, bucket, 2)),
            viewer: number.wrapping_mul(0x9e37_79b9_7f4a_7c15),
            at_ms: now_ms - i64::try_from(number % 10 / 9 * 50_000).unwrap(),
        }
    };
    (0..count).map(view).collect()
}

async fn counted(app: &TestApp) -> i64 {
    app.count("SELECT coalesce(sum(counted), 0)::bigint FROM view_totals").await
}

/// Counts until a condition holds, then dies in the middle of whatever it does.
async fn count_until(app: &TestApp, condition: impl AsyncFn() -> bool) {
    let (cluster, config) = (Arc::clone(&app.app.domain.cluster), Arc::clone(&app.app.config));
    let counting = projector::run(cluster, config, Clock::System, CancellationToken::new());
    tokio::select! {
        _ = counting => panic!("ended by itself"),
        () = app.until("so much is counted", condition) => {}
    }
}

async fn write(app: &TestApp, views: &[View]) {
    let log = Arc::clone(&app.app.domain.views);
    assert_eq!(log.offer(views).unwrap(), views.len());
    tokio::task::spawn_blocking(move || log.flush()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn each_view_counts_once_although_whoever_counts_dies_again_and_again() {
    with_roles(&[], async |app| {
        let now_ms = Clock::System.now_ms();
        for round in 1..=5 {
            write(app, &synthetic(4_000, now_ms)).await;
            // Killed as soon as a shard has moved: the others may or may not have.
            count_until(app, async || counted(app).await > (round - 1) * 4_000).await;
        }
        count_until(app, async || counted(app).await >= 20_000).await;
        assert_eq!(counted(app).await, 20_000);
        for kind in [0, 1] {
            let sum = app
                .count(&format!(
                    "SELECT coalesce(sum(views), 0)::bigint FROM view_windows WHERE kind = {kind}"
                ))
                .await;
            assert_eq!(sum, 20_000, "kind {kind}");
        }
        // Whoever viewed is in the sketches, whether those were kept in memory or read: 4,000
        // people, the same in every round.
        let (cluster, post) = (&app.app.domain.cluster, synthetic(1, now_ms)[0].post_id);
        let span = (now_ms / 1_000 - 3_600, now_ms / 1_000 + 60);
        let read = async |connection: &mut Connection| -> Result<_, StoreError> {
            view_windows::series(connection, (post.as_i64(), Kind::Post), Size::Hour, span).await
        };
        let hours = cluster
            .read(&ReadSession::primary(cluster.len()), cluster.shard_of_id(post), read)
            .await
            .unwrap();
        let mut viewers = plaza::read_models::sketch::Sketch::default();
        for hour in hours.values() {
            viewers.merge(&hour.viewers);
        }
        assert!(
            (58..=68).contains(&viewers.count()),
            "{} of 63 viewers of one of 64 posts",
            viewers.count()
        );

        let ends = plaza::stores::kafka::views::bounds;
        let config = app.app.config.kafka.clone();
        let written: i64 = tokio::task::spawn_blocking(move || ends(&config, crate::wait::LIMIT))
            .await
            .unwrap()
            .unwrap()
            .values()
            .map(|(_, end)| end)
            .sum();
        assert_eq!(written, 20_000, "every record is where the offsets end");

        // An hour late: its window is closed.
        let late = View { at_ms: now_ms - 3_600_000, ..synthetic(1, now_ms)[0] };
        write(app, &[late]).await;
        count_until(app, async || {
            app.count("SELECT coalesce(sum(late), 0)::bigint FROM view_totals").await > 0
        })
        .await;
        assert_eq!(counted(app).await, 20_000);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn folding_keeps_every_view_and_every_viewer() {
    with_roles(&[], async |app| {
        let cluster = &app.app.domain.cluster;
        let now_ms = Clock::System.now_ms();
        let subject = synthetic(1, now_ms)[0];
        let (shard, now_s) = (cluster.shard_of_id(subject.post_id), now_ms / 1_000);
        let mut windows = Windows::default();
        // 40 people, each in five hours of each of three weeks.
        for hours in (0..21 * 24).step_by(5) {
            for viewer in 0..40_u64 {
                windows.count(&View {
                    at_ms: now_ms - hours * 3_600_000,
                    viewer: viewer.wrapping_mul(0x9e37_79b9_7f4a_7c15),
                    ..subject
                });
            }
        }
        let whole = i64::from(21 * 24_i32).div_euclid(5) * 40 + 40;
        let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
        let add = async |connection: &mut Connection| -> Result<(), StoreError> {
            view_windows::add(connection, &windows).await
        };
        cluster.write(shard, deadline, add).await.unwrap();
        let series = async |size| {
            let read = async |connection: &mut Connection| -> Result<_, StoreError> {
                view_windows::series(
                    connection,
                    (subject.post_id.as_i64(), Kind::Post),
                    size,
                    (now_s - 30 * 86_400, now_s + 60),
                )
                .await
            };
            cluster.read(&ReadSession::primary(cluster.len()), shard, read).await.unwrap()
        };
        let days = series(Size::Day).await;
        let summed = days.values().map(|window| window.views).sum::<i64>();
        assert_eq!(summed, whole);
        loop {
            let fold = async |connection: &mut Connection| -> Result<usize, StoreError> {
                fold::fold(connection, now_s).await
            };
            if cluster.write(shard, deadline, fold).await.unwrap().value == 0 {
                break;
            }
        }
        let folded = series(Size::Day).await;
        let told = |days: &std::collections::BTreeMap<i64, view_windows::Window>| {
            days.iter()
                .map(|(day, window)| (*day, window.views, window.viewers.count()))
                .collect::<Vec<_>>()
        };
        assert_eq!(told(&folded), told(&days));
        assert!(folded.values().all(|window| window.viewers.count() == 40));
        let rows = async |size: i32| {
            app.count(&format!(
                "SELECT count(*) FROM view_windows WHERE kind = 0 AND size = {size}"
            ))
            .await
        };
        assert!(
            rows(0).await <= 2 && rows(1).await <= 45 && rows(2).await >= 12,
            "{} {} {}",
            rows(0).await,
            rows(1).await,
            rows(2).await
        );
    })
    .await;
}
