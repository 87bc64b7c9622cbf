//! Where it happens: backgrounds from plain to a furnished room, and things that drift through them.

use crate::canvas::Canvas;
use crate::colour::{Colour, WHITE};
use crate::draw::Draw;
use crate::geometry::{Point, at, direction, mix, sine};

/// How far the background reaches to every side, further than any camera sees.
const FAR: f32 = 9.0;

/// The lower left and the upper right corner of everything.
const CORNERS: (Point, Point) = (at(-FAR, -FAR), at(FAR, FAR));

/// What the wall behind the action is.
#[derive(Debug, Clone)]
enum Wall {
    Plain,
    Fade,
    /// Bands of a width, upright or lying.
    Stripes {
        width: f32,
        upright: bool,
    },
    /// A chequerboard of squares of a size.
    Tiles {
        size: f32,
    },
    Room {
        things: Vec<Furniture>,
    },
    Landscape {
        hills: Vec<(Point, f32)>,
        trees: Vec<(f32, f32)>,
    },
    /// Discs and squares at random.
    Shapes {
        shapes: Vec<(Point, f32, bool, Colour)>,
    },
}

/// Things at the wall of a room.
#[derive(Debug, Clone)]
enum Furniture {
    Window { x: f32, sky: Colour },
    Picture { low: Point, size: Point, colour: Colour },
    Shelf { low: Point, books: [(f32, Colour); 5] },
    Lamp { x: f32, colour: Colour },
    Plant { x: f32, pot: Colour, leaves: Colour },
}

/// Something that drifts along in the background, in either direction.
#[derive(Debug, Clone)]
struct Drift {
    start: Point,
    /// Metres per second.
    speed: Point,
    size: f32,
    colour: Colour,
    cloud: bool,
}

/// A place.
#[derive(Debug, Clone)]
pub struct Scene {
    /// Where the wall meets the floor.
    pub horizon: f32,
    wall: Wall,
    colour: Colour,
    second: Colour,
    floor: Colour,
    has_floor: bool,
    drifts: Vec<Drift>,
}

impl Scene {
    /// Any place of the split.
    pub fn draw(draw: &mut Draw) -> Scene {
        let colour = draw.backdrop();
        // A pattern should be seen without hiding the people in front of it.
        let other = draw.backdrop();
        let second = colour.mix(other, draw.between(0.35, 0.8));
        let wall = match draw.pick([0, 1, 2, 3, 4, 4, 5, 5, 6]) {
            0 => Wall::Plain,
            1 => Wall::Fade,
            2 => Wall::Stripes { width: draw.between(0.12, 0.5), upright: draw.chance(0.6) },
            3 => Wall::Tiles { size: draw.between(0.18, 0.55) },
            4 => Wall::Room { things: furniture(draw) },
            5 => landscape(draw),
            _ => shapes(draw, colour),
        };
        let outdoors = matches!(wall, Wall::Landscape { .. });
        let furnished = matches!(wall, Wall::Room { .. });
        let floor = draw.backdrop();
        let drifts = (0..draw.pick([0, 0, 1, 2])).map(|_| drift(draw, outdoors)).collect();
        Scene {
            horizon: draw.between(0.06, 0.34),
            wall,
            colour,
            second,
            floor: if draw.dark { floor.mix(WHITE, 0.06) } else { floor.shaded().mix(floor, 0.4) },
            has_floor: outdoors || furnished || draw.chance(0.8),
            drifts,
        }
    }

    /// The colour beyond an open door.
    pub fn beyond(&self) -> Colour {
        self.second.shaded().shaded()
    }

