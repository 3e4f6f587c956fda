//! Cursors: sealed, so that they reveal nothing of what lies at a place, and good for the list
//! alone that they were given out by.

use std::borrow::Cow;
use std::fmt::Display;
use std::sync::Arc;

use async_graphql::parser::types::Field;
use async_graphql::registry::Registry;
use async_graphql::{ContextSelectionSet, OutputType, Positioned, ServerResult, Value};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::context::Scope;
use super::error::ErrorCode;
use plaza_domain::identity::Seals;

/// A list, and whose it is: what its cursors are bound to.
#[derive(Debug, Clone)]
pub struct List(Arc<Bound>);

#[derive(Debug)]
struct Bound {
    seals: Arc<Seals>,
    /// `cursor Viewer.orders 42`.
    purpose: String,
    /// The kind in the cursors that versions before sealing gave out, where they are still taken.
    old: Option<String>,
}

/// A place in a list. Sealed when it is asked for: most that are made are not.
#[derive(Debug, Clone)]
pub struct Cursor {
    list: List,
    place: Place,
}

#[derive(Debug, Clone)]
enum Place {
    Row(i64),
    Other(Arc<[u8]>),
}

impl List {
    /// A list by the field that gives it (`Type.field`) and whose it is: an id, a name, a
    /// fingerprint of what was asked.
    pub fn new(scope: &Scope, field: &'static str, of: impl Display) -> Self {
        Self::sealed_by(&scope.op.domain.identity.seals, field, of)
    }

    /// The same outside of a scope.
    pub fn sealed_by(seals: &Arc<Seals>, field: &'static str, of: impl Display) -> Self {
        let purpose = format!("cursor {field} {of}");
        Self(Arc::new(Bound { seals: Arc::clone(seals), purpose, old: None }))
    }

    /// The same list, which takes the unsealed cursors (`v1:kind:place`) of older versions too: for
    /// lists of which the viewer may see every row, and for streams, which go on after an update
    /// of the servers. Elsewhere a cursor made up by a client would find out where hidden rows are.
    #[must_use]
    pub fn taking_old(self, kind: &str) -> Self {
        let Bound { seals, purpose, .. } = &*self.0;
        let (seals, purpose) = (Arc::clone(seals), purpose.clone());
        Self(Arc::new(Bound { seals, purpose, old: Some(kind.to_owned()) }))
    }

    /// The cursor of a row, by its id.
    pub fn row(&self, id: i64) -> Cursor {
        Cursor { list: self.clone(), place: Place::Row(id) }
    }

    /// The cursor of a place that is more than a row's id.
    pub fn place(&self, place: &[u8]) -> Cursor {
        Cursor { list: self.clone(), place: Place::Other(place.into()) }
    }

    /// The cursor of a place that is several numbers.
    pub fn numbers(&self, numbers: &[i64]) -> Cursor {
        self.place(&numbers.iter().flat_map(|number| number.to_be_bytes()).collect::<Vec<_>>())
    }

    /// The place that `after` names.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` for what is no cursor of this list.
    pub fn open<T>(
        &self,
        after: Option<&str>,
        read: impl Fn(&[u8]) -> Option<T>,
        read_old: impl Fn(&str) -> Option<T>,
    ) -> async_graphql::Result<Option<T>> {
        self.open_argument("after", after, read, read_old)
    }

    fn open_argument<T>(
        &self,
        argument: &str,
        cursor: Option<&str>,
        read: impl Fn(&[u8]) -> Option<T>,
        read_old: impl Fn(&str) -> Option<T>,
    ) -> async_graphql::Result<Option<T>> {
        let Some(cursor) = cursor else { return Ok(None) };
        let Bound { seals, purpose, old } = &*self.0;
        let place = match seals.open(purpose, cursor) {
            Some(place) => read(&place),
            None => old.as_ref().and_then(|kind| read_old(&unsealed(kind, cursor)?)),
        };
        place.map(Some).ok_or_else(|| {
            let end = if argument == "after" { "beginning" } else { "end" };
            ErrorCode::BadUserInput.error(format!(
                "`{argument}` is not a cursor of this list: leave it out to begin at the {end}"
            ))
        })
    }

