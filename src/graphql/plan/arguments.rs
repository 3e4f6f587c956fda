//! Arguments of planned fields: values that stand in the text, or variables' names. All of them
//! have been coerced to their types.

use async_graphql::parser::types::Field;
use async_graphql::{Name, Variables};
use async_graphql_value::{ConstValue, Value};

use super::selection::Reader;
use crate::images::types::ImageSize;

/// An argument.
#[derive(Debug)]
pub enum Argument<T> {
    /// It stands in the text, or is the default.
    Is(T),
    /// A variable, which has a value.
    Of(Name),
}

/// What an argument can be.
pub trait Given: Sized + Clone {
    /// Out of a coerced value.
    fn given(value: &ConstValue) -> Option<Self>;
}

impl Given for i32 {
    fn given(value: &ConstValue) -> Option<Self> {
        match value {
            ConstValue::Number(number) => Self::try_from(number.as_i64()?).ok(),
            _ => None,
        }
    }
}

impl Given for String {
    fn given(value: &ConstValue) -> Option<Self> {
        match value {
            ConstValue::String(text) => Some(text.clone()),
            // An id may be written as a number.
            ConstValue::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }
}

impl Given for ImageSize {
    fn given(value: &ConstValue) -> Option<Self> {
        let name = match value {
            ConstValue::Enum(name) => name.as_str(),
            ConstValue::String(name) => name.as_str(),
            _ => return None,
        };
        match name {
            "SMALL" => Some(Self::Small),
            "LARGE" => Some(Self::Large),
            _ => None,
        }
    }
}

/// An argument as it stands in a field.
enum Stands<T> {
    Nowhere,
    Null,
    Given(Argument<T>),
}

/// `None` when it is not of its type.
fn stands<T: Given>(field: &Field, name: &str, variables: &Variables) -> Option<Stands<T>> {
    let Some(value) = field.get_argument(name) else { return Some(Stands::Nowhere) };
    Some(match &value.node {
        Value::Null => Stands::Null,
        Value::Variable(variable) => match variables.get(variable)? {
            ConstValue::Null => Stands::Null,
            _ => Stands::Given(Argument::Of(variable.clone())),
        },
        value => Stands::Given(Argument::Is(T::given(&value.clone().into_const()?)?)),
    })
}

impl<T: Given> Argument<T> {
    /// One that has a default and is never null.
    pub fn or(field: &Field, name: &str, default: T, reader: &Reader<'_>) -> Option<Self> {
        match stands(field, name, reader.variables())? {
            Stands::Nowhere => Some(Self::Is(default)),
            Stands::Null => None,
            Stands::Given(argument) => Some(argument),
        }
    }

    /// One that must be there.
    pub fn required(field: &Field, name: &str, reader: &Reader<'_>) -> Option<Self> {
        match stands(field, name, reader.variables())? {
            Stands::Nowhere | Stands::Null => None,
            Stands::Given(argument) => Some(argument),
        }
    }

    /// One that may be left out or be null; then it is not there.
    pub fn optional(field: &Field, name: &str, reader: &Reader<'_>) -> Option<Option<Self>> {
        match stands(field, name, reader.variables())? {
            Stands::Nowhere | Stands::Null => Some(None),
            Stands::Given(argument) => Some(Some(argument)),
        }
    }

    /// Its value; `None` only of a variable that is not of the shape that was planned for.
    pub fn value(&self, variables: &Variables) -> Option<T> {
        match self {
            Self::Is(value) => Some(value.clone()),
            Self::Of(name) => T::given(variables.get(name)?),
        }
    }
}

/// The arguments of a page that is read from the beginning on.
#[derive(Debug)]
pub struct PageArguments {
    first: Argument<i32>,
    after: Option<Argument<String>>,
}

impl PageArguments {
    /// Of a field whose `first` is 20 by default; `None` when the page is read from the end.
    pub fn read(field: &Field, reader: &Reader<'_>) -> Option<Self> {
        let given = |name| stands::<ConstValue>(field, name, reader.variables());
        for of_the_end in ["last", "before"] {
            if let Stands::Given(_) = given(of_the_end)? {
                return None;
            }
        }
        let after = Argument::optional(field, "after", reader)?;
        Some(Self { first: Argument::or(field, "first", 20, reader)?, after })
    }

    /// Whether it goes on from a cursor.
    pub fn goes_on(&self) -> bool {
        self.after.is_some()
    }

    /// `first` and `after`.
    pub fn values(&self, variables: &Variables) -> (i32, Option<String>) {
        let after = self.after.as_ref().and_then(|after| after.value(variables));
        // Zero is refused, as what is not of its type would have been.
        (self.first.value(variables).unwrap_or_default(), after)
    }
}

impl Given for ConstValue {
    fn given(value: &ConstValue) -> Option<Self> {
        Some(value.clone())
    }
}
