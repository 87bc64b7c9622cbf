//! Checkpoints in: every public format of I3D weights, read from bytes.
//!
//! Bytes become a [`Checkpoint`]: plain tensors under DeepMind's names and in DeepMind's layouts. [`Checkpoint::load`]
//! checks them against a network and folds batch norm into [`Weights`]. Nothing here opens a file or runs code found
//! in one; damaged or hostile bytes give an error, never a panic, and take no more memory than [`MEMORY`] says.

mod cursor;
mod element;
mod inflate;
mod load;
mod names;
mod parameters;
mod pickle;
mod pytorch;
mod safetensors_file;
mod sniff;
pub mod tf_bundle;

pub use load::{LoadReport, UnitWeights, Weights};
pub use parameters::{Moments, Parameters, UnitParameters};

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use self::cursor::short;
use crate::error::{Error, Result};
use crate::labels;
use crate::network::{
    BATCH_NORM_EPSILON, ENDPOINTS, FEATURES, Form, Input, LOGITS_PER_STEP, Network, Stream, System, Unit,
};
use crate::plan::Precision;

/// What reading a checkpoint takes at most, whatever its bytes are: so many times their number, and so many bytes besides. The first is
/// for the numbers as f32 (files of 16 bits double), the second for the up to a million values and 65,536 names that may describe them.
pub const MEMORY: (usize, usize) = (8, 512 << 20);

/// Where a checkpoint came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A safetensors file, this project's own or another's with known names.
    Safetensors,
    /// TensorFlow's V2 checkpoint: an index and data files.
    TensorFlow,
    /// TensorFlow's V1 checkpoint: one file.
    TensorFlowV1,
    /// PyTorch's format before version 1.6: a stream of pickles, then raw numbers.
    PyTorchLegacy,
    /// PyTorch's format since version 1.6: a zip file.
    PyTorchZip,
    /// A pickle of NumPy arrays, as Flax's models are saved.
    Flax,
}

impl std::fmt::Display for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Format::Safetensors => "safetensors",
            Format::TensorFlow => "TensorFlow checkpoint",
            Format::TensorFlowV1 => "TensorFlow V1 checkpoint",
            Format::PyTorchLegacy => "PyTorch legacy file",
            Format::PyTorchZip => "PyTorch zip file",
            Format::Flax => "Flax pickle",
        })
    }
}

/// Whether a file may be a checkpoint, by its first 512 and its last eight bytes, one behind the other; `place` names it in errors.
///
/// # Errors
/// Files that are something else.
pub fn check_format(place: &str, ends: &[u8]) -> Result<()> {
    sniff::format(ends).map(drop).map_err(|problem| Error::checkpoint(place, problem))
}

/// Numbers and their shape, the last dimension contiguous.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// Dimensions; empty for a scalar.
    pub shape: Vec<usize>,
    /// The values, as many as the product of the dimensions.
    pub data: Vec<f32>,
}

/// What a safetensors file of this project says about itself; empty for other formats.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Metadata {
    /// `i3d-inception-v1`, or the name of another of the paper's systems.
    pub architecture: Option<String>,
    /// The network's stream.
    pub stream: Option<Stream>,
    /// The network's width.
    pub width: Option<f64>,
    /// Height and width of the clips it was trained on.
    pub input_size: Option<usize>,
    /// Number of classes.
    pub classes: Option<usize>,
    /// Names of the classes, in the order of the logits.
    pub labels: Option<Vec<String>>,
    /// The file it was converted from.
    pub source: Option<String>,
    /// SHA-256 of that file.
    pub source_sha256: Option<String>,
    /// What the model is called.
    pub name: Option<String>,
}

/// The convolutions whose channels the classifier sees, one per branch.
const BRANCHES: [&str; 4] = [
    "Mixed_5c/Branch_0/Conv3d_0a_1x1",
    "Mixed_5c/Branch_1/Conv3d_0b_3x3",
    "Mixed_5c/Branch_2/Conv3d_0b_3x3",
    LAST_UNIT,
];

/// The last convolution before the classifier.
const LAST_UNIT: &str = "Mixed_5c/Branch_3/Conv3d_0b_1x1";

/// What a file's `architecture` says for a system.
fn architecture(system: System) -> &'static str {
    match system {
        System::I3d => safetensors_file::ARCHITECTURE,
        other => other.name(),
    }
}

