//! Searches. One for each noun: what is found is a list of it like any other.

use async_graphql::{Context, Object, OutputType};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::future::try_join_all;

use crate::domain::search::{Hits, Noun, Place, Search};
use crate::graphql::connection::{Connection, Edge, PageInfo, first_of};
use crate::graphql::context::{Scope, query_scope, work};
use crate::graphql::cost::SEARCH_COST;
use crate::graphql::error::{ErrorCode, fault};
use crate::graphql::posts::types::Post;
use crate::graphql::products::types::Product;
use crate::graphql::users::types::User;
use crate::ids::{Id, PostId, ProductId, UserId};

/// A cursor names its search, the moment of it, and the last place.
fn encode(search: &Search, place: Place) -> String {
    URL_SAFE_NO_PAD.encode(format!(
        "v1:search:{:x}:{}:{}:{}",
        search.fingerprint(),
        place.moment_ms,
        place.rank,
        place.id
    ))
}

/// `None` for what is no cursor of this search, or of one that began after `now_ms`.
fn decode(search: &Search, cursor: &str, now_ms: i64) -> Option<Place> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let mut parts = std::str::from_utf8(&bytes).ok()?.strip_prefix("v1:search:")?.split(':');
    let fingerprint = u64::from_str_radix(parts.next()?, 16).ok()?;
    let mut number = || parts.next()?.parse::<i64>().ok().filter(|number| *number >= 0);
    let place = Place { moment_ms: number()?, rank: number()?, id: number()? };
    // Clocks of servers differ by a little.
    (fingerprint == search.fingerprint()
        && parts.next().is_none()
        && place.moment_ms <= now_ms + 60_000)
        .then_some(place)
}

/// Runs a search; shards that did not answer are told beside what the others found.
async fn find(
    ctx: &Context<'_>,
    scope: &Scope,
    search: &Search,
    first: i32,
    after: Option<&str>,
) -> async_graphql::Result<Hits> {
    let first = first_of(first)?;
    let place = match after {
        None => None,
        Some(cursor) => {
            Some(decode(search, cursor, scope.domain.clock.now_ms()).ok_or_else(|| {
                ErrorCode::BadUserInput.error("`after` is not a cursor of this search")
            })?)
        }
    };
    work(ctx, SEARCH_COST);
    let hits =
        search.find(&scope.op, &scope.domain, first, place).await.map_err(|error| fault(&error))?;
    for shard in &hits.away {
        let missing = ErrorCode::ShardUnavailable
            .error(format!("what shard {shard} would have found is missing"));
        ctx.add_error(missing.into_server_error(ctx.item.pos));
    }
    Ok(hits)
}

/// What was found as a list; `nodes` are the items' rows, in the same order.
fn list<T: OutputType + Clone>(
    search: &Search,
    hits: &Hits,
    goes_on: bool,
    nodes: Vec<Option<T>>,
) -> Connection<T> {
    let mut places = hits.items.iter().map(|(place, _)| *place);
    let edges: Vec<Edge<T>> = places
        .clone()
        .zip(nodes)
        .filter_map(|(place, node)| Some(Edge { cursor: encode(search, place), node: node? }))
        .collect();
    Connection {
        page_info: PageInfo {
            has_next_page: hits.has_next,
            has_previous_page: goes_on,
            start_cursor: edges.first().map(|edge| edge.cursor.clone()),
            // The place of what is hidden is told only where there is no other way on.
            end_cursor: places
                .next_back()
                .or(hits.end.filter(|_| hits.has_next))
                .map(|place| encode(search, place)),
        },
        nodes: edges.iter().map(|edge| edge.node.clone()).collect(),
        edges,
    }
}

fn search(noun: Noun, query: &str) -> async_graphql::Result<Search> {
    Search::new(noun, query).map_err(|message| ErrorCode::BadUserInput.error(message))
}

/// Searches.
#[derive(Debug, Default)]
pub struct SearchQueries;

