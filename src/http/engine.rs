//! Which engine runs an operation: its plan, or the library.

use std::sync::Arc;

use async_graphql::{Request, Response, ServerError, Value};

use super::Served;
use super::limits::used as fields_of;
use super::prepare::ToRun;
use plaza_domain::explain::{Explanation, explained};
use plaza_graphql::context::RequestContext;
use plaza_graphql::error::{in_order, was_not_run};
use plaza_graphql::output::Rendered;
use plaza_graphql::plan;

/// What an operation came to, by whichever engine.
pub(crate) enum Answer {
    /// The library's.
    General(Response),
    /// A plan's.
    Planned(plan::Answer),
}

impl Answer {
    /// Whether anything was run.
    pub(crate) fn has_run(&self) -> bool {
        match self {
            Self::General(response) => !was_not_run(response),
            Self::Planned(_) => true,
        }
    }

    /// How many fields its data has.
    pub(crate) fn fields(&self) -> u64 {
        match self {
            Self::General(response) => fields_of(&response.data),
            Self::Planned(answer) => answer.fields,
        }
    }

    /// Its errors.
    pub(crate) fn errors(&mut self) -> &mut [ServerError] {
        match self {
            Self::General(response) => &mut response.errors,
            Self::Planned(answer) => &mut answer.errors,
        }
    }

    /// As it is sent; `None` when it has more bytes than any may have.
    pub(crate) fn rendered(self, most: usize) -> Option<Rendered> {
        match self {
            Self::General(response) => Rendered::of(response, most),
            Self::Planned(answer) => Rendered::of_plan(answer, most),
        }
    }
}

/// Runs an operation: as its plan says, if it has one; `None` when its answer is too large.
pub(crate) async fn answer_of(
    served: &Served,
    context: &Arc<RequestContext>,
    to_run: ToRun,
) -> Option<Answer> {
    let may_plan = !context.wants_explanation && !context.wants_general_engine;
    let plan = to_run.runs.plan().filter(|_| may_plan);
    let engine = if plan.is_some() { "plan" } else { "general" };
    metrics::counter!("plaza_graphql_engine_total", "engine" => engine).increment(1);
    if let Some(plan) = plan {
        return plan.run(context, &to_run.variables).await.map(Answer::Planned);
    }
    let request = to_run.request().data(Arc::clone(context));
    let mut response = run_on_schema(served, context, request).await;
    in_order(&mut response);
    Some(Answer::General(response))
}

/// Runs a request on the schema, explained if it may and wants to be.
async fn run_on_schema(served: &Served, context: &RequestContext, request: Request) -> Response {
    if !context.wants_explanation {
        return served.schema.execute(request).await;
    }
    let explanation = Arc::new(Explanation::default());
    let mut answer = explained(Arc::clone(&explanation), served.explaining.execute(request)).await;
    let explained =
        serde_json::json!({ "trace": context.traceparent, "steps": explanation.steps() });
    if let Ok(explained) = Value::from_json(explained) {
        answer.extensions.insert("explain".to_owned(), explained);
    }
    answer
}