impl Metadata {
    /// The system whose network it is: I3D, unless it says otherwise.
    pub fn system(&self) -> System {
        let named = |system: &System| self.architecture.as_deref() == Some(architecture(*system));
        System::ALL.into_iter().find(named).unwrap_or(System::I3d)
    }
}

/// Tensors under their own names, names left out, metadata.
type Found = (Vec<(String, Tensor)>, Vec<String>, Metadata);

/// A checkpoint's variables under DeepMind's names without scope prefix, in DeepMind's layouts, batch norm not folded.
///
/// # Shapes
///
/// Those of [`crate::network::Unit::variables`]: `<unit>/conv_3d/w` `[kT, kH, kW, Cin, Cout]`, every other variable `[Cout]` but for
/// those of an LSTM.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    /// The name for error messages.
    pub place: String,
    /// The source's format.
    pub format: Format,
    /// SHA-256 of the source in hex; of a TensorFlow checkpoint, of the index followed by the data files.
    pub sha256: String,
    /// All variables; those of unknown names under their own.
    pub tensors: BTreeMap<String, Tensor>,
    /// What the file says about itself.
    pub metadata: Metadata,
    /// Source names of what is not part of the model: optimizer slots, counters, batch-norm scales of one.
    pub skipped: Vec<String>,
}

impl Checkpoint {
    /// Reads a safetensors file, a PyTorch file, a Flax pickle or a TensorFlow V1 checkpoint, whichever the bytes are; `place`
    /// names it in errors.
    pub fn from_bytes(place: &str, bytes: &[u8]) -> Result<Checkpoint> {
        let at = |problem| Error::checkpoint(place, problem);
        let format = sniff::format(bytes).map_err(at)?;
        let read = || {
            let (found, skipped) = match format {
                Format::Safetensors => return safetensors_file::read(bytes).map_err(at),
                Format::PyTorchZip => pytorch::read_zip(bytes).map_err(at)?,
                Format::Flax => pickle::read(bytes).map_err(at)?,
                Format::TensorFlowV1 => tf_bundle::read_v1(bytes).map_err(at)?,
                // `sniff::format` never answers `TensorFlow`, which takes several files.
                Format::PyTorchLegacy | Format::TensorFlow => pytorch::read_legacy(bytes).map_err(at)?,
            };
            Ok((found, skipped, Metadata::default()))
        };
        Checkpoint::new(place, format, &[bytes], read)
    }

    /// Reads a TensorFlow V2 checkpoint: its `.index` file and all its `.data-SSSSS-of-NNNNN` files in order.
    pub fn from_tensorflow(place: &str, index: &[u8], shards: &[&[u8]]) -> Result<Checkpoint> {
        let files: Vec<&[u8]> = std::iter::once(index).chain(shards.iter().copied()).collect();
        Checkpoint::new(place, Format::TensorFlow, &files, || {
            let (found, skipped) = tf_bundle::read(place, index, shards)?;
            Ok((found, skipped, Metadata::default()))
        })
    }

    /// Folded weights as a checkpoint whose batch norm changes nothing, so that other programs can run them.
    pub fn from_weights(place: &str, weights: &Weights) -> Checkpoint {
        let Weights { network, units } = weights;
        let mut tensors = BTreeMap::new();
        for (unit, values) in network.units().iter().zip(units) {
            let (offset, fixed) = values.bias.split_at(unit.out_channels);
            let (mean, variance) = match unit.form {
                Form::Lstm => fixed.split_at(unit.statistics()),
                _ => (&[][..], &[][..]),
            };
            let own = [&values.kernel[..], offset, mean, variance];
            for ((name, shape), own) in unit.variables().into_iter().zip(own) {
                // Variances from which eps makes one, and means of zero.
                let rest = if name.ends_with("variance") { 1.0 - BATCH_NORM_EPSILON } else { 0.0 };
                let data = if own.is_empty() { vec![rest; shape.iter().product()] } else { own.to_vec() };
                tensors.insert(name, Tensor { shape, data });
            }
        }
        let metadata = Metadata {
            architecture: Some(architecture(network.system).into()),
            width: Some(network.width),
            input_size: Some(network.input_size),
            classes: Some(network.classes),
            ..Metadata::default()
        };
        let (place, format, sha256) = (place.to_string(), Format::Safetensors, String::new());
        Checkpoint { place, format, sha256, tensors, metadata, skipped: Vec::new() }
    }

