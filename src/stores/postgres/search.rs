//! What one shard finds. Every search is one statement, bounded whatever the query is.
//!
//! Matches are searched for in two steps: among the newest rows, and only when those did not have
//! enough, among all others. A word that most rows have is found in the first step, which the index
//! and the primary key answer together; a rare one costs the second step little. A phrase is
//! searched for among the rows that have all its words: to read every row with common words for
//! their order has no bound. Users who are widely known are scanned beside, so that any number of
//! namesakes does not hide them. (One shard of a million posts on a busy machine: a word in 89 % of
//! them 0.14 s, ten such words joined by `or` 0.45 s, a rare word 0.02 s. Left to the planner,
//! which sees no statistics of a partial index's expression, the first took 0.99 s; with statistics
//! it was fast, and a phrase of four common words took 15 s.)
//!
//! Users whose matches are not to be looked at are left out of both steps: the newest matches are
//! then those of everybody else.
//!
//! What is sought is computed once, in a `wanted` of its own: the plan is then the same for every
//! text, and may be kept.

use diesel::QueryableByName;
use diesel::sql_types::{Array, BigInt, Text};
use diesel_async::RunQueryDsl;

use super::pool::Connection;
use super::prepared::{prepared, sql};
use crate::StoreError;

/// Most matches of a shard that are looked at, the newest: each statement's `LIMIT 1000`.
pub const LOOKED_AT: usize = 1_000;

/// Something found: its id, whose it is, and how well it fits. Equal ranks go by id, the newest
/// first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, QueryableByName)]
pub struct Found {
    /// The row.
    #[diesel(sql_type = BigInt)]
    pub id: i64,
    /// Who made it; for a user, themselves.
    #[diesel(sql_type = BigInt)]
    pub owner_id: i64,
    /// The better the greater.
    #[diesel(sql_type = BigInt)]
    pub rank: i64,
}

/// What one shard found.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Searched {
    /// The rows of the slice, the best first.
    pub rows: Vec<Found>,
    /// Whether there may be older matches that were not looked at.
    pub is_cut: bool,
}

/// Which part of what is found: rows not newer than `newest`, below the place (`rank`, `id`), so
/// many, nothing of the users in `without`.
#[derive(Debug, Clone, Copy)]
pub struct Slice<'a> {
    /// The highest id there was when the search began: its time is the moment that ranks are as of.
    pub newest: i64,
    /// The rank to go on below.
    pub rank: i64,
    /// Of that rank, the id to go on below.
    pub id: i64,
    /// Most rows.
    pub limit: i64,
    /// Ids of users whose matches are not looked at.
    pub without: &'a [i64],
}

async fn run(
    connection: &mut Connection,
    statement: &'static str,
    text: &str,
    slice: Slice<'_>,
) -> Result<Searched, StoreError> {
    let mut rows: Vec<Found> = prepared(
        sql(statement)
            .bind::<Text, _>(text)
            .bind::<BigInt, _>(slice.newest)
            .bind::<BigInt, _>(slice.rank)
            .bind::<BigInt, _>(slice.id)
            .bind::<BigInt, _>(slice.limit)
            .bind::<Array<BigInt>, _>(slice.without),
    )
    .load(connection)
    .await?;
    // The row without an id says how many matches were looked at.
    let looked_at = rows.iter().find(|row| row.id == 0).map_or(0, |row| row.rank);
    rows.retain(|row| row.id != 0);
    Ok(Searched { rows, is_cut: usize::try_from(looked_at).is_ok_and(|at| at >= LOOKED_AT) })
}

