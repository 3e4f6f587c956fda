-- Records of the log that a projection could not read or apply, put aside so that the records behind them are applied: what is no event, an event
-- of a type that the build does not know, and events whose aggregate lacks the one before them. A record is written on any shard that answers, and
-- may so be on several; whoever reads takes the last decision about it. Rows stay when they are decided about: the ledger knows them.
CREATE TABLE unreadable_records (
    projection    text    NOT NULL,
    topic         text    NOT NULL,
    partition     integer NOT NULL,
    record_offset bigint  NOT NULL,
    -- The first 64 KiB of its bytes, and how many there were.
    payload       bytea   NOT NULL CHECK (octet_length(payload) <= 65536),
    length        bigint  NOT NULL,
    -- Of an event: what it is about, and which version it is.
    aggregate     text,
    version       bigint,
    reason        text    NOT NULL,
    state         text    NOT NULL DEFAULT 'WAITING' CHECK (state IN ('WAITING', 'RETRY', 'SKIPPED', 'APPLIED')),
    -- To be applied although versions before it are missing.
    over_gap      boolean NOT NULL DEFAULT false,
    created_at    timestamptz NOT NULL DEFAULT now(),
    decided_by    text,
    decided_at    timestamptz,
    PRIMARY KEY (projection, topic, partition, record_offset)
);
CREATE INDEX unreadable_records_open ON unreadable_records (projection, topic, partition) WHERE state IN ('WAITING', 'RETRY');
