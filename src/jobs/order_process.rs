//! The order saga.

use super::JobError;
use plaza_base::ids::OrderId;
use plaza_domain::{Operation, orders};

/// # Errors
/// A shard or the payment provider is unavailable.
pub async fn run(op: &Operation, order: OrderId) -> Result<(), JobError> {
    Ok(orders::process(op, order).await?)
}
