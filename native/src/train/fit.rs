//! The loops: steps on batches of clips, and passes over features.

use std::fs;

use i3d::backend::Tape;
use i3d::plan::{Kernel, Plan, Step};
use i3d::random::SplitMix64;
use i3d::train::{
    Crop, Fall, HeadTrainer, Plateau, Portion, Recipe, Sampling, Schedule, StepReport, Trainer,
};
use i3d::weights::Parameters;
use i3d::{Error, Result};
use rayon::prelude::*;

use super::Run;
use super::journal::{Entry, Journal, Split};
use crate::args::ModeArg;
use crate::examples::Example;
use crate::output::Output;
use crate::talk::Unit;

pub const STATE: &str = "state.safetensors";
pub const BEST: &str = "best.safetensors";
pub const MODEL: &str = "model.safetensors";

/// Branches of the seed: what is drawn for different purposes must not be the same.
const ORDER: u64 = 1;
const CROPS: u64 = 2;

/// Share of batch norm's moving averages that a step leaves: a window of fifty steps, for runs of a thousand.
const AVERAGING: f32 = 0.98;

impl Run<'_> {
    /// The plan of a batch.
    fn plan(&self) -> Result<Plan> {
        let steps = self.args.steps_of(self.network.system);
        Plan::new(&self.network, self.args.batch as usize, steps)
    }

    /// Fails where the run cannot be, before anything is decoded for it.
    pub(super) fn check(&self) -> Result<()> {
        let plan = self.plan()?;
        if self.mode == ModeArg::Fixed && self.network.features().is_none() {
            let problem =
                "this network has a classifier for each stream; --mode fixed fits one, take --mode full";
            return Err(Error::Usage(problem.into()));
        }
        if self.mode != ModeArg::Original {
            return Ok(());
        }
        // What a batch's statistics are taken of: an LSTM has some for each step.
        let alone = |step: &&Step| match step.kernel {
            Kernel::Conv { relu: true, .. } => plan.buffers[step.output].shape.positions() == 1,
            Kernel::Lstm { .. } => plan.batch == 1,
            _ => false,
        };
        match plan.steps.iter().find(alone) {
            Some(step) => Err(Error::Usage(format!(
                "batch norm of {} would have a single value for its statistics; give --batch 2 or more",
                step.name
            ))),
            None => Ok(()),
        }
    }

    /// Trains all parameters.
    pub(super) fn fit(&self, parameters: Parameters) -> Result<()> {
        let (args, talk) = (self.args, self.talk);
        let frozen = self.mode == ModeArg::Full;
        let recipe = Recipe {
            momentum: 0.9,
            weight_decay: 1e-7,
            averaging: AVERAGING,
            frozen,
            dropout: !args.no_dropout,
            seed: args.seed,
        };
        let rate = args.rate.unwrap_or(if frozen { 0.001 } else { 0.01 });
        let fall = if args.cosine { Fall::Cosine(args.steps) } else { Fall::Tenths(args.tenths.clone()) };
        let schedule = Schedule { rate, warm_up: args.warm_up, fall };
        let mut trainer = Trainer::new(parameters, Tape::new(&self.device, self.plan()?)?, recipe);
        let state = args.output.join(STATE);
        match (args.resume, state.exists()) {
            (true, true) => {
                let bytes = fs::read(&state).map_err(|e| Error::io(state.display(), e))?;
                trainer.restore(&state.display().to_string(), &bytes)?;
                talk.note(format!("going on after step {}", trainer.steps()));
            }
            (false, true) => {
                let problem = "there is a run already; go on with --resume, or give another folder";
                return Err(Error::Usage(format!("{}: {problem}", args.output.display())));
            }
            (_, false) => {}
        }
        let mut journal = Journal::open(&args.output, trainer.steps())?;
        let mut plateau = Plateau::new(args.patience);
        // What the plateau had seen is in the journal.
        journal.entries(Split::Validation).for_each(|entry| {
            plateau.note(entry.loss);
        });
        let bar = talk.bar("training", args.steps, Unit::Steps);
        bar.set_position(trainer.steps());
        while trainer.steps() < args.steps {
            let (portions, clips) = self.batch(trainer.steps())?;
            let rate = schedule.rate(trainer.steps()) * plateau.factor();
            let StepReport { loss, correct } = match pollster::block_on(trainer.step(&portions, rate)) {
                Ok(report) => report,
                Err(Error::Training { place, problem }) => {
                    let names: Vec<String> =
                        clips.iter().map(|clip| clip.path.display().to_string()).collect();
                    let kept = format!("the last checkpoint is kept; the clips were {}", names.join(", "));
                    return Err(Error::training(place, format!("{problem}; {kept}")));
                }
                Err(error) => return Err(error),
            };
            let (step, accuracy) = (trainer.steps(), correct as f64 / clips.len() as f64);
            journal.note(Entry { step, split: Split::Train, loss, accuracy, rate: Some(rate) })?;
            bar.set_message(format!("loss {loss:.3}, {:.0} % right", 100.0 * accuracy));
            bar.inc(1);
            let last = step == args.steps;
            if (last || step.is_multiple_of(args.validate_every)) && !self.dataset.validation.is_empty() {
                let score = self.evaluate(&trainer.parameters, &self.dataset.validation)?;
                let (loss, accuracy) = (score.loss, score.accuracy);
                journal.note(Entry { step, split: Split::Validation, loss, accuracy, rate: None })?;
                bar.suspend(|| {
                    talk.note(format!(
                        "step {step}: validation loss {loss:.4}, {:.1} % right",
                        100.0 * accuracy
                    ));
                });
                if plateau.note(loss) {
                    self.write_model(BEST, &trainer.parameters)?;
                }
            }
            if last || step.is_multiple_of(args.checkpoint_every) {
                Output::create(&state)?.finish(&trainer.state(self.metadata())?)?;
            }
        }
        drop(bar);
        self.end(&journal, &trainer.parameters)
    }

    /// The clips of a step: every clip once in an order of its own for each pass, then the next pass.
    fn batch(&self, step: u64) -> Result<(Vec<Portion>, Vec<&Example>)> {
        let (args, train) = (self.args, &self.dataset.train);
        let (batch, count) = (args.batch as usize, (args.batch * args.accumulate) as usize);
        let first = step as usize * count;
        let mut orders: Vec<(usize, Vec<usize>)> = Vec::new();
        let clips: Vec<&Example> = (first..first + count)
            .map(|at| {
                let pass = at / train.len();
                if orders.last().is_none_or(|(known, _)| *known != pass) {
                    let mut order: Vec<usize> = (0..train.len()).collect();
                    SplitMix64::with_path(args.seed, &[ORDER, pass as u64]).shuffle(&mut order);
                    orders.push((pass, order));
                }
                let order = orders.last().map_or(&[][..], |(_, order)| order);
                &train[order[at % train.len()]]
            })
            .collect();
        let size = self.network.input_size;
        let sampling = Sampling::of(&self.network, args.steps_of(self.network.system));
        let inputs = clips.par_iter().enumerate().map(|(index, example)| {
            let views = self.views(example)?;
            let mut random = SplitMix64::with_path(args.seed, &[CROPS, step, index as u64]);
            let views = match args.single_frame {
                true => views.still(random.below(views.frames())),
                false => views,
            };
            let crop = views.augmented(size, sampling, &mut random);
            let flipped = crop.flipped && !args.no_flip;
            Ok(views.crop(Crop { flipped, ..crop }, size, sampling))
        });
        let inputs: Vec<Vec<f32>> = inputs.collect::<Result<_>>()?;
        let portions = inputs.chunks(batch).zip(clips.chunks(batch));
        let portions = portions
            .map(|(inputs, clips)| (inputs.concat(), clips.iter().map(|example| example.label).collect()));
        Ok((portions.collect(), clips))
    }

    /// Fits the classifier alone, to features that are computed once.
    pub(super) fn fit_head(&self, mut parameters: Parameters) -> Result<()> {
        let (args, talk) = (self.args, self.talk);
        let train = &self.dataset.train;
        talk.note(format!("features of {} clips", train.len()));
        let features = self.features(&parameters, train)?;
        let labels: Vec<usize> = train.iter().map(|example| example.label).collect();
        let mut journal = Journal::open(&args.output, 0)?;
        let mut head = HeadTrainer::new(features.len() / train.len().max(1), self.network.classes);
        let rate = args.rate.unwrap_or(0.05);
        let bar = talk.bar("fitting", args.steps, Unit::Steps);
        for step in 1..=args.steps {
            let mut random = SplitMix64::with_path(args.seed, &[ORDER, step]);
            let (loss, correct) = head.epoch(&features, &labels, rate, &mut random)?;
            let accuracy = correct as f64 / labels.len() as f64;
            journal.note(Entry { step, split: Split::Train, loss, accuracy, rate: Some(rate) })?;
            bar.inc(1);
        }
        drop(bar);
        if let Some(classifier) = parameters.units.last_mut() {
            (classifier.kernel, classifier.offset) = (head.kernel, head.bias);
        }
        if !self.dataset.validation.is_empty() {
            let score = self.evaluate(&parameters, &self.dataset.validation)?;
            let (step, loss, accuracy) = (args.steps, score.loss, score.accuracy);
            journal.note(Entry { step, split: Split::Validation, loss, accuracy, rate: None })?;
            talk.note(format!("validation loss {loss:.4}, {:.1} % right", 100.0 * accuracy));
        }
        self.end(&journal, &parameters)
    }

    /// Writes the model, what it finds in the test clips, and the curve, and says where they are.
    fn end(&self, journal: &Journal, parameters: &Parameters) -> Result<()> {
        self.write_model(MODEL, parameters)?;
        self.test(parameters)?;
        let curve = journal.draw(&self.args.output)?;
        let model = self.args.output.join(MODEL);
        self.talk.note(format!("{}, {}", model.display(), curve.display()));
        Ok(())
    }
}
