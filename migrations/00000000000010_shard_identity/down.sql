DROP SEQUENCE cache_epoch;
DROP TABLE shard_identity;