    /// What `read` finds in `files`; meanwhile another thread computes their hash, which no step of reading waits for.
    fn new(
        place: &str,
        format: Format,
        files: &[&[u8]],
        read: impl FnOnce() -> Result<Found> + Send,
    ) -> Result<Checkpoint> {
        let translated = || {
            let (found, mut skipped, metadata) = read()?;
            let tensors = match metadata.system() {
                System::I3d => names::translate(found, &mut skipped)
                    .map_err(|problem| Error::checkpoint(place, problem))?,
                // Nobody else has these networks, so there are no other names.
                _ => found.into_iter().collect(),
            };
            Ok((tensors, skipped, metadata))
        };
        let hashed = || {
            let mut hash = Sha256::new();
            files.iter().for_each(|file| hash.update(file));
            hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
        };
        let (sha256, translated) = rayon::join(hashed, translated);
        let (tensors, skipped, metadata) = translated?;
        Ok(Checkpoint { place: place.to_string(), format, sha256, tensors, metadata, skipped })
    }

    /// Whether this is I3D up to the classifier, which is not there.
    pub fn is_headless(&self) -> bool {
        let has = |unit: &str| {
            let kernel = self.tensors.get(&format!("{unit}/conv_3d/w"));
            kernel.is_some_and(|tensor| tensor.shape.len() == 5 && !tensor.data.is_empty())
        };
        let head = format!("{LOGITS_PER_STEP}/");
        self.metadata.system() == System::I3d
            && has(ENDPOINTS[0].name)
            && has(LAST_UNIT)
            && !self.tensors.keys().any(|name| name.starts_with(&head))
    }

    /// The same checkpoint with a classifier of `classes` classes that says nothing, where it has none: what comes before the
    /// classifier, and training another, need no more.
    #[must_use]
    pub fn with_classifier(mut self, classes: usize) -> Checkpoint {
        if self.is_headless() {
            // Four branches, whose last convolutions say how many channels they have.
            let branches = BRANCHES
                .iter()
                .filter_map(|unit| self.tensors.get(&format!("{unit}/conv_3d/w"))?.shape.last().copied());
            let channels: usize = branches.sum();
            let kernel =
                Tensor { shape: vec![1, 1, 1, channels, classes], data: vec![0.0; channels * classes] };
            self.tensors.insert(format!("{LOGITS_PER_STEP}/conv_3d/w"), kernel);
            let bias = Tensor { shape: vec![classes], data: vec![0.0; classes] };
            self.tensors.insert(format!("{LOGITS_PER_STEP}/conv_3d/b"), bias);
        }
        self
    }

    /// The network that these variables belong to, from their shapes; the clip size from the metadata, else 224.
    ///
    /// # Errors
    /// Tensors that are no network's, and metadata that says something else than they do.
    pub fn network(&self) -> Result<Network> {
        let network = self.described()?;
        if let Some(names) = &self.metadata.labels {
            labels::check(&self.place, names, network.classes)?;
        }
        Ok(network)
    }

    fn described(&self) -> Result<Network> {
        if self.metadata.system() != System::I3d {
            return self.other_network();
        }
        // Without values a tensor's dimensions mean nothing and may be of any size.
        let shape = |name: &str| {
            let tensor = self.tensors.get(name).filter(|tensor| !tensor.data.is_empty());
            tensor.map(|tensor| tensor.shape.as_slice()).ok_or_else(|| self.no_network(name))
        };
        let stem = format!("{}/conv_3d/w", ENDPOINTS[0].name);
        let bias = format!("{LOGITS_PER_STEP}/conv_3d/b");
        let (&[_, _, _, in_channels, stem_channels], &[classes]) = (shape(&stem)?, shape(&bias)?) else {
            return Err(Error::checkpoint(
                &self.place,
                format!(
                    "has {stem} of shape {:?} and {bias} of shape {:?}; expected [kT, kH, kW, Cin, Cout] and [classes]",
                    shape(&stem)?,
                    shape(&bias)?
                ),
            ));
        };
        let Metadata { width, classes: stated_classes, stream, input_size, .. } = self.metadata;
        let width = width.unwrap_or_else(|| load::width(&self.tensors, stem_channels));
        let input_size = input_size.unwrap_or(224);
        let network = Network { system: System::I3d, in_channels, classes, width, input_size };
        let states = |what: &str, stated: &dyn std::fmt::Display, found: &dyn std::fmt::Display| {
            Error::checkpoint(
                &self.place,
                format!(
                    "says of itself {what} {stated}, its tensors have {found}: convert the original again"
                ),
            )
        };
        match (stated_classes, stream) {
            (Some(stated), _) if stated != classes => Err(states("classes", &stated, &classes)),
            (_, Some(stated)) if stated.channels() != in_channels => {
                Err(states("stream", &stated, &format!("{in_channels} input channels")))
            }
            _ => network.validate().map(|()| network).map_err(|e| Error::checkpoint(&self.place, e)),
        }
    }

