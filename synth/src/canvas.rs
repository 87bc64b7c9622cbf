//! The picture that is drawn on: simple shapes in metres, anti-aliased, through the eye of a camera.

use tiny_skia::{
    Color, FillRule, GradientStop, LinearGradient, Paint, Path, PathBuilder, Pixmap, Rect, Shader,
    SpreadMode, Transform,
};

use crate::colour::Colour;
use crate::geometry::{Point, at};

/// A picture, and how metres become its pixels.
#[derive(Debug, Clone)]
pub struct Canvas {
    pixels: Pixmap,
    view: Transform,
}

impl Canvas {
    /// A black picture; none where the size is nothing or enormous.
    pub fn new(width: u32, height: u32) -> Option<Canvas> {
        Pixmap::new(width, height).map(|pixels| Canvas { pixels, view: Transform::identity() })
    }

    pub fn size(&self) -> (f32, f32) {
        (self.pixels.width() as f32, self.pixels.height() as f32)
    }

    /// From now on, draws through `view`.
    pub fn look(&mut self, view: Transform) {
        self.view = view;
    }

    /// Red, green, blue and 255 of every pixel.
    pub fn rgba(&self) -> &[u8] {
        self.pixels.data()
    }

    fn fill(&mut self, path: Option<Path>, shader: Shader<'_>) {
        // A shape without an extent is not seen.
        let Some(path) = path else { return };
        let paint = Paint { shader, anti_alias: true, ..Paint::default() };
        self.pixels.fill_path(&path, &paint, FillRule::Winding, self.view, None);
    }

    pub fn disc(&mut self, centre: Point, radius: f32, colour: Colour) {
        self.fill(PathBuilder::from_circle(centre.x, centre.y, radius), solid(colour, 1.0));
    }

    pub fn oval(&mut self, centre: Point, radii: Point, colour: Colour, opacity: f32) {
        let (low, high) = (centre - radii, centre + radii);
        let path = Rect::from_ltrb(low.x, low.y, high.x, high.y).and_then(PathBuilder::from_oval);
        self.fill(path, solid(colour, opacity));
    }

    pub fn rectangle(&mut self, low: Point, high: Point, colour: Colour) {
        self.fill(rectangle(low, high), solid(colour, 1.0));
    }

    /// A rectangle that fades from one colour at its lower edge to another at its upper one.
    pub fn gradient(&mut self, low: Point, high: Point, lower: Colour, upper: Colour) {
        let stops =
            vec![GradientStop::new(0.0, color(lower, 1.0)), GradientStop::new(1.0, color(upper, 1.0))];
        let ends = [at(low.x, low.y), at(low.x, high.y)].map(|p| tiny_skia::Point::from_xy(p.x, p.y));
        let shader = LinearGradient::new(ends[0], ends[1], stops, SpreadMode::Pad, Transform::identity());
        self.fill(rectangle(low, high), shader.unwrap_or(solid(lower, 1.0)));
    }

    pub fn polygon(&mut self, corners: &[Point], colour: Colour) {
        let mut path = PathBuilder::new();
        add_polygon(&mut path, corners);
        self.fill(path.finish(), solid(colour, 1.0));
    }

    /// A round-ended bone, which may be thicker at one end.
    pub fn bone(&mut self, a: Point, radius_a: f32, b: Point, radius_b: f32, colour: Colour) {
        let aside = (b - a).unit().left();
        let mut path = PathBuilder::new();
        path.push_circle(a.x, a.y, radius_a);
        path.push_circle(b.x, b.y, radius_b);
        // In the direction in which circles go round: overlapping shapes of opposite directions would leave a hole.
        let corners =
            [a + aside * radius_a, a - aside * radius_a, b - aside * radius_b, b + aside * radius_b];
        add_polygon(&mut path, &corners);
        self.fill(path.finish(), solid(colour, 1.0));
    }

    /// A round-ended line.
    pub fn line(&mut self, a: Point, b: Point, width: f32, colour: Colour) {
        self.bone(a, width / 2.0, b, width / 2.0, colour);
    }
}

fn rectangle(low: Point, high: Point) -> Option<Path> {
    Rect::from_ltrb(low.x, low.y, high.x, high.y).map(PathBuilder::from_rect)
}

fn add_polygon(path: &mut PathBuilder, corners: &[Point]) {
    for (i, corner) in corners.iter().enumerate() {
        if i == 0 { path.move_to(corner.x, corner.y) } else { path.line_to(corner.x, corner.y) }
    }
    path.close();
}

fn solid(colour: Colour, opacity: f32) -> Shader<'static> {
    Shader::SolidColor(color(colour, opacity))
}

fn color(colour: Colour, opacity: f32) -> Color {
    // Clamped, so it is always a colour.
    let [red, green, blue, alpha] =
        [colour.red, colour.green, colour.blue, opacity].map(|v| v.clamp(0.0, 1.0));
    Color::from_rgba(red, green, blue, alpha).unwrap_or(Color::BLACK)
}
