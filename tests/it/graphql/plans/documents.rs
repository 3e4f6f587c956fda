//! Queries made at random from the schema, of what plans cover, and now and then of what they do
//! not.

use async_graphql::parser::types::FieldDefinition;
use rand::Rng;
use rand::rngs::StdRng;

use crate::graphql::every_path::paths::{Schema, is_leaf, type_name};

/// Deepest selection.
const DEPTH: usize = 8;

/// Fields that no plan covers.
pub const UNPLANNED: &[(&str, &[&str])] = &[
    (
        "Query",
        &[
            "hashtag",
            "node",
            "nodes",
            "order",
            "peopleSearch",
            "postsSearch",
            "products",
            "productsSearch",
            "rateLimit",
        ],
    ),
    (
        "Viewer",
        &[
            "analytics",
            "blockedUsers",
            "followRequests",
            "notificationGroups",
            "notificationPreferences",
            "notifications",
            "orders",
            "sentFollowRequests",
            "sessions",
            "unreadNotificationCount",
        ],
    ),
    ("User", &["followers", "following", "products"]),
    ("Post", &["analytics", "likers", "quotes", "reposts"]),
    ("Product", &["analytics", "sales"]),
];

/// Whether a plan covers a field.
pub fn is_planned(of: &str, field: &str) -> bool {
    !UNPLANNED.iter().any(|(name, fields)| *name == of && fields.contains(&field))
}

/// What arguments are given.
pub struct Known {
    pub posts: Vec<String>,
    pub products: Vec<String>,
    pub handles: Vec<String>,
    pub cursors: Vec<String>,
}

/// Makes queries.
pub struct Documents<'s> {
    pub schema: &'s Schema,
    pub known: &'s Known,
    pub random: &'s mut StdRng,
    aliases: usize,
}

impl<'s> Documents<'s> {
    pub fn new(schema: &'s Schema, known: &'s Known, random: &'s mut StdRng) -> Self {
        Self { schema, known, random, aliases: 0 }
    }

    fn one(&mut self, of: &[String]) -> String {
        of.get(self.random.random_range(0..of.len().max(1))).cloned().unwrap_or_default()
    }

    /// A query, with the variables `$n: Int`, `$after: String` and `$full: Boolean`.
    pub fn query(&mut self) -> String {
        let mut text = String::new();
        self.selections("Query", 0, &mut text);
        let declared = [("$n", "Int! = 2"), ("$after", "String"), ("$full", "Boolean = true")];
        let used = declared.iter().filter(|(name, _)| text.contains(name));
        let used: Vec<String> = used.map(|(name, of)| format!("{name}: {of}")).collect();
        match used.is_empty() {
            true => text,
            false => format!("query({}) {text}", used.join(", ")),
        }
    }

    fn selections(&mut self, of: &str, depth: usize, out: &mut String) {
        out.push_str("{ ");
        let fields: Vec<&FieldDefinition> = self.schema.fields(of);
        // A union has none of its own.
        let most = match (depth, fields.len()) {
            (_, 0) => 0,
            (0, _) => 2,
            _ => 6,
        };
        let mut written = 0;
        for _ in 0..self.random.random_range(most.min(1)..=most) {
            let field = fields[self.random.random_range(0..fields.len())];
            let leaf = is_leaf(self.schema, field);
            let name = field.name.node.as_str();
            // What they answer changes with the time.
            let of_now = ["rateLimit", "analytics", "sales"].contains(&name);
            let is_left_out = of_now || !is_planned(of, name) && !self.random.random_bool(0.01);
            if is_left_out || (!leaf && depth >= DEPTH) {
                continue;
            }
            self.field(of, field, depth, out);
            written += 1;
        }
        if written == 0 || self.random.random_bool(0.1) {
            out.push_str("__typename ");
        }
        out.push_str("} ");
    }

    fn field(&mut self, of: &str, field: &FieldDefinition, depth: usize, out: &mut String) {
        self.aliases += 1;
        let fragment = self.random.random_bool(0.05);
        if fragment {
            out.push_str(&format!("... on {of} {{ "));
        }
        out.push_str(&format!("a{}: {}", self.aliases, field.name.node));
        self.arguments(field, out);
        match self.random.random_range(0..40) {
            0 => out.push_str("@include(if: $full) "),
            1 => out.push_str("@skip(if: $full) "),
            _ => {}
        }
        if !is_leaf(self.schema, field) {
            let below = type_name(field).to_owned();
            self.selections(&below, depth + 1, out);
        }
        if fragment {
            out.push_str("} ");
        }
    }

    fn arguments(&mut self, field: &FieldDefinition, out: &mut String) {
        let mut given = Vec::new();
        for argument in &field.arguments {
            let name = argument.node.name.node.as_str();
            let is_likely = self.random.random_bool(0.3);
            let value = match name {
                "first" => match self.random.random_range(0..30) {
                    0 => "0".to_owned(),
                    1 => "101".to_owned(),
                    2..10 => "$n".to_owned(),
                    _ => self.random.random_range(1..4).to_string(),
                },
                "after" if is_likely => match self.random.random_range(0..6) {
                    0 => "null".to_owned(),
                    1 => format!("{:?}", self.one(&self.known.cursors)),
                    2 => "\"nothing\"".to_owned(),
                    _ => "$after".to_owned(),
                },
                "last" if self.random.random_bool(0.02) => "2".to_owned(),
                "size" if is_likely && field.name.node == "url" => "SMALL".to_owned(),
                "id" if field.name.node == "product" => {
                    format!("{:?}", self.one(&self.known.products))
                }
                "id" if field.name.node == "post" && self.random.random_bool(0.95) => {
                    format!("{:?}", self.one(&self.known.posts))
                }
                "handle" => format!("{:?}", self.one(&self.known.handles)),
                _ if Schema::is_required(&argument.node) => {
                    match argument.node.ty.node.to_string().as_str() {
                        "Int!" => "1".to_owned(),
                        "WindowSize!" => "DAY".to_owned(),
                        _ => "\"VXNlcjox\"".to_owned(),
                    }
                }
                _ => continue,
            };
            given.push(format!("{name}: {value}"));
        }
        if !given.is_empty() {
            out.push_str(&format!("({})", given.join(", ")));
        }
        out.push(' ');
    }
}
