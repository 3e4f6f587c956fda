//! How many SQL statements an operation may send: a number that no machine changes.

use plaza::cli::roles::Role;
use plaza::ids::{self, Bucket, Id, UserId};
use serde_json::json;

use crate::app::{Person, TestApp, with_config, with_roles_and_config, with_server};

/// Statements, and waits for PostgreSQL.
fn spent(app: &TestApp) -> (u64, u64) {
    (app.app.domain.cluster.statements(), app.app.domain.cluster.trips())
}

const FEED: &str =
    "{ viewer { home(first: 20) { edges { node { text images { url } author { handle avatar { url } } likeCount comments(first: 3) {
    edges { node { text author { handle } } } } } } } } }";

async fn statements(
    app: &TestApp,
    person: &Person,
    query: &str,
    variables: serde_json::Value,
) -> u64 {
    let before = app.app.domain.cluster.statements();
    app.ask(person, query, variables).await;
    app.app.domain.cluster.statements() - before
}

/// The roles that work in the background send statements of their own: waits until they have
/// nothing left to do.
pub async fn quiet(app: &TestApp) {
    app.until("everything is sent and projected", async || {
        let unsent = app.count("SELECT count(*) FROM outbox WHERE sent_at IS NULL").await;
        let behind = app
            .count("SELECT count(*) FROM posts p LEFT JOIN post_counts c ON c.post_id = p.id WHERE c.version IS DISTINCT FROM p.version")
            .await;
        unsent == 0 && behind == 0
    })
    .await;
    // The projector levels its offsets for a second after its last event.
    let statements = || app.app.domain.cluster.statements();
    let held = std::sync::Mutex::new((statements(), std::time::Instant::now()));
    app.until("nothing is sent for two seconds", async || {
        let mut held = held.lock().unwrap();
        if held.0 != statements() {
            *held = (statements(), std::time::Instant::now());
        }
        held.1.elapsed() > std::time::Duration::from_secs(2)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_feed_query_sends_one_statement_per_shard_and_level_and_none_when_warm() {
    // Process memory is kept long enough for the test to be about statements, not about time.
    with_config(
        |config| {
            config.redis.l1_ttl_ms = 60_000;
            // So far from expiring that nobody loads anew what is there.
            config.redis.cache_ttl_ms = 24 * 3_600_000;
        },
        async |app| {
            let reader = app.sign_up("reader").await;
            for number in 0..8 {
                let author = app.sign_up(&format!("author{number}")).await;
                app.follow(&reader, &author).await;
                for text in 0..3 {
                    let id = app.post(&author, &format!("{number}/{text}")).await;
                    let comment =
                        "mutation($id: ID!) { commentCreate(input: {postId: $id, text: \"so\"}) { comment { id } userErrors { code } } }";
                    app.ask(&author, comment, json!({ "id": id })).await;
                }
            }
            quiet(app).await;
            assert_eq!(app.home(&reader, 100).await.len(), 24);
            quiet(app).await;
            let shards = u64::try_from(app.app.domain.cluster.len()).unwrap();
            // Another server, whose memory is empty, with an empty Redis: the followees (one,
            // twice: the rebuild reads them again from the primary), the rebuild, and the levels
            // posts, authors, counts, comments, comments' authors.
            let redis = redis::Client::open(secrecy::ExposeSecret::expose_secret(&app.app.config.redis.url)).unwrap();
            let mut connection = redis.get_multiplexed_async_connection().await.unwrap();
            let keys: Vec<String> =
                redis::cmd("KEYS").arg(format!("{}:*", app.app.config.redis.key_prefix)).query_async(&mut connection).await.unwrap();
            // Without its generation Redis would be one that lost its memory, and not trusted for a
            // moment.
            let generation = format!("{}:gen", app.app.config.redis.key_prefix);
            let keys: Vec<String> = keys.into_iter().filter(|key| *key != generation).collect();
            let _: i64 = redis::cmd("DEL").arg(&keys).query_async(&mut connection).await.unwrap();
            let cold = statements(app, &reader, FEED, json!({})).await;
            assert!(cold <= 2 + 6 * shards, "cold: {cold} statements");
            let warm = statements(app, &reader, FEED, json!({})).await;
            assert_eq!(warm, 0, "warm");
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_costs_a_statement_when_it_is_shown_and_none_when_it_is_read() {
    with_server(async |app| {
        let author = app.sign_up("author").await;
        // The claim of the key, BEGIN, idempotency key, image, answer, COMMIT, position.
        let before = app.app.domain.cluster.statements();
        let query = "mutation { imageCreate(input: {byteCount: 9}) { image { id } uploadUrl userErrors { code } } }";
        app.ask_with_key(&author, "announced", query, json!({})).await;
        let sent = app.app.domain.cluster.statements() - before;
        assert!(sent <= 7, "announced: {sent} statements");

        let id = crate::images::ready(app, &author, "", "POST").await;
        let before = app.app.domain.cluster.statements();
        let query =
            "mutation($id: ID!) { postCreate(input: {text: \"x\", imageIds: [$id]}) { post { id images { url } } userErrors { code } } }";
        let made = app.ask_with_key(&author, "shown", query, json!({ "id": id })).await;
        let sent = app.app.domain.cluster.statements() - before;
        assert!(made.at("/postCreate/post/images/0/url").is_string() && sent <= 9, "shown: {sent} statements: {}", made.body);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_post_is_one_transaction_of_eight_statements_at_most() {
    // Nothing but a server: what relays and projections send is not the request's.
    with_server(async |app| {
        let author = app.sign_up("author").await;
        // The claim of the client's key, BEGIN, idempotency key, activity, post, outbox with the
        // answer, COMMIT, position. Under a key of nginx's, which nobody else knows, there is no
        // claim.
        let query =
            "mutation { postCreate(input: {text: \"x\"}) { post { id } userErrors { code } } }";
        let before = app.app.domain.cluster.statements();
        app.ask_with_key(&author, "budget", query, json!({})).await;
        let sent = app.app.domain.cluster.statements() - before;
        assert!(sent <= 8, "{sent} statements");
        let authorization = format!("Bearer {}", author.token);
        let headers = [
            ("authorization", authorization.as_str()),
            ("idempotency-key", "nginx"),
            ("x-plaza-key", "proxy"),
        ];
        let before = app.app.domain.cluster.statements();
        app.send(&headers, query, json!({})).await;
        let sent = app.app.domain.cluster.statements() - before;
        assert!(sent <= 7, "{sent} statements under a proxy's key");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repost_is_one_transaction_and_few_reads() {
    with_server(async |app| {
        let (author, reader) = (app.sign_up("author").await, app.sign_up("reader").await);
        let post = app.post(&author, "x").await;
        let seen = "query($id: ID!) { post(id: $id) { author { handle } } }";
        app.until("the reader sees it", async || app.ask(&reader, seen, json!({ "id": post })).await.at("/post").is_object()).await;
        // The claim of the key; the post, its author, the viewer's relations; BEGIN, key, repost,
        // outbox with the answer, COMMIT, position; the two posts for the payload.
        let query = "mutation($id: ID!) { postRepost(input: {postId: $id}) { post { id } repost { id } userErrors { code } } }";
        let before = app.app.domain.cluster.statements();
        app.ask_with_key(&reader, "budget", query, json!({ "id": post })).await;
        let sent = app.app.domain.cluster.statements() - before;
        assert!(sent <= 12, "{sent} statements");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mentions_and_hashtags_cost_one_look_a_shard_however_many_they_are() {
    with_server(async |app| {
        let author = app.sign_up("author").await;
        let mut text = String::new();
        for number in 0..12 {
            let handle = format!("friend{number:02}");
            app.sign_up(&handle).await;
            let found = format!("{{ user(handle: \"{handle}\") {{ id }} }}");
            app.until("they are found", async || app.ask(&author, &found, json!({})).await.at("/user").is_object()).await;
            text.push_str(&format!("@{handle} #tag{number} "));
        }
        let shards = u64::try_from(app.app.domain.cluster.len()).unwrap();
        // Claims and people, once a shard; the viewer's relations; BEGIN, activity, post, hashtags,
        // outbox, COMMIT, position; the post for the payload.
        let query = "mutation($text: String!) { postCreate(input: {text: $text}) { post { id } userErrors { code } } }";
        let sent = statements(app, &author, query, json!({ "text": text })).await;
        assert!(sent <= 2 * shards + 10, "{sent} statements");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thread_costs_one_statement_a_level() {
    with_server(async |app| {
        let author = app.sign_up("author").await;
        let post = app.post(&author, "discuss").await;
        let comment =
            "mutation($post: ID!, $to: ID) { commentCreate(input: {postId: $post, text: \"so\", inReplyToId: $to}) { comment { id } } }";
        for _ in 0..5 {
            let top = app.ask(&author, comment, json!({ "post": post })).await.text("/commentCreate/comment/id");
            for _ in 0..2 {
                let answer = app.ask(&author, comment, json!({ "post": post, "to": top })).await.text("/commentCreate/comment/id");
                app.ask(&author, comment, json!({ "post": post, "to": answer })).await;
            }
        }
        let query =
            "query($id: ID!) { post(id: $id) { comments(first: 10) { nodes { replyCount replies(first: 5) { nodes { author { handle }
            replies(first: 5) { nodes { author { handle } } } } } } } } }";
        // The post, its author, relations, its comments, two levels of answers.
        let sent = statements(app, &author, query, json!({ "id": post })).await;
        assert!(sent <= 8, "{sent} statements");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn telling_of_views_sends_no_statement_when_warm() {
    with_roles_and_config(
        &[Role::Server],
        |config| {
            config.redis.l1_ttl_ms = 60_000;
            config.redis.cache_ttl_ms = 24 * 3_600_000;
        },
        async |app| {
            let (author, reader) = (app.sign_up("author").await, app.sign_up("reader").await);
            let post = app.post(&author, "x").await;
            let query =
                "mutation($id: ID!) { postViewsRecord(input: {postIds: [$id]}) { recorded } }";
            let first = app.ask(&reader, query, json!({ "id": post })).await;
            assert_eq!(first.at("/postViewsRecord/recorded"), 1);
            assert_eq!(statements(app, &reader, query, json!({ "id": post })).await, 0);
        },
    )
    .await;
}

/// Sends a mutation under a key that a proxy has made.
async fn mutated(app: &TestApp, person: &Person, key: &str, (input, payload): (&str, &str)) {
    let authorization = format!("Bearer {}", person.token);
    let headers = [
        ("authorization", authorization.as_str()),
        ("idempotency-key", key),
        ("x-plaza-key", "proxy"),
    ];
    let query = format!("mutation {{ {input} {{ {payload} {{ id }} userErrors {{ code }} }} }}");
    let answer = app.send(&headers, &query, json!({})).await;
    let name = input.split('(').next().unwrap();
    assert!(answer.at(&format!("/{name}/{payload}/id")).is_string(), "{}", answer.body);
}

/// Somebody's post and product, and somebody who has seen the post: it, its author and the reader's
/// relations are cached for as long as the test takes.
async fn with_a_reader(test: impl AsyncFnOnce(&TestApp, [&Person; 2], [&str; 2])) {
    let warm = |config: &mut plaza::config::Config| {
        config.redis.l1_ttl_ms = 60_000;
        config.redis.cache_ttl_ms = 24 * 3_600_000;
    };
    with_roles_and_config(&[Role::Server], warm, async |app| {
        let (author, reader) = (app.sign_up("author").await, app.sign_up("reader").await);
        let post = app.post(&author, "x").await;
        let offered = "mutation { productCreate(input: {title: \"Cup\", description: \"x\",
            price: {amount: \"100\", currency: \"EUR\"}, stock: 5}) { product { id } } }";
        let product = app.ask(&author, offered, json!({})).await;
        let product = product.text("/productCreate/product/id");
        let seen = "query($id: ID!) { post(id: $id) { author { handle } } }";
        app.until("the reader sees it", async || {
            app.ask(&reader, seen, json!({ "id": post })).await.at("/post").is_object()
        })
        .await;
        test(app, [&author, &reader], [&post, &product]).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mutation_waits_for_its_shard_twice() {
    with_a_reader(async |app, [author, reader], [post, product]| {
        let like = format!("postLike(input: {{postId: \"{post}\"}})");
        let place =
            format!("orderPlace(input: {{lines: [{{productId: \"{product}\", quantity: 1}}]}})");
        let follow = format!("userFollow(input: {{userId: \"{}\"}})", author.id);
        // BEGIN, the key and what is written; the answer with the messages, COMMIT, the position.
        for (person, input, payload, statements, waits) in [
            (reader, like.as_str(), "post", 6, 2),
            // The author's row as well.
            (author, "postCreate(input: {text: \"x\"})", "post", 7, 2),
            // The prices before that, from the sellers' primary.
            (reader, &place, "order", 7, 3),
            // The user and their block before that, in one message; whether one more may be
            // followed, with what is written.
            (reader, &follow, "user", 9, 3),
        ] {
            let before = spent(app);
            mutated(app, person, payload, (input, payload)).await;
            let after = spent(app);
            let (sent, waited) = (after.0 - before.0, after.1 - before.1);
            assert!(
                sent <= statements && waited <= waits,
                "{input}: {sent} statements, {waited} waits"
            );
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_like_asks_redis_nine_times_at_most() {
    with_a_reader(async |app, [author, reader], [post, _]| {
        let (mut least, asked) = (u64::MAX, || app.app.domain.redis.trips());
        let mut posts = vec![post.to_owned()];
        for text in ["y", "z"] {
            posts.push(app.post(author, text).await);
        }
        let seen = "query($id: ID!) { post(id: $id) { author { handle } } }";
        for post in posts {
            app.until("the reader sees it", async || {
                app.ask(reader, seen, json!({ "id": post })).await.at("/post").is_object()
            })
            .await;
            let like = format!("postLike(input: {{postId: \"{post}\"}})");
            let before = asked();
            mutated(app, reader, &post, (&like, "post")).await;
            // The server itself asks four times a second.
            least = least.min(asked() - before);
        }
        assert!(least <= 9, "{least} times");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn likes_at_the_same_time_are_each_counted_once() {
    with_server(async |app| {
        let author = app.sign_up("author").await;
        let post = app.post(&author, "x").await;
        let mut fans = Vec::new();
        for number in 0..6 {
            fans.push(app.sign_up(&format!("fan{number}")).await);
        }
        let like = "mutation($id: ID!) { postLike(input: {postId: $id}) { post { id } } }";
        let likes = fans.iter().chain(&fans).map(|fan| app.ask(fan, like, json!({ "id": post })));
        for answer in futures_util::future::join_all(likes).await {
            assert_eq!(answer.text("/postLike/post/id"), post, "{}", answer.body);
        }
        assert_eq!(app.count("SELECT count(*) FROM likes").await, 6);
        assert_eq!(app.count("SELECT coalesce(sum(version), 0)::bigint FROM posts").await, 7);
        let told = "SELECT count(DISTINCT (payload::jsonb) ->> 'version') FROM outbox
            WHERE payload LIKE '%post.liked%'";
        assert_eq!(app.count(told).await, 6);
    })
    .await;
}

// One thread: all have asked before the first batch begins, however busy the machine is.
#[tokio::test]
async fn those_who_are_told_at_once_are_looked_up_together() {
    with_server(async |app| {
        let (reader, author) = (app.sign_up("reader").await, app.sign_up("author").await);
        app.follow(&reader, &author).await;
        let id = async |handle: &str| {
            UserId::from_i64(
                app.count(&format!(
                    "SELECT coalesce(sum(id), 0)::bigint FROM users WHERE handle = '{handle}'"
                ))
                .await,
            )
        };
        let (reader, author) = (id("reader").await, id("author").await);
        let domain = &app.app.domain;
        let strangers = (0..200).map(|number| {
            UserId::from_i64(ids::compose(domain.clock.now_ms(), Bucket::new(number * 20), 0))
        });
        let everybody: Vec<UserId> = strangers.chain([reader]).collect();
        let before = domain.cluster.statements();
        let loaded = futures_util::future::join_all(
            everybody.iter().map(|user| domain.viewer_batches.relations.load(domain, *user)),
        )
        .await;
        let sent = domain.cluster.statements() - before;
        // Each shard: who comes first, and then all who have asked meanwhile.
        let shards = u64::try_from(domain.cluster.len()).unwrap();
        assert!(sent <= 2 * shards, "{sent} statements for {} people", everybody.len());
        let follows: Vec<bool> =
            loaded.into_iter().map(|relations| relations.unwrap().follows(author)).collect();
        assert_eq!(follows.iter().filter(|follows| **follows).count(), 1);
        assert_eq!(follows.last(), Some(&true));

        // A watcher whose client leaves takes nobody with it who waits for what it was reading.
        let relations = &domain.viewer_batches.relations;
        let (leaves, stays) = (relations.load(domain, reader), relations.load(domain, reader));
        futures_util::pin_mut!(stays);
        {
            futures_util::pin_mut!(leaves);
            assert!(futures_util::poll!(&mut leaves).is_pending());
            assert!(futures_util::poll!(&mut stays).is_pending());
        }
        assert!(stays.await.unwrap().follows(author));
    })
    .await;
}
