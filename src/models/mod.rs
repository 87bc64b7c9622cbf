//! Released models: where their files lie, how they are verified, and how they become weights of ours. Fetching and keeping
//! them is for the fronts.

mod registry;

pub use registry::{
    Format, Labels, MODELS, Model, RAW_GITHUB, REPACKED, SAMPLES, Sample, Source, SourceFile,
};

use std::fmt::Write as _;

use sha1::{Digest, Sha1};

use crate::error::{Error, Result};
use crate::labels;
use crate::network::Stream;
use crate::plan::Precision;
use crate::weights::{Checkpoint, LoadReport};

/// A git blob id in the making: the SHA-1 of `blob <length>\0` and the contents, which may come in pieces.
#[derive(Debug, Clone)]
pub struct GitBlob(Sha1);

impl GitBlob {
    /// The id of `length` bytes that are still to come.
    pub fn new(length: u64) -> GitBlob {
        let mut hash = Sha1::new();
        hash.update(format!("blob {length}\0"));
        GitBlob(hash)
    }

    /// The next of them.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The id, 40 hexadecimal digits.
    pub fn finish(self) -> String {
        self.0.finalize().iter().fold(String::with_capacity(40), |mut text, byte| {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}

/// A downloaded checkpoint, verified, on its way to the converter.
#[derive(Debug)]
pub struct SourceFiles {
    /// The model's name.
    pub model: String,
    /// Which of its streams.
    pub stream: Stream,
    /// Where the weights came from; the name for messages about them.
    pub place: String,
    /// Names of the classes, to be stored with the weights.
    pub labels: Option<Vec<String>>,
    /// The bytes.
    pub data: SourceData,
}

/// The bytes of a checkpoint.
#[derive(Debug)]
pub enum SourceData {
    /// A TensorFlow V2 bundle.
    TensorFlow {
        /// The `.index` file.
        index: Vec<u8>,
        /// The `.data-*` files in order.
        shards: Vec<Vec<u8>>,
    },
    /// A file that speaks for itself: one written by `torch.save`, or safetensors.
    File(Vec<u8>),
}

impl SourceFiles {
    /// The checkpoint as a safetensors file of ours.
    ///
    /// # Errors
    /// Files that are no checkpoint of I3D, or one of the other stream.
    pub fn to_safetensors(&self) -> Result<Vec<u8>> {
        let mut checkpoint = match &self.data {
            SourceData::TensorFlow { index, shards } => {
                let shards: Vec<&[u8]> = shards.iter().map(Vec::as_slice).collect();
                Checkpoint::from_tensorflow(&self.place, index, &shards)?
            }
            SourceData::File(bytes) => Checkpoint::from_bytes(&self.place, bytes)?,
        };
        let network = checkpoint.network()?;
        if network.stream() != Some(self.stream) {
            let (found, wanted) = (network.in_channels, self.stream);
            let problem = format!("takes {found} input channels where {wanted} was expected");
            return Err(Error::checkpoint(&self.place, problem));
        }
        checkpoint.metadata.source = Some(self.place.clone());
        checkpoint.metadata.name = Some(self.model.clone());
        to_safetensors(&checkpoint, self.labels.clone(), Precision::F32).map(|(bytes, _)| bytes)
    }
}

/// A complete checkpoint as safetensors, and what was found in it; labels are the given ones, those it carries, or
/// Kinetics by their number.
///
/// # Errors
/// Checkpoints that lack something, or hold what the network does not have.
pub fn to_safetensors(
    checkpoint: &Checkpoint,
    names: Option<Vec<String>>,
    kernels: Precision,
) -> Result<(Vec<u8>, LoadReport)> {
    let network = checkpoint.network()?;
    // Loading is the check that nothing is missing or left over.
    let (_, report) = checkpoint.load(&network)?;
    let known = || checkpoint.metadata.labels.clone().or_else(|| labels::for_classes(network.classes));
    Ok((checkpoint.to_safetensors(names.or_else(known).as_deref(), kernels)?, report))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blob_ids_are_those_of_git() {
        let mut blob = GitBlob::new(6);
        blob.update(b"hel");
        blob.update(b"lo\n");
        assert_eq!(blob.finish(), "ce013625030ba8dba906f756967f9e9ca394464a");
        assert_eq!(GitBlob::new(0).finish(), "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
    }
}
