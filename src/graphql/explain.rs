//! Which field asked what of the stores. The extension is on a schema of its own, which only requests that want an explanation run on: on the hot one a
//! single extension would cost every field its fast path.

use std::sync::Arc;

use async_graphql::extensions::{
    Extension, ExtensionContext, ExtensionFactory, NextResolve, ResolveInfo,
};
use async_graphql::{ServerResult, Value};

use plaza_domain::explain::for_field;

/// Marks each field's work with its path.
#[derive(Debug, Clone, Copy)]
pub struct FieldPaths;

impl ExtensionFactory for FieldPaths {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(Self)
    }
}

#[async_trait::async_trait]
impl Extension for FieldPaths {
    async fn resolve(
        &self,
        ctx: &ExtensionContext<'_>,
        info: ResolveInfo<'_>,
        next: NextResolve<'_>,
    ) -> ServerResult<Option<Value>> {
        let path = starred(&info.path_node.to_string());
        for_field(path, next.run(ctx, info)).await
    }
}

/// `viewer.home.edges.*.node`.
fn starred(path: &str) -> String {
    let star = |part: &str| {
        if part.starts_with(|c: char| c.is_ascii_digit()) {
            "*".to_owned()
        } else {
            part.to_owned()
        }
    };
    path.split('.').map(star).collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_in_lists_are_starred() {
        assert_eq!(starred("viewer.home.edges.12.node"), "viewer.home.edges.*.node");
    }
}
