//! What a request asked of the stores, for whoever wants to know.

pub use crate::stores::explain::{Explanation, explained, for_field};
