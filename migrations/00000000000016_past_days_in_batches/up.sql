-- Messages of a day that is over come out of the default partition without anybody waiting for them. To attach a day's partition PostgreSQL locks
-- the default partition (ACCESS EXCLUSIVE) and the outbox itself only weakly (SHARE UPDATE EXCLUSIVE): an insertion, which locks the one partition
-- that its row belongs to, waits only while the row would have to go to the default one. So today's partition is made first, and a day that is over
-- is emptied in batches, which lock rows alone.
--
-- Only what is sent is moved so. A partition that is not attached yet is seen by no relay, and neither may be one that was attached while the
-- relay's query was planned: an unsent message there would be sent after later ones. Of today's partition that cannot be, since there is nothing
-- later.

-- Moves sent messages of a day that is not today, at most so many, from the default partition to the day's own, which is not attached; how many.
CREATE FUNCTION outbox_move_sent(day date, most integer) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = public, pg_temp SET lock_timeout = '200ms' AS $$
DECLARE
    partition text := 'outbox_' || to_char(day, 'YYYYMMDD');
    moved     bigint;
BEGIN
    IF (day <> (now() AT TIME ZONE 'utc')::date
        AND EXISTS (SELECT 1 FROM outbox_default WHERE created_on = day AND sent_at IS NOT NULL)) IS NOT TRUE THEN
        RETURN 0;
    END IF;
    -- With its indexes: attaching it then builds none.
    EXECUTE format('CREATE TABLE IF NOT EXISTS %I (LIKE outbox INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING INDEXES,
                        CONSTRAINT %I CHECK (created_on >= %L AND created_on < %L))', partition, partition || '_day', day, day + 1);
    EXECUTE format('WITH moved AS (DELETE FROM outbox_default WHERE ctid = ANY (ARRAY(
                        SELECT ctid FROM outbox_default WHERE created_on = %L AND sent_at IS NOT NULL ORDER BY id LIMIT %s)) RETURNING *)
                    INSERT INTO %I SELECT * FROM moved', day, greatest(most, 0), partition);
    GET DIAGNOSTICS moved = ROW_COUNT;
    RETURN moved;
END $$;
REVOKE ALL ON FUNCTION outbox_move_sent(date, integer) FROM PUBLIC;

-- Makes a day's partition of the outbox, with what the default partition holds of that day; how many messages that were. New: of another
-- day than today nothing may be unsent, and a day's table that is there already is attached though the default partition holds nothing of it.
CREATE OR REPLACE FUNCTION outbox_make_partition(day date) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = public, pg_temp SET lock_timeout = '200ms' AS $$
DECLARE
    today     date := (now() AT TIME ZONE 'utc')::date;
    partition text := 'outbox_' || to_char(day, 'YYYYMMDD');
    moved     bigint;
BEGIN
    LOCK TABLE outbox_default IN ACCESS EXCLUSIVE MODE;
    IF (day BETWEEN today AND today + 31 OR to_regclass(partition) IS NOT NULL
        OR EXISTS (SELECT 1 FROM outbox_default WHERE created_on = day)) IS NOT TRUE THEN
        RAISE EXCEPTION 'no partition of the outbox is needed for %', day USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF day <> today AND EXISTS (SELECT 1 FROM outbox_default WHERE created_on = day AND sent_at IS NULL) THEN
        RAISE EXCEPTION 'messages of % are not sent yet', day USING ERRCODE = 'object_in_use';
    END IF;
    -- What is there already was detached, filled in batches, or left by a process that was killed: the same day's.
    EXECUTE format('CREATE TABLE IF NOT EXISTS %I (LIKE outbox INCLUDING DEFAULTS INCLUDING CONSTRAINTS,
                        CONSTRAINT %I CHECK (created_on >= %L AND created_on < %L))', partition, partition || '_day', day, day + 1);
    EXECUTE format('WITH moved AS (DELETE FROM outbox_default WHERE created_on = %L RETURNING *)
                    INSERT INTO %I SELECT * FROM moved', day, partition);
    GET DIAGNOSTICS moved = ROW_COUNT;
    EXECUTE format('ALTER TABLE outbox ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', partition, day, day + 1);
    EXECUTE format('ALTER TABLE %I DROP CONSTRAINT IF EXISTS %I', partition, partition || '_day');
    RETURN moved;
END $$;
