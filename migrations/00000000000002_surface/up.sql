-- What the public surface needs: who may see whom, notifications, sessions that can be told apart and revoked at once.

-- A private person is seen whole only by those they have let follow them; a suspended one by nobody.
ALTER TABLE users
    ADD COLUMN is_private   boolean NOT NULL DEFAULT false,
    ADD COLUMN is_admin     boolean NOT NULL DEFAULT false,
    ADD COLUMN suspended_at timestamptz,
    -- Rises with every block by or of this person.
    ADD COLUMN relations_version bigint NOT NULL DEFAULT 1;
CREATE INDEX users_suspended ON users (suspended_at) WHERE suspended_at IS NOT NULL;

-- A follow of a private person waits as a request (not active) until they accept it.
ALTER TABLE follows ADD COLUMN requested boolean NOT NULL DEFAULT false;
CREATE TABLE follow_requests (
    followee_id bigint NOT NULL,
    follower_id bigint NOT NULL,
    follow_id   bigint NOT NULL,
    PRIMARY KEY (followee_id, follower_id)
);
CREATE INDEX follow_requests_list ON follow_requests (followee_id, follow_id DESC);

-- The blocker's side: the truth, an aggregate of its own. The blocked person's side is a projection on their shard.
CREATE TABLE blocks (
    blocker_id bigint NOT NULL,
    blocked_id bigint NOT NULL,
    id         bigint NOT NULL,
    version    bigint NOT NULL,
    active     boolean NOT NULL,
    PRIMARY KEY (blocker_id, blocked_id)
);
CREATE TABLE blocked_by (
    blocked_id bigint NOT NULL,
    blocker_id bigint NOT NULL,
    PRIMARY KEY (blocked_id, blocker_id)
);

-- actor_id 0: nobody in particular. subject_id: the post, comment or order that it is about, 0 for a follow.
CREATE TABLE notifications (
    id         bigint PRIMARY KEY,
    user_id    bigint NOT NULL,
    kind       text NOT NULL,
    actor_id   bigint NOT NULL,
    subject_id bigint NOT NULL,
    product_id bigint
);
CREATE INDEX notifications_list ON notifications (user_id, id DESC);
-- A like taken back and given again is told once.
CREATE UNIQUE INDEX notifications_once ON notifications (user_id, kind, actor_id, subject_id);

ALTER TABLE sessions
    ADD COLUMN user_agent   text,
    ADD COLUMN last_used_at timestamptz NOT NULL DEFAULT now();
-- Servers look for what was revoked a moment ago, several times a second.
CREATE INDEX sessions_revoked ON sessions (revoked_at) WHERE revoked_at IS NOT NULL;
-- Refresh tokens that were used: one that comes again was stolen, and ends its session. client_key: the mutation that used it; a retry of that
-- same mutation is no theft.
CREATE TABLE spent_refresh_tokens (
    refresh_hash bytea PRIMARY KEY,
    session_id   bigint NOT NULL,
    client_key   text,
    next_hash    bytea NOT NULL,
    spent_at     timestamptz NOT NULL
);
CREATE INDEX spent_refresh_tokens_age ON spent_refresh_tokens (spent_at);

CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);
