mod bad_input;
mod idempotency;
mod identity;
mod orders;
mod posts;
mod schema;
mod social_review;
mod statement_budgets;
