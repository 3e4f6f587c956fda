//! Logs: text, or one JSON object a line. Each line of either that was written for a request, a job
//! or an event has the trace's id.

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::filter::{FilterExt, filter_fn};
use tracing_subscriber::fmt::format::{Format, Writer};
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use super::trace;
use plaza_config::TelemetryConfig;

/// Starts logging to stderr, and tracing. A second call does nothing.
///
/// # Errors
/// An endpoint for traces that cannot be used.
pub fn init(config: &TelemetryConfig, role: &str) -> anyhow::Result<()> {
    // Spans are no part of a line: it has the trace's id.
    let filter = filter(&config.filter).and(filter_fn(|metadata| metadata.is_event()));
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(false);
    let registry = tracing_subscriber::registry().with(trace::layer(config, role)?);
    let started = if config.json {
        registry.with(layer.event_format(JsonLines).with_filter(filter)).try_init()
    } else {
        registry.with(layer.event_format(TextLines::default()).with_filter(filter)).try_init()
    };
    if let Err(error) = started {
        tracing::debug!(%error, "logging was started before");
    }
    Ok(())
}

/// What is logged. RabbitMQ's client calls it an error when a channel is closed, also where plaza
/// asks for a queue that is not there yet; whoever asked is told, and says what it means. Who names
/// that client gets its lines.
fn filter(configured: &str) -> EnvFilter {
    const CLIENT: &str = "lapin";
    let text = if configured.contains(CLIENT) {
        configured.to_owned()
    } else {
        format!("{configured},{CLIENT}::channel=off")
    };
    EnvFilter::try_new(text).unwrap_or_else(|_| EnvFilter::new("warn,plaza=info"))
}

/// The usual text, and the trace's id at its beginning.
#[derive(Debug, Default)]
struct TextLines(Format);

impl<S, N> FormatEvent<S, N> for TextLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> std::fmt::Result {
        if let Some(id) = trace::current_id() {
            write!(writer, "[{id}] ")?;
        }
        self.0.format_event(context, writer, event)
    }
}

/// One JSON object a line: `timestamp`, `level`, `target`, `message`, `trace_id` where there is
/// one, and the event's own fields.
#[derive(Debug)]
struct JsonLines;

impl<S, N> FormatEvent<S, N> for JsonLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> std::fmt::Result {
        let mut fields = Fields(Map::new());
        event.record(&mut fields);
        let mut timestamp = String::new();
        SystemTime.format_time(&mut Writer::new(&mut timestamp))?;
        let metadata = event.metadata();
        // What an event names is not to hide what every line has.
        for (name, value) in [
            ("timestamp", timestamp),
            ("level", metadata.level().to_string()),
            ("target", metadata.target().to_owned()),
        ] {
            fields.0.insert(name.to_owned(), value.into());
        }
        if let Some(id) = trace::current_id() {
            fields.0.insert("trace_id".to_owned(), id.into());
        }
        writeln!(writer, "{}", Value::Object(fields.0))
    }
}

/// An event's fields, gathered.
struct Fields(Map<String, Value>);

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.0.insert(field.name().to_owned(), value.into());
    }
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.insert(field.name().to_owned(), value.into());
    }
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name().to_owned(), value.into());
    }
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.insert(field.name().to_owned(), value.into());
    }
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.into());
    }
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}").into());
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    pub(crate) struct Lines(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// Subscribes this process, as `init` does it, but for where lines go: a scope's subscriber
    /// could not be asked for the current span while it writes a line.
    pub(crate) fn subscribed() -> &'static Lines {
        static LINES: std::sync::OnceLock<Lines> = std::sync::OnceLock::new();
        LINES.get_or_init(|| {
            let lines = Lines::default();
            let writer = lines.clone();
            let layer = tracing_subscriber::fmt::layer()
                .with_writer(move || writer.clone())
                .event_format(JsonLines);
            let traces = trace::layer(&TelemetryConfig::default(), "test").unwrap();
            tracing_subscriber::registry().with(traces).with(layer).init();
            lines
        })
    }

    #[test]
    fn a_closed_channel_is_no_line_unless_it_is_asked_for() {
        let usual = filter("warn,plaza=info").to_string();
        assert!(usual.contains("lapin::channel=off") && usual.contains("plaza=info"), "{usual}");
        let asked = filter("warn,lapin=debug").to_string();
        assert!(asked.contains("lapin=debug") && !asked.contains("off"), "{asked}");
        let none = filter("plaza=loud").to_string();
        assert!(none.contains("plaza=info"), "what is no filter stands for the usual one: {none}");
    }

    #[tokio::test]
    async fn a_line_is_one_object_and_has_the_trace_of_its_request() {
        let lines = subscribed();
        let given = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        tracing::info!("outside");
        let span = trace::begin(Some(given), None, trace::Kind::Server, || "a request".into());
        span.run(async {
            tracing::warn!(shard = 3, level = "mine", error = %"two\nlines", "inside")
        })
        .await;
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        let ours = |line: &Value| line["message"] == "outside" || line["message"] == "inside";
        let parsed: Vec<Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).filter(ours).collect();
        assert_eq!(parsed.len(), 2);
        assert!(parsed[0].get("trace_id").is_none());
        assert_eq!(
            (&parsed[1]["trace_id"], &parsed[1]["shard"]),
            (&"4bf92f3577b34da6a3ce929d0e0e4736".into(), &3.into())
        );
        assert_eq!(
            (&parsed[1]["level"], &parsed[1]["message"], &parsed[1]["error"]),
            (&"WARN".into(), &"inside".into(), &"two\nlines".into())
        );
    }
}
