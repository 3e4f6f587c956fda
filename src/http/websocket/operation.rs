//! One operation on a socket, from its message to its completion.

use std::net::IpAddr;
use std::sync::Arc;
use std::task::{Poll, ready};

use async_graphql::ServerError;
use async_graphql::parser::types::OperationType;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream, Stream, StreamExt, poll_fn};

use crate::execute::{Asked, Refused, execute};
use crate::limits::Payer;
use crate::prepare::{Incoming, NotRun, prepare};
use crate::subscribe::subscribe;
use crate::{RequestId, Served};
use plaza_domain::Viewer;
use plaza_graphql::context::{RequestContext, is_client_key};
use plaza_graphql::error::ErrorCode;
use plaza_graphql::output::Rendered;
use plaza_telemetry::trace;

/// What an operation says.
pub(super) enum Frame {
    Next(Arc<str>, String),
    Refused(Arc<str>, Vec<ServerError>),
    Done(Arc<str>),
}

/// Who sends an operation.
pub(super) struct Asker {
    pub request_id: RequestId,
    pub address: IpAddr,
    pub viewer: Option<Viewer>,
}

/// An operation from its message to its completion. What begins it is let go of once it has begun:
/// a subscription stays for hours.
pub(super) fn operation(
    served: Served,
    asker: Asker,
    id: Arc<str>,
    incoming: Incoming,
) -> impl Stream<Item = Frame> + Send {
    let begun: BoxFuture<'static, BoxStream<'static, Frame>> = Box::pin(async move {
        match begin(served, asker, incoming).await {
            Ok(responses) => answers(id, responses).boxed(),
            Err(refused) => stream::iter([Frame::Refused(id, refused.errors())]).boxed(),
        }
    });
    stream::once(begun).flatten()
}

/// How far an operation has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Said {
    Nothing,
    Something,
    All,
}

/// What an engine says, in the protocol's words: a response that says only why nothing was run is
/// an error.
fn answers(
    id: Arc<str>,
    mut responses: BoxStream<'static, Rendered>,
) -> impl Stream<Item = Frame> + Send {
    let mut said = Said::Nothing;
    poll_fn(move |cx| {
        if said == Said::All {
            return Poll::Ready(None);
        }
        let response = ready!(responses.poll_next_unpin(cx));
        let is_first = said == Said::Nothing;
        let id = Arc::clone(&id);
        let (now, frame) = match response {
            Some(response) if is_first && response.not_run => {
                (Said::All, Frame::Refused(id, response.errors))
            }
            Some(response) => (Said::Something, Frame::Next(id, response.body)),
            None => (Said::All, Frame::Done(id)),
        };
        said = now;
        Poll::Ready(Some(frame))
    })
}

async fn begin(
    served: Served,
    asker: Asker,
    incoming: Incoming,
) -> Result<BoxStream<'static, Rendered>, Refused> {
    let Asker { request_id, address, viewer } = asker;
    let client_key = incoming
        .extensions
        .as_ref()
        .and_then(|extensions| extensions.get("clientKey"))
        .and_then(|key| key.as_str());
    let client_key = client_key.map(str::to_owned);
    if client_key.as_deref().is_some_and(|key| !is_client_key(key)) {
        let message = "`clientKey` has 1 to 200 visible ASCII characters";
        return Err(NotRun::new(ErrorCode::BadUserInput, message).into());
    }
    let payer = Payer::of(&served.app.config.limits, viewer, address);
    payer.check_credit(&served.app)?;
    let prepared = prepare(&served, &payer, incoming).await?;
    let mut span = trace::begin(None, None, trace::Kind::Server, || "message on a socket".into());
    span.set("plaza.request_id", || request_id.0.to_string().into());
    let mut context =
        RequestContext::new(served.app.domain.clone(), served.app.config.request_deadline());
    context.viewer = viewer;
    context.address = Some(address);
    context.client_key = client_key;
    context.traceparent = span.traceparent();
    let kind = prepared.kind;
    let asked = Asked { prepared, context, payer, request_id };
    if kind == OperationType::Subscription {
        return subscribe(&served, asked).await;
    }
    let executed = span.run(Box::pin(execute(&served, asked))).await?;
    Ok(stream::iter([executed.rendered]).boxed())
}
