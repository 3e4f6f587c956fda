//! HTTP: the routes on one page, and what each is made of.

pub mod answer;
pub mod compression;
pub mod connections;
mod engine;
pub mod event_stream;
pub mod execute;
pub mod graphiql;
pub mod graphql;
pub mod headers;
pub mod health;
pub mod identity;
pub mod images;
pub mod limits;
pub mod operations;
pub mod origin;
pub mod pages;
pub mod persisted;
pub mod prepare;
mod spelling;
pub mod subscribe;
pub mod websocket;

use std::ops::Deref;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use futures_util::FutureExt;
use prepare::NotRun;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use plaza_app::{App, Tasks};
use plaza_config::Config;
use plaza_config::network::Network;
use plaza_graphql::document::seen::Documents;
use plaza_graphql::error::ErrorCode;
use plaza_graphql::schema::{Schema, explaining_schema, schema};
use plaza_operator::{Snapshot, StatusProbe};
use plaza_telemetry::metrics::GaugeGuard;
use plaza_telemetry::trace;

/// What handlers share; each socket and each subscription has one of its own.
#[derive(Clone)]
pub struct Served(Arc<Parts>);

impl Deref for Served {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// What is shared.
pub struct Parts {
    /// The process's parts.
    pub app: App,
    /// The schema.
    pub schema: Schema,
    /// The schema for requests that want to be explained.
    pub explaining: Schema,
    /// What its operations are called.
    pub operations: &'static operations::Operations,
    /// Texts that were sent lately, read and validated.
    pub documents: Documents,
    /// Texts of persisted queries, by hash, as far as this process has met them.
    pub persisted: moka::sync::Cache<String, Arc<str>>,
    /// Requests that may still be taken on.
    admission: Arc<Semaphore>,
    /// Open sockets.
    pub sockets: Arc<websocket::Sockets>,
}

impl Served {
    fn new(app: &App) -> Self {
        let schema = schema();
        let most = app.config.server.max_in_flight;
        metrics::gauge!("plaza_http_max_in_flight").set(u32::try_from(most).unwrap_or(u32::MAX));
        Self(Arc::new(Parts {
            app: app.clone(),
            operations: operations::Operations::of(&schema),
            schema,
            explaining: explaining_schema(),
            documents: Documents::default(),
            persisted: moka::sync::Cache::new(1_000),
            admission: Arc::new(Semaphore::new(most)),
            sockets: Arc::default(),
        }))
    }

    /// Takes on one more request, for as long as the permit is held. A server that hung finds
    /// requests waiting whose clients have gone: they make room within `MOMENT`, and who came in
    /// between must not be refused because of them.
    ///
    /// # Errors
    /// [`ErrorCode::Overloaded`]: there are as many as this server takes.
    pub async fn admit(&self) -> Result<Admitted, NotRun> {
        match tokio::time::timeout(MOMENT, Arc::clone(&self.admission).acquire_owned()).await {
            Ok(Ok(permit)) => Ok(Admitted {
                _permit: permit,
                _counted: GaugeGuard::new(metrics::gauge!("plaza_http_in_flight")),
            }),
            Ok(Err(_)) | Err(_) => {
                metrics::counter!("plaza_overloaded_total").increment(1);
                Err(NotRun::new(
                    ErrorCode::Overloaded,
                    "too many requests at a time: try again in a second",
                ))
            }
        }
    }
}

/// How long a request may wait to be taken on: a client that is refused should hear of it within 50
/// ms.
const MOMENT: Duration = Duration::from_millis(40);

/// A request that was taken on, for as long as it is at work.
#[derive(Debug)]
pub struct Admitted {
    _permit: OwnedSemaphorePermit,
    _counted: GaugeGuard,
}

/// The id of a request, in its logs and in its answer.
#[derive(Debug, Clone)]
pub struct RequestId(pub Arc<str>);

/// Most bytes of a request's headers, names and values together.
const MAX_HEADERS: usize = 16 * 1_024;

/// What the world sees.
pub fn public_router(app: &App) -> Router {
    let router = Router::new()
        .route(
            "/graphql",
            get(graphql::by_get).post(graphql::by_post).fallback(graphql::by_another_method),
        )
        .route("/schema.graphql", get(graphql::schema_text))
        .merge(images::routes())
        .merge(pages::routes(&app.config.server.web_folder))
        .fallback(pages::nowhere)
        .route("/.well-known/jwks.json", get(identity::jwks))
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready))
        .with_state(Served::new(app))
        .layer(origin::cors(&app.config.server))
        .layer(axum::middleware::from_fn(bounded_headers))
        .layer(axum::middleware::from_fn(with_request_id));
    let router = if app.config.server.compress {
        router.layer(axum::middleware::from_fn(compression::compressed))
    } else {
        router
    };
    headers::hardened(router, &app.config.server)
}

