//! The schema, put together.

use async_graphql::{MergedObject, SDLExportOptions, ValidationMode};
use chrono::{DateTime, Utc};

use super::analytics::views::ViewMutations;
use super::comments::mutations::CommentMutations;
use super::error::ErrorCode;
use super::explain::FieldPaths;
use super::images::mutations::ImageMutations;
use super::node::NodeQueries;
use super::notifications::mutations::NotificationMutations;
use super::orders::mutations::OrderMutations;
use super::orders::queries::OrderQueries;
use super::posts::mutations::PostMutations;
use super::posts::queries::PostQueries;
use super::products::mutations::ProductMutations;
use super::products::queries::ProductQueries;
use super::references::queries::HashtagQueries;
use super::search::queries::SearchQueries;
use super::subscriptions::Subscription;
use super::users::mutations::UserMutations;
use super::users::queries::UserQueries;
use super::users::relations::RelationMutations;
use super::viewer::queries::ViewerQueries;

/// Read operations; each field returns what the viewer may see.
#[derive(Debug, Default, MergedObject)]
pub struct Query(
    ViewerQueries,
    NodeQueries,
    UserQueries,
    PostQueries,
    HashtagQueries,
    ProductQueries,
    OrderQueries,
    SearchQueries,
);

/// Write operations. With the request's `Idempotency-Key` header, every field is idempotent: a
/// retry with the same key and input returns the first result and changes nothing. Fields run in
/// order and commit separately: a field that fails is null with a top-level error, and does not
/// affect the others.
#[derive(Debug, Default, MergedObject)]
pub struct Mutation(
    UserMutations,
    RelationMutations,
    PostMutations,
    CommentMutations,
    ProductMutations,
    OrderMutations,
    ViewMutations,
    ImageMutations,
    NotificationMutations,
);

/// plaza's schema.
pub type Schema = async_graphql::Schema<Query, Mutation, Subscription>;

/// Builds it. No extension is registered: a single one would cost every field its fast path.
pub fn schema() -> Schema {
    builder().finish()
}

/// The same schema for requests that want to be explained.
pub fn explaining_schema() -> Schema {
    builder().extension(FieldPaths).finish()
}

fn builder() -> async_graphql::SchemaBuilder<Query, Mutation, Subscription> {
    Schema::build(Query::default(), Mutation::default(), Subscription)
        .register_output_type::<ErrorCode>()
        .override_output_type_description::<DateTime<Utc>>(
            "A time in UTC in the format of RFC 3339, with milliseconds at most: \
             `2026-01-31T12:34:56.789+00:00`. An argument may have another offset, which is \
             converted to UTC.",
        )
        .limit_depth(24)
        .limit_recursive_depth(64)
        .limit_directives(10)
        // `document` has validated what comes here; the library would do it again, and not as well.
        .validation_mode(ValidationMode::Fast)
        .disable_suggestions()
}

