//! What every floor stands on: typed [`ids`], numbers of a [`digest`], and the [`clock`].

pub mod clock;
pub mod digest;
pub mod ids;
