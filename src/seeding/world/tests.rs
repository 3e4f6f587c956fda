use std::collections::{BTreeMap, BTreeSet};

use super::super::{beginning, people};
use super::*;
use plaza_stores::postgres::entities::{Entity, Reference};

/// 2026-01-01T00:00:00Z.
const BEGINNING_MS: i64 = 1_767_225_600_000;

fn world() -> World {
    let (people, follows) = (people(3_000, 7, BEGINNING_MS), Follows::drawn(3_000, 50.0, 7));
    World::of_new_people(
        ShardMap::even(4),
        7,
        people,
        "hash".into(),
        follows,
        Plan { posts: 9_000, products: 300, orders: 600 },
        BEGINNING_MS,
    )
}

/// Every row of a step, by table: (shard, line).
fn all(world: &World, step: Step) -> BTreeMap<&'static str, Vec<(usize, String)>> {
    let mut lines: BTreeMap<&'static str, Vec<(usize, String)>> = BTreeMap::new();
    for chunk in 0..world.chunks(step) {
        for rows in world.make(step, chunk).rows {
            for (shard, text) in rows.by_shard {
                assert_eq!(u64::try_from(text.text.lines().count()).unwrap(), text.rows);
                lines
                    .entry(rows.table.name)
                    .or_default()
                    .extend(text.text.lines().map(|line| (shard.0, line.to_owned())));
            }
        }
    }
    lines
}

fn field(line: &str, number: usize) -> i64 {
    line.split('\t').nth(number).unwrap().parse().unwrap()
}

#[test]
fn both_sides_of_a_follow_tell_the_same() {
    let world = world();
    let (others, own) = (all(&world, Step::Followers), all(&world, Step::Follows));
    let own: BTreeSet<_> = own["follows"]
        .iter()
        .map(|(_, line)| (field(line, 0), field(line, 1), field(line, 2)))
        .collect();
    let others: Vec<_> = others["followers"]
        .iter()
        .map(|(_, line)| (field(line, 1), field(line, 0), field(line, 2)))
        .collect();
    assert_eq!(others.len(), own.len(), "none twice");
    assert_eq!(others.into_iter().collect::<BTreeSet<_>>(), own);
    let ids: BTreeSet<i64> = own.iter().map(|(_, _, id)| *id).collect();
    assert_eq!(ids.len(), own.len(), "no id twice");
}

#[test]
fn ids_are_unique_and_counts_are_those_of_the_rows() {
    let world = world();
    let made = all(&world, Step::Posts);
    for table in ["posts", "comments"] {
        let ids: BTreeSet<i64> = made[table].iter().map(|(_, line)| field(line, 0)).collect();
        assert_eq!(ids.len(), made[table].len(), "{table}");
    }
    let mut likes: BTreeMap<i64, i64> = BTreeMap::new();
    let mut comments: BTreeMap<i64, i64> = BTreeMap::new();
    made["likes"].iter().for_each(|(_, line)| *likes.entry(field(line, 0)).or_default() += 1);
    made["comments"].iter().for_each(|(_, line)| *comments.entry(field(line, 1)).or_default() += 1);
    assert_eq!(made["posts"].len(), 9_000);
    assert_eq!(made["post_counts"].len(), 9_000 - made["reposts"].len(), "a repost has none");
    for (_, line) in &made["post_counts"] {
        let post = field(line, 0);
        let rows = (
            likes.get(&post).copied().unwrap_or_default(),
            comments.get(&post).copied().unwrap_or_default(),
        );
        assert_eq!((field(line, 1), field(line, 2)), rows);
    }
}

#[test]
fn an_order_is_of_a_product_that_exists_and_its_reservation_lies_beside_that() {
    let world = world();
    let products: BTreeMap<i64, usize> = all(&world, Step::Products)["products"]
        .iter()
        .map(|(shard, line)| (field(line, 0), *shard))
        .collect();
    let made = all(&world, Step::Orders);
    assert_eq!((products.len(), made["orders"].len(), made["order_lines"].len()), (300, 600, 600));
    for (shard, line) in &made["reservations"] {
        assert_eq!(products.get(&field(line, 1)), Some(shard));
    }
    let orders: BTreeMap<i64, i64> =
        made["orders"].iter().map(|(_, line)| (field(line, 0), field(line, 3))).collect();
    assert_eq!(orders.len(), 600);
    for (_, line) in &made["payments"] {
        assert_eq!(orders.get(&field(line, 0)), Some(&field(line, 1)));
    }
    // The first person has one of each kind, whoever bought the others.
    let first = world.people[0].as_i64();
    let mut states: Vec<&str> = made["orders"]
        .iter()
        .filter(|(_, line)| field(line, 1) == first)
        .map(|(_, line)| line.split('\t').nth(2).unwrap())
        .collect();
    states.sort_unstable();
    states.dedup();
    assert_eq!(states, ["CANCELLED", "CONFIRMED", "REFUNDED", "REJECTED"]);
    let paid = made["orders"]
        .iter()
        .filter(|(_, line)| line.contains("\tCONFIRMED\t") || line.contains("\tREFUNDED\t"));
    assert_eq!(paid.count(), made["payments"].len());
    assert!((480..600).contains(&made["payments"].len()), "most are confirmed");
}

