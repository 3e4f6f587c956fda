//! The order saga.

use super::JobError;
use crate::domain::{Operation, orders};
use crate::ids::OrderId;

/// # Errors
/// A shard or the payment provider is unavailable.
pub async fn run(op: &Operation, order: OrderId) -> Result<(), JobError> {
    Ok(orders::process(op, order).await?)
}
