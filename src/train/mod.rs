//! Training: a network's parameters, the loss of some clips, and steps that make it smaller.
//!
//! [`Footage`] is a decoded clip of one stream, [`Views`] what a network sees of one or of both, at the time steps of a
//! [`Sampling`]. [`Trainer`] runs a plan forwards and backwards and
//! applies [`Sgd`]; [`Schedule`] says how large its steps are and [`Fall`] how that falls;
//! [`HeadTrainer`] fits a last layer to features. Everything random is drawn from a seed and the number of
//! the step, so a run that is continued from its last checkpoint is the run that would have been.

mod footage;
mod head;
mod schedule;
mod sgd;
mod trainer;
mod views;

pub use footage::{Crop, Footage, Pixels};
pub use head::HeadTrainer;
pub use schedule::{Fall, Plateau, Schedule};
pub use sgd::Sgd;
pub use trainer::{Portion, Recipe, StepReport, Trainer};
pub use views::{Sampling, Views};