#[test]
fn the_first_person_comes_alone() {
    let world = world();
    assert_eq!(all(&world, Step::People)["users"].len(), 2_999);
    assert!(all(&world, Step::First)["users"][0].1.contains("\talice\t"));
    assert_eq!(all(&world, Step::Claims)["handle_claims"].len(), 3_000);
}

#[test]
fn people_who_are_there_are_not_made_again() {
    let world = World::of_people(
        ShardMap::even(4),
        1,
        people(10, 1, BEGINNING_MS),
        Plan { posts: 5, products: 1, orders: 0 },
        BEGINNING_MS,
    );
    let steps: Vec<Step> = Step::ALL.into_iter().filter(|step| world.chunks(*step) > 0).collect();
    assert_eq!(steps, [Step::Posts, Step::Products]);
}

#[test]
fn nothing_is_seeded_after_the_end_of_seeded_time() {
    let world = world();
    let end = BEGINNING_MS + beginning::SPAN_MS;
    for (step, table, column) in
        [(Step::Posts, "posts", 0), (Step::Posts, "comments", 0), (Step::Orders, "orders", 0)]
    {
        for (_, line) in &all(&world, step)[table] {
            let at = plaza_base::ids::created_at(field(line, column)).timestamp_millis();
            assert!((BEGINNING_MS..end).contains(&at), "{table}: {at}");
        }
    }
}

#[test]
fn what_belongs_to_a_text_lies_beside_it_and_names_what_is_in_it() {
    let made = all(&world(), Step::Posts);
    let posts: BTreeMap<i64, (usize, String, String)> = made["posts"]
        .iter()
        .map(|(shard, line)| {
            let parts: Vec<&str> = line.split('\t').collect();
            (field(line, 0), (*shard, parts[2].to_owned(), parts[4].to_owned()))
        })
        .collect();
    let mentions = posts.values().filter(|(_, _, entities)| entities.contains("\"user\"")).count();
    assert!(mentions > 400, "{mentions} mention somebody");
    let texts: BTreeSet<&str> = posts.values().map(|(_, text, _)| text.as_str()).collect();
    assert!(texts.len() > 4_000, "{} different texts", texts.len());
    assert!(made["hashtags"].len() > 1_000);
    for (shard, line) in &made["hashtags"] {
        let tag = line.split('\t').next().unwrap();
        let (beside, text, entities) = &posts[&field(line, 1)];
        assert_eq!(shard, beside);
        let entities: Vec<Entity> = serde_json::from_str(entities).unwrap();
        let Some(Entity { start, end, reference: Reference::Hashtag(found) }) = entities.last()
        else {
            panic!("{entities:?}")
        };
        let text: Vec<u16> = text.replace("\\n", "\n").encode_utf16().collect();
        let place = usize::try_from(*start).unwrap()..usize::try_from(*end).unwrap();
        assert_eq!(String::from_utf16(&text[place]).unwrap(), format!("#{tag}"));
        assert_eq!(found, tag);
    }
    let comments: BTreeMap<i64, (i64, i64)> = made["comments"]
        .iter()
        .map(|(_, line)| (field(line, 0), (field(line, 1), field(line, 5))))
        .collect();
    assert!(made["replies"].len() > 500);
    for (_, line) in &made["replies"] {
        let (parent, answer) = (field(line, 0), field(line, 1));
        let ((of, above), (post, depth)) = (comments[&parent], comments[&answer]);
        assert!(of == post && depth == above + 1 && parent < answer, "below an earlier one");
    }
}

