DROP INDEX idempotency_keys_age;
DROP TABLE spent_refresh_tokens, notifications, blocked_by, blocks, follow_requests;
DROP INDEX sessions_revoked;
ALTER TABLE sessions DROP COLUMN user_agent, DROP COLUMN last_used_at;
ALTER TABLE follows DROP COLUMN requested;
ALTER TABLE users DROP COLUMN is_private, DROP COLUMN is_admin, DROP COLUMN suspended_at, DROP COLUMN relations_version;
