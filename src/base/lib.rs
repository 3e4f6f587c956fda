//! What every floor stands on: typed [`ids`], numbers of a [`digest`], the [`clock`]; and
//! [`seeded`] bugs, which builds for users lack.

pub mod clock;
pub mod digest;
pub mod ids;
pub mod seeded;
