-- What finding needs: words without accents and case, and how widely known a person is; and what people are told of, counted, grouped and chosen.
-- The indexes over the large tables are not here: they are built beside the writes (src/stores/postgres/indexes.rs).

-- Both are trusted: whoever may create in the database may have them.
CREATE EXTENSION IF NOT EXISTS unaccent WITH SCHEMA public;
CREATE EXTENSION IF NOT EXISTS pg_trgm WITH SCHEMA public;

-- Words as they are, without accents and case: no language is assumed, so nothing is cut off or left out as too common.
CREATE TEXT SEARCH CONFIGURATION public.plaza (COPY = pg_catalog.simple);
ALTER TEXT SEARCH CONFIGURATION public.plaza ALTER MAPPING FOR hword, hword_part, word WITH public.unaccent, pg_catalog.simple;

-- A text as names are compared by. What `unaccent` does depends on a file of rules that comes with the server; it is as immutable as that file.
-- (PL/pgSQL: half of what it costs as an SQL function.)
CREATE FUNCTION search_fold(words text) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE COST 1000 AS $$
BEGIN
    RETURN lower(public.unaccent('public.unaccent'::regdictionary, words));
END $$;

-- How widely a person is known: the number of digits of their follower count. A search that goes on from page to page must meet the same order on each,
-- so the value before the last change is kept beside when that was, and a change waits until the last one is an hour old.
-- NULL until the count first changes after this migration: no row is rewritten for it.
ALTER TABLE follower_counts
    ADD COLUMN reach        integer,
    ADD COLUMN reach_before integer,
    ADD COLUMN reach_since  timestamptz;
CREATE FUNCTION digits(number bigint) RETURNS integer LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT length(greatest(number, 0)::text)
$$;
CREATE FUNCTION follower_counts_reach() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        NEW.reach := public.digits(NEW.follower_count);
        NEW.reach_before := 1;
        NEW.reach_since := clock_timestamp();
    ELSIF NEW.reach IS NULL THEN
        NEW.reach := public.digits(NEW.follower_count);
        NEW.reach_before := public.digits(OLD.follower_count);
        NEW.reach_since := clock_timestamp();
    ELSIF NEW.reach <> public.digits(NEW.follower_count) AND NEW.reach_since < clock_timestamp() - interval '1 hour' THEN
        NEW.reach_before := OLD.reach;
        NEW.reach := public.digits(NEW.follower_count);
        NEW.reach_since := clock_timestamp();
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER follower_counts_reach BEFORE INSERT OR UPDATE OF follower_count ON follower_counts
    FOR EACH ROW EXECUTE FUNCTION follower_counts_reach();

-- The widely known, so that they are found among any number of namesakes.
CREATE INDEX follower_counts_known ON follower_counts (user_id) WHERE reach >= 4;

-- What a person has seen of their notifications (up to which id), and which kinds they want. Read with them, on the person's shard. A kind that is in
-- neither list is told whoever did it.
CREATE TABLE notification_settings (
    user_id       bigint PRIMARY KEY,
    read_up_to    bigint NOT NULL DEFAULT 0,
    muted         text[] NOT NULL DEFAULT '{}',
    only_followed text[] NOT NULL DEFAULT '{}'
);