    /// The network of another system, which says more of itself than I3D's.
    fn other_network(&self) -> Result<Network> {
        let system = self.metadata.system();
        let fail = |problem: String| Err(Error::checkpoint(&self.place, problem));
        let Metadata { width: Some(width), classes: Some(classes), input_size, .. } = self.metadata else {
            return fail(format!("is a {system} that does not say its width and classes; train it again"));
        };
        let mut expected = Vec::new();
        for input in Input::ALL.into_iter().filter(|&input| system.takes(input)) {
            let whole = Network::new(system, input, classes);
            let network = Network { width, input_size: input_size.unwrap_or(whole.input_size), ..whole };
            network.validate().map_err(|e| Error::checkpoint(&self.place, e))?;
            let first = network.units().first().map(Unit::variables).unwrap_or_default();
            let Some((name, shape)) = first.into_iter().next() else { continue };
            match self.tensors.get(&name) {
                Some(tensor) if tensor.shape == shape => return Ok(network),
                Some(tensor) => expected.push(format!("{name} {shape:?}, not {:?}", tensor.shape)),
                None => expected.push(format!("{name} {shape:?}")),
            }
        }
        let expected = expected.join(", or ");
        fail(format!(
            "says of itself that it is a {system} of width {width}, which has {expected}; train it again"
        ))
    }

    /// Why a checkpoint that lacks the tensor `name` has no network.
    fn no_network(&self, name: &str) -> Error {
        if self.is_headless() {
            return Error::checkpoint(
                &self.place,
                format!(
                    "is a network without classifier (there is no {LOGITS_PER_STEP}), so it can name no action; what comes before \
                     still works: `i3d dump --endpoint {FEATURES}` or Mixed_5c for features, and `i3d train --from` gives it a classifier \
                     of your own classes"
                ),
            );
        }
        let some: Vec<_> = self.tensors.keys().take(3).map(|name| short(name)).collect();
        let found = if some.is_empty() {
            "no tensors at all".into()
        } else {
            format!("{} and so on", some.join(", "))
        };
        Error::checkpoint(
            &self.place,
            format!(
                "holds no {name}, so it is no I3D checkpoint of a known kind; it holds {found}. \
                 Known are DeepMind's, Flax's, piergiaj's and hassony2's names, and of 2-D networks TF-slim's and torchvision's"
            ),
        )
    }

    /// Folded weights for `network`. Every variable must be there in its shape, finite, and none may be left over.
    pub fn load(&self, network: &Network) -> Result<(Weights, LoadReport)> {
        load::load(self, network)
    }

    /// This checkpoint as a safetensors file: the variables as they are, f32, with metadata; convolution kernels, which are
    /// nearly all of it, as `kernels` says. The same checkpoint gives the same bytes. `labels` go into the metadata, instead
    /// of those already there.
    ///
    /// # Errors
    /// As many labels as there are no classes; kernels beyond the range of 16 bits.
    pub fn to_safetensors(&self, labels: Option<&[String]>, kernels: Precision) -> Result<Vec<u8>> {
        let network = self.network()?;
        let labels = labels.map(<[String]>::to_vec).or_else(|| self.metadata.labels.clone());
        if let Some(labels) = labels.as_ref().filter(|labels| labels.len() != network.classes) {
            return Err(Error::labels(
                &self.place,
                format!(
                    "{} labels are given for a network of {} classes: give one label per class",
                    labels.len(),
                    network.classes
                ),
            ));
        }
        let file_name = self.place.rsplit(['/', '\\']).next().unwrap_or(&self.place);
        let metadata = Metadata {
            architecture: Some(architecture(network.system).into()),
            stream: network.stream(),
            width: Some(network.width),
            input_size: Some(network.input_size),
            classes: Some(network.classes),
            labels,
            source: self.metadata.source.clone().or_else(|| Some(file_name.into())),
            source_sha256: self.metadata.source_sha256.clone().or_else(|| Some(self.sha256.clone())),
            name: self.metadata.name.clone(),
        };
        safetensors_file::write(&self.tensors, &metadata, kernels)
            .map_err(|problem| Error::checkpoint(&self.place, problem))
    }
}
