//! The models that are tested: read, and compared with the data set's classes.

use std::path::{Path, PathBuf};

use i3d::backend::{Device, RunOptions};
use i3d::network::{Input, Network};
use i3d::{Result, labels};

use super::classes;
use crate::args::EvalArgs;
use crate::protocol::Tested;
use crate::{input, networks};

/// What stands for the split in the name of a model.
const SPLIT: &str = "{split}";

/// A model, not yet on a device.
#[derive(Debug, Clone, PartialEq)]
pub struct Entrant {
    pub input: Input,
    pub path: PathBuf,
    pub sha256: String,
    pub network: Network,
    /// Which of its logits each of the data set's classes is.
    order: Vec<usize>,
}

impl Entrant {
    /// Reads the models for a split, RGB first.
    ///
    /// # Errors
    /// Files that are no models, models of other classes, and two of different sizes.
    pub fn read(args: &EvalArgs, split: &str, dataset: &str, classes: &[String]) -> Result<Vec<Entrant>> {
        let entrants = args.models().map(|(input, model)| {
            let path = of_split(model, split);
            let checkpoint = networks::named(input, &path)?;
            let network = checkpoint.network()?;
            let own = checkpoint.metadata.labels.or_else(|| labels::for_classes(network.classes));
            let order = classes::order(&checkpoint.place, own.as_deref(), network.classes, dataset, classes)?;
            Ok(Entrant { input, path, sha256: checkpoint.sha256, network, order })
        });
        let entrants: Vec<Entrant> = entrants.collect::<Result<_>>()?;
        input::one_size(entrants.iter().map(|entrant| entrant.network.input_size))?;
        Ok(entrants)
    }

    /// The model on a device.
    pub fn open(&self, device: &Device, options: RunOptions) -> Result<Tested> {
        let checkpoint = networks::named(self.input, &self.path)?;
        let (weights, report) = checkpoint.load(&self.network)?;
        log::info!("{}: {report}", checkpoint.place);
        Tested::new(device, weights, options)
    }

    /// The logits of its classes in the data set's order.
    pub fn in_order(&self, logits: &[f32]) -> Vec<f32> {
        self.order.iter().map(|&index| logits[index]).collect()
    }
}

/// The model for a split, if there is one per split.
fn of_split(model: &Path, split: &str) -> PathBuf {
    match model.to_str() {
        Some(text) => PathBuf::from(text.replace(SPLIT, split)),
        None => model.to_path_buf(),
    }
}
