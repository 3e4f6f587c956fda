//! Filling an installation: users, follows, posts, products, orders, in bulk, without a request
//! each, up to millions of users.
//!
//! Everything follows from the random seed and a number (the how manyeth user, post, order), so
//! that any part can be made without the others: rows are made chunk by chunk, a few at a time in
//! memory, and go to all shards at once by COPY. A chunk and the note that it is there are one
//! transaction on each shard, so a seeding that was killed goes on where it stopped.
//!
//! What is seeded has **version 0**: it came without events. The first event of each aggregate is
//! its version 1, for every projection there is and for those to come. What projections would have
//! derived is derived from the rows when users are loaded, who come last: before that there is
//! nobody whose counts could be asked for.

mod accounts;
mod audience;
mod beginning;
mod content;
pub mod drawings;
mod graph;
mod load;
mod names;
mod rows;
mod sharing;
mod shop;
mod words;
mod world;

use rand::SeedableRng;
use rand::rngs::StdRng;

pub use accounts::people;
pub use audience::{Viewing, views};
pub use graph::{Follows, follows_of_file};
pub use load::{Loaded, Loader};
pub use rows::{Rows, Table, Text};
pub use world::{Plan, Step, World};

/// The random numbers of one thing.
fn numbered(seed: u64, kind: &str, number: u64) -> StdRng {
    let kind = kind
        .bytes()
        .fold(seed, |mixed, byte| (mixed ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    StdRng::seed_from_u64(kind.wrapping_add(number.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
}
