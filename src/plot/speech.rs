//! Speech as a picture: waveform, spectrogram with pitch, phones and words, on one time axis.

use std::path::Path;

use embedded_graphics::pixelcolor::Rgb888;

use super::PlotError;
use super::axis::{Axis, Panel, format_tick};
use super::canvas::{Anchor, Area, BLUE, CYAN, Canvas, INK, WHITE};
use crate::signal::Stft;

const WIDTH_PER_SECOND: f32 = 260.0;
const LEAST_WIDTH: f32 = 700.0;
/// Longer speech is drawn more densely.
const MOST_WIDTH: f32 = 6000.0;
const MARGIN_LEFT: f32 = 62.0;
const MARGIN_RIGHT: f32 = 52.0;
const HEIGHT: usize = 600;
const WINDOW_SAMPLES: usize = 512;
const HOP_SAMPLES: usize = 64;
/// The spectrogram shows this much below its loudest point.
const DYNAMIC_RANGE_DB: f32 = 70.0;
/// The range of the pitch axis.
const LOWEST_PITCH_HZ: f64 = 50.0;
const HIGHEST_PITCH_HZ: f64 = 450.0;

/// A stretch of time with a name: a phone or a word.
#[derive(Debug, Clone, PartialEq)]
pub struct PhoneSpan {
    /// What it is.
    pub label: String,
    /// Its first sample.
    pub start_samples: usize,
    /// One past its last sample.
    pub end_samples: usize,
}

/// What is drawn.
#[derive(Debug, Clone, Default)]
pub struct SpeechPlot {
    /// Above the picture.
    pub title: String,
    /// Of the samples.
    pub sample_rate_hz: u32,
    /// The sound, ±1.
    pub samples: Vec<f32>,
    /// Pitch of each frame; `None` where unvoiced.
    pub f0_hz: Vec<Option<f32>>,
    /// Distance between pitch values.
    pub hop_samples: usize,
    /// Phones, in order.
    pub phones: Vec<PhoneSpan>,
    /// Words, in order.
    pub words: Vec<PhoneSpan>,
}

/// Draws speech into a PNG file.
///
/// # Errors
/// There is no sound, or the file cannot be written.
pub fn speech(plot: &SpeechPlot, path: &Path) -> Result<(), PlotError> {
    draw(plot)?.save(path)
}

/// Draws speech as the bytes of a PNG file.
///
/// # Errors
/// There is no sound.
pub fn speech_png(plot: &SpeechPlot) -> Result<Vec<u8>, PlotError> {
    let mut bytes = Vec::new();
    draw(plot)?.encode(&mut bytes).map_err(|source| PlotError::write(Path::new("memory"), source))?;
    Ok(bytes)
}

fn draw(plot: &SpeechPlot) -> Result<Canvas, PlotError> {
    if plot.samples.is_empty() || plot.sample_rate_hz == 0 {
        return Err(PlotError::Empty { expected: "samples" });
    }
    let duration_s = plot.samples.len() as f64 / f64::from(plot.sample_rate_hz);
    let width = (duration_s as f32 * WIDTH_PER_SECOND).clamp(LEAST_WIDTH, MOST_WIDTH);
    let area = |top: f32, bottom: f32| Area { left: MARGIN_LEFT, top, right: MARGIN_LEFT + width, bottom };
    let time = || Axis::linear(0.0, duration_s, "time (s)");
    let mut canvas = Canvas::new((MARGIN_LEFT + width + MARGIN_RIGHT) as usize, HEIGHT);
    canvas.title(&plot.title, (MARGIN_LEFT, 14.0), Anchor::Left);

    let peak = plot.samples.iter().fold(0.1f32, |peak, s| peak.max(s.abs()));
    let y = Axis::linear(f64::from(-peak), f64::from(peak), "amplitude");
    draw_waveform(&mut canvas, &Panel { area: area(48.0, 158.0), x: time(), y }, plot);
    let nyquist_khz = f64::from(plot.sample_rate_hz) / 2000.0;
    let y = Axis::linear(0.0, nyquist_khz, "frequency (kHz)");
    draw_spectrogram(&mut canvas, &Panel { area: area(186.0, 476.0), x: time(), y }, plot)?;
    let y = Axis::linear(0.0, 1.0, "phones and words");
    draw_spans(&mut canvas, &Panel { area: area(504.0, 558.0), x: time(), y }, plot);
    Ok(canvas)
}

