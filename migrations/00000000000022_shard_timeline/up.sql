-- The timeline of the primary, noted by servers when it is a new one: a replica that has replayed the note is past that failover, which it could not
-- say itself. The default is that of the primary which migrates.
ALTER TABLE shard_identity ADD COLUMN timeline bigint NOT NULL
    DEFAULT ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::bigint;
