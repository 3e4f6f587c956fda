//! What tests ask a plaza for, and what comes back.

use plaza::ids::UserId;
use plaza::stores::postgres::ShardIndex;
use serde_json::{Value, json};

use super::TestApp;

/// The header of consistency tokens, and how many of them a request may send.
const CONSISTENCY: &str = "plaza-consistency";
const MAX_TOKENS: usize = 16;

/// A person who is logged in.
#[derive(Clone)]
pub struct Person {
    pub id: String,
    pub token: String,
}

/// What came back.
pub struct Answer {
    pub status: u16,
    pub body: Value,
    pub consistency: Option<String>,
}

impl Answer {
    /// The value at a JSON pointer below `data`; a test that asks for what is not there fails with
    /// the whole answer.
    pub fn at(&self, pointer: &str) -> Value {
        self.get(pointer).unwrap_or_else(|| panic!("no {pointer} in {}", self.body)).clone()
    }

    /// The same, null where there is nothing: for whoever waits until it is there.
    pub fn at_or_null(&self, pointer: &str) -> Value {
        self.get(pointer).cloned().unwrap_or_default()
    }

    fn get(&self, pointer: &str) -> Option<&Value> {
        self.body.pointer(&format!("/data{pointer}"))
    }

    pub fn text(&self, pointer: &str) -> String {
        self.at(pointer)
            .as_str()
            .unwrap_or_else(|| panic!("{pointer} is no text in {}", self.body))
            .to_owned()
    }

    /// `extensions.code` of the first error.
    pub fn code(&self) -> &str {
        self.body
            .pointer("/errors/0/extensions/code")
            .and_then(Value::as_str)
            .unwrap_or_else(|| panic!("no error in {}", self.body))
    }
}

impl TestApp {
    /// Sends a request with headers.
    pub async fn send(&self, headers: &[(&str, &str)], query: &str, variables: Value) -> Answer {
        let mut request =
            self.http.post(&self.url).json(&json!({ "query": query, "variables": variables }));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.expect("an answer");
        let consistency =
            response.headers().get(CONSISTENCY).map(|value| value.to_str().unwrap().to_owned());
        Answer {
            status: response.status().as_u16(),
            consistency,
            body: response.json().await.expect("JSON"),
        }
    }

    /// Asks as somebody who has seen all that this app's scene is made of: a replica that lags is
    /// no part of what is tested here. Their own writes they see by their session.
    pub async fn ask(&self, person: &Person, query: &str, variables: Value) -> Answer {
        let (authorization, seen) = (format!("Bearer {}", person.token), self.scene());
        let mut headers = vec![("authorization", authorization.as_str())];
        headers.extend(seen.as_deref().map(|seen| (CONSISTENCY, seen)));
        let answer = self.send(&headers, query, variables).await;
        assert!(answer.body.get("errors").is_none(), "{}", answer.body);
        answer
    }

    /// Asks as somebody, naming the mutation.
    pub async fn ask_with_key(
        &self,
        person: &Person,
        key: &str,
        query: &str,
        variables: Value,
    ) -> Answer {
        let authorization = format!("Bearer {}", person.token);
        self.send(&[("authorization", &authorization), ("idempotency-key", key)], query, variables)
            .await
    }

    /// Asks as nobody.
    pub async fn ask_anonymously(&self, query: &str, variables: Value) -> Answer {
        self.send(&[], query, variables).await
    }

    pub fn http(&self) -> &reqwest::Client {
        &self.http
    }

    /// What has been written to set the scene, as consistency tokens.
    fn scene(&self) -> Option<String> {
        let seen = self.seen.lock().unwrap();
        (!seen.is_empty()).then(|| seen.join(","))
    }

    /// This was written to set the scene.
    fn set(&self, answer: &Answer) {
        let mut seen = self.seen.lock().unwrap();
        seen.extend(answer.consistency.clone());
        // As many as one request may send; what was written before so many others has long arrived.
        let spare = seen.len().saturating_sub(MAX_TOKENS);
        seen.drain(..spare);
    }

    pub async fn sign_up(&self, handle: &str) -> Person {
        let answer = self
            .ask_anonymously(
                "mutation($handle: String!) { signUp(input: {handle: $handle, email: $handle, password: \"correct horse\", displayName: $handle}) {
                   accessToken viewer { user { id } } userErrors { code message path } } }"
                    .replace("email: $handle", &format!("email: \"{handle}@example.org\""))
                    .as_str(),
                json!({ "handle": handle }),
            )
            .await;
        self.set(&answer);
        Person {
            id: answer.text("/signUp/viewer/user/id"),
            token: answer.text("/signUp/accessToken"),
        }
    }

    /// A user whose rows are on this shard; the handle gets a number.
    pub async fn sign_up_on(&self, shard: ShardIndex, handle: &str) -> Person {
        let mut number = 0;
        loop {
            let person = self.sign_up(&format!("{handle}{number}")).await;
            let id: UserId = plaza::graphql::ids::parse(&person.id).unwrap();
            if self.app.domain.cluster.shard_of_id(id) == shard {
                return person;
            }
            number += 1;
        }
    }

    pub async fn post(&self, author: &Person, text: &str) -> String {
        let query = "mutation($text: String!) { postCreate(input: {text: $text}) { post { id } userErrors { message } } }";
        let answer = self.ask(author, query, json!({ "text": text })).await;
        self.set(&answer);
        answer.text("/postCreate/post/id")
    }

    pub async fn follow(&self, follower: &Person, followee: &Person) {
        let query = "mutation($id: ID!) { userFollow(input: {userId: $id}) { user { viewerIsFollowing } userErrors { message } } }";
        let answer = self.ask(follower, query, json!({ "id": followee.id })).await;
        self.set(&answer);
        assert_eq!(answer.at("/userFollow/user/viewerIsFollowing"), true);
    }

    /// The texts of a whole home feed, page by page.
    pub async fn home(&self, person: &Person, page: usize) -> Vec<String> {
        let query =
            "query($first: Int!, $after: String) { viewer { home(first: $first, after: $after) {
            nodes { text } pageInfo { hasNextPage endCursor } } } }";
        let (mut texts, mut after) = (Vec::new(), Value::Null);
        loop {
            let answer = self.ask(person, query, json!({ "first": page, "after": after })).await;
            let nodes = answer.at("/viewer/home/nodes");
            texts.extend(
                nodes
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|node| node["text"].as_str().unwrap().to_owned()),
            );
            if answer.at("/viewer/home/pageInfo/hasNextPage") == false {
                return texts;
            }
            after = answer.at("/viewer/home/pageInfo/endCursor");
        }
    }
}
