//! Finding users, posts and products by words, on all shards at once.
//!
//! The order is one that does not change while somebody pages through it: ranks are as of the
//! moment of the search, which the cursor carries together with the last place (rank, then id); of
//! what never changes (texts) they follow by computation, and how widely a user is known is kept
//! as it was an hour ago. So each page goes on exactly below the one before: nothing comes twice,
//! nothing that was there all the time is left out, and what is newer than the search stays out.
//! Every shard gives its best rows below the place; down to the worst of those of a shard that may
//! have more, the merged list has no gap, and is cut there.

use std::collections::{BTreeSet, HashSet};

use sha2::Digest;

use super::text::characters::{is_passed_over, is_space, is_unspaced};
use super::{DomainError, Operation, policy};
use plaza_base::digest::leading_u64;
use plaza_base::ids::{Bucket, Id, UserId, compose};
use plaza_stores::StoreError;
use plaza_stores::postgres::scatter::Gathered;
use plaza_stores::postgres::search::{self as store, Found, Searched, Slice};

/// Longest query, in characters.
pub const MAX_TEXT: usize = 200;
/// Most words in it.
pub const MAX_WORDS: usize = 16;
/// Rows that each shard gives beyond the page, so that a page is full although some are hidden from
/// the viewer.
const SPARE: usize = 50;
/// Rows that a shard finds at most: asked for all of them, it has nothing more.
const MOST: usize = store::LOOKED_AT + 1;
/// How often the shards are asked: for a page and some, and when nearly all of that is hidden, for
/// everything.
const ROUNDS: usize = 3;
/// How often they are asked beyond that, when all that a shard looks at did not fill the page, and
/// users whom the viewer may not see have a part in it: for everything without theirs.
const ROUNDS_WITHOUT: usize = 4;
/// Shorter names are like too many others: only what begins with them is found.
const LIKE_FROM: usize = 3;

/// What is searched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Noun {
    /// Users, by handle and name.
    People,
    /// Posts, by text.
    Posts,
    /// Products, by title and description.
    Products,
}

/// A place in what a search finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// When the search began, Unix milliseconds.
    pub moment_ms: i64,
    /// The row's rank.
    pub rank: i64,
    /// The row.
    pub id: i64,
}

/// A search.
#[derive(Debug, Clone)]
pub struct Search {
    noun: Noun,
    text: String,
}

/// A page of what was found.
#[derive(Debug, Default)]
pub struct Hits {
    /// Ids with their places, the best first.
    pub items: Vec<(Place, i64)>,
    /// Where to go on: the last item's place, unless the bound was met before the page was full.
    pub end: Option<Place>,
    /// Whether anything comes after it.
    pub has_next: bool,
    /// The numbers of shards that did not answer: what they have is missing.
    pub missing: Vec<usize>,
}

