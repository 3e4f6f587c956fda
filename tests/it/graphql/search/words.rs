//! What is found by which words.

use serde_json::json;

use super::{PEOPLE, POSTS, PRODUCTS, found, offer, rename};
use crate::app::with_server;

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
