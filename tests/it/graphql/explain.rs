//! Explanations of a response, in `extensions`.

use serde_json::json;

use crate::app::with_server;

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_explained_to_those_who_ask() {
    with_server(async |app| {
        let ann = app.sign_up("ann").await;
        app.post(&ann, "x").await;
        let authorization = format!("Bearer {}", ann.token);
        let query = "{ user(handle: \"ann\") { posts(first: 5) { nodes { likeCount author { handle } } } } }";
        let plain = app.send(&[("authorization", &authorization)], query, json!({})).await;
        assert!(plain.body.get("extensions").is_none(), "{}", plain.body);
        let told = app.send(&[("authorization", &authorization), ("plaza-explain", "1")], query, json!({})).await;
        assert_eq!(told.body["data"], plain.body["data"]);
        let explained = &told.body["extensions"]["explain"];
        assert!(explained["trace"].as_str().is_some_and(|trace| trace.starts_with("00-")), "{explained}");
        let steps = explained["steps"].as_array().unwrap();
        let read = steps.iter().find(|step| step["kind"] == "sql" && step["path"] == "user.posts");
        let read = read.unwrap_or_else(|| panic!("{explained}"));
        assert!(read["server"].as_str().is_some_and(|server| server.starts_with("shard ")) && read["tookMs"].as_f64().is_some(), "{read}");
        assert!(steps.iter().any(|step| step["kind"] == "cache" && step["keys"].as_u64().is_some()), "{explained}");
    })
    .await;
}
