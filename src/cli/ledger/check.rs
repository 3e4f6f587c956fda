//! What a law came to.

use serde::Serialize;

use plaza_stores::postgres::ledger::pieces::Piece;

/// Examples that are named.
const NAMED: usize = 3;
/// Suspects that are remembered.
const REMEMBERED: usize = 1_000;

/// What a check came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Check {
    /// The law's short name: the label of its metric.
    pub name: &'static str,
    /// What must hold.
    pub law: String,
    /// Things it was applied to.
    pub checked: i64,
    /// Things that are on their way.
    pub waiting: i64,
    /// Things that are wrong.
    pub wrong: i64,
    /// Some of them.
    pub example: Option<String>,
    /// Those on their way that are lost if they are still so a minute later, at most 1,000.
    #[serde(skip)]
    pub suspects: Vec<String>,
    /// How many examples are named.
    #[serde(skip)]
    pub named: usize,
}

impl Check {
    /// A law with nothing checked yet.
    pub(super) fn of(name: &'static str, law: impl Into<String>) -> Self {
        Self { name, law: law.into(), ..Self::default() }
    }

    /// Takes note of something that is wrong.
    pub(super) fn wrong(&mut self, example: impl FnOnce() -> String) {
        self.wrong += 1;
        if self.named < NAMED {
            self.name_one(&example());
        }
    }

    /// Takes note of something that is on its way, or lost.
    pub(super) fn suspect(&mut self, what: String) {
        self.waiting += 1;
        if self.wrong == 0 && self.named < NAMED {
            self.name_one(&what);
        }
        if self.suspects.len() < REMEMBERED {
            self.suspects.push(what);
        }
    }

    /// Adds what the law came to for some rows.
    pub(super) fn add(&mut self, piece: &Piece) {
        self.checked += piece.checked;
        self.waiting += piece.waiting;
        self.wrong += piece.wrong;
        for example in piece.examples.iter().take(NAMED.saturating_sub(self.named)) {
            self.name_one(example);
        }
    }

    fn name_one(&mut self, example: &str) {
        self.named += 1;
        match &mut self.example {
            Some(named) => {
                named.push_str(", ");
                named.push_str(example);
            }
            None => self.example = Some(example.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_of_what_is_wrong_are_named_and_all_are_counted() {
        let mut check = Check::of("stock", "stock is right");
        for number in 0..5 {
            check.wrong(|| format!("product {number}"));
        }
        assert_eq!(check.wrong, 5);
        assert_eq!(check.example.as_deref(), Some("product 0, product 1, product 2"));
        let examples = vec!["product 9".to_owned()];
        check.add(&Piece { checked: 7, wrong: 1, examples, ..Piece::default() });
        assert_eq!((check.checked, check.wrong), (7, 6));
    }

    #[test]
    fn what_is_late_is_remembered_by_name() {
        let mut check = Check::of("orders", "orders end");
        check.suspect("order 1 is PAID".to_owned());
        assert_eq!((check.waiting, check.wrong), (1, 0));
        assert_eq!(check.suspects, ["order 1 is PAID"]);
    }
}
