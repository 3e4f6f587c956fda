pub mod lifecycle;
mod receipts;
