//! The loop that runs projections.