    pub fn draw_on(&self, canvas: &mut Canvas, seconds: f32) {
        let (low, high) = CORNERS;
        match &self.wall {
            Wall::Fade | Wall::Landscape { .. } => {
                canvas.gradient(at(low.x, -0.5), at(high.x, 3.2), self.second, self.colour);
                canvas.rectangle(at(low.x, 3.2), high, self.colour);
                canvas.rectangle(low, at(high.x, -0.5), self.second);
            }
            _ => canvas.rectangle(low, high, self.colour),
        }
        match &self.wall {
            Wall::Plain | Wall::Fade => {}
            &Wall::Stripes { width, upright } => {
                let bands = (2.0 * 4.5 / width) as i32;
                for i in (-bands / 2..=bands / 2).step_by(2) {
                    let start = i as f32 * width;
                    let (a, b) = if upright {
                        (at(start, low.y), at(start + width, high.y))
                    } else {
                        (at(low.x, start), at(high.x, start + width))
                    };
                    canvas.rectangle(a, b, self.second);
                }
            }
            &Wall::Tiles { size } => self.draw_tiles(canvas, size),
            Wall::Room { things } => {
                things.iter().for_each(|thing| thing.draw_on(canvas, self.horizon));
            }
            Wall::Landscape { hills, trees } => {
                for &(top, width) in hills {
                    let foot = at(top.x, self.horizon);
                    canvas.oval(foot, at(width, top.y), self.floor.mix(self.colour, 0.45), 1.0);
                }
                self.draw_drifts(canvas, seconds);
                for &(x, size) in trees {
                    let foot = at(x, self.horizon);
                    let leaves = self.floor.shaded().mix(self.second, 0.2);
                    canvas.line(foot, foot + at(0.0, size), 0.09 * size, leaves.shaded());
                    canvas.oval(foot + at(0.0, size * 1.2), at(size * 0.42, size * 0.62), leaves, 1.0);
                }
            }
            Wall::Shapes { shapes } => {
                for &(centre, size, round, colour) in shapes {
                    if round {
                        canvas.disc(centre, size, colour);
                    } else {
                        canvas.rectangle(centre - at(size, size), centre + at(size, size), colour);
                    }
                }
            }
        }
        if !matches!(self.wall, Wall::Landscape { .. }) {
            self.draw_drifts(canvas, seconds);
        }
        if self.has_floor {
            canvas.rectangle(low, at(high.x, self.horizon), self.floor);
            if matches!(self.wall, Wall::Room { .. }) {
                let board = self.floor.mix(WHITE, 0.35);
                canvas.rectangle(at(low.x, self.horizon), at(high.x, self.horizon + 0.09), board);
            }
        }
    }

    fn draw_tiles(&self, canvas: &mut Canvas, size: f32) {
        let count = (3.6 / size) as i32;
        for row in 0..=count {
            for column in (-count..=count).filter(|column| (column + row) % 2 == 0) {
                let low = at(column as f32 * size, row as f32 * size);
                canvas.rectangle(low, low + at(size, size), self.second);
            }
        }
    }

    fn draw_drifts(&self, canvas: &mut Canvas, seconds: f32) {
        for drift in &self.drifts {
            let place = drift.start + drift.speed * seconds;
            let (size, colour) = (drift.size, drift.colour);
            if drift.cloud {
                canvas.oval(place, at(size * 2.0, size * 0.6), colour, 0.9);
                canvas.disc(place + at(-size * 0.5, size * 0.35), size * 0.6, colour);
                canvas.disc(place + at(size * 0.5, size * 0.25), size * 0.75, colour);
            } else {
                canvas.line(place, place - at(0.0, size * 4.0), 0.02, colour.shaded());
                canvas.oval(place, at(size * 0.85, size), colour, 1.0);
            }
        }
    }
}

/// A cloud outdoors; a balloon in a room.
fn drift(draw: &mut Draw, cloud: bool) -> Drift {
    let pale = draw.backdrop();
    Drift {
        start: at(draw.between(-1.6, 1.6), draw.between(1.3, 2.4)),
        speed: at(draw.between(-0.35, 0.35), if cloud { 0.0 } else { draw.between(-0.12, 0.12) }),
        size: if cloud { draw.between(0.15, 0.35) } else { draw.between(0.08, 0.15) },
        colour: if cloud { pale.mix(WHITE, 0.5) } else { draw.vivid() },
        cloud,
    }
}

fn furniture(draw: &mut Draw) -> Vec<Furniture> {
    let mut x = draw.between(-2.6, -1.9);
    let mut things = Vec::new();
    while x < 2.4 {
        things.push(match draw.pick([0, 1, 1, 2, 3, 4]) {
            0 => Furniture::Window { x, sky: draw.backdrop().lit() },
            1 => Furniture::Picture {
                low: at(x, draw.between(1.2, 1.6)),
                size: at(draw.between(0.25, 0.55), draw.between(0.25, 0.5)),
                colour: draw.backdrop(),
            },
            2 => Furniture::Shelf {
                low: at(x, draw.between(1.2, 1.7)),
                books: [(); 5].map(|()| {
                    let height = draw.between(0.16, 0.28);
                    let (book, quiet) = (draw.vivid(), draw.backdrop());
                    (height, book.mix(quiet, 0.45))
                }),
            },
            3 => Furniture::Lamp { x, colour: draw.backdrop().lit() },
            _ => {
                let (pot, leaves) = (draw.vivid(), draw.vivid());
                let quiet = draw.backdrop();
                Furniture::Plant { x, pot: pot.mix(quiet, 0.4), leaves: leaves.mix(quiet, 0.4) }
            }
        });
        x += draw.between(0.8, 1.5);
    }
    things
}