/// Refuses headers that no client of ours sends: the library takes 400 KB of them.
async fn bounded_headers(request: Request, next: Next) -> Response {
    let length: usize =
        request.headers().iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if length <= MAX_HEADERS {
        return next.run(request).await;
    }
    let message = format!("headers may have {MAX_HEADERS} bytes");
    answer::refusal(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, ErrorCode::BadUserInput, message)
        .into_response()
}

/// What operators see, on a port of its own.
pub fn admin_router(app: &App) -> Router {
    let operators: Arc<[Network]> = app.config.admin.operators.as_slice().into();
    let page: Router<Operators> = Router::new()
        .route("/", get(operator_page))
        .route("/operator.json", get(operator_snapshot))
        .route_layer(axum::middleware::from_fn_with_state(operators, headers::only_from));
    let router = Router::new()
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        .merge(page)
        .with_state(Operators { app: app.clone(), status_probe: StatusProbe::start(app) })
        .layer(axum::middleware::from_fn(headers::only_by_an_inner_name));
    headers::hardened(router, &app.config.server)
}

/// What the handlers on the admin port share.
#[derive(Clone)]
pub struct Operators {
    /// The process's parts.
    pub app: App,
    status_probe: StatusProbe,
}

impl axum::extract::FromRef<Operators> for Tasks {
    fn from_ref(operators: &Operators) -> Self {
        operators.app.tasks.clone()
    }
}

impl axum::extract::FromRef<Operators> for App {
    fn from_ref(operators: &Operators) -> Self {
        operators.app.clone()
    }
}

impl axum::extract::FromRef<Served> for Tasks {
    fn from_ref(served: &Served) -> Self {
        served.app.tasks.clone()
    }
}

impl axum::extract::FromRef<Served> for App {
    fn from_ref(served: &Served) -> Self {
        served.app.clone()
    }
}

async fn operator_page(State(operators): State<Operators>) -> impl IntoResponse {
    let alarms = operators.app.config.telemetry.prometheus_url.as_deref().unwrap_or_default();
    // Its script and style are in it.
    let policy = format!(
        "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; \
         connect-src 'self' {alarms}; img-src data:; frame-ancestors 'none'; base-uri 'none'; \
         form-action 'none'"
    );
    ([(header::CONTENT_SECURITY_POLICY, policy)], Html(include_str!("../operator/page.html")))
}

async fn operator_snapshot(State(operators): State<Operators>) -> Json<Snapshot> {
    Json(operators.status_probe.snapshot(&operators.app).await.as_ref().clone())
}

/// The answer to a request that ran into a fault of ours.
fn panicked(id: &RequestId, what: &str) -> Response {
    tracing::error!(request_id = %id.0, what, "panicked");
    answer::refusal(StatusCode::INTERNAL_SERVER_ERROR, ErrorCode::Internal, "internal error")
        .with_request_id(id)
        .into_response()
}

/// A method as traces name it; any other is a client's own invention.
fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::OPTIONS => "OPTIONS",
        Method::HEAD => "HEAD",
        _ => "OTHER",
    }
}

