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

/// Every element of the schema that clients see, with its description.
async fn descriptions() -> Vec<(String, String)> {
    let query = "{ __schema { types { name kind description fields { name description args { name description } }
        inputFields { name description } enumValues { name description } } } }";
    let answer = schema().execute(query).await.into_result().expect("introspection");
    let types = answer.data.into_json().unwrap();
    let mut found = Vec::new();
    for kind in types["__schema"]["types"].as_array().unwrap() {
        let name = kind["name"].as_str().unwrap();
        if name.starts_with("__") || ["Boolean", "Int", "Float", "String", "ID"].contains(&name) {
            continue;
        }
        let mut add = |path: String, element: &serde_json::Value| {
            let description = element["description"].as_str().unwrap_or_default().to_owned();
            found.push((path, description));
        };
        add(name.to_owned(), kind);
        for list in ["fields", "inputFields", "enumValues"] {
            for element in kind[list].as_array().into_iter().flatten() {
                let path = format!("{name}.{}", element["name"].as_str().unwrap());
                add(path.clone(), element);
                for argument in element["args"].as_array().into_iter().flatten() {
                    add(format!("{path}({})", argument["name"].as_str().unwrap()), argument);
                }
            }
        }
    }
    assert!(found.len() > 500, "only {} elements: is introspection complete?", found.len());
    found
}

#[tokio::test]
async fn every_element_has_a_description() {
    let missing: Vec<String> = descriptions()
        .await
        .into_iter()
        .filter(|(_, text)| text.is_empty())
        .map(|(path, _)| path)
        .collect();
    assert!(missing.is_empty(), "without a description: {missing:#?}");
}

/// Words that only this project would understand; `infra/check/prose.mjs` holds the documents to
/// the same list.
fn banned_words() -> Vec<String> {
    let list = include_str!("../../../infra/check/banned-words.txt");
    list.lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(str::to_owned)
        .collect()
}

/// What is wrong with a description, if anything is.
fn fault_of(text: &str, banned: &[String]) -> Option<String> {
    if text.split_whitespace().count() < 4 {
        return Some("has fewer than four words".to_owned());
    }
    let prose: String =
        text.split('`').step_by(2).collect::<Vec<_>>().join(" ").to_lowercase().replace('\n', " ");
    let question = ["who", "whom", "whose", "what", "which", "when", "where", "why", "how"];
    let first = prose.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
    if !text.starts_with('`') && question.contains(&first) {
        return Some(format!("begins with \"{first}\": say what it is"));
    }
    let words: Vec<&str> =
        prose.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let padded = format!(" {} ", words.join(" "));
    let found = banned.iter().find(|word| padded.contains(&format!(" {word} ")))?;
    Some(format!("has \"{found}\", which is not a word of the field"))
}

#[test]
fn a_bad_description_is_recognised() {
    let banned = banned_words();
    assert!(banned.len() > 20, "the list has {} words", banned.len());
    for bad in [
        "Why not.",
        "How many pieces it has at all.",
        "The people whom the viewer follows.",
        "The viewer is told of it at once.",
        "A shard that is away is left out.",
    ] {
        assert!(fault_of(bad, &banned).is_some(), "{bad}");
    }
    let good = "Posts of the `people` whom the viewer follows, newest first.";
    assert_eq!(fault_of(good, &banned), None);
}

#[tokio::test]
async fn every_description_says_what_in_the_words_of_the_field() {
    let banned = banned_words();
    let wrong: Vec<String> = descriptions()
        .await
        .into_iter()
        .filter_map(|(path, text)| {
            fault_of(&text, &banned).map(|fault| format!("{path} {fault}: {text}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}
