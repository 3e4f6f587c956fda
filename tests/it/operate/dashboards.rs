//! Dashboards drawn as pictures, for the documents: as Grafana lays them out, from what Prometheus
//! has. Grafana itself cannot be had where plaza is developed.

use std::fmt::Write;

use serde_json::Value;

use super::alarms::infra;

/// A dashboard, as it is declared in infra/grafana/dashboards.
pub struct Dashboard {
    /// The file's name, without `.json`.
    pub name: String,
    pub title: String,
    pub panels: Vec<Panel>,
}

/// One of its panels.
pub struct Panel {
    pub title: String,
    unit: String,
    /// From the left, from the top, width, height, in Grafana's units: a dashboard is 24 wide.
    place: [f64; 4],
    pub queries: Vec<Query>,
}

/// What a panel asks Prometheus.
pub struct Query {
    pub text: String,
    /// How its lines are called: `{{label}}` stands for a label of theirs.
    legend: String,
}

/// A line of a panel.
pub struct Line {
    name: String,
    /// Unix seconds, and values.
    points: Vec<(f64, f64)>,
}

impl Query {
    /// A line of its answer, named by its labels.
    pub fn line(&self, labels: &Value, points: Vec<(f64, f64)>) -> Line {
        let mut name = self.legend.clone();
        for (label, value) in labels.as_object().into_iter().flatten() {
            name = name.replace(&format!("{{{{{label}}}}}"), value.as_str().unwrap_or_default());
        }
        Line { name, points }
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn panel(declared: &Value) -> Panel {
    let at = |side: &str| declared["gridPos"][side].as_f64().unwrap();
    let targets = declared["targets"].as_array().unwrap().iter();
    Panel {
        title: text(&declared["title"]),
        unit: text(&declared["fieldConfig"]["defaults"]["unit"]),
        place: [at("x"), at("y"), at("w"), at("h")],
        queries: targets
            .map(|target| Query {
                text: text(&target["expr"]).replace("$__rate_interval", "1m"),
                legend: text(&target["legendFormat"]),
            })
            .collect(),
    }
}

/// All of them, by name.
pub fn dashboards() -> Vec<Dashboard> {
    let mut all = Vec::new();
    for file in std::fs::read_dir(infra("grafana/dashboards")).unwrap().flatten() {
        let declared = std::fs::read_to_string(file.path()).unwrap();
        let declared: Value = serde_json::from_str(&declared).unwrap();
        let name = file.path().file_stem().unwrap().to_str().unwrap().to_owned();
        let panels = declared["panels"].as_array().unwrap().iter().map(panel).collect();
        all.push(Dashboard { name, title: text(&declared["title"]), panels });
    }
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}

/// Pixels of Grafana's units, across and down.
const ACROSS: f64 = 42.0;
const DOWN: f64 = 26.0;
const HEAD: f64 = 40.0;
const COLOURS: [&str; 6] = ["#1d4ed8", "#c2410c", "#0f766e", "#7c3aed", "#b91c1c", "#374151"];
/// Names that a panel has room for, and the width below which it is one alone.
const NAMED: usize = 3;
const NARROW: f64 = 240.0;

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// A value as a person would write it.
fn said(value: f64, unit: &str) -> String {
    match unit {
        "s" if value < 1.0 => format!("{:.1} ms", value * 1_000.0),
        "s" => format!("{value:.1} s"),
        "bytes" if value < 1_048_576.0 => format!("{:.0} KB", value / 1_024.0),
        "bytes" => format!("{:.0} MB", value / 1_048_576.0),
        "percentunit" => format!("{:.0} %", value * 100.0),
        "ops" | "reqps" => format!("{value:.1}/s"),
        _ if value.fract() == 0.0 => format!("{value:.0}"),
        _ => format!("{value:.2}"),
    }
}

/// An SVG of a dashboard, with the lines of each panel.
pub fn dashboard_picture(title: &str, panels: &[(Panel, Vec<Line>)]) -> String {
    let bottom = panels.iter().map(|(panel, _)| panel.place[1] + panel.place[3]);
    let height = HEAD + bottom.fold(0.0, f64::max) * DOWN;
    let width = 24.0 * ACROSS;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"system-ui, sans-serif\" font-size=\"11\">\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"#f4f4f5\"/>\n\
         <text x=\"8\" y=\"25\" font-size=\"15\" font-weight=\"600\">{}</text>\n",
        escaped(title)
    );
    for (panel, lines) in panels {
        draw(&mut svg, panel, lines);
    }
    svg + "</svg>\n"
}

fn draw(svg: &mut String, Panel { title, unit, place, .. }: &Panel, lines: &[Line]) {
    let [x, y, width, height] = [
        place[0] * ACROSS + 3.0,
        HEAD + place[1] * DOWN,
        place[2] * ACROSS - 6.0,
        place[3] * DOWN - 6.0,
    ];
    let values = || lines.iter().flat_map(|line| &line.points);
    let most = values().map(|(_, value)| *value).fold(0.0, f64::max);
    let is_narrow = width < NARROW;
    let most_said = if is_narrow { String::new() } else { format!("at most {}", said(most, unit)) };
    let _ = writeln!(
        svg,
        "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"4\" fill=\"#fff\" stroke=\"#d4d4d8\"/>\n\
         <text x=\"{}\" y=\"{}\" font-weight=\"600\">{}</text>\n\
         <text x=\"{}\" y=\"{}\" fill=\"#71717a\" text-anchor=\"end\">{most_said}</text>",
        x + 8.0,
        y + 16.0,
        escaped(title),
        x + width - 8.0,
        y + height - 6.0,
    );
    let (first, last) = values()
        .fold((f64::MAX, f64::MIN), |(first, last), (at, _)| (first.min(*at), last.max(*at)));
    let (room, foot) = (height - 46.0, y + height - 22.0);
    for (line, colour) in lines.iter().zip(COLOURS.into_iter().cycle()) {
        let mut points = String::new();
        for (at, value) in &line.points {
            let across = (at - first) / (last - first).max(1.0) * (width - 16.0);
            let up = value / most.max(f64::MIN_POSITIVE) * room;
            let _ = write!(points, "{:.1},{:.1} ", x + 8.0 + across, foot - up);
        }
        let _ = writeln!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\"/>",
            points.trim_end()
        );
    }
    let named = if is_narrow { 1 } else { NAMED };
    name(svg, [x + 8.0, y + height - 6.0], unit, lines, named);
}

