//! A document as it was written: what the parser makes and every later step reads. Names borrow
//! from the text.

use std::borrow::Cow;

use async_graphql::Pos;
use async_graphql::parser::types::OperationType;

/// A name and where it stands.
#[derive(Debug, Clone, Copy)]
pub struct Ident<'a> {
    /// The name.
    pub text: &'a str,
    /// Its first character.
    pub pos: Pos,
}

/// A whole text.
#[derive(Debug, Default)]
pub struct Document<'a> {
    /// Queries, mutations and subscriptions, in the order in which they stand.
    pub operations: Vec<Operation<'a>>,
    /// Fragments, in the order in which they stand.
    pub fragments: Vec<Fragment<'a>>,
}

/// A query, mutation or subscription.
#[derive(Debug)]
pub struct Operation<'a> {
    /// Its first token.
    pub pos: Pos,
    /// Which of the three.
    pub kind: OperationType,
    /// What the client calls it.
    pub name: Option<Ident<'a>>,
    /// The variables that it takes.
    pub variables: Vec<VariableDefinition<'a>>,
    /// Directives on the operation itself.
    pub directives: Vec<Directive<'a>>,
    /// What is asked for.
    pub selections: Selections<'a>,
}

/// `$name: Type = default @directives`
#[derive(Debug)]
pub struct VariableDefinition<'a> {
    /// Its first token.
    pub pos: Pos,
    /// Without the `$`.
    pub name: Ident<'a>,
    /// Its type.
    pub ty: TypeNode<'a>,
    /// Its default.
    pub default: Option<Value<'a>>,
    /// Directives on it.
    pub directives: Vec<Directive<'a>>,
}

/// A type as a variable names it.
#[derive(Debug)]
pub struct TypeNode<'a> {
    /// Its first token.
    pub pos: Pos,
    /// Whether it ends in `!`.
    pub non_null: bool,
    /// A name, or a list of another type.
    pub of: TypeOf<'a>,
}

/// What a [`TypeNode`] is of.
#[derive(Debug)]
pub enum TypeOf<'a> {
    /// `Name`
    Named(Ident<'a>),
    /// `[Type]`
    List(Box<TypeNode<'a>>),
}

/// What stands between two braces.
#[derive(Debug)]
pub struct Selections<'a> {
    /// The opening brace.
    pub pos: Pos,
    /// At least one.
    pub items: Vec<Selection<'a>>,
}

/// One of a selection set.
#[derive(Debug)]
pub enum Selection<'a> {
    /// A field.
    Field(Field<'a>),
    /// `...name`
    Spread(Spread<'a>),
    /// `... on Type { .. }`
    Inline(Inline<'a>),
}

/// `alias: name(arguments) @directives { .. }`
#[derive(Debug)]
pub struct Field<'a> {
    /// Its first token.
    pub pos: Pos,
    /// What the answer calls it, where that differs from its name.
    pub alias: Option<Ident<'a>>,
    /// The schema's name.
    pub name: Ident<'a>,
    /// In the order in which they stand.
    pub arguments: Vec<Argument<'a>>,
    /// `@skip`, `@include`.
    pub directives: Vec<Directive<'a>>,
    /// What is asked of it.
    pub selections: Option<Selections<'a>>,
}

impl<'a> Field<'a> {
    /// What the answer calls it.
    pub fn response_key(&self) -> &'a str {
        self.alias.unwrap_or(self.name).text
    }
}

/// `name: value`, of a field, a directive or an input object.
#[derive(Debug)]
pub struct Argument<'a> {
    /// The name.
    pub name: Ident<'a>,
    /// The value.
    pub value: Value<'a>,
}

/// `@name(arguments)`
#[derive(Debug)]
pub struct Directive<'a> {
    /// The `@`.
    pub pos: Pos,
    /// Without the `@`.
    pub name: Ident<'a>,
    /// In the order in which they stand.
    pub arguments: Vec<Argument<'a>>,
}

/// `...name @directives`
#[derive(Debug)]
pub struct Spread<'a> {
    /// The dots.
    pub pos: Pos,
    /// The fragment's.
    pub name: Ident<'a>,
    /// `@skip`, `@include`.
    pub directives: Vec<Directive<'a>>,
}

/// `... on Type @directives { .. }`
#[derive(Debug)]
pub struct Inline<'a> {
    /// The dots.
    pub pos: Pos,
    /// `None`: whatever the selection around it is of.
    pub on: Option<Ident<'a>>,
    /// `@skip`, `@include`.
    pub directives: Vec<Directive<'a>>,
    /// What is asked for.
    pub selections: Selections<'a>,
}

/// `fragment name on Type @directives { .. }`
#[derive(Debug)]
pub struct Fragment<'a> {
    /// Its first token.
    pub pos: Pos,
    /// Its name.
    pub name: Ident<'a>,
    /// The type it is of.
    pub on: Ident<'a>,
    /// Directives on the fragment itself.
    pub directives: Vec<Directive<'a>>,
    /// What is asked for.
    pub selections: Selections<'a>,
}

/// A literal or a variable, and where it stands.
#[derive(Debug)]
pub struct Value<'a> {
    /// Its first token.
    pub pos: Pos,
    /// What it is.
    pub kind: Literal<'a>,
}

/// What a [`Value`] is.
#[derive(Debug)]
pub enum Literal<'a> {
    /// `$name`, without the `$`.
    Variable(&'a str),
    /// Digits, as written.
    Int(&'a str),
    /// A number with a fraction or an exponent, as written.
    Float(&'a str),
    /// A string or block string, read.
    Text(Cow<'a, str>),
    /// `true`, `false`
    Boolean(bool),
    /// `null`
    Null,
    /// Any other name.
    Enum(&'a str),
    /// `[..]`
    List(Vec<Value<'a>>),
    /// `{..}`
    Object(Vec<Argument<'a>>),
}
