//! Finding people, posts and products.

use std::collections::HashSet;

use plaza::app::App;
use plaza::cli::roles::Role;
use plaza::clock::Clock;
use plaza::domain::Operation;
use plaza::domain::search::{Noun, Search};
use plaza::stores::postgres::search as store;
use serde_json::{Value, json};

use crate::app::{Answer, Person, TestApp, with_app, with_roles_and_config, with_server};
use crate::template::session;

const POSTS: &str = "query($query: String!, $first: Int!, $after: String) { postsSearch(query: $query, first: $first, after: $after) {
    edges { cursor node { id text } } pageInfo { hasNextPage endCursor } } }";
const PEOPLE: &str = "query($query: String!, $first: Int!, $after: String) { peopleSearch(query: $query, first: $first, after: $after) {
    edges { cursor node { id handle } } pageInfo { hasNextPage endCursor } } }";
const PRODUCTS: &str =
    "query($query: String!, $first: Int!, $after: String) { productsSearch(query: $query, first: $first, after: $after) {
    edges { cursor node { id title } } pageInfo { hasNextPage endCursor } } }";

async fn search(
    app: &TestApp,
    viewer: Option<&Person>,
    document: &str,
    query: &str,
    first: usize,
    after: &Value,
) -> Answer {
    let variables = json!({ "query": query, "first": first, "after": after });
    match viewer {
        Some(viewer) => app.ask(viewer, document, variables).await,
        None => app.ask_anonymously(document, variables).await,
    }
}

/// One field of every node on a page.
fn nodes(answer: &Answer, field: &str) -> Vec<String> {
    let data = answer.at("");
    let edges = data.as_object().unwrap().values().next().unwrap()["edges"]
        .as_array()
        .unwrap_or_else(|| panic!("{}", answer.body))
        .clone();
    edges.iter().map(|edge| edge["node"][field].as_str().unwrap().to_owned()).collect()
}

async fn found(app: &TestApp, viewer: Option<&Person>, document: &str, query: &str) -> Vec<String> {
    let field = if document == POSTS {
        "text"
    } else if document == PEOPLE {
        "handle"
    } else {
        "title"
    };
    nodes(&search(app, viewer, document, query, 20, &Value::Null).await, field)
}

async fn rename(app: &TestApp, person: &Person, name: &str) {
    let query = "mutation($name: String!) { profileUpdate(input: {displayName: $name}) { userErrors { message } } }";
    assert_eq!(
        app.ask(person, query, json!({ "name": name })).await.at("/profileUpdate/userErrors"),
        json!([])
    );
}

async fn offer(app: &TestApp, seller: &Person, title: &str, description: &str) {
    let query = "mutation($title: String!, $description: String!) { productCreate(input: {title: $title, description: $description,
        price: {amount: \"100\", currency: \"EUR\"}, stock: 1}) { userErrors { message } } }";
    assert_eq!(
        app.ask(seller, query, json!({ "title": title, "description": description }))
            .await
            .at("/productCreate/userErrors"),
        json!([])
    );
}

/// Writes so many posts a person, past the API; on every shard there is somebody.
async fn fill(app: &TestApp, each: usize, text: &str) -> i64 {
    app.count(&format!(
        "WITH made AS (INSERT INTO posts (id, author_id, text)
         SELECT next_id(((u.id >> 12) & 1023)::integer), u.id, replace('{text}', '#', n::text) FROM users u, generate_series(1, {each}) n RETURNING 1)
         SELECT count(*) FROM made"
    ))
    .await
}

