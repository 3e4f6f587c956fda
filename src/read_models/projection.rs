//! What a projection is.
