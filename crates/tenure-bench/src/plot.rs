//! What does cost against the length of history look like?

use plotters::prelude::{
    BLACK, ChartBuilder, Circle, Color, IntoDrawingArea, IntoLogRange, LineSeries, RGBColor,
    SVGBackend, SeriesLabelPosition, TRANSPARENT, WHITE,
};

use crate::measure::BenchError;
use crate::report::Curve;

/// Colours that people tell apart who see few of them
///
/// # Source
/// Okabe and Ito, "Color Universal Design" (2008).
const COLOURS: [RGBColor; 5] = [
    RGBColor(0, 114, 178),
    RGBColor(230, 159, 0),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
];
const SIZE: (u32, u32) = (900, 560);

/// A number with commas between its thousands
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The plot of a curve as SVG: both axes are logarithmic, a dot is the median, a thin line the 99th
/// percentile
///
/// # Errors
/// A curve without points.
pub fn svg(curve: &Curve) -> Result<String, BenchError> {
    let mut text = String::new();
    draw(curve, &mut text).map_err(BenchError::Plot)?;
    Ok(text)
}

fn draw(curve: &Curve, text: &mut String) -> Result<(), String> {
    let lengths = || curve.points.iter().map(|point| point.changes);
    let (Some(first), Some(last)) = (lengths().min(), lengths().max()) else {
        return Err("there is nothing to draw".to_owned());
    };
    let micros = || {
        let classes = curve.points.iter().flat_map(|point| &point.classes);
        classes.flat_map(|asked| [asked.took.p50_us, asked.took.p99_us]).flatten()
    };
    let lowest = micros().fold(f64::INFINITY, f64::min).max(0.01);
    let highest = micros().fold(0.0, f64::max).max(lowest * 10.0);
    let area = SVGBackend::with_string(text, SIZE).into_drawing_area();
    let failed = |error: &dyn std::error::Error| error.to_string();
    area.fill(&WHITE).map_err(|e| failed(&e))?;
    let mut chart = ChartBuilder::on(&area)
        .caption("What a question costs, by the length of history", ("sans-serif", 20))
        .margin(16)
        .x_label_area_size(44)
        .y_label_area_size(72)
        .build_cartesian_2d(
            (first..last.max(first + 1)).log_scale(),
            // Above all lines there is room for their names.
            (lowest / 2.0..highest * 30.0).log_scale(),
        )
        .map_err(|e| failed(&e))?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .x_desc(format!("changes in the history ({})", curve.described))
        .y_desc("microseconds, in process")
        .y_label_formatter(&|micros| format!("{micros}"))
        .x_label_formatter(&|changes| grouped(*changes))
        .draw()
        .map_err(|e| failed(&e))?;
    let classes = curve.points.first().map(|point| point.classes.as_slice()).unwrap_or_default();
    for (asked, colour) in classes.iter().zip(COLOURS.iter().cycle()) {
        let of = |which: fn(&crate::times::Spread) -> Option<f64>| -> Vec<(u64, f64)> {
            let points = curve.points.iter().filter_map(|point| {
                let same = point.classes.iter().find(|other| other.class == asked.class)?;
                Some((point.changes, which(&same.took)?))
            });
            points.collect()
        };
        let (median, slow) = (of(|took| took.p50_us), of(|took| took.p99_us));
        let colour = *colour;
        chart
            .draw_series(LineSeries::new(median.clone(), colour.stroke_width(2)))
            .map_err(|e| failed(&e))?
            .label(asked.described)
            .legend(move |(x, y)| Circle::new((x + 8, y), 4, colour.filled()));
        chart
            .draw_series(median.into_iter().map(|at| Circle::new(at, 4, colour.filled())))
            .map_err(|e| failed(&e))?;
        chart
            .draw_series(LineSeries::new(slow, colour.mix(0.35).stroke_width(1)))
            .map_err(|e| failed(&e))?;
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK.mix(0.3))
        .draw()
        .map_err(|e| failed(&e))?;
    area.present().map_err(|e| failed(&e))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Machine;
    use crate::report::{Asked, Point};
    use crate::times::Spread;

    fn curve(points: &[(u64, f64)]) -> Curve {
        let asked = |p50: f64| Asked {
            class: "who-now",
            described: "Who could <&>",
            rows: 1.0,
            took: Spread { p50_us: Some(p50), p99_us: Some(p50 * 2.0), ..Spread::default() },
            per_second: 1.0,
        };
        let points = points
            .iter()
            .map(|(changes, p50)| Point { changes: *changes, classes: vec![asked(*p50)] });
        Curve {
            version: "0",
            machine: Machine::here(),
            assumption: true,
            described: "made up".to_owned(),
            seed: 1,
            points: points.collect(),
            budgets: Vec::new(),
        }
    }

    #[test]
    fn a_plot_is_svg_with_its_labels_and_a_dot_for_each_length() {
        let svg = svg(&curve(&[(10_000, 5.0), (100_000, 6.0), (1_000_000, 5.5)])).unwrap();
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
        assert!(svg.contains("Who could &lt;&amp;&gt;") && svg.contains("1,000,000"), "{svg}");
        // Three dots, and one in the legend.
        assert_eq!(svg.matches("<circle").count(), 4);
    }

    #[test]
    fn a_single_length_is_drawn_and_none_is_an_error() {
        assert!(svg(&curve(&[(10_000, 5.0)])).is_ok());
        assert!(svg(&curve(&[])).is_err());
    }

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }
}
