//! What operators have: figures, traces, logs, the operator's page, dashboards and alarms, all from
//! a real process.

mod alarms;
mod dashboards;
mod frozen;
mod page;
mod picture;
pub mod process;
mod prometheus;
mod tls;
mod traces;
