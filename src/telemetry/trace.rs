//! Traces: one from a client's request through every process that works for it.
//!
//! A W3C trace context (`traceparent`) comes with a request, or is made for it, and rides in every
//! message that the request causes. Whoever works for it does so *in* that trace ([`Span::run`]),
//! so that logs name it, and spans of what is done are its parts. Spans are made only where
//! `telemetry.otlp_endpoint` is set and the trace is sampled; else a span is an empty value.

use std::borrow::Cow;
use std::fmt;
use std::sync::OnceLock;
use std::time::Duration;

use futures_util::FutureExt;
use opentelemetry::trace::{
    Span as _, SpanContext, SpanId, SpanKind, Status, TraceContextExt, TraceFlags, TraceId,
    TraceState, Tracer as _, TracerProvider as _,
};
use opentelemetry::{Context, KeyValue, Value};
use opentelemetry_otlp::WithExportConfig;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use rand::Rng;

use plaza_config::TelemetryConfig;

pub use opentelemetry::trace::SpanKind as Kind;

/// How long the last spans may take to leave a process that ends.
const LAST_SPANS: Duration = Duration::from_secs(5);

struct Exporting {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
    ratio: f64,
}

static EXPORTING: OnceLock<Exporting> = OnceLock::new();

tokio::task_local! {
    static CURRENT: Option<TraceContext>;
}

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
        let remote = SpanContext::new(
            self.trace,
            self.span,
            TraceFlags::SAMPLED,
            true,
            TraceState::default(),
        );
        Context::new().with_remote_span_context(remote)
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
    place: Option<TraceContext>,
    /// Boxed: it is there seldom, and every read and transaction makes room for one.
    recording: Option<Box<opentelemetry_sdk::trace::Span>>,
}

impl Span {
    fn child(
        of: Option<TraceContext>,
        kind: SpanKind,
        name: impl FnOnce() -> Cow<'static, str>,
    ) -> Self {
        let (Some(parent), Some(exporting)) = (of.filter(|parent| parent.sampled), EXPORTING.get())
        else {
            return Self { place: of, recording: None };
        };
        let builder = exporting.tracer.span_builder(name()).with_kind(kind);
        Self::recorded(exporting.tracer.build_with_context(builder, &parent.as_parent()))
    }

    fn recorded(recording: opentelemetry_sdk::trace::Span) -> Self {
        let context = recording.span_context();
        let place =
            TraceContext { trace: context.trace_id(), span: context.span_id(), sampled: true };
        Self { place: Some(place), recording: Some(Box::new(recording)) }
    }

    /// Whether anybody will read it.
    pub fn is_recording(&self) -> bool {
        self.recording.is_some()
    }

    /// Notes something, if anybody will read it.
    pub fn set(&mut self, key: &'static str, value: impl FnOnce() -> Value) {
        if let Some(recording) = &mut self.recording {
            recording.set_attribute(KeyValue::new(key, value()));
        }
    }

    /// It did not go well.
    pub fn failed(&mut self, why: impl fmt::Display) {
        if let Some(recording) = &mut self.recording {
            recording.set_status(Status::error(why.to_string()));
        }
    }

    /// Its place, as it travels with requests and messages.
    pub fn traceparent(&self) -> Option<String> {
        self.place.map(|place| place.to_string())
    }

    /// Runs work in this span: what it logs has the trace's id, what it does are this span's parts.
    /// The span ends with the work.
    ///
    /// No `async fn`, here and below: one holds a future that it is given twice, before it is
    /// polled and after.
    pub fn run<F: Future>(self, work: F) -> impl Future<Output = F::Output> {
        CURRENT.scope(self.place, work).map(move |outcome| {
            drop(self);
            outcome
        })
    }

    /// The same for work that ends before the span does.
    pub fn run_part<F: Future>(&self, work: F) -> impl Future<Output = F::Output> + use<F> {
        CURRENT.scope(self.place, work)
    }
}

