-- What the comparison needs beside plaza's own tables, after seeding.

-- A repost has no text, comments or counts of its own, and each program would have to know that.
DELETE FROM posts WHERE repost_of IS NOT NULL;

-- PostGraphile makes its schema from these views; the tags name the relations.
CREATE SCHEMA peers;

CREATE VIEW peers."user" AS SELECT id, handle FROM public.users;
COMMENT ON VIEW peers."user" IS E'@primaryKey id';

CREATE VIEW peers.post AS
    SELECT p.id, p.author_id, p.text,
           (CASE WHEN c.version = p.version THEN c.like_count
                 ELSE (SELECT count(*) FROM public.likes l WHERE l.post_id = p.id) END)::int
               AS like_count,
           (CASE WHEN c.version = p.version THEN c.comment_count
                 ELSE (SELECT count(*) FROM public.comments m WHERE m.post_id = p.id) END)::int
               AS comment_count
    FROM public.posts p LEFT JOIN public.post_counts c ON c.post_id = p.id
    WHERE NOT p.deleted;
COMMENT ON VIEW peers.post IS
    E'@primaryKey id\n@foreignKey (author_id) references peers.user (id)|@fieldName author';

CREATE VIEW peers.comment AS
    SELECT id, post_id, author_id, text FROM public.comments WHERE in_reply_to IS NULL;
COMMENT ON VIEW peers.comment IS E'@primaryKey id\n@foreignKey (post_id) references peers.post (id)'
    '|@foreignFieldName comments\n@foreignKey (author_id) references peers.user (id)'
    '|@fieldName author';

CREATE FUNCTION peers.page(ids bigint[]) RETURNS SETOF peers.post LANGUAGE sql STABLE AS $$
    SELECT p.* FROM unnest(ids) WITH ORDINALITY AS a(id, place)
    JOIN peers.post p ON p.id = a.id ORDER BY a.place
$$;
COMMENT ON FUNCTION peers.page(bigint[]) IS E'@behavior -connection +list\n@name posts';

-- What autovacuum would do at some time of its own, in the middle of a round.
VACUUM (ANALYZE);
CHECKPOINT;
