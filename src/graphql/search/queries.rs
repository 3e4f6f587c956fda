//! Searches. One for each noun: what is found is a list of it like any other.

use async_graphql::{Context, Object, OutputType};
use futures_util::future::try_join_all;

use crate::connection::{Connection, Edge, PageInfo, first_of};
use crate::context::{Scope, query_scope, work};
use crate::cost::{ALTERNATIVE_COST, SEARCH_COST};
use crate::cursors::{Cursor, List, numbers};
use crate::error::{ErrorCode, add_missing, fault};
use crate::posts::types::Post;
use crate::products::types::Product;
use crate::users::types::User;
use plaza_base::ids::{Id, PostId, ProductId, UserId};
use plaza_domain::search::{Hits, Noun, Place, Search};

/// What a search finds, as a list: its cursors are good for the same search.
fn hits_of(scope: &Scope, search: &Search) -> List {
    List::new(scope, "search", format_args!("{:x}", search.fingerprint()))
}

/// A cursor names the moment of its search, and the last place.
fn cursor(list: &List, place: Place) -> Cursor {
    list.numbers(&[place.moment_ms, place.rank, place.id])
}

/// The place that `after` names; of no search that began after `now_ms`.
fn place(list: &List, after: Option<&str>, now_ms: i64) -> async_graphql::Result<Option<Place>> {
    let read = |place: &[u8]| {
        let [moment_ms, rank, id] = numbers(place)?;
        // Clocks of servers differ by a little.
        let can_be = (0..=now_ms + 60_000).contains(&moment_ms) && rank >= 0 && id >= 0;
        can_be.then_some(Place { moment_ms, rank, id })
    };
    list.open(after, read, |_| None)
}

/// Runs a search; unavailable shards are reported beside the others' results.
async fn find(
    ctx: &Context<'_>,
    scope: &Scope,
    search: &Search,
    first: i32,
    after: Option<&str>,
) -> async_graphql::Result<Hits> {
    let first = first_of(first)?;
    let place = place(&hits_of(scope, search), after, scope.op.domain.clock.now_ms())?;
    work(ctx, SEARCH_COST + search.alternatives() * ALTERNATIVE_COST);
    let hits = search.find(&scope.op, first, place).await.map_err(|error| fault(&error))?;
    add_missing(ctx, "hits", hits.missing.iter().copied());
    Ok(hits)
}