/// Begins a client's request: in the trace it came with if that is a valid one, else in a new one.
///
/// A share `telemetry.sample_ratio` of traces is exported. Which of those that came with requests,
/// their ids decide, so that every process that has the same ratio decides alike; one that is not
/// sampled where it came from is not sampled here.
pub fn begin(
    given: Option<&str>,
    kind: SpanKind,
    name: impl FnOnce() -> Cow<'static, str>,
) -> Span {
    if let Some(mut place) = given.and_then(TraceContext::parse) {
        place.sampled &=
            EXPORTING.get().is_none_or(|exporting| is_sampled(place.trace, exporting.ratio));
        return Span::child(Some(place), kind, name);
    }
    match EXPORTING.get() {
        Some(exporting) if rand::rng().random_bool(exporting.ratio) => {
            let builder = exporting.tracer.span_builder(name()).with_kind(kind);
            Span::recorded(exporting.tracer.build_with_context(builder, &Context::new()))
        }
        _ => Span { place: Some(TraceContext::unsampled()), recording: None },
    }
}

/// Begins what a message asks for, in the trace the message came with.
pub fn of_message(
    traceparent: Option<&str>,
    kind: SpanKind,
    name: impl FnOnce() -> Cow<'static, str>,
) -> Span {
    Span::child(traceparent.and_then(TraceContext::parse), kind, name)
}

/// Begins a part of what is being done.
pub fn part(kind: SpanKind, name: impl FnOnce() -> Cow<'static, str>) -> Span {
    Span::child(current(), kind, name)
}

/// The trace that the running task works for.
pub fn current() -> Option<TraceContext> {
    CURRENT.try_with(|place| *place).ok().flatten()
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
    CURRENT.scope(current(), work)
}

/// Whether spans are exported at all.
pub fn is_exporting() -> bool {
    EXPORTING.get().is_some()
}

/// By the id's lower half, as OpenTelemetry's own samplers do.
fn is_sampled(trace: TraceId, ratio: f64) -> bool {
    let [.., a, b, c, d] = trace.to_bytes();
    f64::from(u32::from_be_bytes([a, b, c, d])) < ratio * 4_294_967_296.0
}

/// Starts exporting, where it is configured. A second call does nothing.
///
/// # Errors
/// An endpoint that cannot be used.
pub fn init(config: &TelemetryConfig, role: &str) -> anyhow::Result<()> {
    let Some(endpoint) = &config.otlp_endpoint else { return Ok(()) };
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_http()
        .with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')))
        .with_timeout(LAST_SPANS)
        .build()?;
    let resource = Resource::builder_empty().with_attributes([
        KeyValue::new("service.namespace", "plaza"),
        KeyValue::new("service.name", format!("plaza-{role}")),
        KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        KeyValue::new("service.instance.id", std::process::id().to_string()),
    ]);
    let provider = SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_resource(resource.build())
        .build();
    let tracer = provider.tracer("plaza");
    let _started_before = EXPORTING.set(Exporting { provider, tracer, ratio: config.sample_ratio });
    Ok(())
}

/// Sends what is left; for the end of a process.
pub async fn finish() {
    let Some(exporting) = EXPORTING.get() else { return };
    let provider = exporting.provider.clone();
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
        let valid = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let begun = |given| {
            begin(given, SpanKind::Server, || unreachable!("nothing is exported"))
                .traceparent()
                .unwrap()
        };
        assert_eq!(begun(Some(valid)), valid);
        for bad in
            ["", "00-0-0-01", "00-00000000000000000000000000000000-00f067aa0ba902b7-01", "x\r\ny"]
        {
            assert!(TraceContext::parse(bad).is_none());
            let made = begun(Some(bad));
            assert_eq!(TraceContext::parse(&made).unwrap().to_string(), made);
        }
    }

    #[test]
    fn a_share_of_traces_is_sampled_and_each_is_everywhere_or_nowhere() {
        let mut random = rand::rng();
        let traces: Vec<TraceId> =
            (0..4_000).map(|_| TraceId::from(random.random::<u128>())).collect();
        let share = |ratio| traces.iter().filter(|trace| is_sampled(**trace, ratio)).count();
        assert_eq!((share(0.0), share(1.0)), (0, 4_000));
        assert!((800..1_200).contains(&share(0.25)), "{}", share(0.25));
        assert!(
            traces.iter().all(|trace| !is_sampled(*trace, 0.25) || is_sampled(*trace, 0.5)),
            "a greater ratio only adds"
        );
    }

    #[tokio::test]
    async fn work_is_in_the_trace_it_is_run_in_and_so_are_the_tasks_it_starts() {
        let given = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(current_id(), None);
        let (here, there) = begin(Some(given), SpanKind::Server, || "".into())
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
