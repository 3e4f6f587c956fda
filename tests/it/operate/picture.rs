//! A trace drawn as bars, for the documentation.

use std::fmt::Write;

/// One span.
pub struct Bar {
    pub name: String,
    pub kind: &'static str,
    pub begin_ns: u64,
    pub end_ns: u64,
}

const ROW: u64 = 22;
const LEFT: f64 = 290.0;
const WIDTH: f64 = 640.0;

fn colour(kind: &str) -> &'static str {
    match kind {
        "http" => "#1d4ed8",
        "graphql" => "#6366f1",
        "sql" => "#0f766e",
        "redis" => "#b91c1c",
        "rabbitmq" => "#c2410c",
        "worker" => "#ea580c",
        "kafka" => "#374151",
        _ => "#7c3aed",
    }
}

fn ms(nanoseconds: u64) -> f64 {
    std::time::Duration::from_nanos(nanoseconds).as_secs_f64() * 1_000.0
}

/// An SVG: a row a span, in the order they began.
pub fn trace_picture(bars: &[Bar]) -> String {
    let begin = bars.iter().map(|bar| bar.begin_ns).min().unwrap_or_default();
    let end = bars.iter().map(|bar| bar.end_ns).max().unwrap_or_default();
    let all_ms = ms(end - begin).max(0.001);
    let height = ROW * (u64::try_from(bars.len()).unwrap() + 2) + 12;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 1020 {height}\" font-family=\"system-ui, sans-serif\" font-size=\"12\">\n\
         <rect width=\"1020\" height=\"{height}\" fill=\"#ffffff\"/>\n\
         <text x=\"12\" y=\"20\" font-weight=\"600\">postCreate, from the request to the last projection: {all_ms:.1} ms</text>\n"
    );
    for (row, bar) in (1_u64..).zip(bars) {
        let (y, took) = (row * ROW + 12, ms(bar.end_ns - bar.begin_ns));
        let x = LEFT + ms(bar.begin_ns - begin) / all_ms * WIDTH;
        let width = (took / all_ms * WIDTH).max(2.0);
        let _ = writeln!(
            svg,
            "<text x=\"12\" y=\"{}\" fill=\"{}\">{}</text>",
            y + 14,
            colour(bar.kind),
            bar.kind
        );
        let _ = writeln!(svg, "<text x=\"86\" y=\"{}\">{}</text>", y + 14, bar.name);
        let _ = writeln!(
            svg,
            "<rect x=\"{x:.1}\" y=\"{}\" width=\"{width:.1}\" height=\"14\" rx=\"2\" fill=\"{}\"/>\
             <text x=\"{:.1}\" y=\"{}\" fill=\"#6b7280\" font-size=\"10\">{took:.1}</text>",
            y + 3,
            colour(bar.kind),
            x + width + 4.0,
            y + 14
        );
    }
    svg + "</svg>\n"
}
