//! Axes: from values to pixels, with ticks at round numbers.

use super::canvas::{Anchor, Area, Canvas, GRID, INK};

/// How values are spread over an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spread {
    Linear,
    /// Logarithmic; all values are positive.
    Log,
}

/// One direction of a panel.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Axis {
    pub low: f64,
    pub high: f64,
    pub spread: Spread,
    /// With its unit.
    pub label: String,
}

impl Axis {
    pub fn linear(low: f64, high: f64, label: &str) -> Self {
        Self { low, high, spread: Spread::Linear, label: label.into() }
    }

    /// Where a value lies: 0 at the low end, 1 at the high end.
    pub fn place(&self, value: f64) -> f64 {
        let map = |v: f64| if self.spread == Spread::Log { v.max(f64::MIN_POSITIVE).ln() } else { v };
        let (low, high) = (map(self.low), map(self.high));
        if high > low { (map(value) - low) / (high - low) } else { 0.5 }
    }

    /// Round values within the range, about `count` of them.
    pub fn ticks(&self, count: usize) -> Vec<f64> {
        match self.spread {
            Spread::Linear => {
                let step = round_step((self.high - self.low) / count.max(1) as f64);
                let first = (self.low / step - 1e-6).ceil() as i64;
                let last = (self.high / step + 1e-6).floor() as i64;
                (first..=last).map(|i| i as f64 * step).collect()
            }
            Spread::Log => {
                let decades = (self.high / self.low).log10();
                // Few decades leave room for the steps between.
                let steps: &[f64] = match decades {
                    d if d < 1.0 => &[1.0, 2.0, 3.0, 5.0, 7.0],
                    d if d < 3.0 => &[1.0, 2.0, 5.0],
                    _ => &[1.0],
                };
                let (first, last) = (self.low.log10().floor() as i32, self.high.log10().ceil() as i32);
                let all = (first..=last).flat_map(|p| steps.iter().map(move |s| s * 10f64.powi(p)));
                all.filter(|t| (self.low * 0.999..=self.high * 1.001).contains(t)).collect()
            }
        }
    }
}

/// 1, 2 or 5 times a power of ten, near `step`.
fn round_step(step: f64) -> f64 {
    if !(step.is_finite() && step > 0.0) {
        return 1.0;
    }
    let power = 10f64.powf(step.log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|s| s * power).find(|s| *s >= step * 0.7).unwrap_or(step)
}

/// A number as short as it can be.
pub(super) fn format_tick(value: f64) -> String {
    let magnitude = value.abs();
    if magnitude >= 10_000.0 && value % 1000.0 == 0.0 {
        return format!("{}k", value / 1000.0);
    }
    if magnitude != 0.0 && magnitude < 1e-3 {
        return format!("{value:.0e}");
    }
    let text = format!("{value:.4}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".into() } else { text.into() }
}

/// A rectangle with two axes.
pub(super) struct Panel {
    pub area: Area,
    pub x: Axis,
    pub y: Axis,
}

impl Panel {
    /// The pixel of a value pair.
    pub fn at(&self, x: f64, y: f64) -> (f32, f32) {
        let across = self.area.left + self.area.width() * self.x.place(x) as f32;
        (across, self.area.bottom - self.area.height() * self.y.place(y) as f32)
    }

    /// Grid lines, tick labels and axis labels; the x axis's only if `with_x`.
    pub fn draw(&self, canvas: &mut Canvas, with_x: bool) {
        let Area { left, top, right, bottom } = self.area;
        for tick in self.x.ticks((self.area.width() / 90.0) as usize) {
            let (x, _) = self.at(tick, self.y.low);
            canvas.line((x, top), (x, bottom), (GRID, 1.0));
            if with_x {
                canvas.label(&format_tick(tick), (x, bottom + 9.0), Anchor::Centre);
            }
        }
        for tick in self.y.ticks((self.area.height() / 35.0) as usize) {
            let (_, y) = self.at(self.x.low, tick);
            canvas.line((left, y), (right, y), (GRID, 1.0));
            canvas.label(&format_tick(tick), (left - 5.0, y), Anchor::Right);
        }
        if with_x {
            canvas.label(&self.x.label, ((left + right) / 2.0, bottom + 23.0), Anchor::Centre);
        }
        canvas.label(&self.y.label, (left, top - 8.0), Anchor::Left);
    }

    /// The border, drawn last.
    pub fn frame(&self, canvas: &mut Canvas) {
        let Area { left, top, right, bottom } = self.area;
        let corners = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)];
        corners.windows(2).for_each(|pair| canvas.line(pair[0], pair[1], (INK, 1.0)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        assert_eq!(Axis::linear(0.0, 10.0, "").ticks(5), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]);
        assert_eq!(Axis::linear(-0.7, 0.7, "").ticks(3), [-0.5, 0.0, 0.5]);
        let log = Axis { spread: Spread::Log, ..Axis::linear(0.9, 120.0, "") };
        assert_eq!(log.ticks(5), [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0]);
        assert!(Axis::linear(3.0, 3.0, "").ticks(5).len() <= 1);
    }

    #[test]
    fn places_span_the_axis() {
        let linear = Axis::linear(2.0, 6.0, "");
        assert_eq!((linear.place(2.0), linear.place(3.0), linear.place(6.0)), (0.0, 0.25, 1.0));
        let log = Axis { spread: Spread::Log, ..Axis::linear(1.0, 100.0, "") };
        assert!((log.place(10.0) - 0.5).abs() < 1e-12);
        assert_eq!(Axis::linear(1.0, 1.0, "").place(1.0), 0.5);
    }

    #[test]
    fn numbers_are_short() {
        let cases =
            [(0.0, "0"), (-0.5, "-0.5"), (2.0, "2"), (20_000.0, "20k"), (0.0001, "1e-4"), (0.25, "0.25")];
        for (value, expected) in cases {
            assert_eq!(format_tick(value), expected);
        }
    }
}
