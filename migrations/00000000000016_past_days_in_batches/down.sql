DROP FUNCTION outbox_move_sent(date, integer);
CREATE OR REPLACE FUNCTION outbox_make_partition(day date) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER
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
