//! Logs, and the trace context that every message carries.

use rand::Rng;
use tracing_subscriber::EnvFilter;

use crate::config::TelemetryConfig;

/// Starts logging to stderr. A second call does nothing.
pub fn init(config: &TelemetryConfig) {
    let filter = EnvFilter::try_new(&config.filter).unwrap_or_else(|_| EnvFilter::new("warn,plaza=info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false);
    let started = if config.json { builder.json().try_init() } else { builder.try_init() };
    if let Err(error) = started {
        tracing::debug!(%error, "logging was started before");
    }
}

/// The client's W3C trace context if it sent a valid one, else a new one.
pub fn traceparent(given: Option<&str>) -> String {
    if let Some(given) = given.filter(|given| is_traceparent(given)) {
        return given.to_owned();
    }
    let mut random = rand::rng();
    format!("00-{:032x}-{:016x}-01", random.random_range(1..=u128::MAX), random.random_range(1..=u64::MAX))
}

fn is_traceparent(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let hex = |part: &str, length| part.len() == length && part.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f'));
    match parts.as_slice() {
        ["00", trace, span, flags] => {
            hex(trace, 32) && hex(span, 16) && hex(flags, 2) && trace.contains(|c| c != '0') && span.contains(|c| c != '0')
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_valid_context_is_kept_and_any_other_replaced() {
        let valid = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(traceparent(Some(valid)), valid);
        for bad in ["", "00-0-0-01", "00-00000000000000000000000000000000-00f067aa0ba902b7-01", "x\r\ny"] {
            assert!(is_traceparent(&traceparent(Some(bad))));
            assert_ne!(traceparent(Some(bad)), bad);
        }
    }
}