#[Object]
impl SearchQueries {
    /// People whose handle or name is, begins with, or is like a text, the best first; among equals the more widely known. Fewer than 3 characters find
    /// only what begins with them. When a part of the data cannot be reached now, the others come with a `SHARD_UNAVAILABLE` error beside them.
    async fn people_search(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "A handle or a name, or a part of one: 1 to 200 characters, at most 16 words."
        )]
        query: String,
        #[graphql(desc = "How many, 1 to 100.")] first: i32,
        #[graphql(desc = "The cursor to go on from; of the same search.")] after: Option<String>,
    ) -> Option<async_graphql::Result<Connection<User>>> {
        let people = async {
            let scope = query_scope(ctx)?;
            let search = search(Noun::People, &query)?;
            let hits = find(ctx, &scope, &search, first, after.as_deref()).await?;
            let nodes = try_join_all(
                hits.items.iter().map(|(_, id)| User::load(&scope, UserId::from_i64(*id))),
            )
            .await?;
            Ok(list(&search, &hits, after.is_some(), nodes))
        };
        Some(people.await)
    }

    /// Posts that have the words, the best first: how well the words fit, and how new the post is. All words must be there, in any form of their accents
    /// and case; `"in this order"`, `or` and `-without` are understood. Of more than 1,000 a shard the newest are looked at. When a part of the data
    /// cannot be reached now, the others come with a `SHARD_UNAVAILABLE` error beside them.
    async fn posts_search(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Words: 1 to 200 characters, at most 16 words.")] query: String,
        #[graphql(desc = "How many, 1 to 100.")] first: i32,
        #[graphql(desc = "The cursor to go on from; of the same search.")] after: Option<String>,
    ) -> Option<async_graphql::Result<Connection<Post>>> {
        let posts = async {
            let scope = query_scope(ctx)?;
            let search = search(Noun::Posts, &query)?;
            let hits = find(ctx, &scope, &search, first, after.as_deref()).await?;
            let nodes = try_join_all(
                hits.items.iter().map(|(_, id)| Post::load(&scope, PostId::from_i64(*id))),
            )
            .await?;
            Ok(list(&search, &hits, after.is_some(), nodes))
        };
        Some(posts.await)
    }

    /// Products that have the words in their title or description, or a title that is like them, the best first. As with posts, `"in this order"`, `or`
    /// and `-without` are understood. When a part of the data cannot be reached now, the others come with a `SHARD_UNAVAILABLE` error beside them.
    async fn products_search(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Words: 1 to 200 characters, at most 16 words.")] query: String,
        #[graphql(desc = "How many, 1 to 100.")] first: i32,
        #[graphql(desc = "The cursor to go on from; of the same search.")] after: Option<String>,
    ) -> Option<async_graphql::Result<Connection<Product>>> {
        let products = async {
            let scope = query_scope(ctx)?;
            let search = search(Noun::Products, &query)?;
            let hits = find(ctx, &scope, &search, first, after.as_deref()).await?;
            let nodes = try_join_all(
                hits.items.iter().map(|(_, id)| Product::load(&scope, ProductId::from_i64(*id))),
            )
            .await?;
            Ok(list(&search, &hits, after.is_some(), nodes))
        };
        Some(products.await)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_of_one_search() {
        let ann = Search::new(Noun::People, "ann").unwrap();
        let place = Place { moment_ms: 5_000, rank: 7, id: 42 };
        let cursor = encode(&ann, place);
        assert_eq!(decode(&ann, &cursor, 5_000), Some(place));
        for other in
            [Search::new(Noun::People, "anna").unwrap(), Search::new(Noun::Posts, "ann").unwrap()]
        {
            assert_eq!(decode(&other, &cursor, 5_000), None);
        }
        assert_eq!(
            decode(&ann, &encode(&ann, Place { moment_ms: 100_000_000, ..place }), 5_000),
            None,
            "from the future"
        );
        let tampered = |text: String| URL_SAFE_NO_PAD.encode(text);
        let print = format!("{:x}", ann.fingerprint());
        for bad in [
            String::new(),
            "x".to_owned(),
            tampered("v1:Post:7".to_owned()),
            tampered(format!("v1:search:{print}:5000:7")),
            tampered(format!("v1:search:{print}:5000:7:42:1")),
            tampered(format!("v1:search:{print}:5000:-7:42")),
            tampered(format!("v1:search:{print}:5000:7:99999999999999999999")),
        ] {
            assert_eq!(decode(&ann, &bad, 5_000), None, "{bad}");
        }
    }
}
