//! Every path through the schema, as queries: a field that is added is asked for without anybody
//! thinking of it.

use std::collections::{BTreeMap, HashMap, HashSet};

use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{
    BaseType, FieldDefinition, InputValueDefinition, TypeDefinition, TypeKind, TypeSystemDefinition,
};

/// How often a noun may come on one path: a person's followers' posts, but not their authors'
/// followers' posts too.
const REPEATS: usize = 2;
/// Further ways to what others lead to as well: whether it is shown is asked there, and what is
/// behind it where the others lead.
const ASIDE: [(&str, &str); 6] = [
    ("Post", "entities"),
    ("Comment", "entities"),
    ("Post", "repostOf"),
    ("Post", "quotedPost"),
    ("Comment", "inReplyTo"),
    ("Comment", "replies"),
];
/// The same, and asked of the first of its kind on a path alone: a post leads to many posts, and
/// each of them to its lists.
const ASIDE_ONCE: [(&str, &str); 4] =
    [("Post", "likers"), ("Post", "reposts"), ("Post", "quotes"), ("Comment", "post")];
/// Steps in a row that are asked for once: three fields and what stands between them. What may be
/// seen is decided where a thing is loaded, from the viewer and the thing; what led to the field
/// two before it is not known there.
const IN_A_ROW: usize = 5;
/// Paths asked for in one query; the guard refuses long ones.
const TOGETHER: usize = 24;

/// A way from a root field to an object: `viewer`, `home(first: 3)`, `nodes`, `author`. Its last
/// step is the object's own fields.
pub type Path = Vec<String>;

/// The schema as served.
pub struct Schema {
    types: HashMap<String, TypeDefinition>,
}

/// The type's name without lists and nulls.
fn named(base: &BaseType) -> &str {
    match base {
        BaseType::Named(name) => name,
        BaseType::List(of) => named(&of.base),
    }
}

/// The name of a field's type, without lists and nulls.
pub fn type_name(field: &FieldDefinition) -> &str {
    named(&field.ty.node.base)
}

/// Whether nothing can be asked of a field.
pub fn is_leaf(schema: &Schema, field: &FieldDefinition) -> bool {
    schema.is_leaf(field)
}

fn is_required(argument: &InputValueDefinition) -> bool {
    !argument.ty.node.nullable && argument.default_value.is_none()
}

impl Schema {
    pub fn parse(text: &str) -> Self {
        let document = parse_schema(text).expect("the schema");
        let types = document.definitions.into_iter().filter_map(|definition| match definition {
            TypeSystemDefinition::Type(named) => {
                Some((named.node.name.node.to_string(), named.node))
            }
            _ => None,
        });
        Self { types: types.collect() }
    }

