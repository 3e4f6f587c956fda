//! Who passes a post on and who quotes it, counted on the post's shard.

use std::collections::BTreeMap;

use async_trait::async_trait;
use diesel::QueryableByName;
use diesel::sql_types::{Array, BigInt, Bool};
use diesel_async::RunQueryDsl;

use super::distinct;
use super::projection::{Effect, Projection};
use plaza_base::ids::{Bucket, Id, PostId};
use plaza_protocol::envelope::EventEnvelope;
use plaza_protocol::events::{Aggregate, Event};
use plaza_protocol::routing::Topic;
use plaza_stores::StoreError;
use plaza_stores::postgres::keyset::Keyset;
use plaza_stores::postgres::prepared::{prepared, sql};
use plaza_stores::postgres::{Connection, ShardIndex, Transaction};

/// How often a post is passed on and quoted, as far as the projection has come.
#[derive(Debug, Clone, Copy, QueryableByName)]
pub struct ShareCountsRow {
    /// Post.
    #[diesel(sql_type = BigInt)]
    pub post_id: PostId,
    /// Reposts.
    #[diesel(sql_type = BigInt)]
    pub reposts: i64,
    /// Quotes.
    #[diesel(sql_type = BigInt)]
    pub quotes: i64,
    /// Rises with each count.
    #[diesel(sql_type = BigInt)]
    pub version: i64,
}

/// Counts in one statement; posts that nobody has shared yet are there with 0.
///
/// # Errors
/// The server's.
pub async fn load(
    connection: &mut Connection,
    posts: &[PostId],
) -> Result<Vec<ShareCountsRow>, StoreError> {
    Ok(prepared(
        sql("SELECT p.id AS post_id, coalesce(c.repost_count, 0) AS reposts, coalesce(c.quote_count, 0) AS quotes,
                    coalesce(c.version, 0) AS version
             FROM unnest($1::bigint[]) AS p(id) LEFT JOIN share_counts c ON c.post_id = p.id")
        .bind::<Array<BigInt>, _>(posts),
    )
    .load(connection)
    .await?)
}

/// How one post shares another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShareKind {
    /// A repost.
    Repost,
    /// A quote.
    Quote,
}

#[derive(QueryableByName)]
struct SharingRow {
    #[diesel(sql_type = BigInt)]
    sharing_id: PostId,
}

/// Posts that share a post, the newest first, below `after`. Each kind has an index of its own:
/// what is paid for is what is read, however many there are of the other kind or were taken back.
///
/// # Errors
/// The server's.
pub async fn page(
    connection: &mut Connection,
    post: PostId,
    kind: ShareKind,
    keyset: Keyset,
) -> Result<Vec<PostId>, StoreError> {
    // The condition is a literal in each: a parameter would hide the index from the planner.
    let statement = match (kind, keyset.descending) {
        (ShareKind::Repost, true) => sql(
            "SELECT sharing_id FROM shares WHERE post_id = $1 AND sharing_id < $2 AND active AND NOT is_quote
             ORDER BY sharing_id DESC LIMIT $3",
        ),
        (ShareKind::Repost, false) => sql(
            "SELECT sharing_id FROM shares WHERE post_id = $1 AND sharing_id > $2 AND active AND NOT is_quote
             ORDER BY sharing_id LIMIT $3",
        ),
        (ShareKind::Quote, true) => sql(
            "SELECT sharing_id FROM shares WHERE post_id = $1 AND sharing_id < $2 AND active AND is_quote
             ORDER BY sharing_id DESC LIMIT $3",
        ),
        (ShareKind::Quote, false) => sql(
            "SELECT sharing_id FROM shares WHERE post_id = $1 AND sharing_id > $2 AND active AND is_quote
             ORDER BY sharing_id LIMIT $3",
        ),
    };
    let rows: Vec<SharingRow> = prepared(
        statement
            .bind::<BigInt, _>(post)
            .bind::<BigInt, _>(keyset.beyond)
            .bind::<BigInt, _>(keyset.limit),
    )
    .load(connection)
    .await?;
    Ok(rows.into_iter().map(|row| row.sharing_id).collect())
}

#[derive(QueryableByName)]
struct ChangedRow {
    #[diesel(sql_type = BigInt)]
    post_id: PostId,
    #[diesel(sql_type = BigInt)]
    version: i64,
}

