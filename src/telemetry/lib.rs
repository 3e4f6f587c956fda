//! What a process says of itself: logs, metrics and traces.

pub mod logs;
pub mod metrics;
pub mod process;
pub mod trace;
mod trace_ids;

pub use logs::init;
