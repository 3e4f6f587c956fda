//! What a request costs, and what a payer has.

mod persisted;
mod points;

use serde_json::Value;

use crate::app::{Person, TestApp};

pub async fn post(
    app: &TestApp,
    person: Option<&Person>,
    body: &Value,
) -> (u16, Option<u64>, Value) {
    let mut request = app.http().post(&app.url).json(body);
    if let Some(person) = person {
        request = request.header("authorization", format!("Bearer {}", person.token));
    }
    let answer = request.send().await.unwrap();
    let retry =
        answer.headers().get("retry-after").map(|value| value.to_str().unwrap().parse().unwrap());
    (answer.status().as_u16(), retry, answer.json().await.unwrap())
}

pub fn code(body: &Value) -> &str {
    body["errors"][0]["extensions"]["code"].as_str().unwrap_or_else(|| panic!("{body}"))
}
