//! Bars of each pair of rounds, as SVG without anything to load.
//!
//! Written by hand: without a system font library `plotters` only guesses how wide a text is, it
//! rounds every coordinate to a pixel, and it writes no `<title>`, which is what a screen reader
//! has of a picture.

use super::outcome::Pair;
use crate::report::float;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 60.0;
const TOP: f64 = 48.0;
const BOTTOM: f64 = 40.0;

/// A bar for each side of each pair, on a scale from nought.
pub fn pairs(title: &str, pairs: &[Pair]) -> String {
    let highest =
        pairs.iter().flat_map(|pair| [pair.before, pair.after]).fold(f64::MIN_POSITIVE, f64::max);
    let (plot_width, plot_height) = (WIDTH - LEFT - 20.0, HEIGHT - TOP - BOTTOM);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"12\" role=\"img\">\n\
         <title>{title}</title>\n<rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#fff\"/>\n\
         <text x=\"{LEFT}\" y=\"20\" font-size=\"14\">{title}</text>\n\
         <rect x=\"{LEFT}\" y=\"28\" width=\"10\" height=\"10\" fill=\"#9aa5b1\"/><text x=\"{}\" y=\"37\">before</text>\n\
         <rect x=\"{}\" y=\"28\" width=\"10\" height=\"10\" fill=\"#2563eb\"/><text x=\"{}\" y=\"37\">after</text>\n",
        LEFT + 15.0,
        LEFT + 75.0,
        LEFT + 90.0
    );
    for step in 0..=4_u8 {
        let share = f64::from(step) / 4.0;
        let y = TOP + plot_height * (1.0 - share);
        svg += &format!(
            "<line x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\" stroke=\"#e5e7eb\"/><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{:.1}</text>\n",
            LEFT + plot_width,
            LEFT - 6.0,
            y + 4.0,
            highest * share
        );
    }
    let slot = plot_width / float(pairs.len().max(1));
    for (index, pair) in pairs.iter().enumerate() {
        let x = LEFT + slot * float(index);
        for (value, at, colour) in [(pair.before, 0.15, "#9aa5b1"), (pair.after, 0.5, "#2563eb")] {
            let height = plot_height * value / highest;
            svg += &format!(
                "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{height:.1}\" fill=\"{colour}\"/>\n",
                x + slot * at,
                TOP + plot_height - height,
                slot * 0.33
            );
        }
        svg += &format!(
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>\n",
            x + slot / 2.0,
            HEIGHT - 22.0,
            index + 1
        );
    }
    svg + "</svg>\n"
}
