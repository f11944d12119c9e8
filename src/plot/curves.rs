//! Training as curves.

use std::path::Path;

use embedded_graphics::pixelcolor::Rgb888;

use super::PlotError;
use super::axis::{Axis, Panel, Spread};
use super::canvas::{Anchor, Area, Canvas};

const WIDTH: usize = 900;
const HEIGHT: usize = 480;
/// Told apart by those who see fewer colours, too (Okabe and Ito).
const COLOURS: [Rgb888; 6] = [
    Rgb888::new(0, 114, 178),
    Rgb888::new(213, 94, 0),
    Rgb888::new(0, 158, 115),
    Rgb888::new(204, 121, 167),
    Rgb888::new(86, 180, 233),
    Rgb888::new(230, 159, 0),
];

/// A named line.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// For the legend.
    pub name: String,
    /// In the order in which they are joined. Points that are not finite are left out.
    pub points: Vec<(f64, f64)>,
}

/// What the picture says besides its curves.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CurvePlot {
    /// Above the picture.
    pub title: String,
    /// Below it, with the unit.
    pub x_label: String,
    /// At its left, with the unit.
    pub y_label: String,
    /// Whether the vertical axis is logarithmic; values of 0 and below are left out then.
    pub is_log: bool,
}

/// Draws curves over common axes into a PNG file.
///
/// # Errors
/// No curve has a drawable point, or the file cannot be written.
pub fn loss_curve(plot: &CurvePlot, curves: &[Curve], path: &Path) -> Result<(), PlotError> {
    draw(plot, curves)?.save(path)
}

fn draw(plot: &CurvePlot, curves: &[Curve]) -> Result<Canvas, PlotError> {
    let drawable = |p: &&(f64, f64)| p.0.is_finite() && p.1.is_finite() && (!plot.is_log || p.1 > 0.0);
    let lines: Vec<Vec<(f64, f64)>> =
        curves.iter().map(|curve| curve.points.iter().filter(drawable).copied().collect()).collect();
    let all = || lines.iter().flatten();
    if all().next().is_none() {
        return Err(PlotError::Empty { expected: "a curve with finite points" });
    }
    let (x_low, x_high) = range(all().map(|p| p.0));
    let (y_low, y_high) = range(all().map(|p| p.1));
    let spread = if plot.is_log { Spread::Log } else { Spread::Linear };
    let (y_low, y_high) = match spread {
        Spread::Log => (y_low / 1.1, y_high * 1.1),
        Spread::Linear => {
            let margin = (0.05 * (y_high - y_low)).max(1e-9 * y_high.abs()).max(1e-12);
            (y_low - margin, y_high + margin)
        }
    };
    let mut canvas = Canvas::new(WIDTH, HEIGHT);
    let panel = Panel {
        area: Area { left: 70.0, top: 62.0, right: WIDTH as f32 - 20.0, bottom: HEIGHT as f32 - 44.0 },
        x: Axis::linear(x_low, x_high, &plot.x_label),
        y: Axis { low: y_low, high: y_high, spread, label: plot.y_label.clone() },
    };
    panel.draw(&mut canvas, true);
    for (line, colour) in lines.iter().zip(COLOURS.into_iter().cycle()) {
        let points: Vec<_> = line.iter().map(|&(x, y)| panel.at(x, y)).collect();
        canvas.polyline(&points, panel.area, (colour, 1.5));
        if let [(x, y)] = points[..] {
            let dot = Area { left: x - 2.0, top: y - 2.0, right: x + 2.0, bottom: y + 2.0 };
            canvas.fill(dot, colour);
        }
    }
    panel.frame(&mut canvas);
    canvas.title(&plot.title, (WIDTH as f32 / 2.0, 16.0), Anchor::Centre);
    legend(&mut canvas, curves);
    Ok(canvas)
}

/// Names of the curves, right-aligned in one row under the title.
fn legend(canvas: &mut Canvas, curves: &[Curve]) {
    let mut right = WIDTH as f32 - 20.0;
    let coloured: Vec<_> = curves.iter().zip(COLOURS.into_iter().cycle()).collect();
    for (curve, colour) in coloured.into_iter().rev() {
        canvas.label(&curve.name, (right, 40.0), Anchor::Right);
        right -= Canvas::label_width(&curve.name) + 6.0;
        canvas.line((right - 18.0, 40.0), (right, 40.0), (colour, 2.5));
        right -= 34.0;
    }
}

fn range(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn falling(name: &str, floor: f64) -> Curve {
        let points = (0..200).map(|i| (f64::from(i) * 50.0, floor + 3.0 * (-f64::from(i) / 30.0).exp()));
        Curve { name: name.into(), points: points.collect() }
    }

    #[test]
    fn a_curve_lies_where_its_values_say() {
        let curve = Curve { name: "rise".into(), points: vec![(0.0, 0.0), (1.0, 1.0)] };
        let canvas = draw(&CurvePlot::default(), &[curve]).unwrap();
        // The diagonal of the panel: its middle is coloured, a point above it is not.
        let (x, y) = ((70 + WIDTH - 20) / 2, (62 + HEIGHT - 44) / 2);
        assert_ne!(canvas.pixel(x, y), (255, 255, 255));
        assert_eq!(canvas.pixel(x - 37, y - 41), (255, 255, 255));
    }

    #[test]
    fn what_cannot_be_drawn_is_left_out() {
        let mut curve = falling("loss", 0.0);
        curve.points.push((3.0, f64::NAN));
        curve.points.push((f64::INFINITY, 1.0));
        curve.points.push((4.0, -1.0));
        draw(&CurvePlot { is_log: true, ..CurvePlot::default() }, &[curve]).unwrap();
        let single = Curve { name: "one".into(), points: vec![(5.0, 5.0)] };
        draw(&CurvePlot::default(), &[single]).unwrap();
    }

    #[test]
    fn nothing_to_draw_is_an_error_and_leaves_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        let negative = Curve { name: "below".into(), points: vec![(0.0, -1.0)] };
        let plot = CurvePlot { is_log: true, ..CurvePlot::default() };
        assert!(matches!(loss_curve(&plot, &[negative], &path), Err(PlotError::Empty { .. })));
        assert!(!path.exists());
    }
}
