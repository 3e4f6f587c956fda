//! What operations cost, against what they have the database do: a number that no machine changes.
//! The operations are made from the schema, so a field that is added is held to it as well.

use async_graphql::Variables;
use async_graphql::parser::types::{
    BaseType, FieldDefinition, Type, TypeKind, TypeSystemDefinition,
};
use async_graphql::parser::{parse_query, parse_schema};
use plaza::cli::roles::Role;
use plaza::config::Config;
use plaza::graphql::cost::{self, STATEMENT};
use plaza::stores::redis::rate_limit::Bucket;
use serde_json::{Value, json};

use crate::app::{Person, TestApp, with_roles_and_config};

/// Statements that a point may send at most: every one costs [`STATEMENT`] points. Those of the
/// request itself (looking up who asks) are in what every operation costs.
const STATEMENTS_A_POINT: f64 = 0.2;
/// Points that may have grown back meanwhile.
const GROWN: u64 = 2;
/// The dearest and the cheapest operation, by statements a point.
const APART: f64 = 20.0;

/// Points that hardly grow back, and nothing that is read twice for once.
fn counted(config: &mut Config) {
    config.limits.viewer_points = 100_000_000;
    config.limits.viewer_points_per_s = 1;
    config.redis.cache_ttl_ms = 0;
    config.redis.l1_ttl_ms = 0;
}

/// What somebody has, refunds that wait for the next request included.
async fn points(app: &TestApp, person: &Person) -> u64 {
    let number = plaza::graphql::ids::parse_any(&person.id).expect("an id").1;
    let payer = format!("v:{number}");
    let limits = &app.app.config.limits;
    let bucket = Bucket { capacity: limits.viewer_points, per_second: limits.viewer_points_per_s };
    let left = app.app.domain.redis.take_points(&payer, bucket, 0, 0).await.left;
    left + app.app.refunds.get(&payer).unwrap_or_default()
}

/// What an operation came to.
#[derive(Debug)]
struct Bill {
    query: String,
    /// Points charged before it ran.
    charged: u64,
    /// Points kept when it was over.
    kept: u64,
    statements: u64,
}

impl Bill {
    fn statements_a_point(&self) -> f64 {
        let float = |count: u64| f64::from(u32::try_from(count).unwrap());
        float(self.statements) / float(self.kept.max(1))
    }

    /// Whether what a field sends beyond the way to it is paid for beyond it too: the operation's
    /// own price would hide a field that costs nothing.
    fn is_paid_beside(&self, way: &Self) -> bool {
        let statements = self.statements.saturating_sub(way.statements);
        self.kept.saturating_sub(way.kept) + GROWN >= STATEMENT * statements
    }
}

async fn bill(app: &TestApp, person: &Person, query: &str, variables: Value) -> Bill {
    let (points_before, before) = (points(app, person).await, app.app.domain.cluster.statements());
    let answer = app
        .send(&[("authorization", &format!("Bearer {}", person.token))], query, variables.clone())
        .await;
    assert!(answer.status == 200, "{query}: {}", answer.body);
    for error in answer.body["errors"].as_array().into_iter().flatten() {
        let code = error["extensions"]["code"].as_str().unwrap_or_default();
        assert!(!["INTERNAL", "GRAPHQL_VALIDATION_FAILED"].contains(&code), "{query}: {error}");
    }
    let statements = app.app.domain.cluster.statements() - before;
    let document = parse_query(query).unwrap();
    let weighed = cost::weigh(&document, &Variables::from_json(variables)).unwrap();
    Bill {
        query: query.to_owned(),
        charged: weighed.cost,
        // A point or two may have grown back meanwhile.
        kept: points_before.saturating_sub(points(app, person).await),
        statements,
    }
}

fn named(ty: &Type) -> &str {
    match &ty.base {
        BaseType::Named(name) => name,
        BaseType::List(of) => named(of),
    }
}

/// Objects of the schema and their fields.
fn objects() -> Vec<(String, Vec<FieldDefinition>)> {
    let document = parse_schema(include_str!("../../../schema.graphql")).unwrap();
    document
        .definitions
        .into_iter()
        .filter_map(|definition| match definition {
            TypeSystemDefinition::Type(ty) => match ty.node.kind {
                TypeKind::Object(object) => Some((
                    ty.node.name.node.to_string(),
                    object.fields.into_iter().map(|field| field.node).collect(),
                )),
                _ => None,
            },
            _ => None,
        })
        .collect()
}

