//! What a request asked of the stores, for whoever wants to know.

pub use plaza_stores::explain::{Explanation, explained, for_field};