#[test]
fn whoever_is_mentioned_is_followed_by_the_author_and_named_where_it_says() {
    let world = world();
    let numbers: BTreeMap<i64, u64> =
        (0_u64..).zip(&world.people).map(|(n, p)| (p.as_i64(), n)).collect();
    let mut found = 0;
    for (_, line) in &all(&world, Step::Posts)["posts"] {
        let parts: Vec<&str> = line.split('\t').collect();
        if parts[4] == "\\N" {
            continue;
        }
        let entities: Vec<Entity> = serde_json::from_str(parts[4]).unwrap();
        let text: Vec<u16> = parts[2].replace("\\n", "\n").encode_utf16().collect();
        for Entity { start, end, reference } in entities {
            let Reference::User(mentioned) = reference else { continue };
            let (author, number) = (numbers[&field(line, 1)], numbers[&mentioned.as_i64()]);
            let follows = world.follows.of(u32::try_from(author).unwrap());
            assert!(follows.contains(&u32::try_from(number).unwrap()));
            let place = usize::try_from(start).unwrap()..usize::try_from(end).unwrap();
            let named = String::from_utf16(&text[place]).unwrap();
            assert_eq!(named, format!("@{}", super::super::names::handle(number)));
            found += 1;
        }
    }
    assert!(found > 400, "{found}");
}

#[test]
fn a_share_is_known_on_both_sides_counted_and_at_its_first_version() {
    let world = world();
    let made = all(&world, Step::Posts);
    let parts = |line: &str| -> Vec<String> { line.split('\t').map(str::to_owned).collect() };
    // Of each post that shares another: its shard, its author, what it shares, whether it quotes.
    let mut sharing: BTreeMap<i64, (usize, i64, i64, bool)> = BTreeMap::new();
    let mut authors: BTreeMap<i64, (usize, i64)> = BTreeMap::new();
    for (shard, line) in &made["posts"] {
        let (id, author, columns) = (field(line, 0), field(line, 1), parts(line));
        assert_eq!(columns.len(), 7, "{line}");
        authors.insert(id, (*shard, author));
        match (columns[5].parse(), columns[6].parse()) {
            (Ok(original), Err(_)) => {
                assert_eq!(columns[2], "", "a repost says nothing");
                sharing.insert(id, (*shard, author, original, false));
            }
            (Err(_), Ok(quoted)) => {
                assert_ne!(columns[2], "", "a quote says something");
                sharing.insert(id, (*shard, author, quoted, true));
            }
            (Err(_), Err(_)) => {}
            (Ok(_), Ok(_)) => panic!("both: {line}"),
        }
    }
    assert!(sharing.len() > 800, "{}", sharing.len());
    let reposts: BTreeSet<(usize, i64, i64, i64)> = made["reposts"]
        .iter()
        .map(|(shard, line)| (*shard, field(line, 0), field(line, 1), field(line, 2)))
        .collect();
    let once: BTreeSet<(i64, i64)> = reposts.iter().map(|row| (row.1, row.2)).collect();
    assert_eq!((once.len(), made["reposts"].len()), (reposts.len(), reposts.len()), "none twice");
    let first = world.people[0].as_i64();
    let mut counts: BTreeMap<i64, (i64, i64)> = BTreeMap::new();
    for (id, (shard, author, shared, is_quote)) in &sharing {
        assert_eq!(reposts.contains(&(*shard, *author, *shared, *id)), !is_quote);
        let is_repost = sharing.get(shared).is_some_and(|(.., is_quote)| !is_quote);
        assert!(shared < id && !is_repost && *author != first && authors[shared].1 != *author);
        let count = counts.entry(*shared).or_default();
        *(if *is_quote { &mut count.1 } else { &mut count.0 }) += 1;
    }
    let rows = |table: &str| -> Vec<(usize, Vec<String>)> {
        made[table].iter().map(|(shard, line)| (*shard, parts(line))).collect()
    };
    let shares = rows("shares");
    assert_eq!(shares.len(), sharing.len());
    for (shard, columns) in &shares {
        let (shared, sharer) = (columns[0].parse().unwrap(), columns[1].parse().unwrap());
        let (_, _, of, is_quote) = sharing[&sharer];
        assert_eq!((of, authors[&shared].0), (shared, *shard), "beside what is shared");
        assert_eq!(columns[2..], [if is_quote { "t" } else { "f" }, "t"]);
    }
    let counted: BTreeMap<i64, (i64, i64)> = made["share_counts"]
        .iter()
        .map(|(_, line)| (field(line, 0), (field(line, 1), field(line, 2))))
        .collect();
    assert_eq!(counted, counts);
    // Else the event that ends a share would be the second of which the first is missing.
    let known: BTreeSet<(usize, String, String)> = rows("projection_versions")
        .into_iter()
        .map(|(shard, columns)| {
            assert_eq!(columns[2], "1");
            (shard, columns[0].clone(), columns[1].clone())
        })
        .collect();
    assert_eq!(known.len(), 2 * shares.len());
    for (shard, columns) in &shares {
        for projection in ["notifications", "shares"] {
            let aggregate = format!("share:{}:{}", columns[1], columns[0]);
            assert!(known.contains(&(*shard, projection.to_owned(), aggregate)));
        }
    }
}
