//! One operation that is measured: who sends it, its text, what it is given each time.

use serde_json::{Value, json};

/// Who sends it, and so who pays.
#[derive(Debug, Clone)]
pub enum By {
    /// The user of the run.
    Viewer,
    /// The user with the most followers.
    Author,
    /// A user with a private account.
    Other,
    /// Nobody who is logged in: the address pays.
    Nobody,
    /// The user of the run by sessions of their own: a token for each request.
    Sessions(Vec<String>),
}

/// Where an answer holds what the next request needs.
#[derive(Debug, Clone)]
pub struct Link {
    /// Its place in the answer's data.
    pub from: String,
    /// Its place in the variables of the next request.
    pub into: &'static str,
}

impl Link {
    /// Variables with what an answer holds; nothing where it holds nothing.
    pub fn follow(&self, answer: &Value, variables: &Value) -> Option<Value> {
        let found = answer.pointer(&format!("/data{}", self.from))?.clone();
        let mut variables = variables.clone();
        *variables.pointer_mut(self.into)? = found;
        Some(variables)
    }
}

/// The variables of the requests, one after the other.
#[derive(Debug, Clone)]
pub enum Inputs {
    /// The last is followed by the first.
    Again(Vec<Value>),
    /// Each once.
    Once(Vec<Value>),
    /// Each made of the answer before it.
    Chain(Value, Link),
}

/// One operation.
#[derive(Debug, Clone)]
pub struct Operation {
    /// What the table calls it.
    pub name: String,
    /// Who sends it.
    pub by: By,
    /// Its text.
    pub text: String,
    /// What it is given.
    pub inputs: Inputs,
    /// What is sent at once after each, with something of its answer.
    pub then: Option<(String, Link)>,
    /// Business errors that are what it is about, or that a race may bring.
    pub may_say: &'static [&'static str],
    /// Where its answer names what a later operation needs.
    pub keeps: Option<String>,
    /// Whether it changes anything: what the other roles do about it belongs to it.
    pub writes: bool,
}

impl Operation {
    /// A query by the user of the run; without inputs it has no variables.
    pub fn query(name: impl Into<String>, text: String, inputs: Vec<Value>) -> Self {
        let inputs = if inputs.is_empty() { vec![json!({})] } else { inputs };
        Self {
            name: name.into(),
            by: By::Viewer,
            text,
            inputs: Inputs::Again(inputs),
            then: None,
            may_say: &[],
            keeps: None,
            writes: false,
        }
    }

    /// A mutation by the user of the run.
    pub fn mutation(name: impl Into<String>, text: String, inputs: Inputs) -> Self {
        Self { inputs, writes: true, ..Self::query(name, text, Vec::new()) }
    }

    /// The same by somebody else.
    #[must_use]
    pub fn by(mut self, by: By) -> Self {
        self.by = by;
        self
    }

    /// The variables of a request, by its number from 0; nothing where there are no more. Of a
    /// chain only the first is known.
    pub fn variables(&self, number: usize) -> Option<&Value> {
        match &self.inputs {
            Inputs::Again(all) => all.get(number % all.len().max(1)),
            Inputs::Once(all) => all.get(number),
            Inputs::Chain(first, _) => Some(first),
        }
    }

    /// How many requests it can be sent.
    pub fn most(&self) -> usize {
        let inputs = match &self.inputs {
            Inputs::Once(all) => all.len(),
            Inputs::Again(all) if all.is_empty() => 0,
            Inputs::Again(_) | Inputs::Chain(..) => usize::MAX,
        };
        match &self.by {
            By::Sessions(tokens) => inputs.min(tokens.len()),
            _ => inputs,
        }
    }
}

/// The code of what an answer refuses: of a top-level error, or of a business error that was not
/// to be expected.
pub fn refusal(answer: &Value, may_say: &[&str]) -> Option<String> {
    let text = |value: &Value| value.as_str().unwrap_or("UNKNOWN").to_owned();
    if let Some(error) = answer.pointer("/errors/0") {
        return Some(text(error.pointer("/extensions/code").unwrap_or(&Value::Null)));
    }
    let data = answer.get("data").and_then(Value::as_object);
    let said = data?.values().find_map(|field| field.pointer("/userErrors/0/code"))?;
    Some(text(said)).filter(|code| !may_say.contains(&code.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_come_again_once_or_one_from_the_other() {
        let inputs = || vec![json!({ "a": 1 }), json!({ "a": 2 })];
        let again = Operation::query("q", "{ a }".to_owned(), inputs());
        assert_eq!(again.variables(3), Some(&json!({ "a": 2 })));
        assert_eq!(again.most(), usize::MAX);
        let once = Operation::mutation("m", "mutation { a }".to_owned(), Inputs::Once(inputs()));
        assert_eq!((once.variables(1), once.variables(2)), (Some(&json!({ "a": 2 })), None));
        assert_eq!(once.most(), 2);
        let sessions = again.by(By::Sessions(vec!["t".to_owned()]));
        assert_eq!(sessions.most(), 1);

        let link = Link { from: "/a/token".to_owned(), into: "/input/token" };
        let variables = json!({ "input": { "token": "first", "else": 1 } });
        let next = link.follow(&json!({ "data": { "a": { "token": "second" } } }), &variables);
        assert_eq!(next, Some(json!({ "input": { "token": "second", "else": 1 } })));
        assert_eq!(link.follow(&json!({ "data": null }), &variables), None);
    }

    #[test]
    fn what_is_refused_is_told_by_its_code() {
        let of = |answer: Value| refusal(&answer, &["INVALID_CREDENTIALS"]);
        assert_eq!(of(json!({ "data": { "a": { "userErrors": [] }, "b": 1 } })), None);
        assert_eq!(of(json!({ "data": { "a": null } })), None);
        let limited = json!({ "errors": [{ "extensions": { "code": "RATE_LIMITED" } }] });
        assert_eq!(of(limited).as_deref(), Some("RATE_LIMITED"));
        let said = |code: &str| json!({ "data": { "a": { "userErrors": [{ "code": code }] } } });
        assert_eq!(of(said("TAKEN")).as_deref(), Some("TAKEN"));
        assert_eq!(of(said("INVALID_CREDENTIALS")), None);
        assert_eq!(of(json!({ "errors": [{}] })).as_deref(), Some("UNKNOWN"));
    }
}
