-- Notifications follow their cause, orders say what was bought, likes can be taken back whatever became of the post. Columns are added
-- without a rewrite, and an older version beside this one writes the defaults.

-- active: whether the cause is so now; a withdrawn row stays, for its version. version: of the cause, 0 for what happens once.
ALTER TABLE notifications
    ADD COLUMN version bigint  NOT NULL DEFAULT 0,
    ADD COLUMN active  boolean NOT NULL DEFAULT true;

-- What the product was called when it was bought; null in lines that an older version writes. Filled in by the next migration: here it would be
-- done under this one's lock of the table.
ALTER TABLE order_lines ADD COLUMN title text;

-- On the post's shard: who has taken a like of a post back. Who did can do so again, also where they may no longer see the post.
CREATE TABLE likes_taken_back (
    post_id bigint NOT NULL,
    user_id bigint NOT NULL,
    PRIMARY KEY (post_id, user_id)
);
