use super::*;
use crate::guard::check_text;

fn weighed(query: &str, variables: serde_json::Value) -> Result<Weighed, ErrorCode> {
    check_text(query).map_err(|refusal| refusal.code)?;
    let document = async_graphql::parser::parse_query(query).expect("a document");
    weigh(&document, &Variables::from_json(variables)).map_err(|refusal| refusal.code)
}

fn check(query: &str) -> Result<(), ErrorCode> {
    weighed(query, serde_json::json!({})).map(|_| ())
}

fn cost(query: &str) -> u64 {
    weighed(query, serde_json::json!({})).expect("an operation that is not too dear").cost
}

#[test]
fn a_fragment_bomb_is_weighed_without_being_expanded() {
    let mut bomb = String::from("{ ...f0 }");
    for level in 0..30 {
        bomb.push_str(&format!(
            " fragment f{level} on Query {{ {} }}",
            format!("...f{} ", level + 1).repeat(10)
        ));
    }
    bomb.push_str(" fragment f30 on Query { a }");
    assert_eq!(check(&bomb), Err(ErrorCode::QueryTooComplex));
}

#[test]
fn a_bomb_of_nothing_is_weighed_too() {
    let mut bomb = String::from("{ ...f0 }");
    for level in 0..22 {
        bomb.push_str(&format!(" fragment f{level} on Query {{ ...f{0} ...f{0} }}", level + 1));
    }
    assert_eq!(check(&bomb), Err(ErrorCode::QueryTooComplex));
}

#[test]
fn a_fragment_that_contains_itself_is_refused() {
    assert_eq!(
        check("{ a } fragment f on Query { ...g } fragment g on Query { ...f }"),
        Err(ErrorCode::GraphqlValidationFailed)
    );
}

#[test]
fn lists_cost_their_length_times_what_they_ask_of_each() {
    assert_eq!(
        check(
            "{ viewer { home(first: 20) { edges { node { comments(first: 3) { edges { node { text } } } } } } } }"
        ),
        Ok(())
    );
    let deep = "{ a(first: 100) { b(first: 100) { c(first: 100) { d } } } }";
    assert_eq!(check(deep), Err(ErrorCode::QueryTooComplex));
    let dear = "query($n: Int = 100) { a(first: -1) { b(first: -1) { c(first: $n) { d } } } }";
    assert_eq!(check(dear), Err(ErrorCode::QueryTooComplex));
    assert_eq!(check("{ a { b { c { d } } } }"), Ok(()));
    // A variable that nobody gave is an argument that was not written.
    let unsaid = "query($n: Int) { a(first: $n) { b(first: $n) { c(first: $n) { d } } } }";
    assert_eq!(check(unsaid), Ok(()));
}

#[test]
fn a_search_costs_its_work() {
    let searches = |count: usize| {
        let fields: String = (0..count)
            .map(|number| {
                format!("a{number}: postsSearch(query: \"x\", first: 1) {{ nodes {{ id }} }} ")
            })
            .collect();
        format!("{{ {fields} }}")
    };
    assert_eq!(check(&searches(49)), Ok(()));
    assert_eq!(check(&searches(50)), Err(ErrorCode::QueryTooComplex));
}

#[test]
fn fields_nest_so_deep() {
    let query = |depth: usize| format!("{}{}", "{ a ".repeat(depth), "}".repeat(depth));
    assert_eq!(check(&query(24)), Ok(()));
    assert_eq!(check(&query(25)), Err(ErrorCode::QueryTooDeep));
}

