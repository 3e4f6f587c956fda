//! What a process says of itself: logs, figures, and traces.

pub mod figures;
pub mod logs;
pub mod process;
pub mod trace;

pub use logs::init;