/// A world with one of everything that a field may lead to.
struct World {
    ann: Person,
    bob: Person,
    post: String,
    product: String,
    order: String,
}

async fn world(app: &TestApp) -> World {
    let (ann, bob) = (app.sign_up("ann").await, app.sign_up("bob").await);
    app.follow(&ann, &bob).await;
    app.follow(&bob, &ann).await;
    let offer = "mutation { productCreate(input: {title: \"a chair\", description: \"of wood\",
        price: {amount: \"1\", currency: \"EUR\"}, stock: 9}) { product { id } } }";
    let product = app.ask(&bob, offer, json!({})).await.text("/productCreate/product/id");
    let query = "mutation($product: ID!) { postCreate(input: {text: \"see @ann #chair\", productId: $product}) { post { id } } }";
    let original =
        app.ask(&bob, query, json!({ "product": product })).await.text("/postCreate/post/id");
    let quote = "mutation($id: ID!) { postCreate(input: {text: \"well\", quotedPostId: $id}) { post { id } } }";
    let post = app.ask(&bob, quote, json!({ "id": original })).await.text("/postCreate/post/id");
    for by in [&ann, &bob] {
        let comment = "mutation($id: ID!) { commentCreate(input: {postId: $id, text: \"so\"}) { comment { id } } }";
        let comment = app.ask(by, comment, json!({ "id": post })).await;
        let id = comment.text("/commentCreate/comment/id");
        let reply = "mutation($id: ID!, $to: ID!) { commentCreate(input: {postId: $id, text: \"no\", inReplyToId: $to}) { comment { id } } }";
        app.ask(by, reply, json!({ "id": post, "to": id })).await;
        app.post(by, "more #chair").await;
    }
    let order = "mutation($id: ID!) { orderPlace(input: {lines: [{productId: $id, quantity: 1}]}) { order { id } } }";
    let order = app.ask(&ann, order, json!({ "id": product })).await.text("/orderPlace/order/id");
    World { ann, bob, post, product, order }
}

impl World {
    /// A query's way to objects of a type; `None` for what no query of this world leads to.
    fn way_to(&self, of: &str) -> Option<[String; 2]> {
        let Self { post, product, order, .. } = self;
        let (open, depth) = match of {
            "Query" => ("{ ".to_owned(), 1),
            "Viewer" => ("{ viewer { ".to_owned(), 2),
            "User" => ("{ user(handle: \"bob\") { ".to_owned(), 2),
            "Post" => (format!("{{ post(id: \"{post}\") {{ "), 2),
            "Comment" => (format!("{{ post(id: \"{post}\") {{ comments(first: 3) {{ nodes {{ "), 4),
            "Product" => (format!("{{ product(id: \"{product}\") {{ "), 2),
            "Order" => (format!("{{ order(id: \"{order}\") {{ "), 2),
            "OrderLine" => (format!("{{ order(id: \"{order}\") {{ lines {{ "), 3),
            "Hashtag" => ("{ hashtag(name: \"chair\") { ".to_owned(), 2),
            "ViewerAnalytics" => ("{ viewer { analytics { ".to_owned(), 3),
            "TextEntity" => ("{ viewer { home(first: 3) { nodes { entities { ".to_owned(), 5),
            _ => return None,
        };
        Some([open, " }".repeat(depth)])
    }

    /// A field with its arguments, and little of what it leads to.
    fn call(&self, field: &FieldDefinition) -> String {
        let arguments: Vec<String> = field
            .arguments
            .iter()
            .map(|argument| &argument.node)
            .filter(|argument| {
                let is_required = !argument.ty.node.nullable && argument.default_value.is_none();
                is_required || argument.name.node == "first"
            })
            .map(|argument| {
                let value = match argument.name.node.as_str() {
                    "first" | "last" => "3".to_owned(),
                    "size" => "HOUR".to_owned(),
                    "handle" => "\"bob\"".to_owned(),
                    "name" => "\"chair\"".to_owned(),
                    "query" => "\"chair\"".to_owned(),
                    "id" => format!("\"{}\"", self.post),
                    "ids" => {
                        format!("[\"{}\", \"{}\", \"{}\"]", self.post, self.ann.id, self.bob.id)
                    }
                    other => panic!("{}({other})", field.name.node),
                };
                format!("{}: {value}", argument.name.node)
            })
            .collect();
        let arguments = match arguments.is_empty() {
            true => String::new(),
            false => format!("({})", arguments.join(", ")),
        };
        let is_leaf = ["ID", "String", "Int", "Boolean", "Float", "DateTime"]
            .contains(&named(&field.ty.node))
            || ["Status", "Kind", "Code", "Rejection", "Delivery"]
                .iter()
                .any(|end| named(&field.ty.node).ends_with(end));
        let inside = if is_leaf { "" } else { " { __typename }" };
        format!("{}{arguments}{inside}", field.name.node)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_statement_is_paid_for_and_no_operation_is_far_cheaper_than_another() {
    with_roles_and_config(&[Role::Server], counted, async |app| {
        let world = world(app).await;
        let (mut bills, mut unpaid) = (Vec::new(), Vec::new());
        for (of, fields) in objects() {
            let Some([open, close]) = world.way_to(&of) else { continue };
            let way = format!("{open}__typename{close}");
            let way = bill(app, &world.ann, &way, json!({})).await;
            for field in &fields {
                let query = format!("{open}{}{close}", world.call(field));
                let bill = bill(app, &world.ann, &query, json!({})).await;
                if !bill.is_paid_beside(&way) {
                    unpaid.push(format!("{bill:?} beside {way:?}"));
                }
                bills.push(bill);
            }
        }
        assert!(bills.len() > 90, "{} queries", bills.len());
        bills.extend(mutations(app, &world).await);
        assert!(unpaid.is_empty(), "fields that the way to them pays for: {unpaid:#?}");
        hold(bills);
    })
    .await;
}

#[expect(clippy::print_stderr, reason = "figures for whoever reads the run")]
fn hold(mut bills: Vec<Bill>) {
    // A search is priced by the rows it looks through, not by its statements.
    bills.retain(|bill| bill.statements > 0 && !bill.query.contains("Search("));
    bills.sort_by(|a, b| b.statements_a_point().total_cmp(&a.statements_a_point()));
    for bill in bills.iter().take(10).chain(bills.iter().rev().take(10)) {
        eprintln!(
            "{:.3} statements a point: {} statements, {} of {} points kept: {}",
            bill.statements_a_point(),
            bill.statements,
            bill.kept,
            bill.charged,
            bill.query
        );
    }
    let unpaid: Vec<&Bill> =
        bills.iter().filter(|bill| bill.statements_a_point() > STATEMENTS_A_POINT).collect();
    assert!(unpaid.is_empty(), "{unpaid:#?}");
    // What may be asked for is bounded by what it is charged before it runs.
    let unforeseen: Vec<&Bill> =
        bills.iter().filter(|bill| bill.charged < 3 * bill.statements).collect();
    assert!(unforeseen.is_empty(), "{unforeseen:#?}");
    let (Some(first), Some(last)) = (bills.first(), bills.last()) else { panic!("no bills") };
    let apart = first.statements_a_point() / last.statements_a_point();
    assert!(apart <= APART, "{apart}: {first:?} and {last:?}");
}

/// What changes something, once each; those that hash a password are paid for that.
async fn mutations(app: &TestApp, world: &World) -> Vec<Bill> {
    let World { ann, bob, post, product, .. } = world;
    let texts = [
        format!("commentCreate(input: {{postId: \"{post}\", text: \"and\"}}) {{ comment {{ id }} }}"),
        "postCreate(input: {text: \"@bob #one #two\"}) { post { id author { handle } } }".to_owned(),
        format!("postLike(input: {{postId: \"{post}\"}}) {{ post {{ likeCount }} }}"),
        format!("postUnlike(input: {{postId: \"{post}\"}}) {{ post {{ id }} }}"),
        format!("postRepost(input: {{postId: \"{post}\"}}) {{ repost {{ id }} }}"),
        format!("postUnrepost(input: {{postId: \"{post}\"}}) {{ post {{ id }} }}"),
        format!("postViewsRecord(input: {{postIds: [\"{post}\"]}}) {{ recorded }}"),
        format!("userUnfollow(input: {{userId: \"{}\"}}) {{ user {{ id }} }}", bob.id),
        format!("userFollow(input: {{userId: \"{}\"}}) {{ user {{ id }} }}", bob.id),
        format!("orderPlace(input: {{lines: [{{productId: \"{product}\", quantity: 1}}]}}) {{ order {{ id }} }}"),
        "productCreate(input: {title: \"t\", description: \"\", price: {amount: \"1\", currency: \"EUR\"}, stock: 1}) { product { id } }".to_owned(),
        "profileUpdate(input: {bio: \"new\"}) { user { bio } }".to_owned(),
        "imageCreate(input: {byteCount: 9}) { image { id } }".to_owned(),
        format!("userBlock(input: {{userId: \"{}\"}}) {{ user {{ id }} }}", bob.id),
        format!("userUnblock(input: {{userId: \"{}\"}}) {{ user {{ id }} }}", bob.id),
    ];
    let mut bills = Vec::new();
    for text in texts {
        bills.push(bill(app, ann, &format!("mutation {{ {text} }}"), json!({})).await);
    }
    bills
}

/// The three ways in which work was done and not shown.
#[tokio::test(flavor = "multi_thread")]
async fn work_that_no_answer_shows_is_paid_for() {
    with_roles_and_config(&[Role::Server], counted, async |app| {
        let world = world(app).await;
        let private = "mutation { profileUpdate(input: {isPrivate: true}) { user { id } } }";
        let hidden = app.sign_up("hidden").await;
        app.ask(&hidden, private, json!({})).await;
        for number in 0..15 {
            app.post(&hidden, &format!("{number} #secret")).await;
        }
        let same = "user(handle: \"bob\") { followers(first: 100) { nodes { handle } } posts(first: 100) { nodes { text } } } ";
        let aliases: String = (0..30)
            .map(|number| format!("a{number}: hashtag(name: \"secret\") {{ posts(first: 1) {{ pageInfo {{ hasNextPage }} }} }} "))
            .collect();
        for query in [
            format!("{{ {} }}", same.repeat(20)),
            format!("{{ {} }}", "user(handle: \"bob\") { id } ".repeat(100)),
            "{ user(handle: \"bob\") { followers(first: 100) { pageInfo { hasNextPage } } } }".to_owned(),
            format!("{{ {aliases} }}"),
            "{ viewer { home(first: 100) { pageInfo { endCursor } } notifications(first: 100) { __typename } } }".to_owned(),
        ] {
            let bill = bill(app, &world.ann, &query, json!({})).await;
            assert!(bill.statements_a_point() <= STATEMENTS_A_POINT, "{bill:?}");
        }
    })
    .await;
}

/// An id that comes a hundred times is resolved once, with all that is asked of it, shown at each
/// of its places, and paid for as a hundred.
#[tokio::test(flavor = "multi_thread")]
async fn the_same_id_many_times_is_resolved_once() {
    with_roles_and_config(&[Role::Server], counted, async |app| {
        let world = world(app).await;
        let query = "query($ids: [ID!]!) { nodes(ids: $ids) { id ... on User { posts(first: 5) { nodes { text } } } } }";
        let once = bill(app, &world.ann, query, json!({ "ids": [world.bob.id] })).await;
        let many = bill(app, &world.ann, query, json!({ "ids": vec![&world.bob.id; 100] })).await;
        assert!(many.statements <= once.statements + 2, "{once:?} {many:?}");
        assert!(many.charged > 50 * (once.charged - 60), "{once:?} {many:?}");
        let ids = [&world.bob.id, &world.post, &world.bob.id, "x", &world.ann.id, "x"];
        let authorization = format!("Bearer {}", world.ann.token);
        let answer =
            app.send(&[("authorization", &authorization)], query, json!({ "ids": ids })).await;
        let nodes = answer.at("/nodes");
        assert_eq!(nodes[0], nodes[2], "{nodes}");
        let shown: Vec<Option<&str>> = (0..6).map(|place| nodes[place]["id"].as_str()).collect();
        assert_eq!(
            shown,
            [
                Some(world.bob.id.as_str()),
                Some(&world.post),
                Some(&world.bob.id),
                None,
                Some(&world.ann.id),
                None
            ]
        );
        let paths: Vec<&Value> =
            answer.body["errors"].as_array().unwrap().iter().map(|error| &error["path"]).collect();
        assert_eq!(paths.len(), 2, "{}", answer.body);
        assert!(paths.contains(&&json!(["nodes", 3])) && paths.contains(&&json!(["nodes", 5])));
    })
    .await;
}