/// The statement of [`posts`]; parameters: the query, then the slice's fields in their
/// order.
pub const POSTS: &str = "WITH wanted AS MATERIALIZED (
         SELECT q AS query, regexp_replace(q::text, '<(-|[0-9]+)>', '&', 'g')::tsquery AS words, querytree(q) NOT IN ('', 'T') AS finds
         FROM websearch_to_tsquery('public.plaza', public.search_key($1)) AS q
     ), edge AS MATERIALIZED (
         SELECT coalesce((SELECT id FROM posts WHERE id <= $2 ORDER BY id DESC OFFSET 20000 LIMIT 1), 0) AS id
     ), recent AS MATERIALIZED (
         SELECT id, author_id, text FROM posts
         WHERE NOT deleted AND id > (SELECT id FROM edge) AND id <= $2
           AND (SELECT finds FROM wanted) AND author_id <> ALL($6)
           AND to_tsvector('public.plaza', public.search_key(text)) @@ (SELECT words FROM wanted)
         ORDER BY id DESC LIMIT 1000
     ), older AS MATERIALIZED (
         SELECT id, author_id, text FROM posts
         WHERE NOT deleted AND id + 0 <= (SELECT id FROM edge) AND (SELECT finds FROM wanted)
           AND (SELECT count(*) FROM recent) < 1000 AND author_id <> ALL($6)
           AND to_tsvector('public.plaza', public.search_key(text)) @@ (SELECT words FROM wanted)
         ORDER BY id + 0 DESC LIMIT (SELECT 1000 - count(*) FROM recent)
     ), terms AS MATERIALIZED (
         SELECT id, author_id, to_tsvector('public.plaza', public.search_key(text)) AS terms FROM (SELECT * FROM recent UNION ALL SELECT * FROM older) AS found
     ), ranked AS (
         SELECT t.id, t.author_id AS owner_id,
                (1e9 * ts_rank(t.terms, w.query, 1) / (1 + (($2 - t.id) >> 22) / 604800000.0::float8))::bigint AS rank
         FROM terms t, wanted w WHERE t.terms @@ w.query
     )
     (SELECT id, owner_id, rank FROM ranked WHERE (rank, id) < ($3, $4)
      ORDER BY rank DESC, id DESC LIMIT $5)
     UNION ALL SELECT 0, 0, (SELECT count(*) FROM recent) + (SELECT count(*) FROM older)";

/// Posts that have the words of a web search query, the best first: how well the words fit, divided
/// by one and the post's age in weeks.
///
/// # Errors
/// The server's.
pub async fn posts(
    connection: &mut Connection,
    words: &str,
    slice: Slice<'_>,
) -> Result<Searched, StoreError> {
    run(connection, POSTS, words, slice).await
}

/// The statement of [`products`]; parameters: the query, then the slice's fields in their
/// order.
pub const PRODUCTS: &str = "WITH wanted AS MATERIALIZED (
         SELECT q AS query, regexp_replace(q::text, '<(-|[0-9]+)>', '&', 'g')::tsquery AS words, querytree(q) NOT IN ('', 'T') AS finds,
                CASE WHEN length($1) >= 3 AND q::text !~ '[!<|]' THEN public.search_key($1) END AS title
         FROM websearch_to_tsquery('public.plaza', public.search_key($1)) AS q
     ), edge AS MATERIALIZED (
         SELECT coalesce((SELECT id FROM products WHERE id <= $2 ORDER BY id DESC OFFSET 20000 LIMIT 1), 0) AS id
     ), recent AS MATERIALIZED (
         SELECT id, seller_id, title, description FROM products
         WHERE id > (SELECT id FROM edge) AND id <= $2
           AND (SELECT finds FROM wanted) AND seller_id <> ALL($6)
           AND (to_tsvector('public.plaza', public.search_key(title || ' ' || description)) @@ (SELECT words FROM wanted)
                OR public.search_key(title) %> (SELECT title FROM wanted))
         ORDER BY id DESC LIMIT 1000
     ), older AS MATERIALIZED (
         SELECT id, seller_id, title, description FROM products
         WHERE id + 0 <= (SELECT id FROM edge) AND (SELECT finds FROM wanted)
           AND (SELECT count(*) FROM recent) < 1000 AND seller_id <> ALL($6)
           AND (to_tsvector('public.plaza', public.search_key(title || ' ' || description)) @@ (SELECT words FROM wanted)
                OR public.search_key(title) %> (SELECT title FROM wanted))
         ORDER BY id + 0 DESC LIMIT (SELECT 1000 - count(*) FROM recent)
     ), terms AS MATERIALIZED (
         SELECT f.id, f.seller_id, setweight(to_tsvector('public.plaza', public.search_key(f.title)), 'A')
                    || setweight(to_tsvector('public.plaza', public.search_key(f.description)), 'D') AS terms,
                coalesce(word_similarity(w.title, public.search_key(f.title)), 0) AS likeness
         FROM (SELECT * FROM recent UNION ALL SELECT * FROM older) AS f, wanted w
     ), ranked AS (
         SELECT t.id, t.seller_id AS owner_id,
                (1e6 * ((CASE WHEN t.terms @@ w.query THEN 1 ELSE 0 END) + ts_rank(t.terms, w.query) + t.likeness))::bigint AS rank
         FROM terms t, wanted w WHERE t.terms @@ w.query OR t.likeness >= 0.6
     )
     (SELECT id, owner_id, rank FROM ranked WHERE (rank, id) < ($3, $4)
      ORDER BY rank DESC, id DESC LIMIT $5)
     UNION ALL SELECT 0, 0, (SELECT count(*) FROM recent) + (SELECT count(*) FROM older)";

