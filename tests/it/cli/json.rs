//! What the executable prints as JSON, and nothing beside it.

use std::process::Output;

use serde_json::{Value, json};
use tokio::process::Command;

use crate::app::{TestApp, config_file, with_roles};
use crate::operate::process::environment;

fn read(arguments: &[&str], output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{arguments:?}: {error}: {output:?}"))
}

/// What a subcommand prints that succeeds, on the test's databases and topics.
async fn said(app: &TestApp, arguments: &[&str]) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_plaza"))
        .args(arguments)
        .arg("--json")
        .env("PLAZA_CONFIG", config_file())
        .envs(environment(&app.app.config))
        .output()
        .await
        .unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    read(arguments, &output)
}

fn list(value: &Value) -> &Vec<Value> {
    value.as_array().unwrap_or_else(|| panic!("no list: {value}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_verbs_print_as_json_is_json_and_has_the_facts() {
    with_roles(&[], async |app| {
        let shards = app.app.config.postgres.shards.len();
        let migrated = said(app, &["migrate", "--databases-only"]).await;
        assert_eq!(list(&migrated["shards"]).len(), shards, "{migrated}");
        for shard in list(&migrated["shards"]) {
            assert_eq!((&shard["applied"], &shard["error"]), (&json!([]), &Value::Null));
        }
        assert_eq!((&migrated["shard_map"], &migrated["kafka_topics"]), (&json!(1), &Value::Null));

        let seed = ["seed", "--users", "40", "--if-empty"];
        let seeded = said(app, &seed).await;
        assert_eq!((&seeded["people_before"], &seeded["scene_played"]), (&json!(0), &json!(false)));
        let step = |name: &str| {
            let found = list(&seeded["steps"]).iter().find(|step| step["step"] == name);
            found.unwrap_or_else(|| panic!("no {name}: {seeded}"))
        };
        assert_eq!(step("people")["new"], 39);
        assert_eq!(step("the first person")["rows"], 1);
        let users = list(&seeded["tables"]).iter().find(|table| table["name"] == "users").unwrap();
        let users: i64 = list(&users["rows"]).iter().filter_map(Value::as_i64).sum();
        assert_eq!(users, 40);
        let again = said(app, &seed).await;
        assert_eq!((&again["people_before"], &again["steps"]), (&json!(40), &json!([])));

        let granted = said(app, &["admin", "grant", "@Alice"]).await;
        assert_eq!(granted, json!({ "handle": "alice", "action": "grant" }));
        let clocks = said(app, &["shards", "clock"]).await;
        assert_eq!(list(&clocks).len(), shards);
        assert!(list(&clocks).iter().all(|clock| clock["issues_ids"] == true), "{clocks}");
        let projections = said(app, &["projections"]).await;
        let shares = list(&projections).iter().filter(|one| one["projection"] == "shares");
        assert!(shares.clone().count() > 0, "{projections}");
        assert!(shares.clone().all(|one| one["behind"] == 0), "all, and not those that are behind");
    })
    .await;
}

#[test]
fn a_configuration_is_valid_or_its_first_error_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("plaza.toml");
    let plaza = |arguments: &[&str], fail_permille: Option<&str>| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_plaza"));
        command.args(arguments).env("PLAZA_CONFIG", &file);
        command.envs(fail_permille.map(|share| ("PLAZA_PAYMENTS__FAIL_PERMILLE", share)));
        command.output().unwrap()
    };
    let example = plaza(&["config", "example"], None);
    std::fs::write(&file, &example.stdout).unwrap();
    let check = ["config", "check", "--json"];
    let valid = plaza(&check, None);
    assert!(valid.status.success(), "{valid:?}");
    let source = file.to_str().unwrap();
    assert_eq!(read(&check, &valid), json!({ "valid": true, "source": source, "error": null }));
    let invalid = plaza(&check, Some("2000"));
    assert!(!invalid.status.success(), "{invalid:?}");
    let found = read(&check, &invalid);
    assert_eq!(found["valid"], false);
    assert!(found["error"].as_str().unwrap().contains("out of 1000"), "{found}");
}
