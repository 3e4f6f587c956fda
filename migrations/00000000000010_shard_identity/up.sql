-- Which shard of its cluster this database is: one row, written by `plaza migrate` and compared by every process. A process whose configuration
-- has two shards' addresses exchanged would write rows where nobody looks for them.
CREATE TABLE shard_identity (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    shard    integer NOT NULL CHECK (shard >= 0)
);

-- Raised by whoever changed rows and could not invalidate them in Redis; every server reads it several times a second, and trusts nothing that was
-- cached before. A sequence, since raising one takes no lock that another transaction waits for, and its value never goes back: not by a rollback,
-- a crash or a failover (which may raise it).
CREATE SEQUENCE cache_epoch;
SELECT nextval('cache_epoch');