/// Products whose title or description has the words, or whose title is like them; the best first:
/// the title counts more than the description.
///
/// # Errors
/// The server's.
pub async fn products(
    connection: &mut Connection,
    words: &str,
    slice: Slice<'_>,
) -> Result<Searched, StoreError> {
    run(connection, PRODUCTS, words, slice).await
}

/// The statement of [`people`]; parameters: the query, then the slice's fields in their
/// order.
pub const PEOPLE: &str = "WITH wanted AS MATERIALIZED (SELECT public.search_key($1) AS name), edge AS MATERIALIZED (
         SELECT coalesce((SELECT id FROM users WHERE id <= $2 ORDER BY id DESC OFFSET 20000 LIMIT 1), 0) AS id
     ), recent AS MATERIALIZED (
         SELECT id, handle, display_name FROM users
         WHERE id > (SELECT id FROM edge) AND id <= $2 AND id <> ALL($6) AND public.search_key(handle || ' ' || display_name) %> (SELECT name FROM wanted)
         ORDER BY id DESC LIMIT 1000
     ), older AS MATERIALIZED (
         SELECT id, handle, display_name FROM users
         WHERE id + 0 <= (SELECT id FROM edge) AND (SELECT count(*) FROM recent) < 1000 AND id <> ALL($6) AND public.search_key(handle || ' ' || display_name) %> (SELECT name FROM wanted)
         ORDER BY id + 0 DESC LIMIT (SELECT 1000 - count(*) FROM recent)
     ), known AS MATERIALIZED (
         SELECT u.id, u.handle, u.display_name FROM follower_counts k
         CROSS JOIN LATERAL (SELECT id, handle, display_name FROM users WHERE id = k.user_id AND id <= $2 AND id <> ALL($6) OFFSET 0) u
         WHERE k.reach >= 4 AND public.search_key(handle || ' ' || display_name) %> (SELECT name FROM wanted)
     ), matching AS MATERIALIZED (
         SELECT m.id, m.handle, public.search_key(m.display_name) AS name, w.name AS wanted
         FROM (SELECT * FROM recent UNION SELECT * FROM older UNION SELECT * FROM known) AS m, wanted w
     ), likened AS MATERIALIZED (
         SELECT m.*, word_similarity(m.wanted, public.search_key(m.handle) || ' ' || m.name) AS likeness FROM matching m
     ), ranked AS (
         SELECT m.id, m.id AS owner_id,
                ((CASE WHEN m.handle = m.wanted THEN 5 WHEN m.name = m.wanted THEN 4
                       WHEN starts_with(m.handle, m.wanted) OR starts_with(m.name, m.wanted) THEN 3
                       WHEN strpos(m.name, ' ' || m.wanted) > 0 THEN 2 WHEN m.likeness >= 0.8 THEN 1 ELSE 0 END) * 1000000
                 + coalesce(CASE WHEN c.reach IS NULL THEN public.digits(c.follower_count)
                           WHEN c.reach_since > to_timestamp((($2 >> 22) + 1735689600000) / 1000.0) THEN c.reach_before ELSE c.reach END, 1) * 10000
                 + (m.likeness * 1000)::integer)::bigint AS rank
         FROM likened m LEFT JOIN follower_counts c ON c.user_id = m.id
     )
     (SELECT id, owner_id, rank FROM ranked WHERE (rank, id) < ($3, $4)
      ORDER BY rank DESC, id DESC LIMIT $5)
     UNION ALL SELECT 0, 0, (SELECT count(*) FROM recent) + (SELECT count(*) FROM older)";

