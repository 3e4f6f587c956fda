mod bad_input;
mod idempotency;
mod identity;
mod orders;
mod posts;
mod schema;
mod statement_budgets;
