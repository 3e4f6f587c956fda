//! Filling an installation: people, follows, posts, products, orders, in bulk, without a request each.
//!
//! Everything follows from the random seed: the same arguments into an empty system give the same rows with the same ids, and running them again
//! (after an interruption, say) adds only what is missing. Rows that projections would derive are written along, with the versions of their
//! aggregates, so that live events go on from there without a gap.

mod load;
mod rows;
mod words;
mod world;

pub use load::{Loader, summary};
pub use world::{Plan, World, email, follows_of_file, follows_of_users, handle, people};
