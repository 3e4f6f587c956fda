//! Rules about which fragments use which: cycles, what is never used, and how deep introspection
//! goes.

use std::collections::{HashMap, HashSet};

use async_graphql::Pos;

use super::{Rules, Uses};
use crate::document::syntax::{Selection, Selections};

/// From how many lists inside each other on an introspection is refused: types lead to each other
/// in circles, so that each more multiplies the answer by the number of types.
const MAX_INTROSPECTED_LISTS: usize = 3;

/// A search for cycles.
struct Search<'a> {
    visited: HashSet<&'a str>,
    /// The spreads that lead to where the search is.
    path: Vec<(&'a str, Pos)>,
    /// Where on the path each fragment on it was entered.
    entered: HashMap<&'a str, usize>,
}

impl<'a> Rules<'_, 'a> {
    /// No fragment contains itself.
    pub(super) fn cycles(&mut self, defined: &[Uses<'a>]) {
        let mut search =
            Search { visited: HashSet::new(), path: Vec::new(), entered: HashMap::new() };
        let document = self.document;
        for fragment in &document.fragments {
            self.search(fragment.name.text, defined, &mut search);
        }
    }

    fn search(&mut self, name: &'a str, defined: &[Uses<'a>], search: &mut Search<'a>) {
        if !search.visited.insert(name) {
            return;
        }
        let Some(uses) = self.fragments.get(name).and_then(|at| defined.get(*at)) else { return };
        search.entered.insert(name, search.path.len());
        for spread in &uses.spreads {
            search.path.push(*spread);
            match search.entered.get(spread.0).copied() {
                None => self.search(spread.0, defined, search),
                Some(from) => {
                    let cycle = search.path.get(from..).unwrap_or_default();
                    let between = cycle.get(..cycle.len().saturating_sub(1)).unwrap_or_default();
                    let via: Vec<String> =
                        between.iter().map(|(name, _)| format!("\"{name}\"")).collect();
                    let places: Vec<Pos> = cycle.iter().map(|(_, pos)| *pos).collect();
                    let via = if via.is_empty() {
                        String::new()
                    } else {
                        format!(" via {}", via.join(", "))
                    };
                    let name = spread.0;
                    let message = format!("Cannot spread fragment \"{name}\" within itself{via}.");
                    self.report(message, &places);
                }
            }
            search.path.pop();
        }
        search.entered.remove(name);
    }

    /// The fragments that uses lead to, each once.
    pub(super) fn reachable(&self, from: &[&Uses<'a>], defined: &[Uses<'a>]) -> Vec<usize> {
        let mut seen = vec![false; defined.len()];
        let mut found = Vec::new();
        let mut next: Vec<&str> =
            from.iter().flat_map(|uses| uses.spreads.iter().map(|(name, _)| *name)).collect();
        while let Some(name) = next.pop() {
            let Some(at) = self.fragments.get(name).copied() else { continue };
            let Some(seen) = seen.get_mut(at).filter(|seen| !**seen) else { continue };
            *seen = true;
            found.push(at);
            if let Some(uses) = defined.get(at) {
                next.extend(uses.spreads.iter().map(|(name, _)| *name));
            }
        }
        found
    }

    /// Every fragment is used, and every variable by an operation that defines it.
    pub(super) fn reached(&mut self, operations: &[Uses<'a>], defined: &[Uses<'a>]) {
        let document = self.document;
        let all: Vec<&Uses<'a>> = operations.iter().collect();
        let used: HashSet<&str> = self
            .reachable(&all, defined)
            .into_iter()
            .filter_map(|at| document.fragments.get(at))
            .map(|fragment| fragment.name.text)
            .collect();
        for fragment in &document.fragments {
            let name = fragment.name.text;
            if !used.contains(name) {
                self.report(format!("Fragment \"{name}\" is never used."), &[fragment.pos]);
            }
        }
        for (operation, own) in document.operations.iter().zip(operations) {
            let reached = self.reachable(&[own], defined);
            let others = reached.into_iter().filter_map(|at| defined.get(at));
            let usages = std::iter::once(own).chain(others).flat_map(|uses| &uses.variables);
            self.variables(operation, &usages.collect::<Vec<_>>());
        }
    }

    /// Introspection does not go round in circles.
    pub(super) fn introspection_depth(&mut self) {
        let document = self.document;
        let sets = document.operations.iter().map(|known| &known.selections);
        let sets: Vec<_> =
            sets.chain(document.fragments.iter().map(|known| &known.selections)).collect();
        let mut roots = Vec::new();
        for set in sets {
            introspections(set, &mut roots);
        }
        let mut checked = HashMap::new();
        for (set, pos) in roots {
            if self.goes_too_deep(set, 0, &mut checked) {
                self.report("Maximum introspection depth exceeded", &[pos]);
            }
        }
    }

    /// Whether so many lists stand inside each other; `checked`: the greatest depth at which a
    /// fragment was entered.
    fn goes_too_deep(
        &self,
        set: &Selections<'a>,
        depth: usize,
        checked: &mut HashMap<&'a str, usize>,
    ) -> bool {
        set.items.iter().any(|selection| match selection {
            Selection::Field(field) => {
                let is_list = matches!(
                    field.name.text,
                    "fields" | "interfaces" | "possibleTypes" | "inputFields"
                );
                let depth = depth + usize::from(is_list);
                depth >= MAX_INTROSPECTED_LISTS
                    || field
                        .selections
                        .as_ref()
                        .is_some_and(|set| self.goes_too_deep(set, depth, checked))
            }
            Selection::Inline(inline) => self.goes_too_deep(&inline.selections, depth, checked),
            Selection::Spread(spread) => {
                let name = spread.name.text;
                if checked.get(name).is_some_and(|known| *known >= depth) {
                    return false;
                }
                checked.insert(name, depth);
                let fragment =
                    self.fragments.get(name).and_then(|at| self.document.fragments.get(*at));
                fragment.is_some_and(|known| self.goes_too_deep(&known.selections, depth, checked))
            }
        })
    }
}

/// The selections of every `__schema` and `__type`.
fn introspections<'d, 'a>(set: &'d Selections<'a>, found: &mut Vec<(&'d Selections<'a>, Pos)>) {
    for selection in &set.items {
        match selection {
            Selection::Field(field) => {
                let Some(inner) = &field.selections else { continue };
                if matches!(field.name.text, "__schema" | "__type") {
                    found.push((inner, field.pos));
                } else {
                    introspections(inner, found);
                }
            }
            Selection::Inline(inline) => introspections(&inline.selections, found),
            Selection::Spread(_) => {}
        }
    }
}
