//! A picture in memory: smooth lines and crisp text, saved as PNG.
//!
//! Lines are drawn here, by each pixel's distance from them: a library's line is jagged. Text comes from
//! embedded-graphics' fonts. All coordinates are pixels.

use std::convert::Infallible;
use std::io;
use std::path::Path;

use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::{OriginDimensions, Point, Size};
use embedded_graphics::mono_font::iso_8859_1::{FONT_6X10, FONT_7X13};
use embedded_graphics::mono_font::{MonoFont, MonoTextStyle};
use embedded_graphics::pixelcolor::{Rgb888, RgbColor};
use embedded_graphics::text::{Alignment, Baseline, Text, TextStyleBuilder};
use embedded_graphics::{Drawable, Pixel};

use super::PlotError;
use crate::atomic_file;

pub(super) const WHITE: Rgb888 = Rgb888::new(255, 255, 255);
pub(super) const INK: Rgb888 = Rgb888::new(40, 44, 52);
pub(super) const GRID: Rgb888 = Rgb888::new(226, 229, 234);
pub(super) const BLUE: Rgb888 = Rgb888::new(38, 108, 190);
pub(super) const CYAN: Rgb888 = Rgb888::new(90, 245, 255);

/// A rectangle in pixels; `bottom` is below `top`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Area {
    pub left: f32,
    pub top: f32,
    pub right: f32,
    pub bottom: f32,
}

impl Area {
    pub fn width(&self) -> f32 {
        self.right - self.left
    }

    pub fn height(&self) -> f32 {
        self.bottom - self.top
    }
}

/// Where a text's position is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    /// Its left edge, at half its height.
    Left,
    /// Its middle, at half its height.
    Centre,
    /// Its right edge, at half its height.
    Right,
}

/// A picture in the making.
pub(super) struct Canvas {
    width: usize,
    height: usize,
    /// Three bytes a pixel, row by row.
    bytes: Vec<u8>,
}

impl OriginDimensions for Canvas {
    fn size(&self) -> Size {
        Size::new(self.width as u32, self.height as u32)
    }
}

impl DrawTarget for Canvas {
    type Color = Rgb888;
    type Error = Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<Rgb888>>>(&mut self, pixels: I) -> Result<(), Infallible> {
        for Pixel(point, colour) in pixels {
            if let (Ok(x), Ok(y)) = (usize::try_from(point.x), usize::try_from(point.y)) {
                self.blend(x, y, colour, 1.0);
            }
        }
        Ok(())
    }
}

impl Canvas {
    /// White.
    pub fn new(width: usize, height: usize) -> Self {
        Self { width, height, bytes: vec![255; width * height * 3] }
    }

    /// Covers a pixel by a share from 0 to 1; what is outside is ignored.
    fn blend(&mut self, x: usize, y: usize, colour: Rgb888, share: f32) {
        if x >= self.width || y >= self.height {
            return;
        }
        let at = (y * self.width + x) * 3;
        for (byte, new) in self.bytes[at..at + 3].iter_mut().zip([colour.r(), colour.g(), colour.b()]) {
            let old = f32::from(*byte);
            *byte = (old + (f32::from(new) - old) * share).round() as u8;
        }
    }

    /// Columns and rows of the pixels within an area, and within the picture.
    fn pixels_of(&self, area: Area) -> (std::ops::Range<usize>, std::ops::Range<usize>) {
        // `as` limits what is out of range and makes 0 of what is no number.
        let pixels =
            |low: f32, high: f32, limit: usize| low.round() as usize..(high.round() as usize).min(limit);
        (pixels(area.left, area.right, self.width), pixels(area.top, area.bottom, self.height))
    }

    /// Fills an area.
    pub fn fill(&mut self, area: Area, colour: Rgb888) {
        self.paint(area, |_, _| colour);
    }

    /// Paints every pixel of an area by a function of its place, both coordinates from 0 to 1, the second upwards.
    pub fn paint(&mut self, area: Area, colour: impl Fn(f32, f32) -> Rgb888) {
        let (columns, rows) = self.pixels_of(area);
        for y in rows {
            for x in columns.clone() {
                let across = (x as f32 + 0.5 - area.left) / area.width();
                let up = (area.bottom - y as f32 - 0.5) / area.height();
                self.blend(x, y, colour(across, up), 1.0);
            }
        }
    }

    /// Draws a line through the points, clipped to `area`.
    pub fn polyline(&mut self, points: &[(f32, f32)], area: Area, stroke: (Rgb888, f32)) {
        for pair in points.windows(2) {
            self.segment((pair[0], pair[1]), area, stroke);
        }
    }

    /// Draws a straight line.
    pub fn line(&mut self, from: (f32, f32), to: (f32, f32), stroke: (Rgb888, f32)) {
        let everything = Area { left: 0.0, top: 0.0, right: self.width as f32, bottom: self.height as f32 };
        self.segment((from, to), everything, stroke);
    }

