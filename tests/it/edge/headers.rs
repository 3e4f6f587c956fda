//! Compression, and what browsers and clients read off a response's headers.

use serde_json::json;

use super::errors::raw;
use super::{Nginx, address_of, free_port, send};
use crate::app::{with_config, with_server};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_worth_it_is_compressed() {
    with_server(async |app| {
        let nginx = Nginx::before([address_of(&app.url); 2]).await;
        let names = (0..100).map(|n| format!("a{n}: __typename")).collect::<Vec<_>>().join(" ");
        let ask = async |query: String, media_type: &str, encoding: &str| {
            let request = app
                .http()
                .post(nginx.url("/graphql"))
                .header("accept", media_type)
                .header("accept-encoding", encoding)
                .json(&json!({ "query": query }));
            let response = request.send().await.unwrap();
            let headers = response.headers().clone();
            let of = |name: &str| {
                let all = headers.get_all(name).iter().map(|value| value.to_str().unwrap());
                all.collect::<Vec<_>>().join(", ").to_ascii_lowercase()
            };
            let told = (of("content-encoding"), of("vary").contains("accept-encoding"));
            (told.0, told.1, response.bytes().await.unwrap().len())
        };
        for media_type in ["application/json", "application/graphql-response+json"] {
            let query = format!("{{ {names} }}");
            let plain = ask(query.clone(), media_type, "identity").await;
            assert_eq!((plain.0.as_str(), plain.1), ("", true), "{media_type}");
            let packed = ask(query, media_type, "gzip, br").await;
            assert_eq!((packed.0.as_str(), packed.1), ("gzip", true), "{media_type}");
            assert!(packed.2 * 3 < plain.2, "{} of {} bytes", packed.2, plain.2);
            let small = ask("{ __typename }".to_owned(), media_type, "gzip").await;
            assert_eq!(small.0, "", "{media_type}");
        }
        let text = send(app.http().get(nginx.url("/schema.graphql"))).await;
        assert_eq!(text.text, plaza::graphql::schema::sdl());
        assert_eq!(text.header("content-type"), "application/graphql; charset=utf-8");
    })
    .await;
}

