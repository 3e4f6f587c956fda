//! What all mutations have in common: a key in the input, `userErrors` in the payload.

use crate::error::{UserError, payload};
use plaza_domain::DomainError;

/// Inputs of mutations: their fields, and an idempotency key.
macro_rules! inputs {
    ($($(#[$doc:meta])* $name:ident {
        $($(#[$about:meta])* $field:ident: $type:ty,)*
    })*) => {$(
        $(#[$doc])*
        #[derive(async_graphql::InputObject)]
        pub struct $name {
            $($(#[$about])* $field: $type,)*
            /// Idempotency key of this mutation: 1 to 200 visible ASCII characters; overrides the
            /// `Idempotency-Key` header. A retry with the same key and input returns the first
            /// result and changes nothing; with another input it is `IDEMPOTENCY_CONFLICT`.
            #[graphql(default)]
            client_key: Option<String>,
        }
    )*};
}
pub(crate) use inputs;

/// Payloads of mutations: an object as it is afterwards, and `userErrors`.
macro_rules! payloads {
    ($($(#[$doc:meta])* $name:ident {
        $(#[$about:meta])* $field:ident: $type:ty,
    })*) => {$(
        $(#[$doc])*
        #[derive(async_graphql::SimpleObject)]
        pub struct $name {
            $(#[$about])*
            $field: Option<async_graphql::Result<$type>>,
            /// Business errors that prevented the mutation; empty on success.
            user_errors: Vec<crate::error::UserError>,
        }

        impl From<crate::payload::Done<$type>> for $name {
            fn from(done: crate::payload::Done<$type>) -> Self {
                Self { $field: done.object, user_errors: done.user_errors }
            }
        }
    )*};
}
pub(crate) use payloads;

/// What a mutation has come to: the object afterwards, or why nothing was done.
pub(crate) struct Done<T> {
    /// `None` also when the viewer may not see it. An error says that it cannot be shown: what is
    /// done must not read as if it were not.
    pub(crate) object: Option<async_graphql::Result<T>>,
    pub(crate) user_errors: Vec<UserError>,
}

impl<T> Done<T> {
    /// Of what the domain says, once the object is made of it.
    ///
    /// # Errors
    /// Whatever is no business failure.
    pub(crate) async fn of<R>(
        result: Result<R, DomainError>,
        object: impl AsyncFnOnce(R) -> Option<async_graphql::Result<T>>,
    ) -> async_graphql::Result<Self> {
        let (value, user_errors) = payload(result)?;
        let object = match value {
            Some(value) => object(value).await,
            None => None,
        };
        Ok(Self { object, user_errors })
    }
}
