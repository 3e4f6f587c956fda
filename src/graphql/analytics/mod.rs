//! What authors and sellers are told about their own.

pub mod sales;
pub mod types;
pub mod views;
