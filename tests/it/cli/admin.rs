//! Administrators, by the console alone.

use clap::{Args, FromArgMatches};
use plaza::cli::admin::{AdminArgs, act};
use serde_json::json;

use crate::app::with_app;

fn args(words: &[&str]) -> AdminArgs {
    let command = AdminArgs::augment_args(clap::Command::new("admin"));
    let matches = command.try_get_matches_from([&["admin"], words].concat()).expect("arguments");
    AdminArgs::from_arg_matches(&matches).expect("arguments")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_password_is_replaced_from_the_console() {
    with_app(async |app| {
        let ann = app.sign_up("ann").await;
        let done = act(&app.app, &args(&["reset-password", "@ann"])).await.expect("replaced");
        let password = done.password.as_deref().expect("a password");
        let said = format!("@ann has the password {password}, their sessions end");
        assert!(password.len() > 20 && done.to_string() == said, "{done}");
        plaza::domain::identity::revocations::refresh(&app.app.domain).await.unwrap();
        let token = format!("Bearer {}", ann.token);
        let headers = [("authorization", token.as_str())];
        let asked = app.send(&headers, "{ viewer { user { id } } }", json!({})).await;
        assert_eq!(asked.status, 401, "their sessions have ended");
        let query = "mutation($password: String!) { logIn(input: {handle: \"ann\", password: $password}) { accessToken userErrors { code } } }";
        let log_in = async |password: &str| {
            app.ask_anonymously(query, json!({ "password": password })).await.at("/logIn")
        };
        app.until("the new password is known", async || {
            log_in(password).await["accessToken"].is_string()
        })
        .await;
        let old = log_in("correct horse").await;
        assert_eq!(old["userErrors"][0]["code"], "INVALID_CREDENTIALS", "{old}");
        let again = act(&app.app, &args(&["reset-password", "ann"])).await.expect("replaced");
        assert_ne!(again.password, done.password, "another one each time");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn administrators_are_made_and_people_suspended_from_the_console() {
    with_app(async |app| {
        let (ann, bob) = (app.sign_up("ann").await, app.sign_up("bob").await);
        let run = async |words: &[&str]| act(&app.app, &args(words)).await;
        let suspend =
            "mutation($id: ID!) { userSuspend(input: {userId: $id}) { userErrors { code } } }";
        let token = format!("Bearer {}", ann.token);
        let ask =
            async || app.send(&[("authorization", &token)], suspend, json!({ "id": bob.id })).await;
        assert_eq!(ask().await.code(), "FORBIDDEN");
        let granted = run(&["grant", "@Ann"]).await.expect("granted");
        assert_eq!(granted.to_string(), "@ann is an administrator");
        assert_eq!(json!(granted), json!({ "handle": "ann", "action": "grant" }));
        run(&["grant", "ann"]).await.expect("granted again");
        assert_eq!(ask().await.at("/userSuspend/userErrors"), json!([]));
        run(&["unsuspend", "bob"]).await.expect("no longer suspended");
        run(&["revoke", "ann"]).await.expect("revoked");
        assert_eq!(ask().await.code(), "FORBIDDEN");

        run(&["suspend", "bob"]).await.expect("suspended");
        app.until("nobody sees them", async || {
            app.ask_anonymously("{ user(handle: \"bob\") { id } }", json!({})).await.at("/user")
                == json!(null)
        })
        .await;
        plaza::domain::identity::revocations::refresh(&app.app.domain).await.unwrap();
        let token = format!("Bearer {}", bob.token);
        let headers = [("authorization", token.as_str())];
        let asked = app.send(&headers, "{ viewer { user { id } } }", json!({})).await;
        assert_eq!(asked.status, 401, "their sessions have ended");
        run(&["unsuspend", "bob"]).await.expect("no longer suspended");
        app.until("they are back", async || {
            app.ask_anonymously("{ user(handle: \"bob\") { id } }", json!({})).await.at("/user")
                != json!(null)
        })
        .await;
        let error = run(&["grant", "nobody_here"]).await.expect_err("there is nobody");
        assert!(error.to_string().contains("@nobody_here"), "{error}");
    })
    .await;
}