/// The span between the lowest and the highest sample of every column.
fn draw_waveform(canvas: &mut Canvas, panel: &Panel, plot: &SpeechPlot) {
    panel.draw(canvas, false);
    let columns = panel.area.width() as usize;
    for column in 0..columns {
        let first = column * plot.samples.len() / columns;
        let last = ((column + 1) * plot.samples.len() / columns).max(first + 1).min(plot.samples.len());
        let Some(samples) = plot.samples.get(first..last) else { continue };
        let (low, high) = samples.iter().fold((f32::MAX, f32::MIN), |(l, h), &s| (l.min(s), h.max(s)));
        let x = panel.area.left + column as f32 + 0.5;
        let [top, bottom] = [high, low].map(|sample| panel.at(0.0, f64::from(sample)).1);
        canvas.line((x, top), (x, bottom), (BLUE, 1.0));
    }
    panel.frame(canvas);
}

fn draw_spectrogram(canvas: &mut Canvas, panel: &Panel, plot: &SpeechPlot) -> Result<(), PlotError> {
    panel.draw(canvas, false);
    let mut samples = plot.samples.clone();
    // The transform mirrors half a window at the ends and needs that much.
    samples.resize(samples.len().max(WINDOW_SAMPLES), 0.0);
    let spectrum = Stft::new(WINDOW_SAMPLES, HOP_SAMPLES)?.forward(&samples)?;
    let (frames, bins) = (spectrum.frame_count(), spectrum.bin_count);
    let decibels: Vec<f32> = spectrum.magnitudes().iter().map(|m| 20.0 * m.max(1e-9).log10()).collect();
    let loudest = decibels.iter().copied().fold(f32::MIN, f32::max);
    let shown_frames = plot.samples.len() as f32 / HOP_SAMPLES as f32;
    canvas.paint(panel.area, |x, y| {
        let frame = ((x * shown_frames) as usize).min(frames - 1);
        let bin = ((y * bins as f32) as usize).min(bins - 1);
        heat(1.0 + (decibels[frame * bins + bin] - loudest) / DYNAMIC_RANGE_DB)
    });
    draw_pitch(canvas, panel, plot);
    panel.frame(canvas);
    Ok(())
}

/// The pitch, over the spectrogram, on an axis of its own at the right.
fn draw_pitch(canvas: &mut Canvas, panel: &Panel, plot: &SpeechPlot) {
    let y = Axis::linear(LOWEST_PITCH_HZ, HIGHEST_PITCH_HZ, "");
    let pitch = Panel { area: panel.area, x: panel.x.clone(), y };
    let right = panel.area.right;
    for tick in pitch.y.ticks(5) {
        let (_, y) = pitch.at(0.0, tick);
        canvas.line((right, y), (right + 4.0, y), (INK, 1.0));
        canvas.label(&format_tick(tick), (right + 7.0, y), Anchor::Left);
    }
    canvas.label("F0 (Hz)", (right + MARGIN_RIGHT - 4.0, panel.area.top - 8.0), Anchor::Right);
    let seconds_per_frame = plot.hop_samples as f64 / f64::from(plot.sample_rate_hz);
    let mut voiced: Vec<(f32, f32)> = Vec::new();
    for (frame, f0_hz) in plot.f0_hz.iter().copied().chain([None]).enumerate() {
        match f0_hz {
            Some(hz) => voiced.push(pitch.at(frame as f64 * seconds_per_frame, f64::from(hz))),
            None => {
                // Dark below bright, so that it shows on any background.
                canvas.polyline(&voiced, panel.area, (INK, 3.5));
                canvas.polyline(&voiced, panel.area, (CYAN, 2.0));
                voiced.clear();
            }
        }
    }
}

