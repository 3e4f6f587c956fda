-- One shard's schema. Every shard has the same tables; which rows live where follows from the bucket in each id
-- (src/ids.rs). A row's creation time is in its id, so no table repeats it.

-- Ids: 41 bits of milliseconds since 2025-01-01T00:00:00Z, 10 bits of bucket, 12 bits of sequence.
-- The time part never goes below the last one issued here; a clock that stepped back more than a second is refused.
CREATE SEQUENCE id_sequence AS integer MINVALUE 0 MAXVALUE 4095 START 0 CYCLE;
CREATE SEQUENCE id_clock AS bigint MINVALUE 0 START 0;

CREATE FUNCTION next_id(bucket integer) RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    now_ms  bigint := floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint - 1735689600000;
    last_ms bigint;
BEGIN
    SELECT last_value INTO last_ms FROM id_clock;
    IF now_ms < last_ms - 1000 THEN
        RAISE EXCEPTION 'the clock stepped back by % ms', last_ms - now_ms USING ERRCODE = 'PZ001';
    END IF;
    IF now_ms > last_ms THEN
        PERFORM setval('id_clock', now_ms);
    ELSE
        now_ms := last_ms;
    END IF;
    RETURN (now_ms << 22) | (bucket::bigint << 12) | nextval('id_sequence');
END $$;

-- Which shard holds which bucket: index = bucket, value = shard. The highest version is in force.
CREATE TABLE shard_maps (
    version integer PRIMARY KEY,
    shards  integer[] NOT NULL CHECK (cardinality(shards) = 1024)
);

-- Claims make a handle and an e-mail address unique across shards: the row lives on the shard of the hash of the value.
-- A claim whose user row never came (a crashed sign-up) may be taken over after a minute.
CREATE TABLE handle_claims (
    handle     text PRIMARY KEY,
    user_id    bigint NOT NULL,
    client_key text,
    claimed_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE email_claims (
    email      text PRIMARY KEY,
    user_id    bigint NOT NULL,
    claimed_at timestamptz NOT NULL DEFAULT now()
);

-- activity_version rises with every post, deletion, follow and unfollow of the user; user_counts carries the one it was
-- counted at. pull_since: set while the author has too many followers to push to.
CREATE TABLE users (
    id               bigint PRIMARY KEY,
    handle           text NOT NULL UNIQUE,
    email            text NOT NULL,
    display_name     text NOT NULL,
    bio              text NOT NULL DEFAULT '',
    password_hash    text NOT NULL,
    version          bigint NOT NULL DEFAULT 1,
    activity_version bigint NOT NULL DEFAULT 1,
    pull_since       timestamptz
);
CREATE INDEX users_pull ON users (id) WHERE pull_since IS NOT NULL;

CREATE TABLE sessions (
    id           bigint PRIMARY KEY,
    user_id      bigint NOT NULL,
    refresh_hash bytea NOT NULL,
    expires_at   timestamptz NOT NULL,
    revoked_at   timestamptz
);
CREATE INDEX sessions_user ON sessions (user_id);

-- The follower's side: the truth. The edge is an aggregate of its own (version), and stays as a row when unfollowed.
CREATE TABLE follows (
    follower_id bigint NOT NULL,
    followee_id bigint NOT NULL,
    id          bigint NOT NULL,
    version     bigint NOT NULL,
    active      boolean NOT NULL,
    PRIMARY KEY (follower_id, followee_id)
);
CREATE INDEX follows_list ON follows (follower_id, id DESC) WHERE active;

-- The followee's side: a projection of the edge's events, on the followee's shard.
CREATE TABLE followers (
    followee_id bigint NOT NULL,
    follower_id bigint NOT NULL,
    follow_id   bigint NOT NULL,
    active      boolean NOT NULL,
    PRIMARY KEY (followee_id, follower_id)
);
CREATE INDEX followers_list ON followers (followee_id, follow_id DESC) WHERE active;

-- version rises with every like, unlike, comment and the deletion; post_counts carries the one it was counted at.
CREATE TABLE posts (
    id         bigint PRIMARY KEY,
    author_id  bigint NOT NULL,
    text       text NOT NULL,
    product_id bigint,
    version    bigint NOT NULL DEFAULT 1,
    deleted    boolean NOT NULL DEFAULT false
);
CREATE INDEX posts_author ON posts (author_id, id DESC) WHERE NOT deleted;

CREATE TABLE likes (
    post_id bigint NOT NULL,
    user_id bigint NOT NULL,
    PRIMARY KEY (post_id, user_id)
);

CREATE TABLE comments (
    id        bigint PRIMARY KEY,
    post_id   bigint NOT NULL,
    author_id bigint NOT NULL,
    text      text NOT NULL
);
CREATE INDEX comments_post ON comments (post_id, id);

CREATE TABLE post_counts (
    post_id       bigint PRIMARY KEY,
    like_count    bigint NOT NULL,
    comment_count bigint NOT NULL,
    version       bigint NOT NULL
);

-- follower_count belongs to the followers projection, the rest to the profile counts.
CREATE TABLE user_counts (
    user_id          bigint PRIMARY KEY,
    post_count       bigint NOT NULL DEFAULT 0,
    following_count  bigint NOT NULL DEFAULT 0,
    activity_version bigint NOT NULL DEFAULT 0
);
CREATE TABLE follower_counts (
    user_id        bigint PRIMARY KEY,
    follower_count bigint NOT NULL,
    version        bigint NOT NULL DEFAULT 1
);

-- Money is integer minor units with an ISO 4217 currency.
CREATE TABLE products (
    id             bigint PRIMARY KEY,
    seller_id      bigint NOT NULL,
    title          text NOT NULL,
    description    text NOT NULL,
    price_amount   bigint NOT NULL CHECK (price_amount > 0),
    price_currency text NOT NULL,
    stock          integer NOT NULL CHECK (stock >= 0),
    version        bigint NOT NULL DEFAULT 1
);
CREATE INDEX products_seller ON products (seller_id, id DESC);

CREATE TABLE orders (
    id             bigint PRIMARY KEY,
    buyer_id       bigint NOT NULL,
    status         text NOT NULL,
    reason         text,
    total_amount   bigint NOT NULL,
    total_currency text NOT NULL,
    version        bigint NOT NULL DEFAULT 1
);
CREATE INDEX orders_buyer ON orders (buyer_id, id DESC);

CREATE TABLE order_lines (
    order_id    bigint NOT NULL,
    product_id  bigint NOT NULL,
    quantity    integer NOT NULL CHECK (quantity > 0),
    unit_amount bigint NOT NULL CHECK (unit_amount > 0),
    PRIMARY KEY (order_id, product_id)
);

CREATE TABLE payments (
    order_id  bigint PRIMARY KEY,
    amount    bigint NOT NULL,
    currency  text NOT NULL,
    status    text NOT NULL,
    reference text NOT NULL
);

-- On the product's shard: a piece of stock held for, sold to, or given back by an order.
CREATE TABLE reservations (
    order_id   bigint NOT NULL,
    product_id bigint NOT NULL,
    quantity   integer NOT NULL CHECK (quantity > 0),
    amount     bigint NOT NULL,
    status     text NOT NULL,
    sold_at    timestamptz,
    PRIMARY KEY (order_id, product_id)
);
CREATE INDEX reservations_sold ON reservations (product_id, sold_at) WHERE status = 'SOLD';

CREATE TABLE product_sales (
    product_id bigint NOT NULL,
    minute     timestamptz NOT NULL,
    orders     bigint NOT NULL,
    quantity   bigint NOT NULL,
    amount     bigint NOT NULL,
    PRIMARY KEY (product_id, minute)
);

-- The first answer to each mutation, in the mutation's own transaction.
CREATE TABLE idempotency_keys (
    user_id      bigint NOT NULL,
    client_key   text NOT NULL,
    operation    text NOT NULL,
    payload_hash bytea NOT NULL,
    answer       jsonb NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, client_key)
);