/// Users whose handle or name is like a text of three characters or more. First goes whose handle
/// it is, then whose name, then those whose handle or name begins with it, then those with a word
/// that does, then the others by likeness; among equals the more widely known, as they were then.
/// Of more than a thousand only the newest are scanned, and all who have a thousand followers.
///
/// # Errors
/// The server's.
pub async fn people(
    connection: &mut Connection,
    name: &str,
    slice: Slice<'_>,
) -> Result<Searched, StoreError> {
    run(connection, PEOPLE, name, slice).await
}

/// The statement of [`users_by_prefix`]; parameters: the query, then the slice's fields
/// in their order.
pub const PEOPLE_BY_PREFIX: &str = "WITH wanted AS MATERIALIZED (SELECT public.search_key($1) AS name, public.search_key($1) || chr(1114111) AS past), edge AS MATERIALIZED (
         SELECT coalesce((SELECT id FROM users WHERE id <= $2 ORDER BY id DESC OFFSET 20000 LIMIT 1), 0) AS id
     ), recent AS MATERIALIZED (
         SELECT id, handle, display_name FROM users
         WHERE id > (SELECT id FROM edge) AND id <= $2 AND id <> ALL($6) AND ((handle ~>=~ (SELECT name FROM wanted) AND handle ~<~ (SELECT past FROM wanted))
              OR (public.search_key(display_name) ~>=~ (SELECT name FROM wanted) AND public.search_key(display_name) ~<~ (SELECT past FROM wanted)))
         ORDER BY id DESC LIMIT 1000
     ), older AS MATERIALIZED (
         SELECT id, handle, display_name FROM users
         WHERE id + 0 <= (SELECT id FROM edge) AND (SELECT count(*) FROM recent) < 1000 AND id <> ALL($6) AND ((handle ~>=~ (SELECT name FROM wanted) AND handle ~<~ (SELECT past FROM wanted))
              OR (public.search_key(display_name) ~>=~ (SELECT name FROM wanted) AND public.search_key(display_name) ~<~ (SELECT past FROM wanted)))
         ORDER BY id + 0 DESC LIMIT (SELECT 1000 - count(*) FROM recent)
     ), known AS MATERIALIZED (
         SELECT u.id, u.handle, u.display_name FROM follower_counts k
         CROSS JOIN LATERAL (SELECT id, handle, display_name FROM users WHERE id = k.user_id AND id <= $2 AND id <> ALL($6) OFFSET 0) u
         WHERE k.reach >= 4 AND ((handle ~>=~ (SELECT name FROM wanted) AND handle ~<~ (SELECT past FROM wanted))
              OR (public.search_key(display_name) ~>=~ (SELECT name FROM wanted) AND public.search_key(display_name) ~<~ (SELECT past FROM wanted)))
     ), matching AS MATERIALIZED (
         SELECT m.id, m.handle, public.search_key(m.display_name) AS name, w.name AS wanted
         FROM (SELECT * FROM recent UNION SELECT * FROM older UNION SELECT * FROM known) AS m, wanted w
     ), ranked AS (
         SELECT m.id, m.id AS owner_id,
                ((CASE WHEN m.name = m.wanted THEN 4 ELSE 3 END) * 1000000
                 + coalesce(CASE WHEN c.reach IS NULL THEN public.digits(c.follower_count)
                           WHEN c.reach_since > to_timestamp((($2 >> 22) + 1735689600000) / 1000.0) THEN c.reach_before ELSE c.reach END, 1) * 10000)::bigint AS rank
         FROM matching m LEFT JOIN follower_counts c ON c.user_id = m.id
     )
     (SELECT id, owner_id, rank FROM ranked WHERE (rank, id) < ($3, $4)
      ORDER BY rank DESC, id DESC LIMIT $5)
     UNION ALL SELECT 0, 0, (SELECT count(*) FROM recent) + (SELECT count(*) FROM older)";

/// Users whose handle or name begins with a text: for one too short to be like anything. The order
/// is that of [`people`].
///
/// # Errors
/// The server's.
pub async fn users_by_prefix(
    connection: &mut Connection,
    name: &str,
    slice: Slice<'_>,
) -> Result<Searched, StoreError> {
    run(connection, PEOPLE_BY_PREFIX, name, slice).await
}