/// However a list of ids is written, each of its items costs what is asked of it.
#[test]
fn a_list_costs_its_length_however_it_is_written() {
    let ids = |count: usize, id: &str| vec![id; count].join(", ");
    let query = |head: &str, ids: &str| {
        format!(
            "{head} {{ nodes(ids: {ids}) {{ ... on User {{ posts(first: 5) {{ nodes {{ id }} }} }} }} }}"
        )
    };
    let cost = |head: &str, ids: &str, variables: serde_json::Value| {
        weighed(&query(head, ids), variables).unwrap().cost
    };
    let none = serde_json::json!({});
    let twenty = cost("query", &format!("[{}]", ids(20, "\"x\"")), none.clone());
    assert!(twenty > 20 * 10);
    let variable = serde_json::json!({ "a": "x" });
    for (head, ids, variables) in [
        ("query($a: ID!)", format!("[{}]", ids(20, "$a")), variable),
        ("query($ids: [ID!]!)", "$ids".to_owned(), serde_json::json!({ "ids": vec!["x"; 20] })),
        ("query", format!("[\"y\", {}]", ids(19, "\"x\"")), none.clone()),
    ] {
        assert_eq!(cost(head, &ids, variables), twenty, "{head} {ids}");
    }
    // A variable that was not given may have any default: as many as are allowed.
    let hundred = cost("query", &format!("[{}]", ids(100, "\"x\"")), none.clone());
    assert_eq!(cost("query($ids: [ID!]! = [\"x\"])", "$ids", none), hundred);
}

/// Who does not say how many items they want gets, and pays for, the default.
#[test]
fn a_list_without_first_costs_its_default() {
    for query in [
        "{ viewer { home ARGS { nodes { text author { handle } likeCount } } } }",
        "{ user(handle: \"a\") { followers ARGS { pageInfo { hasNextPage } } } }",
        "{ products ARGS { edges { cursor } } }",
        "{ post(id: \"a\") { comments ARGS { nodes { replies ARGS { nodes { text } } } } } }",
        "{ viewer { analytics { topPosts ARGS { views } } } }",
    ] {
        let of = |arguments: &str| cost(&query.replace("ARGS", arguments));
        assert_eq!(of(""), of("(first: 20)"), "{query}");
    }
}

/// The law of every price: what is asked of each item of a list is asked as often as it is long.
#[test]
fn twice_as_long_a_list_is_nearly_twice_as_dear() {
    for query in [
        "{ viewer { home(first: N) { nodes { text author { handle } likeCount } } } }",
        "{ user(handle: \"a\") { followers(first: N) { pageInfo { hasNextPage } } } }",
        "{ products(first: N) { edges { cursor } } }",
        "{ viewer { analytics { views(last: N, size: HOUR) { windows { views } } } } }",
        "{ hashtag(name: \"a\") { posts(first: N) { pageInfo { endCursor } } } }",
    ] {
        let of = |count: usize| cost(&query.replace('N', &count.to_string()));
        let (one, fifty, hundred) = (of(1), of(50), of(100));
        assert!(hundred - one >= 99, "{query}: {one} and {hundred}");
        assert!(2 * (fifty - one) >= (hundred - one) - (hundred - one) / 25, "{query}");
    }
}

#[test]
fn introspection_costs_what_it_answers_and_no_bomb_is_run() {
    let pairs = |count: usize| {
        let (open, close) = ("possibleTypes{interfaces{".repeat(count), "}}".repeat(count));
        format!("{{__type(name:\"Node\"){{{open}name{close}}}}}")
    };
    // Sevenfold a pair.
    assert!(cost(&pairs(2)) - OPERATION > 6 * (cost(&pairs(1)) - OPERATION));
    assert_eq!(check(&pairs(10)), Err(ErrorCode::QueryTooComplex));
    // The same in a fragment, and behind a variable.
    let (open, close) = ("possibleTypes{interfaces{".repeat(9), "}}".repeat(9));
    for query in [
        format!("{{__schema{{types{{...a}}}}}} fragment a on __Type{{{open}name{close}}}"),
        format!("query($n: String!){{__type(name:$n){{{open}name{close}}}}}"),
    ] {
        assert_eq!(check(&query), Err(ErrorCode::QueryTooComplex), "{query}");
    }
}

