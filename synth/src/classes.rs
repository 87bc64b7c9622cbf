//! The classes, in the order of their numbers.

use crate::action::{Action, Make, Stage, arms, carry, cart, door, gait, hat, seat, throw};
use crate::draw::Draw;

/// A class: its name, what is done, and whether the film runs backwards. One that runs backwards follows the class whose
/// film it is.
struct Class {
    name: &'static str,
    make: Make,
    backwards: bool,
}

const fn forwards(name: &'static str, make: Make) -> Class {
    Class { name, make, backwards: false }
}

const fn backwards(name: &'static str, make: Make) -> Class {
    Class { name, make, backwards: true }
}

/// As the type that all actions have in common.
fn make<A: Action + 'static>(draw: &mut Draw, stage: &Stage) -> Box<dyn Action> {
    Box::new(A::draw(draw, stage))
}

const TABLE: [Class; 16] = [
    forwards("opening a door", make::<door::Door>),
    backwards("closing a door", make::<door::Door>),
    forwards("sitting down", make::<seat::Seat>),
    backwards("standing up", make::<seat::Seat>),
    forwards("picking up a box", make::<carry::Carry>),
    backwards("putting down a box", make::<carry::Carry>),
    forwards("throwing a ball", make::<throw::Throw>),
    backwards("catching a ball", make::<throw::Throw>),
    forwards("putting on a hat", make::<hat::Hat>),
    backwards("taking off a hat", make::<hat::Hat>),
    forwards("pushing a cart", make::<cart::Cart>),
    backwards("pulling a cart", make::<cart::Cart>),
    forwards("waving a hand", make::<arms::Wave>),
    forwards("clapping", make::<arms::Clap>),
    forwards("jumping jacks", make::<gait::JumpingJacks>),
    forwards("walking", make::<gait::Walk>),
];

const fn count_backwards() -> usize {
    let (mut count, mut i) = (0, 0);
    while i < TABLE.len() {
        count += TABLE[i].backwards as usize;
        i += 1;
    }
    count
}

/// The names of the classes, as Kinetics writes them; a class's number is its place.
pub const CLASSES: [&str; TABLE.len()] = {
    let mut names = [""; TABLE.len()];
    let mut i = 0;
    while i < TABLE.len() {
        names[i] = TABLE[i].name;
        i += 1;
    }
    names
};

/// The pairs of classes of which the second is the first played backwards: no single frame tells them apart.
pub const REVERSED: [(usize, usize); count_backwards()] = {
    let mut pairs = [(0, 0); count_backwards()];
    let (mut found, mut i) = (0, 0);
    while i < TABLE.len() {
        if TABLE[i].backwards {
            pairs[found] = (i - 1, i);
            found += 1;
        }
        i += 1;
    }
    pairs
};

/// What a class shows, and whether backwards.
pub(crate) fn action(class: usize) -> Option<(Make, bool)> {
    TABLE.get(class).map(|class| (class.make, class.backwards))
}
