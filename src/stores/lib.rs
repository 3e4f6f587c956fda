//! The servers plaza keeps its state in. Nothing here knows a rule of the domain.

pub mod error;
pub mod explain;
pub mod kafka;
pub mod objects;
pub mod pool_state;
pub mod postgres;
pub mod query;
pub mod rabbitmq;
pub mod redis;
pub mod server;
pub mod tls;
pub mod work;

pub use error::StoreError;
