-- Which event had the last version that a projection has applied: one of a history that a failover ended may have had the same version, and is no
-- repeat. Null where the event was of an older build, or the version was set by hand.
ALTER TABLE projection_versions ADD COLUMN identity bigint;
