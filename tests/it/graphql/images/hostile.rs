//! What is sent by those who mean no good, each with what it comes to.

use image::ImageFormat;
use image::codecs::gif::GifEncoder;

use super::{announce, at, encoded, objects, picture, seen, sent};
use crate::app::with_app;

/// The checksum of a PNG's chunk.
fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            if crc & 1 == 1 { 0xedb8_8320 ^ (crc >> 1) } else { crc >> 1 }
        })
    })
}

/// A PNG whose header claims so many pixels.
pub fn claiming(width: u32, height: u32) -> Vec<u8> {
    let mut png = encoded(&picture(8, 8), ImageFormat::Png);
    png[16..20].copy_from_slice(&width.to_be_bytes());
    png[20..24].copy_from_slice(&height.to_be_bytes());
    let sum = crc(&png[12..29]);
    png[29..33].copy_from_slice(&sum.to_be_bytes());
    png
}

fn moving() -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = GifEncoder::new(&mut bytes);
    for number in 0..3 {
        encoder
            .encode_frame(image::Frame::new(
                picture(8 + number, 8).crop_imm(0, 0, 8, 8).into_rgba8(),
            ))
            .unwrap();
    }
    drop(encoder);
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_shown_is_rejected_with_its_reason() {
    with_app(async |app| {
        let ann = app.sign_up("ann").await;
        let cut = |format| {
            let whole = encoded(&picture(200, 150), format);
            whole[..whole.len() / 2].to_vec()
        };
        let html = b"<!doctype html><script>alert(1)</script>".to_vec();
        let svg =
            b"<svg xmlns=\"http://www.w3.org/2000/svg\"><script>alert(1)</script></svg>".to_vec();
        let inputs = [
            ("a page", html, "UNSUPPORTED_FORMAT"),
            ("a drawing with a script", svg, "UNSUPPORTED_FORMAT"),
            ("an archive", b"PK\x03\x04 and so on".to_vec(), "UNSUPPORTED_FORMAT"),
            (
                "a bitmap",
                encoded(&picture(8, 8), ImageFormat::Png)[8..].to_vec(),
                "UNSUPPORTED_FORMAT",
            ),
            // Its words are read as its size.
            ("a script that begins like a GIF", b"GIF89a=1;alert(1)//".to_vec(), "TOO_MANY_PIXELS"),
            ("another", b"GIF89a\x01\0\x01\0\0\0\0=alert(1)//".to_vec(), "UNREADABLE"),
            ("a JPEG that ends at once", b"\xff\xd8\xff\xd9".to_vec(), "UNREADABLE"),
            ("half a JPEG", cut(ImageFormat::Jpeg), "UNREADABLE"),
            ("half a PNG", cut(ImageFormat::Png), "UNREADABLE"),
            ("half a WebP", cut(ImageFormat::WebP), "UNREADABLE"),
            ("half a GIF", cut(ImageFormat::Gif), "UNREADABLE"),
            ("a PNG of 3,600 million pixels", claiming(60_000, 60_000), "TOO_MANY_PIXELS"),
            ("a PNG of 100 million pixels", claiming(10_000, 10_000), "TOO_MANY_PIXELS"),
            ("a PNG that is all width", claiming(2_000_000_000, 1), "TOO_MANY_PIXELS"),
            ("a GIF that moves", moving(), "ANIMATED"),
        ];
        for (what, bytes, reason) in inputs {
            let id = sent(app, &ann, &bytes).await;
            app.until(what, async || {
                !["PROCESSING", "AWAITING_UPLOAD"]
                    .contains(&seen(app, &ann, &id).await["status"].as_str().unwrap())
            })
            .await;
            let image = seen(app, &ann, &id).await;
            assert_eq!(
                (image["status"].as_str(), image["rejection"].as_str()),
                (Some("REJECTED"), Some(reason)),
                "{what}"
            );
            assert!(image["url"].is_null() && image["width"].is_null(), "{what}: {image}");
        }
        app.until("nothing is kept of any", async || objects(app, "uploads").is_empty()).await;
        assert_eq!(objects(app, "images"), Vec::<String>::new());
        assert_eq!(
            app.count("SELECT count(*) FROM job_attempts").await,
            0,
            "a rejection is no failure"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_is_something_else_too_is_shown_as_an_image_alone() {
    with_app(async |app| {
        let ann = app.sign_up("ann").await;
        let mut bytes = encoded(&picture(64, 48), ImageFormat::Png);
        bytes.extend_from_slice(b"PK\x03\x04<script>alert('smuggled')</script>");
        let image = announce(app, &ann, bytes.len(), "", "POST").await;
        // What it is called is not asked.
        let put = app
            .http()
            .put(at(app, &image.url))
            .header("content-type", "text/html")
            .body(bytes)
            .send()
            .await
            .unwrap();
        assert_eq!(put.status(), 204);
        app.until("it is ready", async || seen(app, &ann, &image.id).await["status"] == "READY")
            .await;
        let url = seen(app, &ann, &image.id).await["url"].as_str().unwrap().to_owned();
        let answer = app.http().get(at(app, &url)).send().await.unwrap();
        assert_eq!(answer.headers()["content-type"], "image/jpeg");
        let shown = answer.bytes().await.unwrap();
        assert!(!String::from_utf8_lossy(&shown).contains("smuggled"));
    })
    .await;
}