/// What was found as a list; `nodes` are the items' rows, in the same order.
fn list<T: OutputType + Clone>(
    list: &List,
    hits: &Hits,
    goes_on: bool,
    nodes: Vec<Option<T>>,
) -> Connection<T> {
    let places = hits.items.iter().map(|(place, _)| *place);
    let edges: Vec<Edge<T>> = places
        .zip(nodes)
        .filter_map(|(place, node)| Some(Edge { cursor: cursor(list, place), node: node? }))
        .collect();
    Connection {
        page_info: PageInfo {
            has_next_page: hits.has_next,
            has_previous_page: goes_on,
            start_cursor: edges.first().map(|edge| edge.cursor.clone()),
            // Where there is more, the domain says where to go on.
            end_cursor: match hits.end.filter(|_| hits.has_next) {
                Some(end) => Some(cursor(list, end)),
                None => edges.last().map(|edge| edge.cursor.clone()),
            },
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
    /// Users whose handle or name equals, starts with or resembles the query, best match first;
    /// among equal matches the one with more followers. Queries of fewer than 3 characters match
    /// prefixes only. If a shard is unavailable, the rest is returned with a `SHARD_UNAVAILABLE`
    /// error beside it.
    async fn people_search(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "Handle or name, or a part of one: 1 to 200 characters, at most 16 words."
        )]
        query: String,
        #[graphql(desc = "Maximum number of items to return, 1 to 100.", default = 20)] first: i32,
        #[graphql(
            desc = "Cursor of the edge to start after, from the same search; omit it for the first page."
        )]
        after: Option<String>,
    ) -> Option<async_graphql::Result<Connection<User>>> {
        let people = async {
            let scope = query_scope(ctx)?;
            let search = search(Noun::People, &query)?;
            let hits = find(ctx, &scope, &search, first, after.as_deref()).await?;
            let nodes = try_join_all(
                hits.items.iter().map(|(_, id)| User::load(&scope, UserId::from_i64(*id))),
            )
            .await?;
            Ok(list(&hits_of(&scope, &search), &hits, after.is_some(), nodes))
        };
        Some(people.await)
    }

    /// Posts that contain all words of the query, ranked by relevance and age. Case and accents are
    /// ignored; `"exact phrase"`, `or` and `-excluded` are supported. If more than 1,000 posts of a
    /// shard match, only the newest 1,000 are ranked. If a shard is unavailable, the rest is
    /// returned with a `SHARD_UNAVAILABLE` error beside it.
    async fn posts_search(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Words to find: 1 to 200 characters, at most 16 words.")] query: String,
        #[graphql(desc = "Maximum number of items to return, 1 to 100.", default = 20)] first: i32,
        #[graphql(
            desc = "Cursor of the edge to start after, from the same search; omit it for the first page."
        )]
        after: Option<String>,
    ) -> Option<async_graphql::Result<Connection<Post>>> {
        let posts = async {
            let scope = query_scope(ctx)?;
            let search = search(Noun::Posts, &query)?;
            let hits = find(ctx, &scope, &search, first, after.as_deref()).await?;
            let nodes = try_join_all(
                hits.items.iter().map(|(_, id)| Post::load(&scope, PostId::from_i64(*id))),
            )
            .await?;
            Ok(list(&hits_of(&scope, &search), &hits, after.is_some(), nodes))
        };
        Some(posts.await)
    }

    /// Products with all words of the query in their title or description, or with a similar title,
    /// best match first. As in `postsSearch`, `"exact phrase"`, `or` and `-excluded` are supported.
    /// If a shard is unavailable, the rest is returned with a `SHARD_UNAVAILABLE` error beside it.
    async fn products_search(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Words to find: 1 to 200 characters, at most 16 words.")] query: String,
        #[graphql(desc = "Maximum number of items to return, 1 to 100.", default = 20)] first: i32,
        #[graphql(
            desc = "Cursor of the edge to start after, from the same search; omit it for the first page."
        )]
        after: Option<String>,
    ) -> Option<async_graphql::Result<Connection<Product>>> {
        let products = async {
            let scope = query_scope(ctx)?;
            let search = search(Noun::Products, &query)?;
            let hits = find(ctx, &scope, &search, first, after.as_deref()).await?;
            let nodes = try_join_all(
                hits.items.iter().map(|(_, id)| Product::load(&scope, ProductId::from_i64(*id))),
            )
            .await?;
            Ok(list(&hits_of(&scope, &search), &hits, after.is_some(), nodes))
        };
        Some(products.await)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cursors::seals_of_a_test;

    #[test]
    fn a_cursor_is_of_one_search() {
        let seals = seals_of_a_test();
        let list = |search: &Search| {
            List::sealed_by(&seals, "search", format_args!("{:x}", search.fingerprint()))
        };
        let ann = list(&Search::new(Noun::People, "ann").unwrap());
        let first = Place { moment_ms: 5_000, rank: 7, id: 42 };
        let sealed = cursor(&ann, first).sealed();
        let found = |list: &List, cursor: &str| place(list, Some(cursor), 5_000).ok().flatten();
        assert_eq!(found(&ann, &sealed), Some(first));
        for other in
            [Search::new(Noun::People, "anna").unwrap(), Search::new(Noun::Posts, "ann").unwrap()]
        {
            assert_eq!(found(&list(&other), &sealed), None);
        }
        for cannot_be in [
            Place { moment_ms: 100_000_000, ..first },
            Place { moment_ms: -1, ..first },
            Place { rank: -7, ..first },
            Place { id: -42, ..first },
        ] {
            assert_eq!(found(&ann, &cursor(&ann, cannot_be).sealed()), None, "{cannot_be:?}");
        }
        assert_eq!(found(&ann, &ann.row(7).sealed()), None);
        assert_eq!(
            found(&ann, "djE6c2VhcmNoOjE6NTAwMDo3OjQy"),
            None,
            "of a version before sealing"
        );
    }
}