impl Search {
    /// A search for a text.
    ///
    /// # Errors
    /// What is wrong with the text, in words.
    pub fn new(noun: Noun, text: &str) -> Result<Self, String> {
        let text = text.trim();
        let text = if noun == Noun::People { text.strip_prefix('@').unwrap_or(text) } else { text };
        if text.is_empty() {
            return Err("there is nothing to look for".to_owned());
        }
        if text.chars().count() > MAX_TEXT {
            return Err(format!("a search may have {MAX_TEXT} characters"));
        }
        if text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).count()
            > MAX_WORDS
        {
            return Err(format!("a search may have {MAX_WORDS} words"));
        }
        if text.chars().any(char::is_control) {
            return Err("a search may not have control characters".to_owned());
        }
        Ok(Self { noun, text: text.to_owned() })
    }

    /// How often it takes something else instead (`or`): each brings matches of its own to rank.
    pub fn alternatives(&self) -> u64 {
        let is_or = |word: &&str| self.noun != Noun::People && word.eq_ignore_ascii_case("or");
        self.text.split_whitespace().filter(is_or).map(|_| 1).sum()
    }

    /// A number that distinguishes this search's cursors from another's.
    pub fn fingerprint(&self) -> u64 {
        let digest = sha2::Sha256::digest(format!("{:?}:{}", self.noun, self.text));
        leading_u64(&digest)
    }

    async fn ask(&self, op: &Operation, slice: Slice<'_>) -> Gathered<Searched> {
        let (cluster, reads, text) = (&op.domain.cluster, &op.reads, self.text.as_str());
        let words = &with_phrases(text);
        match self.noun {
            Noun::People if text.chars().count() < LIKE_FROM && !text.chars().any(is_unspaced) => {
                cluster
                    .scatter_all(reads, async |connection| {
                        store::users_by_prefix(connection, text, slice).await
                    })
                    .await
            }
            Noun::People => {
                cluster
                    .scatter_all(reads, async |connection| {
                        store::people(connection, text, slice).await
                    })
                    .await
            }
            Noun::Posts => {
                cluster
                    .scatter_all(reads, async |connection| {
                        store::posts(connection, words, slice).await
                    })
                    .await
            }
            Noun::Products => {
                cluster
                    .scatter_all(reads, async |connection| {
                        store::products(connection, words, slice).await
                    })
                    .await
            }
        }
    }

    /// The ids of what may be shown among what was found.
    async fn visible(&self, op: &Operation, found: &[Found]) -> Result<HashSet<i64>, DomainError> {
        let owners = found.iter().map(|found| UserId::from_i64(found.owner_id));
        let rule = match self.noun {
            Noun::People => policy::user_is_visible,
            Noun::Posts => policy::content_is_visible,
            Noun::Products => policy::voice_is_visible,
        };
        let owners = policy::passing(op, owners, rule).await?;
        let shown = |found: &&Found| owners.contains(&UserId::from_i64(found.owner_id));
        Ok(found.iter().filter(shown).map(|found| found.id).collect())
    }

    /// What is found below a place, the best `first` that the viewer may see, past any number that
    /// they may not.
    ///
    /// # Errors
    /// No shard answered.
    pub async fn find(
        &self,
        op: &Operation,
        first: usize,
        after: Option<Place>,
    ) -> Result<Hits, DomainError> {
        // What a search passes over is nobody's name, and the beginning of everybody's.
        if self.text.chars().all(|c| is_space(c) || is_passed_over(c)) {
            return Ok(Hits::default());
        }
        let moment_ms = after.map_or_else(|| op.domain.clock.now_ms(), |place| place.moment_ms);
        let mut asked =
            Asked { search: self, op, moment_ms, is_cut: false, missing: BTreeSet::new() };
        let (mut shown, mut end, mut more) = (Vec::new(), after, true);
        for round in 0..ROUNDS {
            let limit = if round == 0 { first + 1 + SPARE } else { MOST };
            let merged = asked.ask(end, limit, &[]).await?;
            let visible = self.visible(op, &merged.rows).await?;
            let rows = merged.rows.iter();
            shown.extend(
                rows.filter(|found| visible.contains(&found.id)).map(|found| asked.place(found)),
            );
            end = merged.rows.last().map(|found| asked.place(found)).or(end);
            more = merged.more;
            if shown.len() > first || !more {
                break;
            }
        }
        if shown.len() <= first
            && !more
            && asked.is_cut
            && let Some(others) = asked.of_others(after).await?
        {
            shown = others;
        }
        let has_next = shown.len() > first || more;
        if shown.len() > first {
            shown.truncate(first);
            end = shown.last().copied();
        }
        let items = shown.into_iter().map(|place| (place, place.id)).collect();
        Ok(Hits { items, end, has_next, missing: asked.missing.into_iter().collect() })
    }
}

/// A search that the shards are asked for, as of one moment.
struct Asked<'a> {
    search: &'a Search,
    op: &'a Operation,
    moment_ms: i64,
    /// Whether a shard had older matches that it did not look at.
    is_cut: bool,
    /// Shards that did not answer.
    missing: BTreeSet<usize>,
}

impl Asked<'_> {
    fn place(&self, found: &Found) -> Place {
        Place { moment_ms: self.moment_ms, rank: found.rank, id: found.id }
    }

    /// What all shards have below a place, without some users' matches.
    async fn ask(
        &mut self,
        after: Option<Place>,
        limit: usize,
        without: &[i64],
    ) -> Result<Merged, DomainError> {
        let slice = Slice {
            newest: compose(self.moment_ms, Bucket::new(1_023), 4_095),
            rank: after.map_or(i64::MAX, |place| place.rank),
            id: after.map_or(i64::MAX, |place| place.id),
            limit: i64::try_from(limit).unwrap_or(i64::MAX),
            without,
        };
        let gathered = self.search.ask(self.op, slice).await;
        self.missing.extend(gathered.failures.iter().map(|(shard, _)| shard.0));
        if gathered.answers.is_empty() {
            gathered.complete()?;
            return Err(StoreError::Corrupt("a cluster without shards".to_owned()).into());
        }
        self.is_cut = gathered.answers.iter().any(|(_, searched)| searched.is_cut);
        Ok(merge(gathered.answers.into_iter().map(|(_, searched)| searched.rows).collect(), limit))
    }

    /// What the viewer may see below a place when the matches of those whom they may not see take
    /// nobody's place: from the top, so that every page leaves the same users out. `None` when
    /// nobody is hidden.
    async fn of_others(&mut self, after: Option<Place>) -> Result<Option<Vec<Place>>, DomainError> {
        let (mut without, mut shown) = (Vec::new(), None);
        for _ in 0..ROUNDS_WITHOUT {
            let merged = self.ask(None, MOST, &without).await?;
            let visible = self.search.visible(self.op, &merged.rows).await?;
            let (seen, hidden): (Vec<_>, Vec<_>) =
                merged.rows.iter().partition(|found| visible.contains(&found.id));
            if hidden.is_empty() && without.is_empty() {
                break;
            }
            let below = |found: &&Found| {
                after.is_none_or(|place| (found.rank, found.id) < (place.rank, place.id))
            };
            shown = Some(seen.into_iter().filter(below).map(|found| self.place(found)).collect());
            if hidden.is_empty() || !self.is_cut {
                break;
            }
            without.extend(hidden.iter().map(|found| found.owner_id).collect::<BTreeSet<_>>());
        }
        Ok(shown)
    }
}

