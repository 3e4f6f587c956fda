//! What every floor stands on: typed [`ids`] and the [`clock`].

pub mod clock;
pub mod ids;
