-- Whose turn it is at what one process does at a time (src/stores/postgres/leases.rs): whoever begins raises the epoch, and what it writes names the one
-- that it got. A process that hung and wakes up after another one has begun marks nothing, and moves no offset.
CREATE TABLE leases (
    name     text PRIMARY KEY,
    epoch    bigint NOT NULL,
    began_at timestamptz NOT NULL DEFAULT now()
);