/// Counted by the weigher and by running it.
#[tokio::test]
async fn an_introspections_cost_is_the_number_of_its_fields() {
    fn count(value: &Value) -> u64 {
        match value {
            Value::Object(fields) => fields.values().map(|value| 1 + count(value)).sum(),
            Value::List(items) => items.iter().map(count).sum(),
            _ => 0,
        }
    }
    for query in [
        "{ __schema { types { name fields(includeDeprecated: true) { name args { name type { kind ofType { name } } } } } } }",
        "{ __schema { queryType { name fields(includeDeprecated: true) { name } } directives { name args { name } } } }",
        "{ __type(name: \"Node\") { possibleTypes { name interfaces { name } } } }",
        "{ __type(name: \"ErrorCode\") { enumValues(includeDeprecated: true) { name } } }",
        "{ __type(name: \"PostCreateInput\") { inputFields { name type { name } } } }",
        "{ __type(name: \"Nothing\") { name } }",
    ] {
        let answer = crate::schema::schema().execute(query).await;
        assert_eq!(answer.errors, Vec::new());
        assert_eq!(cost(query), OPERATION + count(&answer.data), "{query}");
    }
}

#[test]
fn a_subscription_is_to_one_thing_and_an_operation_logs_in_once() {
    assert_eq!(check("subscription { homeUpdated { cursor } }"), Ok(()));
    assert_eq!(
        check("subscription { homeUpdated { cursor } homeUpdated { node { id } } }"),
        Ok(())
    );
    for query in [
        "subscription { a: homeUpdated { cursor } b: homeUpdated { cursor } }",
        "subscription { homeUpdated { cursor } notificationReceived { cursor } }",
        "subscription { homeUpdated { cursor } ...a } fragment a on Subscription { b: homeUpdated { cursor } }",
    ] {
        assert_eq!(check(query), Err(ErrorCode::GraphqlValidationFailed), "{query}");
    }
    let log_in = |key: &str| {
        format!("{key}: logIn(input: {{handle: \"a\", password: \"b\"}}) {{ accessToken }}")
    };
    assert_eq!(check(&format!("mutation {{ {} }}", log_in("a"))), Ok(()));
    assert_eq!(
        check(&format!("mutation {{ {} ... on Mutation {{ {} }} }}", log_in("a"), log_in("b"))),
        Err(ErrorCode::QueryTooComplex)
    );
}

#[test]
fn what_is_dear_is_dear_whatever_it_shows() {
    assert_eq!(cost("{ __typename }"), OPERATION + 1);
    let log_in =
        "mutation { logIn(input: {handle: \"a\", password: \"b\"}) { userErrors { code } } }";
    let weighed = weighed(log_in, serde_json::json!({})).unwrap();
    assert!(weighed.spent >= 2_000 && weighed.cost >= weighed.spent);
    let post = cost("mutation { postCreate(input: {text: \"x\"}) { post { id } } }");
    assert!((300..=700).contains(&post), "{post}");
    // A long text under many names is dear.
    let aliases: String = (0..100).map(|n| format!("a{n}: text ")).collect();
    let texts = cost(&format!("{{ post(id: \"x\") {{ {aliases} }} }}"));
    assert!(texts >= 500, "{texts}");
}

/// What a user's client sends all day: a hundred at once, and more than one a second for ever.
#[test]
fn ordinary_operations_are_far_from_every_bound() {
    let limits = plaza_config::LimitsConfig::default();
    for query in [
        "{ viewer { home(first: 20) { edges { node { text images { url } author { handle avatar { url } }
           likeCount comments(first: 3) { edges { node { text author { handle } } } } } } } } }",
        "{ user(handle: \"a\") { id handle displayName bio avatar { url } postCount followerCount followingCount
           viewerIsFollowing posts(first: 20) { nodes { id text likeCount commentCount viewerHasLiked }
           pageInfo { hasNextPage endCursor } } } }",
        "{ post(id: \"x\") { text author { handle } comments(first: 50) { nodes { text author { handle } replyCount } } } }",
        "{ viewer { unreadNotificationCount notificationGroups(first: 20) { nodes { kind actors { handle } latest { post { text } } } } } }",
        "mutation { postCreate(input: {text: \"x\"}) { post { id text author { handle } } userErrors { code message } } }",
        "mutation { orderPlace(input: {lines: []}) { order { id status lines { product { title } } } userErrors { code } } }",
        "subscription { homeUpdated { cursor node { id text author { handle displayName } likeCount } } }",
    ] {
        let cost = cost(query);
        assert!(100 * cost <= limits.viewer_points, "{cost}: {query}");
        assert!(cost <= limits.viewer_points_per_s, "{cost}: {query}");
    }
    // Every user of one address may sign up, log in and browse.
    let log_in =
        cost("mutation { logIn(input: {handle: \"a\", password: \"b\"}) { accessToken } }");
    assert!(log_in <= limits.address_points_per_s / 5, "{log_in}");
}

