//! Traces: one from a client's request through every process that works for it.
//!
//! A W3C trace context (`traceparent`) comes with a request, or is made for it, and rides in every
//! message that the request causes. Whoever works for it does so *in* that trace ([`Span::run`]),
//! so that logs name it, and spans of what is done are its parts. They are spans of `tracing`,
//! which tracing-opentelemetry gives their ids; they are exported where `telemetry.otlp_endpoint`
//! is set and the trace is sampled.

use std::borrow::Cow;
use std::fmt;
use std::sync::OnceLock;
use std::time::Duration;

use opentelemetry::trace::{
    SpanContext, SpanId, SpanKind, Status, TraceContextExt, TraceFlags, TraceId, TraceState,
    TracerProvider as _,
};
use opentelemetry::{Context, KeyValue, Value};
use opentelemetry_otlp::WithExportConfig;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SamplingResult, SdkTracerProvider, ShouldSample};
use rand::Rng;
use tracing::{Instrument, Subscriber};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::registry::LookupSpan;

use super::trace_ids;
use plaza_config::TelemetryConfig;

pub use opentelemetry::trace::SpanKind as Kind;

/// How long the last spans may take to leave a process that ends.
const LAST_SPANS: Duration = Duration::from_secs(5);
/// The target of all spans here: the log has no use for them.
const TARGET: &str = "plaza::spans";

static EXPORTING: OnceLock<SdkTracerProvider> = OnceLock::new();

/// A place in a trace: what travels as `traceparent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceContext {
    trace: TraceId,
    span: SpanId,
    sampled: bool,
}

impl TraceContext {
    /// Reads a `traceparent`; `None` when it is not a valid one.
    pub fn parse(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.split('-').collect();
        let hex = |part: &str, length| {
            part.len() == length && part.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f'))
        };
        let ["00", trace, span, flags] = parts.as_slice() else { return None };
        if !hex(trace, 32) || !hex(span, 16) || !hex(flags, 2) {
            return None;
        }
        let (trace, span) = (TraceId::from_hex(trace).ok()?, SpanId::from_hex(span).ok()?);
        let sampled = u8::from_str_radix(flags, 16).ok()? & 1 == 1;
        (trace != TraceId::INVALID && span != SpanId::INVALID).then_some(Self {
            trace,
            span,
            sampled,
        })
    }

    /// One of its own, that nobody exports.
    fn unsampled() -> Self {
        let mut random = rand::rng();
        let (trace, span) = (random.random_range(1..=u128::MAX), random.random_range(1..=u64::MAX));
        Self { trace: TraceId::from(trace), span: SpanId::from(span), sampled: false }
    }

    fn as_parent(self) -> Context {
        let flags = if self.sampled { TraceFlags::SAMPLED } else { TraceFlags::default() };
        let remote = SpanContext::new(self.trace, self.span, flags, true, TraceState::default());
        Context::new().with_remote_span_context(remote)
    }

    /// Where a span is; `None` when nobody gives spans ids.
    fn of(span: &tracing::Span) -> Option<Self> {
        let context = span.context();
        let span = context.span();
        let place = span.span_context();
        place.is_valid().then(|| Self {
            trace: place.trace_id(),
            span: place.span_id(),
            sampled: place.is_sampled(),
        })
    }
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{}-{}-{:02x}", self.trace, self.span, u8::from(self.sampled))
    }
}

/// Something that is done, from its making to its drop.
#[derive(Debug)]
pub struct Span {
    inner: tracing::Span,
    recording: bool,
}

impl Span {
    /// Names a span, if anybody will read it.
    fn named(inner: tracing::Span, name: impl FnOnce() -> Cow<'static, str>) -> Self {
        let context = inner.context();
        let recording = context.span().span_context().is_sampled();
        if recording {
            // The field `otel.name` is read only until a span has its ids.
            context.span().update_name(name());
        }
        Self { inner, recording }
    }

    const fn none() -> Self {
        Self { inner: tracing::Span::none(), recording: false }
    }

    /// Whether anybody will read it.
    pub const fn is_recording(&self) -> bool {
        self.recording
    }

    /// Notes something, if anybody will read it.
    pub fn set(&mut self, key: &'static str, value: impl FnOnce() -> Value) {
        if self.recording {
            self.inner.set_attribute(key, value());
        }
    }

    /// It did not go well.
    pub fn failed(&mut self, why: impl fmt::Display) {
        if self.recording {
            self.inner.set_status(Status::error(why.to_string()));
        }
    }

    /// Its place, as it travels with requests and messages.
    pub fn traceparent(&self) -> Option<String> {
        TraceContext::of(&self.inner).map(|place| place.to_string())
    }

