//! What does the cost look like against the length of history?
//!
//! A plot as SVG with two logarithmic axes. A dot is a median, the thin line above it the 99th percentile.

use std::fmt::Write as _;

use crate::report::grouped;

/// Colours that colour-blind people can tell apart
///
/// # Source
/// Okabe and Ito, "Color Universal Design" (2008).
const COLOURS: [&str; 5] = ["#0072b2", "#e69f00", "#d55e00", "#009e73", "#cc79a7"];
/// The corners of the plot's inside, in pixels: left, top, right, bottom
const INSIDE: (f64, f64, f64, f64) = (80.0, 130.0, 880.0, 500.0);

/// One kind of question: at each length, the median and the 99th percentile in microseconds
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) name: &'static str,
    pub(crate) points: Vec<(u64, f64, f64)>,
}

/// The powers of ten around some numbers
fn powers(numbers: impl Iterator<Item = f64> + Clone) -> (i32, i32) {
    let least = numbers.clone().fold(f64::INFINITY, f64::min).max(0.001);
    let most = numbers.fold(0.0, f64::max).max(least);
    #[expect(clippy::cast_possible_truncation, reason = "an exponent is small")]
    let (low, high) = (least.log10().floor() as i32, most.log10().ceil() as i32);
    (low, high.max(low + 1))
}

/// Where a number lies on an axis
fn place(number: f64, (low, high): (i32, i32), from: f64, until: f64) -> f64 {
    let share = (number.max(1e-9).log10() - f64::from(low)) / f64::from(high - low);
    from + share * (until - from)
}

/// Draws the lines
pub(crate) fn svg(lines: &[Line], described: &str) -> String {
    let (left, top, right, bottom) = INSIDE;
    let points = || lines.iter().flat_map(|line| &line.points);
    let across = powers(points().map(|point| point.0 as f64));
    let up = powers(points().flat_map(|point| [point.1, point.2]));
    let x = |changes: f64| place(changes, across, left, right);
    let y = |micros: f64| place(micros, up, bottom, top);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 900 560\" \
         font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"900\" height=\"560\" \
         fill=\"white\"/>\n<text x=\"80\" y=\"24\" font-size=\"18\">What a question costs, by the \
         length of history</text>\n<text x=\"80\" y=\"550\">changes in the history ({described})\
         </text>\n<text x=\"10\" y=\"120\">µs, in process</text>\n"
    );
    let mut put = |text: String| {
        // Writing to a string cannot fail.
        let _written = writeln!(svg, "{text}");
    };
    for power in across.0..=across.1 {
        let (at, changes) = (x(10_f64.powi(power)), 10_u64.pow(power.unsigned_abs()));
        let (middle, label) = ("text-anchor=\"middle\"", grouped(changes));
        put(format!("<path d=\"M{at:.1} {top}V{bottom}\" stroke=\"#ddd\"/>"));
        put(format!("<text x=\"{at:.1}\" y=\"520\" {middle}>{label}</text>"));
    }
    for power in up.0..=up.1 {
        let (micros, at) = (10_f64.powi(power), y(10_f64.powi(power)));
        put(format!("<path d=\"M{left} {at:.1}H{right}\" stroke=\"#ddd\"/>"));
        put(format!("<text x=\"72\" y=\"{:.1}\" text-anchor=\"end\">{micros}</text>", at + 4.0));
    }
    for (n, (line, colour)) in lines.iter().zip(COLOURS.iter().cycle()).enumerate() {
        let path = |which: fn(&(u64, f64, f64)) -> f64| {
            let at = |p: &(u64, f64, f64)| format!("{:.1} {:.1}", x(p.0 as f64), y(which(p)));
            format!("M{}", line.points.iter().map(at).collect::<Vec<_>>().join("L"))
        };
        let (median, slow) = (path(|point| point.1), path(|point| point.2));
        let stroke = format!("fill=\"none\" stroke=\"{colour}\"");
        put(format!("<path d=\"{median}\" {stroke} stroke-width=\"2\"/>"));
        put(format!("<path d=\"{slow}\" {stroke} stroke-opacity=\"0.4\"/>"));
        let dot = |x: f64, y: f64| {
            format!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\" fill=\"{colour}\"/>")
        };
        line.points.iter().for_each(|point| put(dot(x(point.0 as f64), y(point.1))));
        let legend = 44.0 + 16.0 * n as f64;
        put(dot(84.0, legend - 4.0));
        put(format!("<text x=\"96\" y=\"{legend}\">{}</text>", line.name));
    }
    svg.push_str("</svg>\n");
    svg
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plot_has_its_labels_and_a_dot_for_each_length() {
        let points = vec![(10_000, 5.0, 9.0), (100_000, 6.0, 10.0), (1_000_000, 5.5, 8.0)];
        let svg = svg(&[Line { name: "who-now", points }], "made up");
        assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"));
        assert!(svg.contains("who-now") && svg.contains(">1,000,000<"), "{svg}");
        // Three dots, and one in the legend.
        assert_eq!(svg.matches("<circle").count(), 4);
        // Nothing lies outside.
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }
}
