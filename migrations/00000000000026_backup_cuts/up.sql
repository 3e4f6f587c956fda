-- What a cut of all shards, and a restore to one, need and leave on each shard (src/stores/postgres/cut.rs, restoring.rs).

-- The last cut that was begun here: a row that is in the log before the restore point of that name, so that a restored shard says which cut it is at.
-- recorded_at: when the restore point was written; a shard that is restored to it does not have that yet.
CREATE TABLE backup_cut (
    only_row    boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    label       text NOT NULL,
    at          timestamptz NOT NULL,
    recorded_at timestamptz
);

-- Every restore of this database that was finished, by its cut.
CREATE TABLE restores (
    label       text PRIMARY KEY,
    cut_at      timestamptz NOT NULL,
    restored_at timestamptz NOT NULL DEFAULT now()
);

-- Until the end of the caller's transaction nobody writes a message or marks one: whoever has written one has committed, and the others wait. The
-- parent alone is locked: all messages are written and marked by it, and a statement that reads them waits for nobody.
CREATE FUNCTION outbox_hold() RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    LOCK TABLE ONLY outbox IN SHARE MODE;
END $$;
REVOKE ALL ON FUNCTION outbox_hold() FROM PUBLIC;
