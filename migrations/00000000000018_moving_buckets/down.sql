ALTER TABLE shard_maps DROP COLUMN moving_since;