    /// The row's id that `after` names.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_row(&self, after: Option<&str>) -> async_graphql::Result<Option<i64>> {
        self.open_row_of("after", after)
    }

    /// The row's id that an argument names.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_row_of(
        &self,
        argument: &str,
        cursor: Option<&str>,
    ) -> async_graphql::Result<Option<i64>> {
        let id = |id: i64| (id > 0).then_some(id);
        self.open_argument(
            argument,
            cursor,
            |place| id(numbers::<1>(place)?.into_iter().next()?),
            |text| id(text.parse().ok()?),
        )
    }
}

/// So many numbers in a place.
pub fn numbers<const N: usize>(place: &[u8]) -> Option<[i64; N]> {
    let (eights, rest) = place.as_chunks::<8>();
    let numbers: Vec<i64> = eights.iter().map(|eight| i64::from_be_bytes(*eight)).collect();
    rest.is_empty().then_some(numbers)?.try_into().ok()
}

/// The place in a cursor of a version before sealing.
fn unsealed(kind: &str, cursor: &str) -> Option<String> {
    let cursor = Some(cursor).filter(|cursor| cursor.len() <= 256)?;
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
    Some(text.strip_prefix("v1:")?.strip_prefix(kind)?.strip_prefix(':')?.to_owned())
}

impl Cursor {
    /// As it goes to the client.
    pub fn sealed(&self) -> String {
        let Bound { seals, purpose, .. } = &*self.list.0;
        match &self.place {
            Place::Row(id) => seals.seal(purpose, &id.to_be_bytes()),
            Place::Other(place) => seals.seal(purpose, place),
        }
    }
}

impl OutputType for Cursor {
    fn type_name() -> Cow<'static, str> {
        <String as OutputType>::type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        <String as OutputType>::create_type_info(registry)
    }

    async fn resolve(
        &self,
        _: &ContextSelectionSet<'_>,
        _: &Positioned<Field>,
    ) -> ServerResult<Value> {
        Ok(Value::String(self.sealed()))
    }
}

/// Seals that nobody else has.
#[cfg(test)]
pub(crate) fn seals_of_a_test() -> Arc<Seals> {
    Arc::new(Seals::new(&[b"a secret of a test".to_vec()]).unwrap())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_of_one_list_of_one_owner() {
        let seals = seals_of_a_test();
        let list = |field, of: i64| List::sealed_by(&seals, field, of);
        let cursor = list("User.posts", 1).row(7).sealed();
        let open = |list: List| list.open_row(Some(&cursor)).ok().flatten();
        assert_eq!(open(list("User.posts", 1)), Some(7));
        assert_eq!(open(list("User.posts", 2)), None);
        assert_eq!(open(list("User.followers", 1)), None);
        assert_eq!(open(List::sealed_by(&seals_of_a_test(), "User.posts", 1)), Some(7));
    }

    #[test]
    fn old_cursors_are_taken_where_they_may_be() {
        let seals = seals_of_a_test();
        let strict = List::sealed_by(&seals, "Viewer.orders", 1);
        let old = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let lenient = strict.clone().taking_old("Order");
        assert_eq!(lenient.open_row(Some(&old("v1:Order:7"))).unwrap(), Some(7));
        assert_eq!(lenient.open_row(Some(&strict.row(8).sealed())).unwrap(), Some(8));
        for bad in ["v1:Order:-1", "v1:Order:", "v1:Post:7", "v2:Order:7", "Order:7", ""] {
            assert!(lenient.open_row(Some(&old(bad))).is_err(), "{bad}");
        }
        assert!(strict.open_row(Some(&old("v1:Order:7"))).is_err());
        assert_eq!(strict.open_row(None).unwrap(), None);
    }

    #[test]
    fn a_row_that_cannot_be_is_no_place() {
        let list = List::sealed_by(&seals_of_a_test(), "Viewer.orders", 1);
        for cursor in [list.row(0), list.row(-1), list.place(b"seven"), list.numbers(&[1, 2])] {
            assert!(list.open_row(Some(&cursor.sealed())).is_err(), "{cursor:?}");
        }
        assert_eq!(numbers::<2>(&[0; 16]), Some([0, 0]));
        assert_eq!(numbers::<2>(&[0; 17]), None);
    }
}
