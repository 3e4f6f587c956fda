//! schema.graphql is what the code says, and says what everything is.

use plaza::graphql::schema::{schema, sdl};

#[test]
fn the_committed_schema_is_the_one_served() {
    let committed = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/schema.graphql"))
        .unwrap_or_default();
    assert!(
        committed == sdl(),
        "schema.graphql is not what the code says: run `plaza schema --write`"
    );
}

#[tokio::test]
async fn every_element_has_a_description() {
    let query = "{ __schema { types { name kind description fields { name description args { name description } }
        inputFields { name description } enumValues { name description } } } }";
    let answer = schema().execute(query).await.into_result().expect("introspection");
    let types = answer.data.into_json().unwrap();
    let mut missing = Vec::new();
    for kind in types["__schema"]["types"].as_array().unwrap() {
        let name = kind["name"].as_str().unwrap();
        if name.starts_with("__")
            || ["Boolean", "Int", "Float", "String", "ID", "DateTime"].contains(&name)
        {
            continue;
        }
        let mut check = |path: String, element: &serde_json::Value| {
            if element["description"].as_str().is_none_or(str::is_empty) {
                missing.push(path);
            }
        };
        check(name.to_owned(), kind);
        for list in ["fields", "inputFields", "enumValues"] {
            for element in kind[list].as_array().into_iter().flatten() {
                let path = format!("{name}.{}", element["name"].as_str().unwrap());
                check(path.clone(), element);
                for argument in element["args"].as_array().into_iter().flatten() {
                    check(format!("{path}({})", argument["name"].as_str().unwrap()), argument);
                }
            }
        }
    }
    assert!(missing.is_empty(), "without a description: {missing:#?}");
}
