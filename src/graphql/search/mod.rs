//! Finding by words.

pub mod queries;