fn route_name(request: &Request) -> &'static str {
    if request.uri().path() == "/graphql" { "/graphql" } else { "/*" }
}

/// Takes the client's or nginx's request id if it is a plain one, else makes one; it goes back with
/// the answer. A panic ends here, as an answer, and not with the connection.
async fn with_request_id(mut request: Request, next: Next) -> Response {
    static NAME: HeaderName = HeaderName::from_static("x-request-id");
    let given = request.headers().get(&NAME).and_then(|value| value.to_str().ok());
    let plain = given.filter(|id| {
        (8..=64).contains(&id.len()) && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    });
    let id: Arc<str> = match plain {
        Some(id) => id.into(),
        None => format!("{:032x}", rand::Rng::random::<u128>(&mut rand::rng())).into(),
    };
    let request_id = RequestId(Arc::clone(&id));
    request.extensions_mut().insert(request_id.clone());
    let given = request.headers().get("traceparent").and_then(|value| value.to_str().ok());
    let mut span = trace::begin(given, Some(&id), trace::Kind::Server, || {
        format!("{} {}", method_name(request.method()), route_name(&request)).into()
    });
    span.set("http.request.method", || method_name(request.method()).into());
    span.set("plaza.request_id", || id.to_string().into());
    let answering = async {
        match AssertUnwindSafe(next.run(request)).catch_unwind().await {
            Ok(response) => response,
            Err(panic) => {
                let what = panic
                    .downcast_ref::<String>()
                    .map(String::as_str)
                    .or_else(|| panic.downcast_ref::<&str>().copied());
                panicked(&request_id, what.unwrap_or("something"))
            }
        }
    };
    let mut response = span.run_part(answering).await;
    let status = response.status();
    span.set("http.response.status_code", || i64::from(status.as_u16()).into());
    if status.is_server_error() {
        span.failed(status);
    }
    metrics::counter!("plaza_http_responses_total", "status" => status.as_str().to_owned())
        .increment(1);
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(NAME.clone(), value);
    }
    response
}

/// Serves the public routes until the process is to stop; requests in flight are finished.
///
/// # Errors
/// The address is taken.
pub async fn serve_public(app: App) -> anyhow::Result<()> {
    let address = app.config.server.listen;
    serve(public_router(&app), "clients", address, &app.tasks).await
}

/// Serves the admin routes; they go last, so that "not ready" is heard.
///
/// # Errors
/// The address is taken.
pub async fn serve_admin(app: App) -> anyhow::Result<()> {
    let address = app.config.admin.listen;
    tokio::select! {
        served = serve(admin_router(&app), "operators", address, &app.tasks) => served,
        () = health::upkeep() => Ok(()),
    }
}

/// Serves what every process has for operators, of one that is no [`App`]: whether it lives,
/// whether it is ready, and its metrics.
///
/// # Errors
/// The address is taken.
pub async fn serve_figures(config: Config, tasks: Tasks) -> anyhow::Result<()> {
    let router = Router::new()
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::own_metrics))
        .with_state(tasks.clone())
        .layer(axum::middleware::from_fn(headers::only_by_an_inner_name));
    let router = headers::hardened(router, &config.server);
    tokio::select! {
        served = serve(router, "operators", config.admin.listen, &tasks) => served,
        () = health::upkeep() => Ok(()),
    }
}

async fn serve(
    router: Router,
    what: &str,
    address: std::net::SocketAddr,
    tasks: &Tasks,
) -> anyhow::Result<()> {
    use anyhow::Context;
    let listener = tokio::net::TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}"))?;
    // Port 0 asks for any.
    let address = listener.local_addr()?;
    tracing::info!(%address, what, "listening");
    let stop = tasks.stopping();
    let stopped = async move {
        stop.cancelled().await;
        // Whoever balances the load needs a moment to see that this process is not ready any more.
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    connections::serve(listener, router, tasks, stopped).await;
    Ok(())
}

#[cfg(test)]
mod tests;
