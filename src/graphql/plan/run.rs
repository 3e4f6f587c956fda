//! Runs a plan.

use std::sync::Arc;

use async_graphql::{ServerError, Variables};
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};

use super::Plan;
use super::columns::{Columns, Wants};
use super::selection::{Of, Set};
use super::writer::Writer;
use crate::context::RequestContext;

/// What a plan has come to.
#[derive(Debug)]
pub struct Answer {
    /// `{"data": ..}`
    pub body: Vec<u8>,
    /// In the order of the data.
    pub errors: Vec<ServerError>,
    /// How many fields the data has.
    pub fields: u64,
}

impl Plan {
    /// Runs it as somebody; `None` when the answer would have more bytes than any may have.
    pub async fn run(
        &self,
        context: &Arc<RequestContext>,
        variables: &Variables,
    ) -> Option<Answer> {
        let scope = context.for_query();
        let found = read(&self.query, &(), Wants::new(&scope, variables)).await;
        let mut out = Writer::new(&scope, variables, &found, context.output.most());
        self.query.write(&(), &mut out);
        out.finish()
    }
}

/// Reads all that is asked of an object.
pub async fn read<Row, F: Of<Row>>(set: &Set<F>, row: &Row, mut wants: Wants<'_>) -> Columns {
    let mut found = Columns::default();
    let mut reading = FuturesUnordered::new();
    loop {
        set.want(row, &found, &mut wants);
        reading.extend(wants.begin());
        let Some(arrived) = reading.next().await else { return found };
        arrived(&mut found);
        // All that has arrived with it is walked with it.
        while let Some(Some(arrived)) = reading.next().now_or_never() {
            arrived(&mut found);
        }
    }
}