/// Phones in the upper row, words in the lower one.
fn draw_spans(canvas: &mut Canvas, panel: &Panel, plot: &SpeechPlot) {
    let Area { left, top, right, bottom } = panel.area;
    for tick in panel.x.ticks((panel.area.width() / 90.0) as usize) {
        let (x, _) = panel.at(tick, 0.0);
        canvas.line((x, bottom), (x, bottom + 4.0), (INK, 1.0));
        canvas.label(&format_tick(tick), (x, bottom + 11.0), Anchor::Centre);
    }
    canvas.label(&panel.x.label, ((left + right) / 2.0, bottom + 26.0), Anchor::Centre);
    canvas.label(&panel.y.label, (left, top - 8.0), Anchor::Left);
    let middle = (top + bottom) / 2.0;
    canvas.fill(panel.area, WHITE);
    for (spans, top, bottom) in [(&plot.phones, top, middle), (&plot.words, middle, bottom)] {
        for span in spans {
            let at = |samples: usize| panel.at(samples as f64 / f64::from(plot.sample_rate_hz), 0.0).0;
            let (start, end) = (at(span.start_samples), at(span.end_samples));
            canvas.line((start, top), (start, bottom), (INK, 0.5));
            canvas.line((end, top), (end, bottom), (INK, 0.5));
            // A name wider than its place would cover its neighbours'.
            if Canvas::label_width(&span.label) < end - start {
                canvas.label(&span.label, ((start + end) / 2.0, (top + bottom) / 2.0), Anchor::Centre);
            }
        }
    }
    canvas.line((left, middle), (right, middle), (INK, 0.5));
    panel.frame(canvas);
}

/// Black through red and yellow to white, perceptually even.
fn heat(level: f32) -> Rgb888 {
    const STOPS: [[f32; 3]; 6] = [
        [0.0, 0.0, 4.0],
        [66.0, 10.0, 104.0],
        [147.0, 38.0, 103.0],
        [221.0, 81.0, 58.0],
        [252.0, 165.0, 10.0],
        [252.0, 255.0, 164.0],
    ];
    // Not `clamp`, which would let NaN through.
    let level = if level > 0.0 { level.min(1.0) } else { 0.0 };
    let place = level * (STOPS.len() - 1) as f32;
    let below = (place as usize).min(STOPS.len() - 2);
    let part = place - below as f32;
    let mix = |channel: usize| {
        (STOPS[below][channel] * (1.0 - part) + STOPS[below + 1][channel] * part).round() as u8
    };
    Rgb888::new(mix(0), mix(1), mix(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(duration_samples: usize) -> SpeechPlot {
        let samples = (0..duration_samples).map(|i| 0.5 * (i as f32 * 0.2).sin()).collect();
        SpeechPlot { sample_rate_hz: 22_050, samples, hop_samples: 256, ..SpeechPlot::default() }
    }

    #[test]
    fn a_tone_is_bright_at_its_frequency_and_dark_elsewhere() {
        let canvas = draw(&tone(22_050)).unwrap();
        // 0.2 rad per sample is 702 Hz of 11,025: at 6.4 % of the height of the spectrogram.
        let row = |share: f32| (476.0 - share * 290.0) as usize;
        let brightness = |(r, g, b): (u8, u8, u8)| u32::from(r) + u32::from(g) + u32::from(b);
        assert!(brightness(canvas.pixel(400, row(0.064))) > 550);
        assert!(brightness(canvas.pixel(400, row(0.5))) < 250);
    }

    #[test]
    fn any_length_is_drawn_and_none_is_refused() {
        for count in [1, 2, 100, 600] {
            draw(&tone(count)).unwrap();
        }
        assert!(matches!(draw(&tone(0)), Err(PlotError::Empty { .. })));
    }

    #[test]
    fn the_scale_of_colours_rises() {
        let brightness = |level: f32| {
            let c = heat(level);
            use embedded_graphics::pixelcolor::RgbColor;
            u32::from(c.r()) + u32::from(c.g()) + u32::from(c.b())
        };
        let levels: Vec<_> = (0..=20).map(|i| brightness(i as f32 / 20.0)).collect();
        assert!(levels.windows(2).all(|w| w[0] <= w[1]), "{levels:?}");
        assert_eq!((heat(f32::NAN), heat(-3.0), heat(7.0)), (heat(0.0), heat(0.0), heat(1.0)));
    }
}
