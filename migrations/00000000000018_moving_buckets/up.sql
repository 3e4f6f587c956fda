-- Since when rows are moved for the next map; nobody connects to a shard on whose newest map that is said.
ALTER TABLE shard_maps ADD COLUMN moving_since timestamptz;
