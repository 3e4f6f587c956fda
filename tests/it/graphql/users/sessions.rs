//! Accounts and sessions.

use serde_json::json;

use crate::app::with_server;

const LOG_IN: &str = "mutation($handle: String!, $password: String!) { logIn(input: {handle: $handle, password: $password}) {
    accessToken refreshToken viewer { user { handle } } userErrors { code path } } }";
const REFRESH: &str = "mutation($token: String!) { sessionRefresh(input: {refreshToken: $token}) { accessToken refreshToken userErrors { code } } }";

#[tokio::test(flavor = "multi_thread")]
async fn one_signs_up_logs_in_refreshes_and_logs_out() {
    with_server(async |app| {
        let ann = app.sign_up("Ann_1").await;
        assert_eq!(
            app.ask(&ann, "{ viewer { user { handle displayName } } }", json!({}))
                .await
                .text("/viewer/user/handle"),
            "ann_1"
        );
        let login = app
            .ask_anonymously(LOG_IN, json!({ "handle": "ANN_1", "password": "correct horse" }))
            .await;
        assert_eq!(login.text("/logIn/viewer/user/handle"), "ann_1");
        let first = login.text("/logIn/refreshToken");
        let refreshed = app.ask_anonymously(REFRESH, json!({ "token": first })).await;
        let second = refreshed.text("/sessionRefresh/refreshToken");
        let session =
            crate::app::Person { token: refreshed.text("/sessionRefresh/accessToken"), ..ann };
        let sessions = app
            .ask(&session, "{ viewer { sessions { isCurrent } } }", json!({}))
            .await
            .at("/viewer/sessions");
        assert_eq!(
            sessions
                .as_array()
                .unwrap()
                .iter()
                .filter(|session| session["isCurrent"] == true)
                .count(),
            1
        );
        assert_eq!(
            app.ask(&session, "mutation { logOut { loggedOut } }", json!({}))
                .await
                .at("/logOut/loggedOut"),
            true
        );
        let ended = app.ask_anonymously(REFRESH, json!({ "token": second })).await;
        assert_eq!(ended.text("/sessionRefresh/userErrors/0/code"), "INVALID_CREDENTIALS");
        let authorization = format!("Bearer {}", session.token);
        let dead = app
            .send(&[("authorization", &authorization)], "{ viewer { user { id } } }", json!({}))
            .await;
        assert_eq!(
            (dead.status, dead.code()),
            (401, "UNAUTHENTICATED"),
            "the access token is dead at once"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handle_and_an_address_belong_to_one() {
    with_server(async |app| {
        app.sign_up("bert").await;
        let sign_up =
            "mutation($handle: String!, $email: String!) { signUp(input: {handle: $handle, email: $email, password: \"correct horse\",
            displayName: \"B\"}) { accessToken userErrors { code path } } }";
        let handle = app.ask_anonymously(sign_up, json!({ "handle": "BERT", "email": "other@example.org" })).await;
        assert_eq!(handle.at("/signUp/userErrors"), json!([{ "code": "TAKEN", "path": ["input", "handle"] }]));
        let email = app.ask_anonymously(sign_up, json!({ "handle": "bert2", "email": "Bert@Example.org" })).await;
        assert_eq!(email.at("/signUp/userErrors"), json!([{ "code": "TAKEN", "path": ["input", "email"] }]));
        // The handle of the attempt that failed is free again.
        let free = app.ask_anonymously(sign_up, json!({ "handle": "bert2", "email": "bert2@example.org" })).await;
        assert_eq!(free.at("/signUp/userErrors"), json!([]));
        assert_eq!(app.count("SELECT count(*) FROM users").await, 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_and_an_unknown_handle_are_answered_alike() {
    with_server(async |app| {
        app.sign_up("carl").await;
        let wrong = app
            .ask_anonymously(LOG_IN, json!({ "handle": "carl", "password": "wrong horse" }))
            .await;
        let unknown = app
            .ask_anonymously(LOG_IN, json!({ "handle": "nobody", "password": "wrong horse" }))
            .await;
        assert_eq!(wrong.body, unknown.body);
        assert_eq!(wrong.text("/logIn/userErrors/0/code"), "INVALID_CREDENTIALS");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_access_token_is_refused_and_none_is_anonymous() {
    with_server(async |app| {
        let bad = app
            .send(&[("authorization", "Bearer x.y.z")], "{ viewer { user { handle } } }", json!({}))
            .await;
        assert_eq!((bad.status, bad.code()), (401, "UNAUTHENTICATED"));
        let none = app.ask_anonymously("{ viewer { user { handle } } }", json!({})).await;
        assert_eq!(none.at("/viewer"), json!(null));
        let post = app
            .ask_anonymously(
                "mutation { postCreate(input: {text: \"x\"}) { post { id } } }",
                json!({}),
            )
            .await;
        assert_eq!(post.code(), "UNAUTHENTICATED");
        assert_eq!(app.count("SELECT count(*) FROM posts").await, 0);
    })
    .await;
}
