//! Images, from what is sent to what is shown.

mod hostile;
mod shown;
mod uploads;
mod work;

use std::io::Cursor;

use image::{DynamicImage, ImageFormat, RgbImage};
use plaza::domain::images;
use plaza::ids::{Id, ImageId};
use serde_json::{Value, json};

use crate::app::{Person, TestApp};

/// A picture with something in it.
pub fn picture(width: u32, height: u32) -> DynamicImage {
    let value = |number: u32| u8::try_from(number % 256).unwrap();
    DynamicImage::ImageRgb8(RgbImage::from_fn(width, height, |x, y| {
        image::Rgb([value(x / 3), value(y / 2), value(x + y)])
    }))
}

pub fn encoded(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// An image that was announced.
pub struct Announced {
    pub id: String,
    pub url: String,
}

pub async fn announce(
    app: &TestApp,
    person: &Person,
    bytes: usize,
    alt: &str,
    purpose: &str,
) -> Announced {
    let query = "mutation($input: ImageCreateInput!) { imageCreate(input: $input) { image { id status } uploadUrl userErrors { code } } }";
    let input = json!({ "byteCount": bytes, "altText": alt, "purpose": purpose });
    let made = app.ask(person, query, json!({ "input": input })).await;
    assert_eq!(made.text("/imageCreate/image/status"), "AWAITING_UPLOAD");
    Announced { id: made.text("/imageCreate/image/id"), url: made.text("/imageCreate/uploadUrl") }
}

/// The origin's root.
pub fn at(app: &TestApp, path: &str) -> String {
    format!("{}{path}", app.url.trim_end_matches("/graphql"))
}

/// Sends bytes; the status.
pub async fn put(app: &TestApp, url: &str, bytes: &[u8]) -> u16 {
    app.http()
        .put(at(app, url))
        .body(bytes.to_vec())
        .send()
        .await
        .expect("an answer")
        .status()
        .as_u16()
}

pub async fn seen(app: &TestApp, person: &Person, id: &str) -> Value {
    let query = "query($id: ID!) { node(id: $id) { ... on Image { status rejection altText width height color url small: url(size: SMALL) } } }";
    app.ask(person, query, json!({ "id": id })).await.at("/node")
}

/// Announces and sends; the id.
pub async fn sent(app: &TestApp, person: &Person, bytes: &[u8]) -> String {
    let announced = announce(app, person, bytes.len(), "", "POST").await;
    assert_eq!(put(app, &announced.url, bytes).await, 204);
    announced.id
}

pub fn raw(id: &str) -> ImageId {
    ImageId::from_i64(plaza::graphql::ids::parse_any(id).unwrap().1)
}

/// Does the job that a worker would.
pub async fn process(app: &TestApp, id: &str) {
    let op = app.app.internal(std::time::Duration::from_secs(30));
    images::process(&op, raw(id)).await.expect("processed");
}

/// An image that can be shown, whether or not there is a worker.
pub async fn ready(app: &TestApp, person: &Person, alt: &str, purpose: &str) -> String {
    let bytes = encoded(&picture(40, 30), ImageFormat::Png);
    let announced = announce(app, person, bytes.len(), alt, purpose).await;
    assert_eq!(put(app, &announced.url, &bytes).await, 204);
    process(app, &announced.id).await;
    app.until("it is ready", async || seen(app, person, &announced.id).await["status"] == "READY")
        .await;
    announced.id
}

/// The names of all objects, of a kind.
pub fn objects(app: &TestApp, kind: &str) -> Vec<String> {
    fn walk(folder: &std::path::Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            if entry.path().is_dir() {
                walk(&entry.path(), found);
            } else {
                found.push(entry.file_name().to_string_lossy().into_owned());
            }
        }
    }
    let mut found = Vec::new();
    walk(&app.app.config.media.folder.join(kind), &mut found);
    found
}