/// Without nginx, where the configuration says so.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_compresses_by_itself_what_is_worth_it() {
    let alone = |config: &mut plaza::config::Config| config.server.compress = true;
    with_config(alone, async |app| {
        let names = (0..100).map(|n| format!("a{n}: __typename")).collect::<Vec<_>>().join(" ");
        let ask = async |query: &str, encoding: &str| {
            let request = app.http().post(&app.url).header("accept-encoding", encoding);
            let response = request.json(&json!({ "query": query })).send().await.unwrap();
            let told = |name: &str| {
                let all = response.headers().get_all(name).iter();
                let all: Vec<&str> = all.map(|value| value.to_str().unwrap()).collect();
                all.join(", ").to_ascii_lowercase()
            };
            let (encoding, vary) = (told("content-encoding"), told("vary"));
            assert!(vary.contains("accept-encoding"), "{vary}");
            (encoding, response.bytes().await.unwrap())
        };
        let query = format!("{{ {names} }}");
        let (none, plain) = ask(&query, "identity").await;
        let (gzip, packed) = ask(&query, "br, gzip").await;
        assert_eq!((none.as_str(), gzip.as_str()), ("", "gzip"));
        assert!(packed.len() * 3 < plain.len(), "{} of {} bytes", packed.len(), plain.len());
        let mut text = Vec::new();
        let mut reader = flate2::read::GzDecoder::new(&packed[..]);
        std::io::Read::read_to_end(&mut reader, &mut text).unwrap();
        assert_eq!(text, plain);
        assert_eq!(ask("{ __typename }", "gzip").await.0, "");
        let page = app.http().get(app.url.replace("/graphql", "/schema.graphql"));
        let page = page.header("accept-encoding", "gzip").send().await.unwrap();
        assert_eq!(page.headers()["content-encoding"], "gzip");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_response_says_what_browsers_may_do_with_it() {
    for by_tls in [false, true] {
        let change = move |config: &mut plaza::config::Config| {
            if by_tls {
                config.server.public_url = "https://plaza.example".to_owned();
            }
        };
        with_config(change, async |app| {
            let nginx = Nginx::before([address_of(&app.url); 2]).await;
            for path in [
                "/graphql",
                "/graphiql",
                "/",
                "/nowhere",
                "/schema.graphql",
                "/livez",
                "/media/images/x",
                "/.well-known/jwks.json",
            ] {
                let answer = send(app.http().get(nginx.url(path))).await;
                for (name, value) in [
                    ("x-content-type-options", "nosniff"),
                    ("referrer-policy", "strict-origin-when-cross-origin"),
                    ("cross-origin-opener-policy", "same-origin"),
                ] {
                    assert_eq!(answer.header(name), value, "{path}");
                }
                assert!(answer.header("permissions-policy").contains("camera=()"), "{path}");
                assert_ne!(answer.header("content-security-policy"), "", "{path}");
                let tls_only = answer.header("strict-transport-security");
                assert_eq!(tls_only.starts_with("max-age="), by_tls, "{path}");
            }
            // Whatever a POST comes to, no cache keeps it: it may hold a token.
            for query in ["{ __typename }", "{", "mutation { logOut { loggedOut } }"] {
                let body = json!({ "query": query });
                let answer = send(app.http().post(nginx.url("/graphql")).json(&body)).await;
                assert_eq!(answer.header("cache-control"), "no-store", "{query}");
            }
        })
        .await;
    }
}

/// Also of what no server of plaza's has seen.
#[tokio::test(flavor = "multi_thread")]
async fn an_error_of_nginx_itself_says_the_same() {
    with_server(async |app| {
        let dead = std::net::SocketAddr::from(([127, 0, 0, 1], free_port()));
        let nginx = Nginx::before([dead, dead]).await;
        let livez = app.url.replace("/graphql", "/livez");
        let ours = send(app.http().get(livez)).await;
        for accept in ["application/json", "application/graphql-response+json", "text/html"] {
            for came_by in ["", "http", "https"] {
                let request = app.http().get(nginx.url("/shop")).header("accept", accept);
                // As a proxy in front says it.
                let request = match came_by {
                    "" => request,
                    scheme => request.header("x-forwarded-proto", scheme),
                };
                let error = send(request).await;
                assert_eq!(error.status, 502, "{accept}: {}", error.text);
                for name in
                    ["x-content-type-options", "cross-origin-opener-policy", "permissions-policy"]
                {
                    assert_ne!(ours.header(name), "", "{name}");
                    assert_eq!(error.header(name), ours.header(name), "{accept}: {name}");
                }
                let policy = error.header("content-security-policy");
                assert!(policy.contains("frame-ancestors 'none'"), "{accept}: {policy}");
                let tls_only = error.header("strict-transport-security");
                assert_eq!(tls_only.starts_with("max-age="), came_by == "https", "{accept}");
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_types_the_endpoints_address_comes_to_the_playground() {
    with_server(async |app| {
        let nginx = Nginx::before([address_of(&app.url); 2]).await;
        let browser = "text/html,application/xhtml+xml,*/*;q=0.8";
        let page = send(app.http().get(nginx.url("/graphql")).header("accept", browser)).await;
        assert!(page.status == 200 && page.text.contains("GraphiQL"), "{}", page.text);
        let head =
            "GET /graphql HTTP/1.1\r\nhost: x\r\naccept: text/html\r\nconnection: close\r\n\r\n";
        let (status, head, _) = raw(&nginx, head.as_bytes()).await;
        assert!(status == 307 && head.contains("location: /graphiql"), "{head}");
        // A query stays one.
        let query = app
            .http()
            .get(nginx.url("/graphql?query=%7B__typename%7D"))
            .header("accept", "text/html, application/json;q=0.9")
            .header("graphql-require-preflight", "1");
        assert_eq!(send(query).await.json(), json!({ "data": { "__typename": "Query" } }));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_of_headers_are_written_as_usual() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    with_server(async |app| {
        let nginx = Nginx::before([address_of(&app.url); 2]).await;
        let head = "GET /graphql HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
            sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
            sec-websocket-protocol: graphql-transport-ws\r\n\r\n";
        for (address, names) in [
            (nginx.address, &["Sec-WebSocket-Protocol: ", "Upgrade: ", "X-Request-Id: "][..]),
            (
                address_of(&app.url),
                &["Sec-WebSocket-Protocol: ", "Sec-WebSocket-Accept: ", "Upgrade: ", "X-Request-Id: "]
                    [..],
            ),
        ] {
            let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
            stream.write_all(head.as_bytes()).await.unwrap();
            let mut text = String::new();
            while !text.contains("\r\n\r\n") {
                let mut piece = [0_u8; 2_048];
                let read = stream.read(&mut piece).await.unwrap();
                assert!(read > 0, "{text}");
                text.push_str(&String::from_utf8_lossy(&piece[..read]));
            }
            assert!(text.starts_with("HTTP/1.1 101"), "{text}");
            for name in names {
                assert_eq!(text.matches(name).count(), 1, "{name} in {text}");
            }
        }
    })
    .await;
}
