//! The ratios of CPU time as SVG without anything to load: a bar for each comparison, on a
//! logarithmic scale, from the least to the most of its pairs.

use std::fmt::Write as _;

use crate::ratio::Ratio;
use crate::series::{Comparison, Round, ratio};

const WIDTH: f64 = 720.0;
const LEFT: f64 = 190.0;
const TOP: f64 = 64.0;
const ROW: f64 = 34.0;
/// What the scale names.
const MARKS: [f64; 9] = [0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 10.0, 30.0, 100.0];
const TITLE: &str = "CPU time a page, plaza's divided by the peer's";
const SERVER: &str = "#2563eb";
const ALL: &str = "#9aa5b1";

/// Where a ratio stands.
fn x(value: f64) -> f64 {
    let [low, high] = [0.1_f64.ln(), 200.0_f64.ln()];
    LEFT + (WIDTH - LEFT - 20.0) * ((value.ln() - low) / (high - low)).clamp(0.0, 1.0)
}

fn bar(svg: &mut String, y: f64, of: Ratio, colour: &str) -> std::fmt::Result {
    let (least, median, most) = (x(of.least), x(of.median), x(of.most));
    let width = (most - least).max(1.0);
    writeln!(
        svg,
        "<rect x=\"{least:.1}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"4\" fill=\"{colour}\" \
         opacity=\"0.5\"/><circle cx=\"{median:.1}\" cy=\"{:.1}\" r=\"4\" fill=\"{colour}\"/>\
         <text x=\"{:.1}\" y=\"{:.1}\" font-size=\"10\">{:.2}</text>",
        y - 2.0,
        y,
        most + 6.0,
        y + 4.0,
        of.median
    )
}

/// The drawing of all comparisons.
///
/// # Errors
/// None: a text takes everything.
pub fn svg(comparisons: &[Comparison]) -> Result<String, std::fmt::Error> {
    let rows = f64::from(u32::try_from(comparisons.len()).unwrap_or_default());
    let height = TOP + ROW * rows + 30.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"sans-serif\" font-size=\"12\" role=\"img\">\n<title>{TITLE}</title>\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#fff\"/>\n\
         <text x=\"20\" y=\"20\" font-size=\"14\">{TITLE}</text>\n\
         <circle cx=\"25\" cy=\"37\" r=\"4\" fill=\"{SERVER}\"/><text x=\"35\" y=\"41\">server\
         </text>\n<circle cx=\"95\" cy=\"37\" r=\"4\" fill=\"{ALL}\"/><text x=\"105\" y=\"41\">\
         server, PostgreSQL and Redis</text>\n"
    );
    for mark in MARKS {
        let (at, stroke) = (x(mark), if mark == 1.0 { "#111" } else { "#e5e7eb" });
        writeln!(
            svg,
            "<line x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{TOP}\" y2=\"{:.1}\" stroke=\"{stroke}\"/>\
             <text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{mark}</text>",
            height - 26.0,
            height - 12.0
        )?;
    }
    let mut y = TOP + ROW / 2.0;
    for Comparison { plaza, peer, at_once, .. } in comparisons {
        writeln!(svg, "<text x=\"20\" y=\"{:.1}\">{plaza} against {peer}</text>", y + 4.0)?;
        bar(&mut svg, y - 6.0, ratio(at_once, |round| round.server_us), SERVER)?;
        bar(&mut svg, y + 6.0, ratio(at_once, Round::all_us), ALL)?;
        y += ROW;
    }
    Ok(svg + "</svg>\n")
}
