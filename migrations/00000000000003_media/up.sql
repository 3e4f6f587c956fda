-- Images: on posts, and of people. The bytes are in the object store; rows are on their owner's shard.

-- AWAITING_UPLOAD ▶ PROCESSING ▶ READY | REJECTED. A READY image that nothing shows (used = false) is reaped after a while, and so is one that never got
-- there. object_key: 128 random bits that its files are named by. upload: what was sent, until it is processed.
CREATE TABLE images (
    id           bigint PRIMARY KEY,
    owner_id     bigint NOT NULL,
    purpose      text NOT NULL CHECK (purpose IN ('POST', 'AVATAR')),
    state        text NOT NULL DEFAULT 'AWAITING_UPLOAD' CHECK (state IN ('AWAITING_UPLOAD', 'PROCESSING', 'READY', 'REJECTED')),
    used         boolean NOT NULL DEFAULT false,
    object_key   text NOT NULL,
    byte_count   integer NOT NULL CHECK (byte_count > 0),
    alt_text     text NOT NULL,
    upload       text,
    content_hash bytea,
    rejection    text,
    format       text,
    width        integer,
    height       integer,
    color        text
);
-- What is reaped, oldest first, and how many somebody has at hand: ids begin with their time.
CREATE INDEX images_unused ON images (id) WHERE NOT used;
CREATE INDEX images_at_hand ON images (owner_id) WHERE NOT used;

-- What is shown, whole: a READY image never changes, so a post and a person are read with theirs, and no statement more.
ALTER TABLE posts ADD COLUMN images jsonb;
ALTER TABLE users ADD COLUMN avatar jsonb;
