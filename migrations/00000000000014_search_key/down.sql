DROP INDEX IF EXISTS posts_search_key, products_search_key, products_title_search_key, users_search_key, users_name_prefix_key;
DROP FUNCTION search_key(text);
