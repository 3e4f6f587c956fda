//! timelines
