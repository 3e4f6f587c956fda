//! The front end as it is served: small, kept by browsers, and files apart from pages.

use std::path::Path;

use plaza::cli::roles::Role;
use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH,
    VARY,
};
use serde_json::json;
use tempfile::TempDir;

use crate::app::{TestApp, with_roles_and_config};

const HTML: &str = "<html><!--about--><title>plaza</title><!--/about--></html>";

/// A built front end: what is told apart here are its files' forms, by what is in them.
struct Built(TempDir);

impl Built {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("assets")).unwrap();
        let files = [
            ("index.html", HTML),
            ("index.html.br", "brotli page"),
            ("index.html.gz", "gzip page"),
            ("robots.txt", "User-agent: *\n"),
            ("sw.js", "worker script"),
            ("assets/a.js", "plain script"),
            ("assets/a.js.br", "brotli script"),
            ("assets/a.js.gz", "gzip script"),
            ("assets/only.css", "plain style"),
        ];
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        Self(folder)
    }
}

async fn with_pages(test: impl AsyncFnOnce(&TestApp, &str)) {
    let built = Built::new();
    with_roles_and_config(
        &[Role::Server],
        |config| config.server.web_folder = built.0.path().to_owned(),
        async |app| test(app, app.url.trim_end_matches("/graphql")).await,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_file_comes_in_the_smallest_form_that_the_client_reads() {
    with_pages(async |app, base| {
        // (what the client reads, the coding it gets): RFC 9110, 12.5.3.
        let codings = [
            ("gzip, deflate, br", Some("br")),
            ("gzip", Some("gzip")),
            ("br;q=0, gzip;q=0.5", Some("gzip")),
            ("identity", None),
            ("", None),
        ];
        for (path, kind, plain) in [
            ("/", "page", HTML),
            ("/shop", "page", HTML),
            ("/assets/a.js", "script", "plain script"),
        ] {
            for (read, coding) in codings {
                let response = app
                    .http()
                    .get(format!("{base}{path}"))
                    .header(ACCEPT_ENCODING, read)
                    .send()
                    .await
                    .unwrap();
                assert_eq!(response.status(), 200, "{path}");
                let header = |name| {
                    response.headers().get(name).map(|value| value.to_str().unwrap().to_owned())
                };
                assert_eq!(header(CONTENT_ENCODING).as_deref(), coding, "{path} for {read:?}");
                assert!(header(VARY).unwrap().to_lowercase().contains("accept-encoding"));
                let content = header(CONTENT_TYPE).unwrap();
                let wanted = if kind == "page" { "text/html" } else { "text/javascript" };
                assert!(content.starts_with(wanted), "{path}: {content}");
                let text = response.text().await.unwrap();
                match coding {
                    Some("br") => assert_eq!(text, format!("brotli {kind}")),
                    Some(_) => assert_eq!(text, format!("gzip {kind}")),
                    None => assert_eq!(text, plain),
                }
            }
        }
        let style = app
            .http()
            .get(format!("{base}/assets/only.css"))
            .header(ACCEPT_ENCODING, "br")
            .send()
            .await
            .unwrap();
        assert!(style.headers().get(CONTENT_ENCODING).is_none(), "there is no smaller form of it");
        assert_eq!(style.headers()[CACHE_CONTROL], "public, max-age=31536000, immutable");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_the_browser_has_is_not_sent_again() {
    with_pages(async |app, base| {
        for read in ["br", "gzip", "identity"] {
            let ask = |tag: Option<String>| {
                let request = app.http().get(format!("{base}/")).header(ACCEPT_ENCODING, read);
                let request = match tag {
                    Some(tag) => request.header(IF_NONE_MATCH, tag),
                    None => request,
                };
                async move { request.send().await.unwrap() }
            };
            let first = ask(None).await;
            let tag = first.headers()[ETAG].to_str().unwrap().to_owned();
            for known in [tag.clone(), format!("W/{tag}"), format!("\"other\", {tag}"), "*".into()]
            {
                let again = ask(Some(known)).await;
                assert_eq!(again.status(), 304, "{read}");
                assert_eq!(again.headers()[ETAG].to_str().unwrap(), tag);
                assert!(again.headers().get(CONTENT_ENCODING).is_none());
                assert!(again.bytes().await.unwrap().is_empty());
            }
            let other = ask(Some("\"other\"".to_owned())).await;
            assert_eq!(other.status(), 200);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_worker_is_asked_for_anew_and_a_fixed_file_kept_for_an_hour() {
    with_pages(async |app, base| {
        for (path, kind, kept) in [
            ("/sw.js", "text/javascript", "no-cache"),
            ("/robots.txt", "text/plain", "public, max-age=3600"),
        ] {
            let response = app.http().get(format!("{base}{path}")).send().await.unwrap();
            assert_eq!(response.status(), 200, "{path}");
            let headers = response.headers();
            assert!(headers[CONTENT_TYPE].to_str().unwrap().starts_with(kind), "{path}");
            assert_eq!(headers[CACHE_CONTROL], kept, "{path}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_nowhere_is_a_page_to_who_opens_pages_and_a_line_to_who_wants_a_file() {
    with_pages(async |app, base| {
        let ask = async |path: &str, accept: &str| {
            let response = app
                .http()
                .get(format!("{base}{path}"))
                .header(ACCEPT, accept)
                .send()
                .await
                .unwrap();
            (response.status().as_u16(), response.text().await.unwrap())
        };
        let browser = "text/html,application/xhtml+xml,*/*;q=0.8";
        assert_eq!(ask("/robots.txt", browser).await, (200, "User-agent: *\n".to_owned()));
        let (status, text) = ask("/no/such/page", browser).await;
        assert!(status == 404 && text == HTML, "{status} {text}");
        for path in [
            "/favicon.ico",
            "/assets/none.js",
            "/some/icon.png",
            "/.well-known/nothing",
            "/a/b.php",
        ] {
            let (status, text) = ask(path, browser).await;
            assert!(status == 404 && text.len() < 100, "{path}: {status} {text}");
        }
        let (status, text) = ask("/no/such/page", "*/*").await;
        assert!(status == 404 && text.len() < 100, "{text}");
    })
    .await;
}

/// A link and a reload lead to what the demo opens by itself.
#[tokio::test(flavor = "multi_thread")]
async fn every_page_of_the_demo_is_served() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("web/demo/app.tsx");
    let text = std::fs::read_to_string(file).unwrap();
    let patterns: Vec<&str> = text
        .split("pattern: '")
        .skip(1)
        .map(|rest| rest.split_once('\'').expect("a pattern ends").0)
        .collect();
    assert!(patterns.len() > 20 && patterns.contains(&"/u/:handle/shop"), "{patterns:?}");
    with_pages(async |app, base| {
        for pattern in &patterns {
            // Whether there is such a thing is for the page to say.
            let parts: Vec<&str> = pattern
                .split('/')
                .map(|part| if part.starts_with(':') { "nothing" } else { part })
                .collect();
            let path = parts.join("/");
            let request = app.http().get(format!("{base}{path}")).header(ACCEPT, "text/html");
            let response = request.send().await.unwrap();
            assert_eq!(response.status(), 200, "{pattern} is in app.tsx, and not in pages.rs");
            assert_eq!(response.text().await.unwrap(), HTML, "{pattern}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_says_what_it_is_about_and_nothing_that_is_not_everybodys_to_see() {
    with_pages(async |app, base| {
        let (ann, eve) = (app.sign_up("ann").await, app.sign_up("eve").await);
        let marked = "Bowls & <b>cups</b> \"today\"";
        let post = app.post(&ann, marked).await;
        let secret = app.post(&eve, "for friends alone").await;
        let private = "mutation { profileUpdate(input: {isPrivate: true}) { userErrors { code } } }";
        app.ask(&eve, private, json!({})).await;
        let offer = "mutation { productCreate(input: {title: \"A blue bowl\", description: \"Turned <once>\", \
            stock: 1, price: {amount: \"100\", currency: \"EUR\"}}) { product { id } userErrors { code } } }";
        let product = app.ask(&ann, offer, json!({})).await.at("/productCreate/product/id");
        let product = product.as_str().unwrap().to_owned();
        let read = async |path: String| {
            let response = app.http().get(format!("{base}{path}")).send().await.unwrap();
            assert_eq!(response.status(), 200, "{path}");
            assert!(response.headers().get(ETAG).is_some() && response.headers()[CACHE_CONTROL] == "no-cache");
            response.text().await.unwrap()
        };
        app.until("the post is known to replicas", async || {
            read(format!("/p/{post}")).await.contains("og:title")
        })
        .await;
        let page = read(format!("/p/{post}")).await;
        assert!(page.contains("Bowls &amp; &lt;b&gt;cups&lt;/b&gt; &quot;today&quot;"), "{page}");
        assert!(page.contains("(@ann) on plaza") && !page.contains("<b>"), "{page}");
        assert!(page.contains(&format!("/p/{post}\"")), "{page}");
        app.until("the product is known to replicas", async || {
            read(format!("/shop/{product}")).await.contains("A blue bowl")
        })
        .await;
        assert!(read(format!("/shop/{product}")).await.contains("Turned &lt;once&gt;"));
        assert!(read("/u/ann".to_owned()).await.contains("(@ann)"));
        app.until("everybody knows that it is private", async || {
            !read(format!("/p/{secret}")).await.contains("og:title")
        })
        .await;
        for path in [format!("/p/{secret}"), "/p/nonsense".into(), format!("/p/{product}")] {
            let page = read(path).await;
            assert!(page == HTML, "as it is where there is nothing to say: {page}");
        }
        assert!(!read(format!("/p/{secret}")).await.contains("friends"));
    })
    .await;
}

/// What reads shards is paid for by whoever asks, and a page comes all the same.
#[tokio::test(flavor = "multi_thread")]
async fn who_opens_very_many_pages_gets_them_without_what_they_are_about() {
    let built = Built::new();
    let configure = |config: &mut plaza::config::Config| {
        config.server.web_folder = built.0.path().to_owned();
        (config.limits.address_points, config.limits.address_points_per_s) = (10_000, 1);
    };
    with_roles_and_config(&[Role::Server], configure, async |app| {
        app.sign_up("ann").await;
        let base = app.url.trim_end_matches("/graphql");
        let read = async |path: &str| {
            let response = app.http().get(format!("{base}{path}")).send().await.unwrap();
            assert_eq!(response.status(), 200, "{path}");
            response.text().await.unwrap()
        };
        let about =
            app.until("she is known to replicas", async || read("/u/ann").await.contains("(@ann)"));
        about.await;
        for _ in 0..10_000 / 60 {
            read("/u/nobody").await;
        }
        assert_eq!(read("/u/ann").await, HTML);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_to_tell_of_a_weakness_is_what_the_operator_says() {
    for contact in [None, Some("mailto:security@plaza.example".to_owned())] {
        with_roles_and_config(
            &[Role::Server],
            |config| config.server.security_contact = contact.clone(),
            async |app| {
                let base = app.url.trim_end_matches("/graphql");
                let file = app.http().get(format!("{base}/.well-known/security.txt"));
                let response = file.send().await.unwrap();
                let (status, text) = (response.status().as_u16(), response.text().await.unwrap());
                match &contact {
                    None => assert_eq!(status, 404),
                    Some(contact) => {
                        let line = |name: &str| {
                            text.lines()
                                .find_map(|line| line.strip_prefix(name))
                                .unwrap()
                                .to_owned()
                        };
                        assert_eq!((status, line("Contact: ")), (200, contact.clone()));
                        let expires =
                            chrono::DateTime::parse_from_rfc3339(&line("Expires: ")).unwrap();
                        let left = (expires.to_utc() - app.app.domain.clock.now()).num_days();
                        assert!((1..366).contains(&left), "RFC 9116 recommends less than a year");
                    }
                }
            },
        )
        .await;
    }
}