/// The text of `schema.graphql`: sorted, so that it changes only where the schema does.
pub fn sdl() -> String {
    schema().sdl_with_options(
        SDLExportOptions::new()
            .sorted_fields()
            .sorted_arguments()
            .sorted_enum_items()
            .include_specified_by()
            .use_space_ident(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the standard introspection query asks, as GraphiQL and code generators send it.
    const INTROSPECTION: &str = "
        query IntrospectionQuery { __schema { queryType { name } mutationType { name } subscriptionType { name }
          types { ...FullType } directives { name description locations args { ...InputValue } } } }
        fragment FullType on __Type { kind name description fields(includeDeprecated: true) { name description args { ...InputValue }
          type { ...TypeRef } isDeprecated deprecationReason } inputFields { ...InputValue } interfaces { ...TypeRef }
          enumValues(includeDeprecated: true) { name description isDeprecated deprecationReason } possibleTypes { ...TypeRef } }
        fragment InputValue on __InputValue { name description type { ...TypeRef } defaultValue }
        fragment TypeRef on __Type { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name
          ofType { kind name ofType { kind name ofType { kind name ofType { kind name } } } } } } } } } }";

    async fn introspected() -> serde_json::Value {
        let document = async_graphql::parser::parse_query(INTROSPECTION).unwrap();
        crate::guard::check_text(INTROSPECTION).unwrap();
        crate::cost::weigh(&document, &async_graphql::Variables::default()).unwrap();
        let answer = schema().execute(INTROSPECTION).await;
        assert_eq!(answer.errors, Vec::new());
        serde_json::to_value(answer.data).unwrap()
    }

    #[tokio::test]
    async fn tools_can_introspect_and_every_element_is_described() {
        let schema = introspected().await;
        let mut bare = Vec::new();
        let mut check = |path: String, element: &serde_json::Value| {
            if element["description"].as_str().is_none_or(|text| text.trim().is_empty()) {
                bare.push(path);
            }
        };
        let each = |list: &serde_json::Value| list.as_array().cloned().unwrap_or_default();
        for kind in each(&schema["__schema"]["types"]) {
            let name = kind["name"].as_str().unwrap_or_default();
            if name.starts_with("__")
                || matches!(name, "ID" | "Int" | "Float" | "String" | "Boolean")
            {
                continue;
            }
            check(name.to_owned(), &kind);
            for field in each(&kind["fields"]) {
                let path = format!("{name}.{}", field["name"].as_str().unwrap_or_default());
                check(path.clone(), &field);
                for argument in each(&field["args"]) {
                    check(
                        format!("{path}({})", argument["name"].as_str().unwrap_or_default()),
                        &argument,
                    );
                }
            }
            for member in each(&kind["inputFields"]).iter().chain(&each(&kind["enumValues"])) {
                check(format!("{name}.{}", member["name"].as_str().unwrap_or_default()), member);
            }
        }
        assert_eq!(bare, Vec::<String>::new());
    }

    /// Lists that no argument bounds, because what they come from does: each with how many there can be at most.
    const BOUNDED: &[(&str, usize)] = &[
        ("*.edges", 100),
        ("*.nodes", 100),
        ("*.userErrors", 100),
        ("UserError.path", 10),
        ("Post.images", 4),
        ("Order.lines", 50),
        ("Order.nextStatuses", 5),
        ("Order.history", 8),
        ("Product.sales", 60),
        ("Viewer.sessions", 100),
        ("Post.entities", plaza_domain::references::MAX_ENTITIES),
        ("Comment.entities", plaza_domain::references::MAX_ENTITIES),
        ("ViewSeries.windows", 100),
        ("SalesSeries.windows", 100),
        ("Viewer.notificationPreferences", 50),
        ("NotificationPreferencesUpdatePayload.preferences", 50),
        ("NotificationGroup.actors", 3),
        ("Notification.lines", 50),
    ];

    /// The guard weighs a list by `first`, `last` or `ids`: a new list that has none of them would cost a client nothing.
    #[tokio::test]
    async fn every_list_is_weighed_or_bounded() {
        let schema = introspected().await;
        let mut forgotten = Vec::new();
        for kind in schema["__schema"]["types"].as_array().unwrap() {
            let name = kind["name"].as_str().unwrap();
            for field in
                kind["fields"].as_array().into_iter().flatten().filter(|_| !name.starts_with("__"))
            {
                let (own, ty) = (field["name"].as_str().unwrap(), field["type"].to_string());
                let weighed = field["args"].as_array().unwrap().iter().any(|argument| {
                    ["first", "last", "ids"].iter().any(|known| argument["name"] == **known)
                });
                let bounded = BOUNDED.iter().any(|(path, _)| {
                    *path == format!("{name}.{own}") || *path == format!("*.{own}")
                });
                if (ty.contains("\"LIST\"") || ty.contains("Connection\"")) && !weighed && !bounded
                {
                    forgotten.push(format!("{name}.{own}"));
                }
            }
        }
        assert_eq!(forgotten, Vec::<String>::new());
    }

    #[test]
    fn the_error_codes_on_the_wire_are_those_of_the_schema() {
        use async_graphql::resolver_utils::EnumType;
        for item in ErrorCode::items() {
            assert_eq!(item.value.name(), item.name);
        }
    }
}