/// A web search query in which words of scripts without spaces are phrases: the database takes each
/// of their characters for a word, and they are to stand together.
fn with_phrases(query: &str) -> String {
    let mut phrased = String::with_capacity(query.len() + 2);
    for (number, part) in query.split('"').enumerate() {
        if number > 0 {
            phrased.push('"');
        }
        // Every other part is a phrase already.
        if number % 2 == 1 || !part.chars().any(is_unspaced) {
            phrased.push_str(part);
            continue;
        }
        for word in part.split_inclusive(is_space) {
            let (sign, rest) = match word.strip_prefix('-') {
                Some(rest) => ("-", rest),
                None => ("", word),
            };
            let bare = rest.trim_end_matches(is_space);
            let space = rest.get(bare.len()..).unwrap_or_default();
            let quote = if bare.chars().any(is_unspaced) { "\"" } else { "" };
            phrased.extend([sign, quote, bare, quote, space]);
        }
    }
    phrased
}

/// The shards' rows in one order, as far down as nothing can be missing.
struct Merged {
    rows: Vec<Found>,
    /// Whether there may be more below.
    more: bool,
}

/// A shard that gave all the rows it was asked for may have more, all of them below its last:
/// further down than the highest of such ends, rows of that shard could be missing in between.
fn merge(shards: Vec<Vec<Found>>, limit: usize) -> Merged {
    let key = |found: &Found| (found.rank, found.id);
    let horizon = shards
        .iter()
        .filter(|rows| rows.len() >= limit)
        .filter_map(|rows| rows.last().map(key))
        .max();
    let mut rows: Vec<Found> = shards
        .into_iter()
        .flatten()
        .filter(|found| horizon.is_none_or(|horizon| key(found) >= horizon))
        .collect();
    rows.sort_unstable_by_key(|found| std::cmp::Reverse(key(found)));
    Merged { rows, more: horizon.is_some() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(ranks: &[i64]) -> Vec<Found> {
        ranks.iter().map(|rank| Found { id: *rank, owner_id: 1, rank: *rank }).collect()
    }

    #[test]
    fn a_merged_list_ends_where_a_shard_might_have_more() {
        let merged = merge(vec![rows(&[9, 7, 5]), rows(&[8, 2]), rows(&[6, 4, 3])], 3);
        assert_eq!(merged.rows.iter().map(|found| found.rank).collect::<Vec<_>>(), [9, 8, 7, 6, 5]);
        assert!(merged.more);
        let merged = merge(vec![rows(&[9]), rows(&[8, 2])], 3);
        assert_eq!(merged.rows.len(), 3);
        assert!(!merged.more);
        assert!(!merge(vec![rows(&[]), rows(&[])], 3).more);
    }

    #[test]
    fn what_is_looked_for_instead_is_counted() {
        let count = |noun, text| Search::new(noun, text).unwrap().alternatives();
        assert_eq!(count(Noun::Posts, "one or two OR three"), 2);
        assert_eq!(count(Noun::Products, "orange oracle"), 0);
        assert_eq!(count(Noun::People, "one or two"), 0);
    }

    #[test]
    fn words_of_scripts_without_spaces_are_phrases() {
        for (query, expected) in [
            ("lamp -red", "lamp -red"),
            ("\u{6771}\u{4eac}", "\"\u{6771}\u{4eac}\""),
            ("cafe \u{6771}\u{4eac}1 or x", "cafe \"\u{6771}\u{4eac}1\" or x"),
            ("-\u{6771}\u{4eac} x", "-\"\u{6771}\u{4eac}\" x"),
            ("\"\u{6771} \u{4eac}\" \u{e01}\u{e32}", "\"\u{6771} \u{4eac}\" \"\u{e01}\u{e32}\""),
            ("\"\u{6771}", "\"\u{6771}"),
        ] {
            assert_eq!(with_phrases(query), expected, "{query}");
        }
    }

    #[test]
    fn texts_are_bounded_and_a_search_is_distinguished_from_others() {
        for bad in ["", "   ", "a\0b", "a\nb", &"x".repeat(201), &"a ".repeat(17)] {
            assert!(Search::new(Noun::Posts, bad).is_err(), "{bad}");
        }
        assert!(Search::new(Noun::People, "@").is_err());
        let of = |noun, text| Search::new(noun, text).unwrap().fingerprint();
        assert_eq!(of(Noun::People, " @ann "), of(Noun::People, "ann"));
        assert_ne!(of(Noun::People, "ann"), of(Noun::Posts, "ann"));
        assert_ne!(of(Noun::Posts, "anna"), of(Noun::Posts, "ann"));
    }
}
