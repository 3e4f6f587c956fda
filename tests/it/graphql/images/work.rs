//! The jobs: done twice, half, or late, they come to the same.

use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use image::ImageFormat;
use plaza::clock::Clock;
use plaza::domain::{Domain, Operation, images};

use super::{encoded, objects, picture, process, raw, ready, seen, sent};
use crate::app::{with_app, with_server};

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_comes_twice_or_died_half_way_makes_one_image() {
    with_app(async |app| {
        let ann = app.sign_up("ann").await;
        let bytes = encoded(&picture(900, 600), ImageFormat::WebP);
        let id = sent(app, &ann, &bytes).await;
        // Beside the worker, and each other.
        let op = app.app.internal(Duration::from_secs(30));
        let runs = (0..4).map(|_| images::process(&op, raw(&id)));
        for outcome in futures_util::future::join_all(runs).await {
            outcome.expect("processed");
        }
        app.until("it is ready", async || seen(app, &ann, &id).await["status"] == "READY").await;
        let url = seen(app, &ann, &id).await["url"].clone();
        process(app, &id).await;
        assert_eq!(seen(app, &ann, &id).await["url"], url);
        // The worker may still be at it: a file that is being written has another name beside it
        // until it is whole.
        app.until("nothing is being written", async || objects(app, "images").len() == 2).await;
        assert_eq!((objects(app, "images").len(), objects(app, "uploads").len()), (2, 0));
    })
    .await;
    with_server(async |app| {
        let ann = app.sign_up("ann").await;
        let id = sent(app, &ann, &encoded(&picture(90, 60), ImageFormat::Png)).await;
        // It wrote the files, and died before the row was told.
        let kept = |name: &str| app.app.config.media.folder.join("uploads").join(name);
        let upload = objects(app, "uploads").remove(0);
        let copy = std::fs::read(kept(&upload)).unwrap();
        process(app, &id).await;
        app.count(
            "WITH back AS (UPDATE images SET state = 'PROCESSING', upload = content_hash::text RETURNING 1) SELECT count(*) FROM back",
        )
        .await;
        let back = format!("WITH back AS (UPDATE images SET upload = 'uploads/{upload}' RETURNING 1) SELECT count(*) FROM back");
        assert_eq!(app.count(&back).await, 1);
        std::fs::write(kept(&upload), copy).unwrap();
        process(app, &id).await;
        app.until("it is ready", async || seen(app, &ann, &id).await["status"] == "READY").await;
        assert_eq!((objects(app, "images").len(), objects(app, "uploads").len()), (2, 0));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nothing_shows_is_forgotten_after_a_day_and_what_is_shown_is_not() {
    with_app(async |app| {
        let ann = app.sign_up("ann").await;
        let shown = ready(app, &ann, "", "POST").await;
        let write = "mutation($id: ID!) { postCreate(input: {text: \"x\", imageIds: [$id]}) { post { id } userErrors { code } } }";
        app.ask(&ann, write, serde_json::json!({ "id": shown })).await;
        ready(app, &ann, "", "POST").await;
        super::announce(app, &ann, 10, "", "POST").await;
        let op = app.app.internal(Duration::from_secs(30));
        assert_eq!(images::reap(&op).await.unwrap(), 0, "not yet");
        let later = app.app.domain.clock.now_ms() + 25 * 3_600 * 1_000;
        let clock = Clock::Manual(Arc::new(AtomicI64::new(later)));
        let tomorrow = Domain { clock, ..(*app.app.domain).clone() };
        let tomorrow = Operation::internal(&Arc::new(tomorrow), Duration::from_secs(30));
        assert_eq!(images::reap(&tomorrow).await.unwrap(), 2);
        assert_eq!(images::reap(&tomorrow).await.unwrap(), 0);
        assert_eq!(app.count("SELECT count(*) FROM images").await, 1);
        app.until("their files are gone", async || objects(app, "images").len() == 2).await;
    })
    .await;
}