    /// Covers each pixel by how far it is from the segment.
    fn segment(&mut self, (from, to): ((f32, f32), (f32, f32)), clip: Area, (colour, width): (Rgb888, f32)) {
        let reach = width / 2.0 + 0.5;
        let near = Area {
            left: (from.0.min(to.0) - reach - 1.0).max(clip.left),
            top: (from.1.min(to.1) - reach - 1.0).max(clip.top),
            right: (from.0.max(to.0) + reach + 1.0).min(clip.right),
            bottom: (from.1.max(to.1) + reach + 1.0).min(clip.bottom),
        };
        let along = (to.0 - from.0, to.1 - from.1);
        let length_squared = (along.0 * along.0 + along.1 * along.1).max(f32::MIN_POSITIVE);
        let (columns, rows) = self.pixels_of(near);
        for y in rows {
            for x in columns.clone() {
                let out = (x as f32 + 0.5 - from.0, y as f32 + 0.5 - from.1);
                let place = ((out.0 * along.0 + out.1 * along.1) / length_squared).clamp(0.0, 1.0);
                let distance = (out.0 - place * along.0).hypot(out.1 - place * along.1);
                let share = (reach - distance).min(width.min(1.0));
                if share > 0.0 {
                    self.blend(x, y, colour, share);
                }
            }
        }
    }

    fn text(&mut self, text: &str, at: (f32, f32), anchor: Anchor, font: &MonoFont) {
        let alignment = match anchor {
            Anchor::Left => Alignment::Left,
            Anchor::Centre => Alignment::Center,
            Anchor::Right => Alignment::Right,
        };
        let layout = TextStyleBuilder::new().alignment(alignment).baseline(Baseline::Middle).build();
        let at = Point::new(at.0.round() as i32, at.1.round() as i32);
        let text = Text::with_text_style(text, at, MonoTextStyle::new(font, INK), layout);
        match text.draw(self) {
            Ok(_) => {}
            Err(never) => match never {},
        }
    }

    /// Writes small text.
    pub fn label(&mut self, text: &str, at: (f32, f32), anchor: Anchor) {
        self.text(text, at, anchor, &FONT_6X10);
    }

    /// Writes larger text.
    pub fn title(&mut self, text: &str, at: (f32, f32), anchor: Anchor) {
        self.text(text, at, anchor, &FONT_7X13);
    }

    /// The width that small text takes.
    pub fn label_width(text: &str) -> f32 {
        (text.chars().count() * FONT_6X10.character_size.width as usize) as f32
    }

    /// Writes the picture to a file.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), PlotError> {
        atomic_file::write(path, |file| self.encode(file)).map_err(|source| PlotError::write(path, source))
    }

    /// The picture as a PNG.
    pub fn encode(&self, to: impl io::Write) -> io::Result<()> {
        let mut encoder = png::Encoder::new(to, self.width as u32, self.height as u32);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        let mut writer = encoder.write_header().map_err(io::Error::from)?;
        writer.write_image_data(&self.bytes).map_err(io::Error::from)?;
        writer.finish().map_err(io::Error::from)
    }
}

#[cfg(test)]
impl Canvas {
    pub fn pixel(&self, x: usize, y: usize) -> (u8, u8, u8) {
        let at = (y * self.width + x) * 3;
        (self.bytes[at], self.bytes[at + 1], self.bytes[at + 2])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_land_where_they_should_and_the_rest_is_white() {
        let mut canvas = Canvas::new(20, 10);
        let area = Area { left: 2.0, top: 3.0, right: 5.0, bottom: 6.0 };
        canvas.fill(area, BLUE);
        let blue = (BLUE.r(), BLUE.g(), BLUE.b());
        assert_eq!((canvas.pixel(2, 3), canvas.pixel(4, 5)), (blue, blue));
        assert_eq!((canvas.pixel(1, 3), canvas.pixel(5, 5)), ((255, 255, 255), (255, 255, 255)));
    }

    #[test]
    fn a_line_covers_what_it_passes() {
        let mut canvas = Canvas::new(10, 10);
        canvas.line((0.0, 5.5), (10.0, 5.5), (Rgb888::new(0, 0, 0), 1.0));
        assert_eq!((canvas.pixel(4, 5), canvas.pixel(4, 6)), ((0, 0, 0), (255, 255, 255)));
        let mut canvas = Canvas::new(10, 10);
        canvas.line((0.0, 5.0), (10.0, 5.0), (Rgb888::new(0, 0, 0), 1.0));
        assert_eq!((canvas.pixel(4, 4), canvas.pixel(4, 5)), ((128, 128, 128), (128, 128, 128)));
    }

    #[test]
    fn drawing_outside_is_ignored() {
        let mut canvas = Canvas::new(4, 4);
        canvas.line((-1e9, -1e9), (1e9, f32::NAN), (INK, 1.0));
        canvas.fill(Area { left: -50.0, top: -50.0, right: -10.0, bottom: 900.0 }, INK);
        canvas.label("far away", (1e6, -1e6), Anchor::Left);
        assert_eq!(canvas.pixel(3, 0), (255, 255, 255));
    }

    #[test]
    fn what_is_saved_is_what_was_drawn() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        let mut canvas = Canvas::new(8, 6);
        canvas.fill(Area { left: 0.0, top: 0.0, right: 4.0, bottom: 6.0 }, INK);
        canvas.save(&path).unwrap();
        let file = std::io::BufReader::new(std::fs::File::open(&path).unwrap());
        let mut reader = png::Decoder::new(file).read_info().unwrap();
        let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut bytes).unwrap();
        assert_eq!((info.width, info.height), (8, 6));
        assert_eq!((bytes[..3].to_vec(), bytes[21..24].to_vec()), (vec![40, 44, 52], vec![255; 3]));
    }
}
