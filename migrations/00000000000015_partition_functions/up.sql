-- What a running role may do to the schema: the owner's functions do it, and only for whoever is told so by grants.sql. A role that connects as
-- the owner (an older version, an installation with one user) needs none of them.

-- Ids go up by the clock that is kept in a sequence: who may set that could set it years ahead, and no id would be issued until then.
ALTER FUNCTION next_id(integer) SECURITY DEFINER SET search_path = public, pg_temp;
REVOKE ALL ON FUNCTION next_id(integer) FROM PUBLIC;

-- Makes a day's partition of the outbox, with what the default partition holds of that day; how many messages that were. It is attached, which
-- takes no lock that an insertion waits for. (A session's lock_timeout is the caller's own; these statements never wait for longer.)
CREATE FUNCTION outbox_make_partition(day date) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = public, pg_temp SET lock_timeout = '200ms' AS $$
DECLARE
    today     date := (now() AT TIME ZONE 'utc')::date;
    partition text := 'outbox_' || to_char(day, 'YYYYMMDD');
    moved     bigint;
BEGIN
    LOCK TABLE outbox_default IN ACCESS EXCLUSIVE MODE;
    IF (day BETWEEN today AND today + 31 OR EXISTS (SELECT 1 FROM outbox_default WHERE created_on = day)) IS NOT TRUE THEN
        RAISE EXCEPTION 'no partition of the outbox is needed for %', day USING ERRCODE = 'invalid_parameter_value';
    END IF;
    -- What is there already was detached, or left by somebody who was killed: the same day's.
    EXECUTE format('CREATE TABLE IF NOT EXISTS %I (LIKE outbox INCLUDING DEFAULTS INCLUDING CONSTRAINTS,
                        CONSTRAINT %I CHECK (created_on >= %L AND created_on < %L))', partition, partition || '_day', day, day + 1);
    EXECUTE format('WITH moved AS (DELETE FROM outbox_default WHERE created_on = %L RETURNING *)
                    INSERT INTO %I SELECT * FROM moved', day, partition);
    GET DIAGNOSTICS moved = ROW_COUNT;
    EXECUTE format('ALTER TABLE outbox ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', partition, day, day + 1);
    EXECUTE format('ALTER TABLE %I DROP CONSTRAINT IF EXISTS %I', partition, partition || '_day');
    RETURN moved;
END $$;
REVOKE ALL ON FUNCTION outbox_make_partition(date) FROM PUBLIC;

-- Whether all messages of a day that is over are sent: then its partition is detached, if it was attached.
CREATE FUNCTION outbox_detach_partition(day date) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = public, pg_temp SET lock_timeout = '200ms' AS $$
DECLARE
    partition text := 'outbox_' || to_char(day, 'YYYYMMDD');
    unsent    boolean;
BEGIN
    IF (day < (now() AT TIME ZONE 'utc')::date) IS NOT TRUE THEN
        RAISE EXCEPTION 'the day % is not over', day USING ERRCODE = 'invalid_parameter_value';
    END IF;
    EXECUTE format('SELECT EXISTS (SELECT 1 FROM %I WHERE sent_at IS NULL)', partition) INTO unsent;
    IF unsent THEN
        RETURN false;
    END IF;
    IF EXISTS (SELECT 1 FROM pg_inherits WHERE inhrelid = to_regclass(partition) AND inhparent = 'outbox'::regclass) THEN
        EXECUTE format('ALTER TABLE outbox DETACH PARTITION %I', partition);
    END IF;
    RETURN true;
END $$;
REVOKE ALL ON FUNCTION outbox_detach_partition(date) FROM PUBLIC;

-- Drops a day's partition that was detached. Apart from the detaching, so that no insertion waits for the dropping.
CREATE FUNCTION outbox_drop_partition(day date) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = public, pg_temp SET lock_timeout = '200ms' AS $$
DECLARE
    partition text := 'outbox_' || to_char(day, 'YYYYMMDD');
    unsent    boolean;
BEGIN
    EXECUTE format('SELECT EXISTS (SELECT 1 FROM %I WHERE sent_at IS NULL)', partition) INTO unsent;
    IF unsent OR EXISTS (SELECT 1 FROM pg_inherits WHERE inhrelid = to_regclass(partition)) THEN
        RAISE EXCEPTION '% is in use', partition USING ERRCODE = 'object_in_use';
    END IF;
    EXECUTE format('DROP TABLE %I', partition);
END $$;
REVOKE ALL ON FUNCTION outbox_drop_partition(date) FROM PUBLIC;