    /// Runs work in this span: what it logs has the trace's id, what it does are this span's parts.
    /// The span ends with the work.
    pub fn run<F: Future>(self, work: F) -> impl Future<Output = F::Output> {
        work.instrument(self.inner)
    }

    /// The same for work that ends before the span does.
    pub fn run_part<F: Future>(&self, work: F) -> impl Future<Output = F::Output> + use<F> {
        work.instrument(self.inner.clone())
    }
}

const fn name_of(kind: &SpanKind) -> &'static str {
    match kind {
        SpanKind::Client => "client",
        SpanKind::Server => "server",
        SpanKind::Producer => "producer",
        SpanKind::Consumer => "consumer",
        SpanKind::Internal => "internal",
    }
}

fn rooted(
    given: Option<TraceContext>,
    kind: &SpanKind,
    name: impl FnOnce() -> Cow<'static, str>,
) -> Span {
    let span =
        tracing::info_span!(target: TARGET, parent: None, "begun", otel.kind = name_of(kind));
    if let Some(place) = given {
        // Refused only by a span that has begun to be used.
        let _ = span.set_parent(place.as_parent());
    }
    Span::named(span, name)
}

/// Begins a client's request: in the trace it came with if that is a valid one, else in a new one,
/// whose id is the request's if that can be one: who knows the one knows the other.
///
/// A share `telemetry.sample_ratio` of traces is exported. Which of those that came with requests,
/// their ids decide, so that every process that has the same ratio decides alike; one that is not
/// sampled where it came from is not sampled here.
pub fn begin(
    given: Option<&str>,
    request_id: Option<&str>,
    kind: SpanKind,
    name: impl FnOnce() -> Cow<'static, str>,
) -> Span {
    let given = given.and_then(TraceContext::parse);
    let wanted = request_id.filter(|_| given.is_none());
    trace_ids::with_next(wanted, || rooted(given, &kind, name))
}

/// Begins what a message asks for, in the trace the message came with.
pub fn of_message(
    traceparent: Option<&str>,
    kind: SpanKind,
    name: impl FnOnce() -> Cow<'static, str>,
) -> Span {
    match traceparent.and_then(TraceContext::parse) {
        Some(given) => rooted(Some(given), &kind, name),
        None => Span::none(),
    }
}

/// Begins a part of what is being done; nothing outside of any trace.
pub fn part(kind: SpanKind, name: impl FnOnce() -> Cow<'static, str>) -> Span {
    if tracing::Span::current().is_none() {
        return Span::none();
    }
    let span = tracing::info_span!(target: TARGET, "part", otel.kind = name_of(&kind));
    Span::named(span, name)
}

/// The trace that the running task works for.
pub fn current() -> Option<TraceContext> {
    TraceContext::of(&tracing::Span::current())
}

/// Its id, in hexadecimal.
pub fn current_id() -> Option<String> {
    current().map(|place| place.trace.to_string())
}

/// The current place, as it travels with messages; outside of any trace, a new one.
pub fn traceparent() -> String {
    current().unwrap_or_else(TraceContext::unsampled).to_string()
}

/// The same work, for a task of its own, in the trace of whoever starts it.
pub fn carried<F: Future>(work: F) -> impl Future<Output = F::Output> {
    work.in_current_span()
}

/// Whether spans are exported at all.
pub fn is_exporting() -> bool {
    EXPORTING.get().is_some()
}

/// Which traces are exported: see [`begin`].
#[derive(Debug, Clone)]
struct Share(f64);

impl ShouldSample for Share {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        trace: TraceId,
        name: &str,
        kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[opentelemetry::trace::Link],
    ) -> SamplingResult {
        let place = parent.map(|context| context.span().span_context().clone());
        let place = place.filter(SpanContext::is_valid);
        let sampler = match place {
            Some(place) if !place.is_sampled() => Sampler::AlwaysOff,
            Some(place) if !place.is_remote() => Sampler::AlwaysOn,
            _ => Sampler::TraceIdRatioBased(self.0),
        };
        sampler.should_sample(parent, trace, name, kind, attributes, links)
    }
}

/// What gives spans their ids, and exports them where that is configured.
///
/// # Errors
/// An endpoint that cannot be used.
pub fn layer<S>(config: &TelemetryConfig, role: &str) -> anyhow::Result<impl Layer<S>>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let resource = Resource::builder_empty().with_attributes([
        KeyValue::new("service.namespace", "plaza"),
        KeyValue::new("service.name", format!("plaza-{role}")),
        KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        KeyValue::new("service.instance.id", std::process::id().to_string()),
    ]);
    let builder = SdkTracerProvider::builder()
        .with_resource(resource.build())
        .with_id_generator(trace_ids::Ids::default());
    let provider = if let Some(endpoint) = &config.otlp_endpoint {
        let exporter = opentelemetry_otlp::SpanExporter::builder()
            .with_http()
            .with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')))
            .with_timeout(LAST_SPANS)
            .build()?;
        let share = Share(config.sample_ratio);
        let provider = builder.with_batch_exporter(exporter).with_sampler(share).build();
        // A second call's layer comes to nothing, as its logging does.
        let _started_before = EXPORTING.set(provider.clone());
        provider
    } else {
        builder.with_sampler(Sampler::AlwaysOff).build()
    };
    let layer = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("plaza"))
        .with_location(false)
        .with_threads(false)
        .with_tracked_inactivity(false)
        .with_level(false)
        .with_target(false);
    Ok(layer.with_filter(filter_fn(|metadata| metadata.target() == TARGET)))
}

