DROP FUNCTION outbox_drop_partition(date), outbox_detach_partition(date), outbox_make_partition(date);
ALTER FUNCTION next_id(integer) SECURITY INVOKER RESET search_path;
GRANT EXECUTE ON FUNCTION next_id(integer) TO PUBLIC;