/// The projection.
#[derive(Debug)]
pub struct Shares;

/// One post's sharing another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Share {
    shared: PostId,
    sharing: PostId,
    is_quote: bool,
    active: bool,
}

fn share(event: &Event) -> Option<Share> {
    Some(match *event {
        Event::PostReposted { repost_id, original_id, .. } => {
            Share { shared: original_id, sharing: repost_id, is_quote: false, active: true }
        }
        Event::PostUnreposted { repost_id, original_id, .. } => {
            Share { shared: original_id, sharing: repost_id, is_quote: false, active: false }
        }
        Event::PostQuoted { quote_id, quoted_id, .. } => {
            Share { shared: quoted_id, sharing: quote_id, is_quote: true, active: true }
        }
        Event::PostUnquoted { quote_id, quoted_id, .. } => {
            Share { shared: quoted_id, sharing: quote_id, is_quote: true, active: false }
        }
        _ => return None,
    })
}

#[async_trait]
impl Projection for Shares {
    fn name(&self) -> &'static str {
        "shares"
    }

    fn topics(&self) -> &'static [Topic] {
        &[Topic::References]
    }

    fn target(&self, aggregate: Aggregate) -> Option<Bucket> {
        match aggregate {
            Aggregate::Share(_, shared) => Some(shared.bucket()),
            // Nothing is written for them; that none is missing is checked all the same.
            Aggregate::Mention(user, ..)
            | Aggregate::Answer(user, _)
            | Aggregate::Acceptance(user, _) => Some(user.bucket()),
            Aggregate::User(_)
            | Aggregate::Edge(..)
            | Aggregate::Block(..)
            | Aggregate::Post(_)
            | Aggregate::Product(_)
            | Aggregate::Order(_) => None,
        }
    }

    async fn commit(
        &self,
        transaction: &mut Transaction,
        _shard: ShardIndex,
        events: &[EventEnvelope],
    ) -> Result<Vec<Effect>, StoreError> {
        let connection: &mut Connection = transaction;
        // What a batch leaves of each.
        let shares: BTreeMap<(PostId, PostId), Share> = events
            .iter()
            .filter_map(|event| share(&event.event))
            .map(|share| ((share.shared, share.sharing), share))
            .collect();
        if shares.is_empty() {
            return Ok(Vec::new());
        }
        prepared(
            sql("INSERT INTO shares (post_id, sharing_id, is_quote, active)
                 SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::boolean[], $4::boolean[])
                 ON CONFLICT (post_id, sharing_id) DO UPDATE SET active = excluded.active")
            .bind::<Array<BigInt>, _>(shares.keys().map(|(shared, _)| *shared).collect::<Vec<_>>())
            .bind::<Array<BigInt>, _>(
                shares.keys().map(|(_, sharing)| *sharing).collect::<Vec<_>>(),
            )
            .bind::<Array<Bool>, _>(shares.values().map(|share| share.is_quote).collect::<Vec<_>>())
            .bind::<Array<Bool>, _>(shares.values().map(|share| share.active).collect::<Vec<_>>()),
        )
        .execute(connection)
        .await?;
        let changed: Vec<ChangedRow> = prepared(
            sql("INSERT INTO share_counts AS c (post_id, repost_count, quote_count)
                 SELECT p.id, count(*) FILTER (WHERE NOT s.is_quote), count(*) FILTER (WHERE s.is_quote)
                 FROM unnest($1::bigint[]) AS p(id) LEFT JOIN shares s ON s.post_id = p.id AND s.active
                 GROUP BY p.id
                 ON CONFLICT (post_id) DO UPDATE
                 SET repost_count = excluded.repost_count, quote_count = excluded.quote_count,
                     version = c.version + 1
                 RETURNING post_id, version")
            .bind::<Array<BigInt>, _>(distinct(shares.keys().map(|(shared, _)| *shared))),
        )
        .load(connection)
        .await?;
        let effect = |row: ChangedRow| Effect::SharesChanged {
            post: row.post_id,
            version: Some(row.version),
        };
        Ok(changed.into_iter().map(effect).collect())
    }

    fn effects(&self, events: &[EventEnvelope]) -> Vec<Effect> {
        let shares = events.iter().filter_map(|event| share(&event.event));
        distinct(shares.map(|share| share.shared))
            .into_iter()
            .map(|post| Effect::SharesChanged { post, version: None })
            .collect()
    }
}