/// Sends what is left; for the end of a process.
pub async fn finish() {
    let Some(provider) = EXPORTING.get().cloned() else { return };
    let sent =
        tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(LAST_SPANS)).await;
    if let Ok(Err(error)) = sent {
        tracing::warn!(%error, "the last spans did not arrive");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_valid_context_is_kept_and_any_other_replaced() {
        crate::logs::tests::subscribed();
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        let valid = format!("00-{trace}-00f067aa0ba902b7-01");
        let begun = |given| {
            begin(given, None, SpanKind::Server, || unreachable!("nothing is exported"))
                .traceparent()
                .unwrap()
        };
        assert!(begun(Some(&valid)).contains(trace));
        for bad in
            ["", "00-0-0-01", "00-00000000000000000000000000000000-00f067aa0ba902b7-01", "x\r\ny"]
        {
            assert!(TraceContext::parse(bad).is_none());
            let made = begun(Some(bad));
            assert_eq!(TraceContext::parse(&made).unwrap().to_string(), made);
        }
    }

    #[test]
    fn a_new_trace_has_the_requests_id_where_that_can_be_one() {
        crate::logs::tests::subscribed();
        let begun = |given, request_id| {
            let name = || unreachable!("nothing is exported");
            let span = begin(given, Some(request_id), SpanKind::Server, name);
            TraceContext::parse(&span.traceparent().unwrap()).unwrap().trace.to_string()
        };
        let id = "0af7651916cd43dd8448eb211c80319c";
        assert_eq!(begun(None, id), id);
        assert_ne!(begun(None, "an-id-of-a-client"), id, "the next one has its own");
        let upper = id.to_uppercase();
        for none in ["", "0123456789abcdef", "00000000000000000000000000000000", &upper] {
            assert_ne!(begun(None, none), none);
        }
        let given = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(begun(Some(given), id), "4bf92f3577b34da6a3ce929d0e0e4736");
    }

    #[test]
    fn a_share_of_traces_is_sampled_and_each_is_everywhere_or_nowhere() {
        let mut random = rand::rng();
        let traces: Vec<TraceId> =
            (0..4_000).map(|_| TraceId::from(random.random::<u128>())).collect();
        let is_sampled = |share: f64, place: Option<TraceContext>, trace: TraceId| {
            let parent = place.map(TraceContext::as_parent);
            let kind = SpanKind::Server;
            let result = Share(share).should_sample(parent.as_ref(), trace, "", &kind, &[], &[]);
            result.decision == opentelemetry_sdk::trace::SamplingDecision::RecordAndSample
        };
        let share = |ratio| traces.iter().filter(|t| is_sampled(ratio, None, **t)).count();
        assert_eq!((share(0.0), share(1.0)), (0, 4_000));
        assert!((800..1_200).contains(&share(0.25)), "{}", share(0.25));
        for trace in &traces {
            let came = |sampled| {
                let span = SpanId::from(1_u64);
                Some(TraceContext { trace: *trace, span, sampled })
            };
            let is = is_sampled(0.25, None, *trace);
            assert_eq!(is_sampled(0.25, came(true), *trace), is, "wherever it comes from");
            assert!(!is_sampled(1.0, came(false), *trace), "not sampled where it came from");
            assert!(!is || is_sampled(0.5, None, *trace), "a greater ratio only adds");
        }
    }

    #[tokio::test]
    async fn work_is_in_the_trace_it_is_run_in_and_so_are_the_tasks_it_starts() {
        crate::logs::tests::subscribed();
        let given = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(current_id(), None);
        let (here, there) = begin(Some(given), None, SpanKind::Server, || "".into())
            .run(async {
                let mut tasks = tokio::task::JoinSet::new();
                tasks.spawn(carried(async { current_id() }));
                (current_id(), tasks.join_next().await.unwrap().unwrap())
            })
            .await;
        assert_eq!(
            (here.as_deref(), there.as_deref()),
            (Some("4bf92f3577b34da6a3ce929d0e0e4736"), Some("4bf92f3577b34da6a3ce929d0e0e4736"))
        );
    }
}
