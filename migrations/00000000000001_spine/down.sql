DROP TABLE projection_versions, projection_offsets, job_attempts, outbox, idempotency_keys, product_sales, reservations,
    payments, order_lines, orders, products, follower_counts, user_counts, post_counts, comments, likes, posts, followers,
    follows, sessions, users, email_claims, handle_claims, shard_maps;
DROP FUNCTION outbox_maintain(integer), next_id(integer);
DROP SEQUENCE outbox_id_seq, id_clock, id_sequence;