/// So many people that each shard has one.
async fn everywhere(app: &TestApp) {
    let mut number = 0;
    while app.count("SELECT (count(*) > 0)::integer::bigint FROM users").await
        < i64::try_from(app.app.domain.cluster.len()).unwrap()
    {
        app.sign_up(&format!("person_{number}")).await;
        number += 1;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn posts_are_found_by_words_whatever_their_accents_and_case() {
    with_server(async |app| {
        let ann = app.sign_up("ann").await;
        for text in [
            "The Café on the corner",
            "cafe after cafe, all closed",
            "A corner of the market",
            "Кофе и чай",
            "قهوة وشاي",
        ] {
            app.post(&ann, text).await;
        }
        let find = async |query: &str| found(app, Some(&ann), POSTS, query).await;
        assert_eq!(
            find("café").await,
            ["cafe after cafe, all closed", "The Café on the corner"],
            "more of it first"
        );
        assert_eq!(find("CAFE corner").await, ["The Café on the corner"]);
        assert_eq!(find("\"the corner\"").await, ["The Café on the corner"]);
        assert_eq!(find("cafe -corner").await, ["cafe after cafe, all closed"]);
        assert_eq!(find("closed or market").await.len(), 2);
        assert_eq!(find("the").await.len(), 2, "no word is too common");
        assert_eq!(find("кофе").await, ["Кофе и чай"]);
        assert_eq!(find("قهوة").await, ["قهوة وشاي"]);
        assert!(find("-cafe").await.is_empty(), "what is not there is not looked for");
        assert!(find("caf").await.is_empty());
        let gone = app.post(&ann, "a corner that goes").await;
        assert_eq!(find("goes").await.len(), 1);
        app.ask(
            &ann,
            "mutation($id: ID!) { postDelete(input: {postId: $id}) { deletedPostId } }",
            json!({ "id": gone }),
        )
        .await;
        assert!(find("goes").await.is_empty());
    })
    .await;
}

/// Vowel marks of scripts that are written with or without them are no part of the word, in what is
/// looked for and in what is found.
#[tokio::test(flavor = "multi_thread")]
async fn vowel_marks_and_what_is_not_seen_make_no_difference() {
    with_server(async |app| {
        let ann = app.sign_up("ann").await;
        let pairs = [
            ("مَرْحَبًا", "مرحبا"),
            ("كـتـابـنا", "كتابنا"),
            ("שָׁלוֹם", "שלום"),
            ("ܫܠܳܡܳܐ", "ܫܠܡܐ"),
            ("cafe\u{301}teria", "caféteria"),
            ("ta\u{ad}ble", "table"),
            ("می\u{200c}خواهم", "میخواهم"),
            ("ﷲ اكبر", "الله اكبر"),
        ];
        for (marked, plain) in pairs {
            app.post(&ann, &format!("{marked} .")).await;
            offer(app, &ann, marked, "").await;
            for query in [marked, plain] {
                assert_eq!(
                    found(app, Some(&ann), POSTS, query).await,
                    [format!("{marked} .")],
                    "{query}"
                );
                assert_eq!(found(app, Some(&ann), PRODUCTS, query).await.len(), 1, "{query}");
            }
        }
        let person = app.sign_up("muhammad_1").await;
        rename(app, &person, "مُحَمَّد").await;
        app.until("found by the bare name", async || {
            found(app, Some(&person), PEOPLE, "محمد").await == ["muhammad_1"]
        })
        .await;
    })
    .await;
}

/// A word of a script without spaces is found inside a sentence, as one finds it by reading.
#[tokio::test(flavor = "multi_thread")]
async fn words_of_scripts_without_spaces_are_found_in_a_sentence() {
    with_server(async |app| {
        let ann = app.sign_up("ann").await;
        let sentences = [
            ("私は東京に住んでいます", "東京"),
            ("今日はスーパーへ行った", "スーパー"),
            ("我喜欢北京烤鸭", "北京"),
            ("ฉันอยู่ที่กรุงเทพมหานคร", "กรุงเทพ"),
            ("ខ្ញុំស្រលាញ់កម្ពុជា", "កម្ពុជា"),
            ("ຂ້ອຍຢູ່ວຽງຈັນ", "ວຽງຈັນ"),
            ("서울에서 만나요", "서울"),
        ];
        for (sentence, word) in sentences {
            app.post(&ann, sentence).await;
            offer(app, &ann, sentence, "").await;
            for query in [word, &format!("\"{word}\""), sentence] {
                assert_eq!(found(app, Some(&ann), POSTS, query).await, [sentence], "{query}");
                assert_eq!(found(app, Some(&ann), PRODUCTS, query).await, [sentence], "{query}");
            }
        }
        assert!(found(app, Some(&ann), POSTS, "京東").await.is_empty(), "in their order");
        assert!(found(app, Some(&ann), POSTS, "東京 -住んで").await.is_empty());
        let person = app.sign_up("taro_1").await;
        rename(app, &person, "田中太郎").await;
        app.until("found by a part of the name", async || {
            found(app, Some(&person), PEOPLE, "太郎").await == ["taro_1"]
        })
        .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn people_are_found_by_what_they_are_called() {
    with_server(async |app| {
        let mut people = Vec::new();
        for (handle, name) in [
            ("maria", "Somebody Else"),
            ("maria_s", "Maria Santos"),
            ("other", "Ana María Lopes"),
            ("marina", "Marina Fonte"),
            ("jo_1", "Jo"),
            ("zoe", "王伟"),
        ] {
            let person = app.sign_up(handle).await;
            rename(app, &person, name).await;
            people.push(person);
        }
        let last = people.last().unwrap();
        app.until("the names are on the replicas", async || found(app, Some(last), PEOPLE, "王").await == ["zoe"]).await;
        let find = async |query: &str| found(app, Some(last), PEOPLE, query).await;
        app.until("all are on the replicas", async || find("maria").await.len() >= 3 && find("jo").await == ["jo_1"]).await;
        assert_eq!(
            find("maria").await[..3],
            ["maria", "maria_s", "other"],
            "whose handle it is, whose handle begins with it, whose name has it"
        );
        assert_eq!(find("@maria").await[0], "maria");
        assert_eq!(find("María Santos").await[0], "maria_s");
        assert_eq!(find("mariah santos").await[0], "maria_s", "with a slip of the pen");
        assert_eq!(find("ma").await.len(), 3, "short ones by how they begin");
        assert_eq!(find("王").await, ["zoe"]);
        assert!(find("ar").await.is_empty());
        // Those with more followers go first among equals.
        app.count(
            "WITH made AS (INSERT INTO follower_counts (user_id, follower_count) SELECT id, 1000 FROM users WHERE handle = 'marina'
             ON CONFLICT (user_id) DO UPDATE SET follower_count = 1000 RETURNING 1) SELECT count(*) FROM made",
        )
        .await;
        app.until("the many followers count, for a search that begins now", async || find("mar").await[0] == "marina").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn products_are_found_by_title_and_description_and_in_spite_of_typos() {
    with_server(async |app| {
        let sol = app.sign_up("sol").await;
        offer(app, &sol, "Six espresso cups", "For a bar, or for a large kitchen.").await;
        offer(app, &sol, "Olive wood spoon", "Stirs an espresso too.").await;
        offer(app, &sol, "Lamp", "Green shade.").await;
        let find = async |query: &str| found(app, Some(&sol), PRODUCTS, query).await;
        assert_eq!(
            find("espresso").await,
            ["Six espresso cups", "Olive wood spoon"],
            "the title counts more"
        );
        assert_eq!(find("espreso").await, ["Six espresso cups"]);
        assert_eq!(find("espres").await, ["Six espresso cups"]);
        assert_eq!(find("espresso -cups").await, ["Olive wood spoon"]);
        assert_eq!(find("green").await, ["Lamp"]);
        assert!(find("xy").await.is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_have_no_repeats_and_no_holes_while_new_rows_arrive() {
    with_server(async |app| {
        everywhere(app).await;
        let ann = app.sign_up("ann").await;
        let made = usize::try_from(fill(app, 12, "needle in a haystack, strand #").await).unwrap();
        let all = async || {
            nodes(&search(app, Some(&ann), POSTS, "needle", 100, &Value::Null).await, "id")
        };
        app.until("all are on the replicas", async || all().await.len() == made.min(100)).await;
        let before: HashSet<String> = all().await.into_iter().collect();
        let (mut seen, mut after, mut pages) = (Vec::new(), Value::Null, 0);
        loop {
            let page = search(app, Some(&ann), POSTS, "needle", 7, &after).await;
            seen.extend(nodes(&page, "id"));
            // A better one, and newer.
            app.post(&ann, "needle needle needle").await;
            pages += 1;
            after = page.at("/postsSearch/pageInfo/endCursor");
            if page.at("/postsSearch/pageInfo/hasNextPage") == false {
                break;
            }
        }
        assert!(pages >= made / 7, "{pages} pages");
        assert_eq!(seen.len(), seen.iter().collect::<HashSet<_>>().len(), "nothing twice");
        assert_eq!(seen.len(), made);
        assert!(before.iter().all(|id| seen.contains(id)), "nothing left out");
        assert_eq!(
            nodes(&search(app, Some(&ann), POSTS, "needle", 1, &Value::Null).await, "text"),
            ["needle needle needle"]
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_hidden_is_not_found_and_does_not_end_a_page() {
    with_app(async |app| {
        let (ann, shy, foe, friend) = (
            app.sign_up("ann").await,
            app.sign_up("shy_one").await,
            app.sign_up("foe_one").await,
            app.sign_up("friend").await,
        );
        app.follow(&friend, &shy).await;
        for number in 0..5 {
            app.post(&ann, &format!("quince jam, jar {number}")).await;
            app.post(&foe, &format!("quince jam, pot {number}")).await;
        }
        for number in 0..20 {
            app.post(&shy, &format!("quince quince quince {number}")).await;
        }
        offer(app, &foe, "Quince tree", "").await;
        app.ask(
            &shy,
            "mutation { profileUpdate(input: {isPrivate: true}) { user { isPrivate } } }",
            json!({}),
        )
        .await;
        let block =
            "mutation($id: ID!) { userBlock(input: {userId: $id}) { userErrors { code } } }";
        app.ask(&foe, block, json!({ "id": ann.id })).await;
        let texts = async |viewer: Option<&Person>, query: &str| {
            nodes(&search(app, viewer, POSTS, query, 100, &Value::Null).await, "text")
        };
        app.until("everybody has heard", async || {
            texts(Some(&ann), "quince").await.len() == 5 && texts(None, "quince").await.len() == 10
        })
        .await;
        assert_eq!(texts(Some(&friend), "quince").await.len(), 30, "who follows them reads them");
        assert_eq!(texts(Some(&shy), "quince").await.len(), 30);
        assert!(found(app, Some(&ann), PRODUCTS, "quince").await.is_empty());
        assert_eq!(found(app, None, PRODUCTS, "quince").await, ["Quince tree"]);
        assert!(
            found(app, Some(&ann), PEOPLE, "foe_one").await.is_empty(),
            "who blocks them is not there"
        );
        assert_eq!(
            found(app, Some(&foe), PEOPLE, "ann").await,
            ["ann"],
            "whom they block they find, to end it"
        );
        assert_eq!(
            found(app, None, PEOPLE, "shy_one").await,
            ["shy_one"],
            "who is private is there"
        );

        // The twenty that fit better are hidden: the page is full all the same, and nothing tells
        // of them.
        let page = search(app, Some(&ann), POSTS, "quince", 3, &Value::Null).await;
        assert_eq!(nodes(&page, "id").len(), 3);
        let nothing =
            search(app, Some(&ann), POSTS, "\"quince quince quince\"", 3, &Value::Null).await;
        assert_eq!(
            nothing.at("/postsSearch"),
            json!({ "edges": [], "pageInfo": { "hasNextPage": false, "endCursor": null } })
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_well_meaning_looks_for_is_refused_or_finds_nothing() {
    with_server(async |app| {
        let ann = app.sign_up("ann").await;
        app.post(&ann, "a plain post").await;
        offer(app, &ann, "A plain product", "").await;
        let many = "word ".repeat(300);
        let long = "x".repeat(10_240);
        for document in [POSTS, PEOPLE, PRODUCTS] {
            for bad in [
                "",
                "   ",
                "a\0b",
                "a\u{1b}b",
                long.as_str(),
                many.as_str(),
                "a b c d e f g h i j k l m n o p q",
            ] {
                let refused = app
                    .ask_anonymously(document, json!({ "query": bad, "first": 5, "after": null }))
                    .await;
                assert_eq!(refused.code(), "BAD_USER_INPUT", "{bad:.40}: {}", refused.body);
            }
            for odd in [
                "'; --",
                "'; DROP TABLE posts; --",
                ":*",
                "a:*",
                "\"",
                "\"\"",
                "\"a",
                "'",
                "\\",
                "\\'",
                "%",
                "_",
                "%%%",
                "!!",
                "&|",
                "((",
                ")",
                "<->",
                "<2>",
                "a <-> b",
                "-",
                "--",
                "or",
                "or or or",
                "\u{1f600}",
                "\u{1f600}\u{200d}\u{1f525}",
                "\u{202e}abc",
                "\u{feff}",
                "$1",
                "zq & | !",
                "'a' <-> !'b'",
                "http://a.b/c?d=e&f",
                "1e309",
                "&amp;",
                "<b>zq</b>",
                &"z".repeat(200),
                &"z-".repeat(100)[..30],
            ] {
                let answer = search(app, Some(&ann), document, odd, 5, &Value::Null).await;
                assert!(
                    nodes(&answer, "id").is_empty() || odd.contains('a'),
                    "{odd}: {}",
                    answer.body
                );
            }
        }
        for first in [-1, 0, 101] {
            let refused = app
                .ask_anonymously(POSTS, json!({ "query": "plain", "first": first, "after": null }))
                .await;
            assert_eq!(refused.code(), "BAD_USER_INPUT");
        }
        let page = search(app, Some(&ann), POSTS, "plain", 5, &Value::Null).await;
        let cursor = page.text("/postsSearch/edges/0/cursor");
        let of_another = search(app, Some(&ann), PRODUCTS, "plain", 5, &Value::Null)
            .await
            .text("/productsSearch/edges/0/cursor");
        for (query, after) in [
            ("plainer", cursor.as_str()),
            ("plain", of_another.as_str()),
            ("plain", "nonsense"),
            ("plain", &cursor[1..]),
            ("plain", ""),
        ] {
            let refused = app
                .ask_anonymously(POSTS, json!({ "query": query, "first": 5, "after": after }))
                .await;
            assert_eq!(refused.code(), "BAD_USER_INPUT", "{query} {after}");
        }
        assert!(
            nodes(&search(app, Some(&ann), POSTS, "plain", 5, &json!(cursor)).await, "id")
                .is_empty()
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_is_one_statement_a_shard_and_keeps_its_points() {
    let slow = |config: &mut plaza::config::Config| config.limits.viewer_points_per_s = 1;
    with_roles_and_config(&[Role::Server], slow, async |app| {
        everywhere(app).await;
        let ann = app.sign_up("ann").await;
        fill(app, 3, "needle #").await;
        app.until("all are on the replicas", async || {
            nodes(&search(app, Some(&ann), POSTS, "needle", 5, &Value::Null).await, "id").len() == 5
        })
        .await;
        let shards = u64::try_from(app.app.domain.cluster.len()).unwrap();
        for document in [POSTS, PEOPLE, PRODUCTS] {
            // What was found is cached by now.
            search(app, Some(&ann), document, "needle", 5, &Value::Null).await;
            let before = app.app.domain.cluster.statements();
            search(app, Some(&ann), document, "needle", 5, &Value::Null).await;
            let sent = app.app.domain.cluster.statements() - before;
            assert!(sent <= shards, "{sent} statements: {document}");
        }
        let left = "{ rateLimit { remaining limit cost } }";
        let before =
            app.ask(&ann, left, json!({})).await.at("/rateLimit/remaining").as_i64().unwrap();
        assert!(
            before
                <= app.ask(&ann, left, json!({})).await.at("/rateLimit/limit").as_i64().unwrap()
                    - 1_000,
            "searches are not given back"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shard_that_is_away_is_told_apart_from_one_that_found_nothing() {
    with_server(async |app| {
        everywhere(app).await;
        let made = fill(app, 1, "needle #").await;
        let mut config = app.app.config.as_ref().clone();
        let dead = "postgres://plaza:none@127.0.0.1:1/plaza";
        config.postgres.shards[2].primary = dead.into();
        config.postgres.shards[2].replicas = vec![dead.into(), dead.into()];
        let other = App::build(config, Clock::System).await.unwrap();
        let op = Operation::internal(&other.domain, std::time::Duration::from_secs(10));
        let hits = Search::new(Noun::Posts, "needle").unwrap().find(&op, 100, None).await;
        // Authors on the shard that is away cannot be asked about, but none of theirs was found.
        let hits = hits.unwrap();
        assert_eq!(hits.away, [2]);
        assert!(!hits.items.is_empty() && hits.items.len() < usize::try_from(made).unwrap());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn searches_are_answered_by_their_indexes() {
    with_server(async |app| {
        everywhere(app).await;
        fill(app, 1_500, "strand # of a haystack").await;
        let client = session(&app.app.config.postgres.shards[0].primary).await;
        client
            .batch_execute(
                "INSERT INTO users (id, handle, email, display_name, password_hash)
                     SELECT next_id(0), 'many_' || n, '', 'Many Names ' || n, '' FROM generate_series(1, 3000) n;
                 INSERT INTO products (id, seller_id, title, description, price_amount, price_currency, stock)
                     SELECT next_id(0), 1, 'Thing ' || n, 'Of no use', 1, 'EUR', 1 FROM generate_series(1, 3000) n;
                 ANALYZE posts, users, products",
            )
            .await
            .unwrap();
        for (statement, text, indexes, table) in [
            (store::POSTS, "strand 7", &["posts_search_key"][..], "posts"),
            (store::PRODUCTS, "thing 7", &["products_search_key", "products_title_search_key"], "products"),
            (store::PEOPLE, "many_77", &["users_search_key"], "users"),
            (store::PEOPLE_BY_PREFIX, "q", &["users_handle_prefix", "users_name_prefix_key"], "users"),
        ] {
            for mode in ["force_custom_plan", "force_generic_plan"] {
                client
                    .batch_execute(&format!(
                        "SET plan_cache_mode = {mode}; PREPARE s (text, bigint, bigint, bigint, bigint) AS {statement}"
                    ))
                    .await
                    .unwrap();
                let explain = format!("EXPLAIN EXECUTE s ('{text}', {0}, {0}, {0}, 20)", i64::MAX);
                let messages = client.simple_query(&explain).await.unwrap();
                let plan: Vec<String> = messages
                    .iter()
                    .filter_map(|message| match message {
                        tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
                        _ => None,
                    })
                    .collect();
                let plan = plan.join("\n");
                for index in indexes {
                    assert!(plan.contains(&format!("Bitmap Index Scan on {index}")), "{mode}: {index}:\n{plan}");
                }
                assert!(!plan.contains(&format!("Seq Scan on {table}")), "{mode}:\n{plan}");
                client.batch_execute("DEALLOCATE s").await.unwrap();
            }
        }
    })
    .await;
}
