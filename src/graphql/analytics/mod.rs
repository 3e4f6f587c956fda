//! Analytics for authors and sellers.

pub mod sales;
pub mod types;
pub mod views;