    /// The fields of an object; none of what is a leaf.
    pub fn fields(&self, name: &str) -> Vec<&FieldDefinition> {
        match self.types.get(name).map(|found| &found.kind) {
            Some(TypeKind::Object(object)) => {
                object.fields.iter().map(|field| &field.node).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Every field that gives a page of a list: the object's name, and the field.
    pub fn lists(&self) -> Vec<(&str, &FieldDefinition)> {
        let mut lists: Vec<(&str, &FieldDefinition)> = self
            .types
            .keys()
            .flat_map(|name| self.fields(name).into_iter().map(|field| (name.as_str(), field)))
            .filter(|(_, field)| named(&field.ty.node.base).ends_with("Connection"))
            .collect();
        lists.sort_by_key(|(name, field)| (*name, field.name.node.to_string()));
        lists
    }

    /// The fields of an input object.
    pub fn inputs(&self, name: &str) -> Vec<&InputValueDefinition> {
        match self.types.get(name).map(|found| &found.kind) {
            Some(TypeKind::InputObject(input)) => {
                input.fields.iter().map(|field| &field.node).collect()
            }
            _ => Vec::new(),
        }
    }

    /// The objects that an interface stands for; the type itself when it is none.
    fn objects<'a>(&'a self, name: &'a str) -> Vec<(Option<String>, &'a str)> {
        let Some(TypeKind::Interface(_)) = self.types.get(name).map(|found| &found.kind) else {
            return vec![(None, name)];
        };
        let implements = |found: &TypeDefinition| match &found.kind {
            TypeKind::Object(object) => {
                object.implements.iter().any(|implemented| implemented.node == name)
            }
            _ => false,
        };
        let mut objects: Vec<&str> = self
            .types
            .iter()
            .filter(|(_, found)| implements(found))
            .map(|(name, _)| name.as_str())
            .collect();
        objects.sort_unstable();
        objects.into_iter().map(|object| (Some(format!("... on {object}")), object)).collect()
    }

    /// Every path that begins with this field, written `call`.
    pub fn paths(&self, field: &FieldDefinition, call: &str) -> Vec<Path> {
        let mut found = Vec::new();
        self.walk(
            named(&field.ty.node.base),
            &[call.to_owned()],
            &mut HashMap::new(),
            false,
            &mut found,
        );
        found
    }

    fn walk(
        &self,
        name: &str,
        path: &[String],
        seen: &mut HashMap<String, usize>,
        is_last: bool,
        found: &mut Vec<Path>,
    ) {
        for (fragment, object) in self.objects(name) {
            // Objects of one interface have fields of one name and other types: each has its own
            // name.
            let alias = |name: &str| match &fragment {
                Some(_) => format!("{object}_{name}: "),
                None => String::new(),
            };
            let path: Path = path.iter().cloned().chain(fragment.clone()).collect();
            let fields = self.fields(object);
            if fields.is_empty() {
                found.push(path);
                continue;
            }
            let is_noun = fields.iter().any(|field| field.name.node == "id");
            let times = seen.get(object).copied().unwrap_or_default();
            if is_noun && times >= REPEATS {
                continue;
            }
            seen.insert(object.to_owned(), times + 1);
            let leaves = fields
                .iter()
                .filter(|field| self.is_leaf(field))
                .map(|field| format!("{}{}", alias(&field.name.node), field.name.node));
            let leaves = leaves.collect::<Vec<_>>().join(" ");
            if !leaves.is_empty() {
                found.push(path.iter().cloned().chain([leaves]).collect());
            }
            for field in fields.iter().filter(|field| !self.is_leaf(field)) {
                let next = named(&field.ty.node.base);
                // What a list holds is the same by edges and by nodes: by edges it is asked for, by
                // nodes gone on from.
                let is_edge = next.ends_with("Edge");
                let is_between = object.ends_with("Edge") || object == "TextEntity";
                if is_last && !is_edge && !["PageInfo", "Money"].contains(&next) && !is_between {
                    continue;
                }
                let way = (object, field.name.node.as_str());
                if times > 0 && ASIDE_ONCE.contains(&way) {
                    continue;
                }
                let call = format!("{}{}", alias(&field.name.node), call(field));
                let path: Path = path.iter().cloned().chain([call]).collect();
                let is_aside = ASIDE.contains(&way) || ASIDE_ONCE.contains(&way);
                let is_last = is_last || is_edge || is_aside;
                self.walk(next, &path, seen, is_last, found);
            }
            seen.insert(object.to_owned(), times);
        }
    }

    fn is_leaf(&self, field: &FieldDefinition) -> bool {
        !matches!(
            self.types.get(named(&field.ty.node.base)).map(|found| &found.kind),
            Some(TypeKind::Object(_) | TypeKind::Interface(_) | TypeKind::Union(_))
        )
    }

    /// The name of the type of an argument or an input's field.
    pub fn type_of(input: &InputValueDefinition) -> &str {
        named(&input.ty.node.base)
    }

    /// Whether the queries made here give it: it must be, or says how many items there are.
    pub fn is_given(input: &InputValueDefinition) -> bool {
        is_required(input) || input.name.node == "first"
    }

    /// Whether it must be given.
    pub fn is_required(input: &InputValueDefinition) -> bool {
        is_required(input)
    }
}

/// A field below the root, with what it must be given and how many items it is asked for.
fn call(field: &FieldDefinition) -> String {
    let required: Vec<&str> = field
        .arguments
        .iter()
        .filter(|argument| Schema::is_given(&argument.node))
        .map(|argument| argument.node.name.node.as_str())
        .collect();
    match required.as_slice() {
        [] => field.name.node.to_string(),
        ["first"] => format!("{}(first: 3)", field.name.node),
        ["last", "size"] => format!("{}(size: HOUR, last: 3)", field.name.node),
        other => panic!("teach this test what to give {} for {other:?}", field.name.node),
    }
}

/// What is selected, merged.
#[derive(Default)]
struct Tree(BTreeMap<String, Tree>);

impl Tree {
    fn insert(&mut self, path: &[String]) {
        if let Some((first, rest)) = path.split_first() {
            self.0.entry(first.clone()).or_default().insert(rest);
        }
    }

    fn write(&self, out: &mut String) {
        for (field, below) in &self.0 {
            out.push_str(field);
            out.push(' ');
            if !below.0.is_empty() {
                out.push_str("{ ");
                below.write(out);
                out.push_str("} ");
            }
        }
    }
}

/// One selection that asks for all of these paths.
pub fn selection(paths: &[Path]) -> String {
    let mut tree = Tree::default();
    paths.iter().for_each(|path| tree.insert(path));
    let mut text = String::from("{ ");
    tree.write(&mut text);
    text.push('}');
    text
}

/// The paths without those of which every few steps in a row are on others, so that their number
/// grows with the schema's fields and not with the ways to combine them.
pub fn distinct(paths: Vec<Path>) -> Vec<Path> {
    let mut asked: HashSet<Path> = HashSet::new();
    let mut is_new = |path: &Path| {
        let mut is_new = false;
        for row in path.windows(IN_A_ROW.min(path.len())) {
            is_new |= asked.insert(row.to_vec());
        }
        is_new
    };
    paths.into_iter().filter(|path| is_new(path)).collect()
}

/// The paths in groups that can be asked for together.
pub fn groups(paths: &[Path]) -> impl Iterator<Item = &[Path]> {
    paths.chunks(TOGETHER)
}
