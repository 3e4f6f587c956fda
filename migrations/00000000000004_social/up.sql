-- Reposts, quotes, mentions, hashtags, threads. Every column is added without a rewrite, and every index is that of a new, empty table.

-- A repost is a post of its own, without a text, that names the original. quoted_post_id: the post that this one says something about.
-- entities: who is mentioned and which hashtags are in the text, with their places; null when there are none.
ALTER TABLE posts
    ADD COLUMN repost_of      bigint,
    ADD COLUMN quoted_post_id bigint,
    ADD COLUMN entities       jsonb;

-- On the reposter's shard: what they repost now, each original once.
CREATE TABLE reposts (
    author_id   bigint NOT NULL,
    original_id bigint NOT NULL,
    post_id     bigint NOT NULL,
    PRIMARY KEY (author_id, original_id)
);

-- On the shared post's shard: a projection of the reposts and quotes of it. version rises with each count.
CREATE TABLE shares (
    post_id    bigint  NOT NULL,
    sharing_id bigint  NOT NULL,
    is_quote   boolean NOT NULL,
    active     boolean NOT NULL,
    PRIMARY KEY (post_id, sharing_id)
);
CREATE TABLE share_counts (
    post_id      bigint PRIMARY KEY,
    repost_count bigint NOT NULL,
    quote_count  bigint NOT NULL,
    version      bigint NOT NULL DEFAULT 1
);

-- On the post's shard: which posts that are not deleted have a hashtag, by its normal form. Read backwards: the newest first.
CREATE TABLE hashtags (
    tag       text   NOT NULL,
    post_id   bigint NOT NULL,
    author_id bigint NOT NULL,
    PRIMARY KEY (tag, post_id)
);

-- depth: 0 for a comment on the post itself, else one more than that of the comment it answers.
ALTER TABLE comments
    ADD COLUMN in_reply_to bigint,
    ADD COLUMN depth       smallint NOT NULL DEFAULT 0,
    ADD COLUMN entities    jsonb;
-- The answers to a comment, oldest first.
CREATE TABLE replies (
    parent_id  bigint NOT NULL,
    comment_id bigint NOT NULL,
    PRIMARY KEY (parent_id, comment_id)
);