/// The first lines by name, with what they are at now; how many there are beside them.
fn name(svg: &mut String, [x, y]: [f64; 2], unit: &str, lines: &[Line], most: usize) {
    let _ = write!(svg, "<text x=\"{x}\" y=\"{y}\" font-size=\"10\">");
    for (line, colour) in lines.iter().zip(COLOURS).take(most) {
        let now = line.points.last().map_or_else(String::new, |(_, value)| said(*value, unit));
        let name = escaped(&line.name);
        let _ = write!(svg, "<tspan fill=\"{colour}\">{name} {now}</tspan>  ");
    }
    let more = lines.len().saturating_sub(most);
    let more = if more > 0 { format!("+ {more}") } else { String::new() };
    let _ = writeln!(svg, "{more}</text>");
}

#[test]
fn a_picture_of_a_dashboard_has_every_panel_and_every_line() {
    let all = dashboards();
    assert!(all.len() >= 6);
    for Dashboard { title, panels, .. } in all {
        let labels = serde_json::json!({ "instance": "one & two" });
        let filled: Vec<(Panel, Vec<Line>)> = panels
            .into_iter()
            .map(|panel| {
                let points = vec![(10.0, 1.0), (11.0, 0.0), (12.0, 2.5)];
                let lines = panel.queries.iter().map(|query| query.line(&labels, points.clone()));
                let lines = lines.collect();
                (panel, lines)
            })
            .collect();
        let picture = dashboard_picture(&title, &filled);
        for (panel, _) in &filled {
            assert!(picture.contains(&escaped(&panel.title)), "{title} / {}", panel.title);
        }
        let lines: usize = filled.iter().map(|(_, lines)| lines.len()).sum();
        assert_eq!(picture.matches("<polyline").count(), lines);
        assert!(!picture.contains("{{instance}}") && !picture.contains("NaN"), "{picture}");
        assert!(!picture.contains("& "), "what XML reserves is escaped");
    }
}
