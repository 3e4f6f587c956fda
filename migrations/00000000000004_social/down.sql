-- A repost is nothing without the original that it names.
DELETE FROM posts WHERE repost_of IS NOT NULL;
DROP TABLE replies, hashtags, share_counts, shares, reposts;
ALTER TABLE comments DROP COLUMN in_reply_to, DROP COLUMN depth, DROP COLUMN entities;
ALTER TABLE posts DROP COLUMN repost_of, DROP COLUMN quoted_post_id, DROP COLUMN entities;
