ALTER TABLE projection_versions DROP COLUMN identity;