-- The outbox. sink 0: RabbitMQ, sink 1: Kafka. Partitioned by day, so that old days are dropped whole and no row is
-- ever deleted: the ledger reads them.
CREATE SEQUENCE outbox_id_seq;
CREATE TABLE outbox (
    id         bigint NOT NULL DEFAULT nextval('outbox_id_seq'),
    created_on date NOT NULL DEFAULT (now() AT TIME ZONE 'utc')::date,
    sink       smallint NOT NULL,
    topic      text NOT NULL,
    key        text NOT NULL,
    payload    text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    sent_at    timestamptz,
    PRIMARY KEY (id, created_on)
) PARTITION BY RANGE (created_on);
CREATE INDEX outbox_unsent ON outbox (sink, id) WHERE sent_at IS NULL;

-- Makes today's and tomorrow's partitions, drops those older than keep_days in which everything is sent; returns how many it dropped.
CREATE FUNCTION outbox_maintain(keep_days integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    today   date := (now() AT TIME ZONE 'utc')::date;
    day     date;
    name    text;
    unsent  boolean;
    dropped integer := 0;
BEGIN
    FOR day IN SELECT generate_series(today, today + 1, '1 day')::date LOOP
        name := 'outbox_' || to_char(day, 'YYYYMMDD');
        IF to_regclass(name) IS NULL THEN
            EXECUTE format('CREATE TABLE %I PARTITION OF outbox FOR VALUES FROM (%L) TO (%L)', name, day, day + 1);
        END IF;
    END LOOP;
    FOR name IN SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
                 WHERE i.inhparent = 'outbox'::regclass AND c.relname ~ '^outbox_[0-9]{8}$'
                   AND to_date(right(c.relname, 8), 'YYYYMMDD') < today - keep_days LOOP
        EXECUTE format('SELECT EXISTS (SELECT 1 FROM %I WHERE sent_at IS NULL)', name) INTO unsent;
        IF NOT unsent THEN
            EXECUTE format('DROP TABLE %I', name);
            dropped := dropped + 1;
        END IF;
    END LOOP;
    RETURN dropped;
END $$;
-- Rows of a day for which nobody made a partition in time are kept here, and sent like any other.
CREATE TABLE outbox_default PARTITION OF outbox DEFAULT;
SELECT outbox_maintain(7);

-- Jobs: failures counted by us (a broker's own count does not survive a republish), and the ids of those whose effect is done.
CREATE TABLE job_attempts (
    job_id     text PRIMARY KEY,
    attempts   integer NOT NULL,
    last_error text NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);

-- Projections: where each stands in each partition of its topic, per shard, moved in the transaction that writes its rows;
-- effects_offset trails it: from there on, side effects after the commit (cache invalidation) may not have happened yet.
CREATE TABLE projection_offsets (
    projection     text NOT NULL,
    topic          text NOT NULL,
    partition      integer NOT NULL,
    next_offset    bigint NOT NULL,
    effects_offset bigint NOT NULL,
    PRIMARY KEY (projection, topic, partition)
);
-- The last version of each aggregate that a projection has applied: a repeat is skipped, a gap parks the partition.
CREATE TABLE projection_versions (
    projection text NOT NULL,
    aggregate  text NOT NULL,
    version    bigint NOT NULL,
    PRIMARY KEY (projection, aggregate)
);
