//! A document out of a text: the specification's grammar by recursive descent, with graphql-js'
//! words for what does not fit it.

use async_graphql::Pos;
use async_graphql::parser::types::OperationType;

use super::lexer::{Kind, Lexer, SyntaxError, Token};
use super::syntax::{
    Argument, Directive, Document, Field, Fragment, Ident, Inline, Literal, Operation, Selection,
    Selections, Spread, TypeNode, TypeOf, Value, VariableDefinition,
};

/// Deepest nesting that is read: what the guard lets through, and more than any query needs.
const MAX_NESTING: usize = 80;

/// Why a text is no document that could be run.
#[derive(Debug, Clone)]
pub enum Unreadable {
    /// It is not GraphQL.
    Syntax(SyntaxError),
    /// It is GraphQL, and defines a type.
    NotExecutable(SyntaxError),
}

impl From<SyntaxError> for Unreadable {
    fn from(error: SyntaxError) -> Self {
        Self::Syntax(error)
    }
}

type Parsed<T> = Result<T, SyntaxError>;

struct Parser<'a> {
    lexer: Lexer<'a>,
    token: Token<'a>,
    nesting: usize,
}

/// Whether a value may hold variables.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Values {
    Any,
    Constant,
}

/// Reads a document.
///
/// # Errors
/// Why it is none that could be run.
pub fn parse(text: &str) -> Result<Document<'_>, Unreadable> {
    let mut parser = Parser::begin(text)?;
    let mut document = Document::default();
    loop {
        parser.definition(&mut document)?;
        if parser.token.kind == Kind::End {
            return Ok(document);
        }
    }
}

impl<'a> Parser<'a> {
    fn begin(text: &'a str) -> Parsed<Self> {
        let mut lexer = Lexer::new(text);
        let token = lexer.next_token()?;
        Ok(Self { lexer, token, nesting: 0 })
    }

