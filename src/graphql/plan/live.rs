//! Planned events of a home.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Weak};

use async_graphql::parser::types::{Selection, SelectionSet};
use async_graphql::{Name, Variables};
use async_graphql_value::Value;
use parking_lot::Mutex;

use super::arguments::Argument;
use super::columns::{Columns, Wants};
use super::connection::EdgeField;
use super::post::PostField;
use super::run::{Answer, read};
use super::selection::{Key, Of, Reader, Set};
use super::shared::Group;
use super::template::{Question, Template};
use super::writer::Writer;
use crate::context::Scope;
use crate::cursors::Cursor;
use plaza_domain::posts::Post;

/// A subscription to a home that runs as a plan.
#[derive(Debug)]
pub struct Live {
    key: Key,
    after: Option<Argument<String>>,
    set: Set<EdgeField<PostField>>,
    /// Variables that an event's answer depends on.
    depends_on: BTreeSet<Name>,
    groups: Mutex<Groups>,
}

/// Those who ask the same, by the values of their variables.
#[derive(Debug, Default)]
struct Groups {
    by_values: HashMap<String, Weak<Group>>,
    /// With so many of them, those are forgotten whom nobody is in.
    sweep_at: usize,
}

/// An event, for one of its viewers.
#[derive(Debug, Clone)]
pub struct Event {
    /// What reads for the viewer.
    pub scope: Arc<Scope>,
    /// The post, which they may see.
    pub post: Post,
    /// Their place after it.
    pub cursor: Cursor,
    /// Bytes that the answer may have.
    pub most: usize,
}

/// An edge of the subscription; the cursor is left out of what is for all.
struct Edge<'e> {
    post: &'e Post,
    cursor: &'e Cursor,
}

impl Of<Edge<'_>> for EdgeField<PostField> {
    fn want(&self, edge: &Edge<'_>, found: &Columns, wants: &mut Wants<'_>) {
        match self {
            Self::Cursor => {}
            Self::Node(set) => set.want(edge.post, found, wants),
        }
    }

    fn write<'p>(&'p self, edge: &Edge<'_>, key: &'p Key, out: &mut Writer<'p>) {
        match self {
            Self::Cursor => {
                if !out.leave(Question::Cursor) {
                    out.cursor(Some(edge.cursor));
                }
            }
            Self::Node(set) => out.inside(key, |out| set.write(edge.post, out)),
        }
    }
}

fn add_variables(value: &Value, names: &mut BTreeSet<Name>) {
    match value {
        Value::Variable(name) => drop(names.insert(name.clone())),
        Value::List(items) => items.iter().for_each(|item| add_variables(item, names)),
        Value::Object(fields) => fields.values().for_each(|field| add_variables(field, names)),
        _ => {}
    }
}

fn add_variables_of(set: &SelectionSet, names: &mut BTreeSet<Name>) {
    for item in &set.items {
        if let Selection::Field(field) = &item.node {
            for (_, value) in &field.node.arguments {
                add_variables(&value.node, names);
            }
            add_variables_of(&field.node.selection_set.node, names);
        }
    }
}

impl Live {
    /// The plan of a subscription whose fragments are spread and whose fields are merged; `None`
    /// when it is to something else, or asks for what no plan covers.
    pub fn of(selections: &SelectionSet, variables: &Variables) -> Option<Self> {
        let [only] = selections.items.as_slice() else { return None };
        let Selection::Field(field) = &only.node else { return None };
        let (pos, field) = (field.pos, &field.node);
        if field.name.node != "homeUpdated" || !field.directives.is_empty() {
            return None;
        }
        let mut reader = Reader::new(variables);
        let after = Argument::optional(field, "after", &reader)?;
        let set = reader.below(field)?;
        let mut depends_on = BTreeSet::new();
        add_variables_of(&field.selection_set.node, &mut depends_on);
        Some(Self { key: Key::of(field, pos), after, set, depends_on, groups: Mutex::default() })
    }

    /// The cursor to go on from.
    pub fn after(&self, variables: &Variables) -> Option<String> {
        self.after.as_ref()?.value(variables)
    }

    /// Those who ask the same with these variables.
    pub fn group(&self, variables: &Variables) -> Arc<Group> {
        let mut own = variables.clone();
        own.retain(|name, _| self.depends_on.contains(name));
        let Ok(values) = serde_json::to_string(&own) else { return Arc::new(Group::new(own)) };
        let mut groups = self.groups.lock();
        if let Some(group) = groups.by_values.get(&values).and_then(Weak::upgrade) {
            return group;
        }
        if groups.by_values.len() >= groups.sweep_at {
            groups.by_values.retain(|_, group| group.strong_count() > 0);
            groups.sweep_at = groups.by_values.len() * 2 + 8;
        }
        let group = Arc::new(Group::new(own));
        groups.by_values.insert(values, Arc::downgrade(&group));
        group
    }

    /// The answer to one viewer; `None` when it would have more bytes than any may have.
    pub(super) async fn run(&self, event: &Event, variables: &Variables) -> Option<Answer> {
        let edge = Edge { post: &event.post, cursor: &event.cursor };
        let found = read(&self.set, &edge, Wants::new(&event.scope, variables)).await;
        let mut out = Writer::new(&event.scope, variables, &found, event.most);
        self.write(&edge, &mut out);
        out.finish()
    }

    /// The same without what is each viewer's own; `None` when it is too large, or something
    /// failed.
    pub(super) async fn template(&self, event: &Event, variables: &Variables) -> Option<Template> {
        let edge = Edge { post: &event.post, cursor: &event.cursor };
        let found = read(&self.set, &edge, Wants::of_all(&event.scope, variables)).await;
        let mut out = Writer::new(&event.scope, variables, &found, event.most).of_all();
        self.write(&edge, &mut out);
        out.finish_template()
    }

    fn write<'p>(&'p self, edge: &Edge<'_>, out: &mut Writer<'p>) {
        out.begin_object();
        out.key(&self.key);
        out.inside(&self.key, |out| self.set.write(edge, out));
        out.end_object();
    }
}
