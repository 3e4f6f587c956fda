DROP TABLE notification_settings;
DROP TRIGGER follower_counts_reach ON follower_counts;
DROP FUNCTION follower_counts_reach(), digits(bigint);
ALTER TABLE follower_counts DROP COLUMN reach, DROP COLUMN reach_before, DROP COLUMN reach_since;
DROP INDEX IF EXISTS posts_search, products_search, products_title_search, users_search, users_handle_prefix, users_name_prefix;
DROP FUNCTION search_fold(text);
DROP TEXT SEARCH CONFIGURATION plaza;
DROP EXTENSION pg_trgm;
DROP EXTENSION unaccent;