impl Furniture {
    fn draw_on(&self, canvas: &mut Canvas, horizon: f32) {
        match *self {
            Furniture::Window { x, sky } => {
                let (low, high) = (at(x, horizon + 0.95), at(x + 0.75, horizon + 1.9));
                let frame = at(0.05, 0.05);
                canvas.rectangle(low - frame, high + frame, sky.shaded());
                canvas.rectangle(low, high, sky);
                let middle = mix(low, high, 0.5);
                canvas.rectangle(at(middle.x - 0.02, low.y), at(middle.x + 0.02, high.y), sky.shaded());
                canvas.rectangle(at(low.x, middle.y - 0.02), at(high.x, middle.y + 0.02), sky.shaded());
            }
            Furniture::Picture { low, size, colour } => {
                canvas.rectangle(low, low + size, colour.shaded().shaded());
                canvas.rectangle(low + size * 0.1, low + size * 0.9, colour.lit());
                canvas.disc(low + size * 0.45, size.x.min(size.y) * 0.22, colour.shaded());
            }
            Furniture::Shelf { low, ref books } => {
                for (i, &(height, colour)) in books.iter().enumerate() {
                    let corner = low + at(0.06 + 0.09 * i as f32, 0.0);
                    canvas.rectangle(corner, corner + at(0.08, height), colour);
                }
                canvas.rectangle(low - at(0.0, 0.04), low + at(0.6, 0.0), books[0].1.shaded());
            }
            Furniture::Lamp { x, colour } => {
                let foot = at(x, horizon);
                canvas.line(foot, foot + at(0.0, 1.35), 0.035, colour.shaded().shaded());
                canvas.line(foot - at(0.14, 0.0), foot + at(0.14, 0.0), 0.04, colour.shaded().shaded());
                let shade = [at(-0.2, 1.25), at(0.2, 1.25), at(0.12, 1.58), at(-0.12, 1.58)];
                canvas.polygon(&shade.map(|corner| foot + corner), colour);
            }
            Furniture::Plant { x, pot, leaves } => {
                let foot = at(x, horizon);
                for turns in [0.12, 0.19, 0.25, 0.31, 0.38] {
                    let tip = foot + at(0.0, 0.25) + direction(turns) * 0.55;
                    canvas.bone(foot + at(0.0, 0.25), 0.03, tip, 0.06, leaves);
                }
                let sides = [at(-0.12, 0.0), at(0.12, 0.0), at(0.17, 0.3), at(-0.17, 0.3)];
                canvas.polygon(&sides.map(|corner| foot + corner), pot);
            }
        }
    }
}

fn landscape(draw: &mut Draw) -> Wall {
    let hills = (0..3).map(|i| {
        let x = (i as f32 - 1.0) * 2.0 + draw.between(-0.8, 0.8);
        (at(x, draw.between(0.5, 1.3)), draw.between(1.2, 2.4))
    });
    let hills = hills.collect();
    let trees = (0..draw.pick([1, 2, 3, 4])).map(|_| {
        let side = draw.sign();
        (side * draw.between(0.5, 2.4), draw.between(0.5, 1.1))
    });
    let trees = trees.collect();
    Wall::Landscape { hills, trees }
}

fn shapes(draw: &mut Draw, wall: Colour) -> Wall {
    let shapes = (0..14).map(|i| {
        let x = -2.2 + 4.4 * (i as f32 + draw.between(0.0, 1.0)) / 14.0;
        let y = 1.3 + 1.2 * sine(draw.between(0.0, 1.0));
        let colour = draw.backdrop();
        (at(x, y), draw.between(0.08, 0.4), draw.chance(0.5), wall.mix(colour, 0.7))
    });
    let shapes = shapes.collect();
    Wall::Shapes { shapes }
}
