-- What authors are told about their posts: views, in windows. A view is in exactly one row of each kind: minutes that are no longer asked for one by
-- one are folded into their hour, hours into their day (src/read_models/view_windows).
-- kind 0: a post; kind 1: a person, all their posts together. size 0: a minute, 1: an hour, 2: a day (UTC).
-- viewers: a HyperLogLog of who viewed (src/read_models/sketch.rs), so that windows can be added up without counting anybody twice.
CREATE TABLE view_windows (
    subject_id bigint NOT NULL,
    kind       smallint NOT NULL,
    size       smallint NOT NULL,
    starts_at  timestamptz NOT NULL,
    views      bigint NOT NULL,
    viewers    bytea NOT NULL,
    PRIMARY KEY (subject_id, kind, size, starts_at)
) WITH (fillfactor = 70, toast_tuple_target = 4080);
-- Sketches are nearly random: compressing them costs more than it saves; at 2 KB the largest stay in their row.
ALTER TABLE view_windows ALTER COLUMN viewers SET STORAGE EXTERNAL;
-- What is old enough to be folded.
CREATE INDEX view_windows_age ON view_windows (size, starts_at);

-- What became of every record of the topic `views`, by partition: moved in the transaction that moves the offset, so over all shards
-- counted + late + unreadable is the offset. Partition -1: views that were counted without the topic.
CREATE TABLE view_totals (
    partition  integer PRIMARY KEY,
    counted    bigint NOT NULL,
    late       bigint NOT NULL,
    unreadable bigint NOT NULL,
    -- The newest view seen, in Unix milliseconds: one that is much older than this comes too late for its window.
    watermark  bigint NOT NULL
);

-- What came back of a product, for its seller's figures.
CREATE INDEX reservations_returned ON reservations (product_id, sold_at) WHERE status = 'RETURNED';
