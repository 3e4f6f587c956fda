-- Titles of lines whose product is on the same shard; the others' are looked up when the order is read (products are never renamed or deleted).
UPDATE order_lines l SET title = p.title FROM products p WHERE p.id = l.product_id AND l.title IS NULL;

-- Notifications of what ended before ends were projected. The projections may be a little behind their rows: nothing newer than an hour is decided here.
UPDATE notifications n SET active = false
WHERE n.id < ((floor(extract(epoch FROM now() - interval '1 hour') * 1000)::bigint - 1735689600000) << 22)
  AND ((n.kind = 'LIKED' AND NOT EXISTS (SELECT 1 FROM likes l WHERE l.post_id = n.subject_id AND l.user_id = n.actor_id))
    OR (n.kind = 'FOLLOWED' AND NOT EXISTS (SELECT 1 FROM followers f
            WHERE f.followee_id = n.user_id AND f.follower_id = n.actor_id AND f.active))
    OR (n.kind = 'FOLLOW_REQUESTED' AND NOT EXISTS (SELECT 1 FROM follow_requests f
            WHERE f.followee_id = n.user_id AND f.follower_id = n.actor_id)));
