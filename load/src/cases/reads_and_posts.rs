//! What the cases about servers ask, whatever becomes of the servers meanwhile: one request in ten
//! is a post, the others read somebody's page.

use std::sync::Arc;

use anyhow::Context;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

use crate::client::Client;
use crate::people::LoggedIn;

const READ: &str = "query($handle: String!) { user(handle: $handle) { displayName posts(first: 20) { edges { node { text likeCount } } } } }";
const POST: &str = "mutation($text: String!) { postCreate(input: {text: $text}) { post { id } userErrors { code message } } }";

/// Sends the request of that number, which decides who asks what.
///
/// # Errors
/// The server's; an answer without what was asked for.
pub async fn read_or_post(
    client: Client,
    people: Arc<Vec<LoggedIn>>,
    number: u64,
) -> anyhow::Result<()> {
    let mut random = StdRng::seed_from_u64(number);
    let (person, other) = people
        .choose(&mut random)
        .zip(people.choose(&mut random))
        .context("nobody is logged in")?;
    let token = Some(person.token.as_str());
    let (data, found) = if random.random_range(0..10) == 0 {
        (
            client.send(token, POST, json!({ "text": format!("case {number:x}") })).await?,
            "/postCreate/post/id",
        )
    } else {
        (
            client.send(token, READ, json!({ "handle": other.person.handle })).await?,
            "/user/posts/edges",
        )
    };
    anyhow::ensure!(
        data.pointer(found).is_some_and(|value| *value != Value::Null),
        "answered {data}"
    );
    Ok(())
}