/// Whatever leads to another thing with an id of its own, or to a page of them, has to find it
/// first. A field that is added is held to it without anybody thinking of it.
#[test]
fn every_field_that_finds_something_has_a_price() {
    // Shown with what has been read already.
    const INLINE: [&str; 3] = ["Hashtag", "Image", "Viewer"];
    let mut free = Vec::new();
    let nodes: HashSet<&str> = types()
        .iter()
        .filter(|(name, fields)| {
            fields.contains_key("id") && !INLINE.contains(&name.as_str()) && *name != "Session"
        })
        .map(|(name, _)| name.as_str())
        .collect();
    for (of, fields) in types() {
        // What a payload shows is read by the mutation; `nodes` and `edges` are the page's.
        if ["Payload", "Connection", "Edge"].iter().any(|end| of.ends_with(end)) {
            continue;
        }
        for (field, ty) in fields {
            let finds = nodes.contains(ty.of.as_str()) || ty.of.ends_with("Connection");
            let price = weights::of(of, field);
            let is_free = price.batch == 0 && price.is_plain();
            // The newest of a group is what the group was made from.
            if finds && is_free && (of.as_str(), field.as_str()) != ("NotificationGroup", "latest")
            {
                free.push(format!("{of}.{field}"));
            }
        }
    }
    assert_eq!(free, Vec::<String>::new());
}

#[test]
fn a_field_of_an_input_that_is_not_there_is_no_list() {
    let write = |defaults: &str| {
        format!(
            "mutation($text: String!, $product: ID, $images: [ID!]{defaults}) {{ postCreate(input: \
             {{text: $text, productId: $product, imageIds: $images}}) {{ post {{ id text author \
             {{ handle }} }} }} }}"
        )
    };
    let of = |defaults: &str, variables: serde_json::Value| {
        weighed(&write(defaults), variables).expect("an operation that is not too dear").cost
    };
    let plain = cost(
        "mutation { postCreate(input: {text: \"x\"}) { post { id text author { handle } } } }",
    );
    let text = || serde_json::json!({ "text": "x" });
    assert_eq!(of("", text()), plain, "left out");
    let null = serde_json::json!({ "text": "x", "product": null, "images": null });
    assert_eq!(of("", null), plain, "null");
    let none = serde_json::json!({ "text": "x", "images": [] });
    assert_eq!(of("", none), plain, "an empty list");
    assert_eq!(
        cost(
            "mutation { postCreate(input: {text: \"x\", imageIds: []}) { post { id text author \
             { handle } } } }"
        ),
        plain,
        "an empty list in the document"
    );
    let four = serde_json::json!({ "text": "x", "images": ["a", "b", "c", "d"] });
    assert!(of("", four.clone()) > plain, "each of a list is weighed");
    let default = " = [\"a\", \"b\", \"c\", \"d\"]";
    assert_eq!(of(default, text()), of("", four), "given by default");
}

#[test]
fn an_input_given_by_default_costs_what_it_costs_when_it_is_given() {
    let body = "{ orderPlace(input: $input) { order { id } } }";
    let lines = "lines: [{productId: \"a\", quantity: 1}, {productId: \"b\", quantity: 1}]";
    let by_default = format!("mutation($input: OrderPlaceInput! = {{{lines}}}) {body}");
    let given = format!("mutation($input: OrderPlaceInput!) {body}");
    let line = |id: &str| serde_json::json!({ "productId": id, "quantity": 1 });
    let variables = serde_json::json!({ "input": { "lines": [line("a"), line("b")] } });
    assert_eq!(cost(&by_default), weighed(&given, variables).expect("a cost").cost);
}
