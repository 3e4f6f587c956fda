//! What is shown, to whom, and for how long.

use image::{GenericImageView, ImageFormat};
use serde_json::json;

use super::{announce, at, encoded, objects, picture, put, ready, seen, sent};
use crate::app::{Person, TestApp, with_app, with_server};

const WRITE: &str = "mutation($ids: [ID!]!) { postCreate(input: {text: \"look\", imageIds: $ids}) {
    post { id images { id altText width height color url small: url(size: SMALL) } } userErrors { code path } } }";
const FACE: &str = "mutation($id: ID) { profileUpdate(input: {avatarImageId: $id}) { user { avatar { id width url } } userErrors { code path } } }";

async fn status(app: &TestApp, path: &str) -> u16 {
    app.http().get(at(app, path)).send().await.unwrap().status().as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_is_announced_sent_shown_with_a_post_and_goes_with_it() {
    with_app(async |app| {
        let (ann, bob) = (app.sign_up("ann").await, app.sign_up("bob").await);
        let bytes = encoded(&picture(1_600, 1_000), ImageFormat::Jpeg);
        let announced = announce(app, &ann, bytes.len(), " Stripes. ", "POST").await;
        assert_eq!(put(app, &announced.url, &bytes).await, 204);
        app.until("it is ready", async || seen(app, &ann, &announced.id).await["status"] == "READY").await;
        let made = app.ask(&ann, WRITE, json!({ "ids": [announced.id] })).await;
        let post = made.text("/postCreate/post/id");

        let query = "query($id: ID!) { post(id: $id) { images { id altText width height color url small: url(size: SMALL) } } }";
        let image = app.ask(&bob, query, json!({ "id": post })).await.at("/post/images/0");
        assert_eq!(image, made.at("/postCreate/post/images/0"), "the same for everybody");
        assert_eq!((&image["altText"], &image["width"], &image["height"]), (&json!("Stripes."), &json!(1_280), &json!(800)));
        for (url, width) in [("url", 1_280), ("small", 320)] {
            let url = image[url].as_str().unwrap();
            let answer = app.http().get(at(app, url)).send().await.unwrap();
            let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
            assert_eq!(answer.status(), 200);
            assert_eq!((header("content-type"), header("x-content-type-options")), ("image/jpeg".to_owned(), "nosniff".to_owned()));
            assert_eq!(header("content-security-policy"), "default-src 'none'; sandbox");
            let cache = header("cache-control");
            let age: i64 = cache.strip_prefix("public, max-age=").unwrap().strip_suffix(", immutable").unwrap().parse().unwrap();
            assert!((1..=1_800).contains(&age), "{cache}");
            let known = app.http().get(at(app, url)).header("if-none-match", header("etag")).send().await.unwrap();
            assert_eq!(known.status(), 304);
            let shown = image::load_from_memory(&answer.bytes().await.unwrap()).unwrap();
            assert_eq!(shown.dimensions(), (width, width * 5 / 8));
        }
        assert_eq!(objects(app, "uploads"), Vec::<String>::new(), "what was sent is not kept");

        let delete = "mutation($id: ID!) { postDelete(input: {postId: $id}) { deletedPostId userErrors { code } } }";
        app.ask(&ann, delete, json!({ "id": post })).await;
        app.until("its files are gone", async || objects(app, "images").is_empty()).await;
        assert_eq!(status(app, image["url"].as_str().unwrap()).await, 404);
        assert_eq!(app.count("SELECT count(*) FROM images").await, 0);
        assert_eq!(seen(app, &ann, &announced.id).await, json!(null));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_avatar_takes_the_place_of_the_one_before() {
    with_app(async |app| {
        let (ann, bob) = (app.sign_up("ann").await, app.sign_up("bob").await);
        let mut before: Option<String> = None;
        for _ in 0..2 {
            let id = ready(app, &ann, "", "AVATAR").await;
            let set = app.ask(&ann, FACE, json!({ "id": id })).await;
            assert_eq!(
                (
                    set.text("/profileUpdate/user/avatar/id"),
                    set.at("/profileUpdate/user/avatar/width")
                ),
                (id.clone(), json!(30))
            );
            // Once more changes nothing.
            assert_eq!(
                app.ask(&ann, FACE, json!({ "id": id }))
                    .await
                    .text("/profileUpdate/user/avatar/id"),
                id
            );
            let url = set.text("/profileUpdate/user/avatar/url");
            assert_eq!(status(app, &url).await, 200);
            if let Some(before) = before {
                app.until("the one before is gone", async || status(app, &before).await == 404)
                    .await;
            }
            before = Some(url);
        }
        let face = "{ user(handle: \"ann\") { avatar { url } } }";
        app.until("bob sees it", async || {
            app.ask(&bob, face, json!({})).await.at_or_null("/user/avatar/url") == json!(before)
        })
        .await;
        // A field that is left out stays as it is; null takes it away.
        let bio = "mutation { profileUpdate(input: {bio: \"so\"}) { user { avatar { url } } } }";
        assert_eq!(
            app.ask(&ann, bio, json!({})).await.at("/profileUpdate/user/avatar/url"),
            json!(before)
        );
        assert_eq!(
            app.ask(&ann, FACE, json!({ "id": null })).await.at("/profileUpdate/user/avatar"),
            json!(null)
        );
        app.until("it is gone", async || objects(app, "images").is_empty()).await;
        app.until("bob sees none", async || {
            app.ask(&bob, face, json!({})).await.at("/user/avatar").is_null()
        })
        .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_ones_own_ready_images_are_shown_and_each_once() {
    with_server(async |app| {
        let (ann, bob) = (app.sign_up("ann").await, app.sign_up("bob").await);
        let refused = async |who: &Person, ids: &[&String], code: &str| {
            let answer = app.ask(who, WRITE, json!({ "ids": ids })).await;
            let errors = json!([{ "code": code, "path": ["input", "imageIds"] }]);
            assert_eq!(answer.at("/postCreate"), json!({ "post": null, "userErrors": errors }));
        };
        let mut mine = Vec::new();
        for _ in 0..5 {
            mine.push(ready(app, &ann, "", "POST").await);
        }
        let face = ready(app, &ann, "", "AVATAR").await;
        let unsent = announce(app, &ann, 10, "", "POST").await.id;
        let unprocessed = sent(app, &ann, b"0123456789").await;
        refused(&bob, &[&mine[0]], "NOT_FOUND").await;
        assert_eq!(seen(app, &bob, &mine[0]).await, json!(null));
        for other in [&face, &unsent, &unprocessed] {
            refused(&ann, &[&mine[0], other], "NOT_FOUND").await;
        }
        refused(&ann, &[&mine[0], &mine[0]], "INVALID").await;
        refused(&ann, &mine.iter().collect::<Vec<_>>(), "INVALID").await;
        refused(&ann, &[&ann.id], "INVALID").await;
        assert_eq!(
            app.count("SELECT count(*) FROM images WHERE used").await,
            0,
            "a refusal takes nothing"
        );
        assert_eq!(app.count("SELECT count(*) FROM posts").await, 0);
        let order: Vec<&String> = [3, 1, 0, 2].iter().map(|place| &mine[*place]).collect();
        let shown =
            app.ask(&ann, WRITE, json!({ "ids": order })).await.at("/postCreate/post/images");
        let ids: Vec<&str> =
            shown.as_array().unwrap().iter().map(|image| image["id"].as_str().unwrap()).collect();
        assert_eq!(ids, order, "in the order they were given in");
        refused(&ann, &[&mine[3]], "NOT_FOUND").await;
        for (who, id) in [(&bob, &face), (&ann, &mine[4])] {
            let answer = app.ask(who, FACE, json!({ "id": id })).await;
            assert_eq!(
                answer.at("/profileUpdate/userErrors"),
                json!([{ "code": "NOT_FOUND", "path": ["input", "avatarImageId"] }])
            );
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_image_shows_can_be_said_until_it_is_shown() {
    with_server(async |app| {
        let (ann, bob) = (app.sign_up("ann").await, app.sign_up("bob").await);
        let id = ready(app, &ann, "before", "POST").await;
        let update = "mutation($id: ID!, $alt: String!) { imageUpdate(input: {imageId: $id, altText: $alt}) {
            image { altText url } userErrors { code path } } }";
        let said = app.ask(&ann, update, json!({ "id": id, "alt": " after " })).await;
        assert_eq!(said.text("/imageUpdate/image/altText"), "after");
        let errors = json!([{ "code": "NOT_FOUND", "path": ["input", "imageId"] }]);
        assert_eq!(app.ask(&bob, update, json!({ "id": id, "alt": "x" })).await.at("/imageUpdate/userErrors"), errors);
        let long = app.ask(&ann, update, json!({ "id": id, "alt": "x".repeat(501) })).await;
        assert_eq!(long.at("/imageUpdate/userErrors"), json!([{ "code": "INVALID", "path": ["input", "altText"] }]));
        let shown = app.ask(&ann, WRITE, json!({ "ids": [id] })).await;
        assert_eq!(shown.text("/postCreate/post/images/0/altText"), "after");
        assert_eq!(app.ask(&ann, update, json!({ "id": id, "alt": "x" })).await.at("/imageUpdate/userErrors"), errors);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_was_tampered_with_shows_nothing() {
    with_server(async |app| {
        let ann = app.sign_up("ann").await;
        let (one, other) = (ready(app, &ann, "", "POST").await, ready(app, &ann, "", "POST").await);
        let url = seen(app, &ann, &one).await["url"].as_str().unwrap().to_owned();
        let foreign = seen(app, &ann, &other).await["url"].as_str().unwrap().to_owned();
        assert_eq!(status(app, &url).await, 200);
        let (path, proof) = url.split_once('?').unwrap();
        let later = proof.replacen("until=1", "until=2", 1);
        let (foreign, _) = foreign.split_once('?').unwrap();
        for bad in [
            path.to_owned(),
            format!("{path}?{later}"),
            format!("{foreign}?{proof}"),
            format!("{}?{proof}", path.replace("large", "small")),
            format!("{url}x"),
            format!("{path}?until=x&proof=y"),
            "/media/images/..%2f..%2fauth-key.pem?until=9999999999&proof=AAAAAAAAAAAAAAAAAAAAAA"
                .to_owned(),
        ] {
            assert_eq!(status(app, &bad).await, 403, "{bad}");
        }
    })
    .await;
}