    fn advance(&mut self) -> Parsed<Token<'a>> {
        let next = self.lexer.next_token()?;
        Ok(std::mem::replace(&mut self.token, next))
    }

    fn peek(&self, punctuator: &str) -> bool {
        matches!(self.token.kind, Kind::Punctuator(text) if text == punctuator)
    }

    fn peek_keyword(&self, keyword: &str) -> bool {
        matches!(self.token.kind, Kind::Name(text) if text == keyword)
    }

    fn unexpected(&self) -> SyntaxError {
        let message = format!("Unexpected {}.", self.token.kind.description());
        SyntaxError { message, pos: self.token.pos }
    }

    fn expected<T>(&self, what: &str) -> Parsed<T> {
        let message = format!("Expected {what}, found {}.", self.token.kind.description());
        Err(SyntaxError { message, pos: self.token.pos })
    }

    fn expect(&mut self, punctuator: &str) -> Parsed<Pos> {
        if self.peek(punctuator) {
            return Ok(self.advance()?.pos);
        }
        self.expected(&format!("\"{punctuator}\""))
    }

    fn take(&mut self, punctuator: &str) -> Parsed<bool> {
        let there = self.peek(punctuator);
        if there {
            self.advance()?;
        }
        Ok(there)
    }

    fn expect_keyword(&mut self, keyword: &str) -> Parsed<()> {
        if self.peek_keyword(keyword) {
            self.advance()?;
            return Ok(());
        }
        self.expected(&format!("\"{keyword}\""))
    }

    fn name(&mut self) -> Parsed<Ident<'a>> {
        match self.token.kind {
            Kind::Name(text) => {
                let pos = self.advance()?.pos;
                Ok(Ident { text, pos })
            }
            _ => self.expected("Name"),
        }
    }

    /// Goes one level down; the bound is for callers that have not asked the guard.
    fn nested<T>(&mut self, inner: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        self.nesting += 1;
        if self.nesting > MAX_NESTING {
            let message = format!("Brackets may nest {MAX_NESTING} deep.");
            return Err(SyntaxError { message, pos: self.token.pos });
        }
        let found = inner(self);
        self.nesting -= 1;
        found
    }

    /// One or more, then the closing punctuator.
    fn many<T>(
        &mut self,
        close: &str,
        mut item: impl FnMut(&mut Self) -> Parsed<T>,
    ) -> Parsed<Vec<T>> {
        let mut items = Vec::new();
        loop {
            items.push(item(self)?);
            if self.take(close)? {
                return Ok(items);
            }
        }
    }

    fn definition(&mut self, document: &mut Document<'a>) -> Result<(), Unreadable> {
        let pos = self.token.pos;
        if self.peek("{") {
            let selections = self.selections()?;
            document.operations.push(Operation {
                pos,
                kind: OperationType::Query,
                name: None,
                variables: Vec::new(),
                directives: Vec::new(),
                selections,
            });
            return Ok(());
        }
        let described = matches!(self.token.kind, Kind::Text(_) | Kind::Block(_));
        if described {
            self.advance()?;
        }
        let refused = |message: &str| {
            let message = format!("Unexpected description, {message}");
            Err(Unreadable::Syntax(SyntaxError { message, pos }))
        };
        let Kind::Name(keyword) = self.token.kind else {
            if described && self.peek("{") {
                return refused("descriptions are not supported on shorthand queries.");
            }
            return Err(self.unexpected().into());
        };
        match keyword {
            "query" => document.operations.push(self.operation(pos, OperationType::Query)?),
            "mutation" => document.operations.push(self.operation(pos, OperationType::Mutation)?),
            "subscription" => {
                document.operations.push(self.operation(pos, OperationType::Subscription)?);
            }
            "fragment" => document.fragments.push(self.fragment(pos)?),
            "schema" | "scalar" | "type" | "interface" | "union" | "enum" | "input"
            | "directive" => return Err(self.not_executable(pos)?),
            _ if described => return refused("only GraphQL definitions support descriptions."),
            "extend" => return Err(self.not_executable(pos)?),
            _ => return Err(self.unexpected().into()),
        }
        Ok(())
    }

    /// A definition of the type system is named and not read further.
    fn not_executable(&mut self, pos: Pos) -> Parsed<Unreadable> {
        if self.peek_keyword("extend") {
            self.advance()?;
        }
        let schema = self.peek_keyword("schema");
        let is_directive = self.peek_keyword("directive");
        self.advance()?;
        if is_directive {
            self.take("@")?;
        }
        let name = match self.token.kind {
            Kind::Name(name) if !schema => format!("\"{name}\""),
            _ => "schema".to_owned(),
        };
        let message = format!("The {name} definition is not executable.");
        Ok(Unreadable::NotExecutable(SyntaxError { message, pos }))
    }

    fn operation(&mut self, pos: Pos, kind: OperationType) -> Parsed<Operation<'a>> {
        self.advance()?;
        let name = match self.token.kind {
            Kind::Name(_) => Some(self.name()?),
            _ => None,
        };
        let variables =
            if self.take("(")? { self.many(")", Self::variable_definition)? } else { Vec::new() };
        let directives = self.directives(Values::Any)?;
        let selections = self.selections()?;
        Ok(Operation { pos, kind, name, variables, directives, selections })
    }

    fn variable_definition(&mut self) -> Parsed<VariableDefinition<'a>> {
        let pos = self.token.pos;
        if matches!(self.token.kind, Kind::Text(_) | Kind::Block(_)) {
            self.advance()?;
        }
        self.expect("$")?;
        let name = self.name()?;
        self.expect(":")?;
        let ty = self.type_reference()?;
        let default = if self.take("=")? { Some(self.value(Values::Constant)?) } else { None };
        let directives = self.directives(Values::Constant)?;
        Ok(VariableDefinition { pos, name, ty, default, directives })
    }

    fn type_reference(&mut self) -> Parsed<TypeNode<'a>> {
        let pos = self.token.pos;
        let of = if self.take("[")? {
            let inner = self.nested(Self::type_reference)?;
            self.expect("]")?;
            TypeOf::List(Box::new(inner))
        } else {
            TypeOf::Named(self.name()?)
        };
        let non_null = self.take("!")?;
        Ok(TypeNode { pos, non_null, of })
    }

    fn fragment(&mut self, pos: Pos) -> Parsed<Fragment<'a>> {
        self.advance()?;
        let name = self.fragment_name()?;
        self.expect_keyword("on")?;
        let on = self.name()?;
        let directives = self.directives(Values::Any)?;
        let selections = self.selections()?;
        Ok(Fragment { pos, name, on, directives, selections })
    }

    fn fragment_name(&mut self) -> Parsed<Ident<'a>> {
        if self.peek_keyword("on") {
            return Err(self.unexpected());
        }
        self.name()
    }

    fn selections(&mut self) -> Parsed<Selections<'a>> {
        let pos = self.expect("{")?;
        let items = self.nested(|parser| parser.many("}", Self::selection))?;
        Ok(Selections { pos, items })
    }

    fn selection(&mut self) -> Parsed<Selection<'a>> {
        let pos = self.token.pos;
        if !self.take("...")? {
            return Ok(Selection::Field(self.field()?));
        }
        let conditional = self.peek_keyword("on");
        if conditional {
            self.advance()?;
        } else if matches!(self.token.kind, Kind::Name(_)) {
            let name = self.fragment_name()?;
            let directives = self.directives(Values::Any)?;
            return Ok(Selection::Spread(Spread { pos, name, directives }));
        }
        let on = if conditional { Some(self.name()?) } else { None };
        let directives = self.directives(Values::Any)?;
        let selections = self.selections()?;
        Ok(Selection::Inline(Inline { pos, on, directives, selections }))
    }

    fn field(&mut self) -> Parsed<Field<'a>> {
        let first = self.name()?;
        let (alias, name) =
            if self.take(":")? { (Some(first), self.name()?) } else { (None, first) };
        let arguments = self.arguments(Values::Any)?;
        let directives = self.directives(Values::Any)?;
        let selections = if self.peek("{") { Some(self.selections()?) } else { None };
        Ok(Field { pos: first.pos, alias, name, arguments, directives, selections })
    }

    fn arguments(&mut self, values: Values) -> Parsed<Vec<Argument<'a>>> {
        if !self.take("(")? {
            return Ok(Vec::new());
        }
        self.nested(|parser| parser.many(")", |parser| parser.argument(values)))
    }

    fn argument(&mut self, values: Values) -> Parsed<Argument<'a>> {
        let name = self.name()?;
        self.expect(":")?;
        Ok(Argument { name, value: self.value(values)? })
    }

    fn directives(&mut self, values: Values) -> Parsed<Vec<Directive<'a>>> {
        let mut directives = Vec::new();
        while self.peek("@") {
            let pos = self.advance()?.pos;
            let name = self.name()?;
            let arguments = self.arguments(values)?;
            directives.push(Directive { pos, name, arguments });
        }
        Ok(directives)
    }

    fn value(&mut self, values: Values) -> Parsed<Value<'a>> {
        let pos = self.token.pos;
        let kind = match &self.token.kind {
            Kind::Punctuator("[") => {
                self.advance()?;
                return self.nested(|parser| parser.list(pos, values));
            }
            Kind::Punctuator("{") => {
                self.advance()?;
                return self.nested(|parser| parser.object(pos, values));
            }
            Kind::Punctuator("$") => {
                let dollar = self.unexpected();
                self.advance()?;
                if values == Values::Any {
                    let kind = Literal::Variable(self.name()?.text);
                    return Ok(Value { pos, kind });
                }
                return Err(match self.token.kind {
                    Kind::Name(name) => {
                        let message = format!("Unexpected variable \"${name}\" in constant value.");
                        SyntaxError { message, pos }
                    }
                    _ => dollar,
                });
            }
            Kind::Int(text) => Literal::Int(text),
            Kind::Float(text) => Literal::Float(text),
            Kind::Name("true") => Literal::Boolean(true),
            Kind::Name("false") => Literal::Boolean(false),
            Kind::Name("null") => Literal::Null,
            Kind::Name(text) => Literal::Enum(text),
            Kind::Text(_) | Kind::Block(_) => {
                let token = self.advance()?;
                let kind = match token.kind {
                    Kind::Text(text) | Kind::Block(text) => Literal::Text(text),
                    _ => Literal::Null,
                };
                return Ok(Value { pos, kind });
            }
            Kind::End | Kind::Punctuator(_) => return Err(self.unexpected()),
        };
        self.advance()?;
        Ok(Value { pos, kind })
    }

    fn list(&mut self, pos: Pos, values: Values) -> Parsed<Value<'a>> {
        let mut items = Vec::new();
        while !self.take("]")? {
            items.push(self.value(values)?);
        }
        Ok(Value { pos, kind: Literal::List(items) })
    }

    fn object(&mut self, pos: Pos, values: Values) -> Parsed<Value<'a>> {
        let mut fields = Vec::new();
        while !self.take("}")? {
            fields.push(self.argument(values)?);
        }
        Ok(Value { pos, kind: Literal::Object(fields) })
    }
}
