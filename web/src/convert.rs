//! Checkpoints from files that came in pieces, and the table of released models.

use i3d::models::{Format, GitBlob, MODELS, Model, RAW_GITHUB, SourceData, SourceFile, SourceFiles};
use i3d::network::Stream;
use i3d::weights::Checkpoint;
use i3d::{Error, Result};
use serde::Serialize;
use wasm_bindgen::prelude::*;

use crate::engine::stream_of;
use crate::{Answer, plain, thrown};

/// A file of a checkpoint in the module's memory, filled piece by piece while it is downloaded or read.
#[wasm_bindgen]
#[derive(Default)]
pub struct ModelFile {
    bytes: Vec<u8>,
}

#[wasm_bindgen]
impl ModelFile {
    /// An empty file with room for so many bytes.
    #[wasm_bindgen(constructor)]
    pub fn new(capacity: usize) -> Answer<ModelFile> {
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(capacity).map_err(|_| {
            let megabytes = capacity as f64 / 1e6;
            let problem = format!("the browser has no {megabytes:.0} MB of memory left; close other tabs");
            thrown(Error::Limits(problem))
        })?;
        Ok(ModelFile { bytes })
    }

    /// The next bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Bytes so far.
    #[wasm_bindgen(getter)]
    pub fn length(&self) -> usize {
        self.bytes.len()
    }

    /// Git's blob id of the bytes so far, 40 hexadecimal digits.
    #[wasm_bindgen(js_name = gitBlob)]
    pub fn git_blob(&self) -> String {
        let mut blob = GitBlob::new(self.bytes.len() as u64);
        blob.update(&self.bytes);
        blob.finish()
    }
}

/// The checkpoint that files are: a single one by its content, or the index and the data files of TensorFlow's.
///
/// # Errors
/// Files that are no checkpoint of I3D.
pub fn checkpoint(place: &str, files: &[ModelFile]) -> Result<Checkpoint> {
    match files {
        [] => Err(Error::checkpoint(place, "no file was given; give a checkpoint")),
        [one] => Checkpoint::from_bytes(place, &one.bytes),
        [index, data @ ..] => {
            let data: Vec<&[u8]> = data.iter().map(|file| &file.bytes[..]).collect();
            Checkpoint::from_tensorflow(place, &index.bytes, &data)
        }
    }
}

/// A downloaded checkpoint as a safetensors file with its labels, to be kept.
///
/// `place` is where it came from; `files` as for `Engine.load`.
#[wasm_bindgen]
pub fn convert(
    model: &str,
    #[wasm_bindgen(unchecked_param_type = "Stream")] stream: &str,
    place: &str,
    labels: Option<Vec<String>>,
    files: Vec<ModelFile>,
) -> Answer<Vec<u8>> {
    let stream = stream_of(stream).map_err(thrown)?;
    let mut files = files.into_iter().map(|file| file.bytes);
    let first = files.next().unwrap_or_default();
    let shards: Vec<Vec<u8>> = files.collect();
    let data = match shards.is_empty() {
        true => SourceData::File(first),
        false => SourceData::TensorFlow { index: first, shards },
    };
    let (model, place) = (model.to_string(), place.to_string());
    SourceFiles { model, stream, place, labels, data }.to_safetensors().map_err(thrown)
}

#[derive(Serialize)]
struct Entry {
    name: &'static str,
    description: &'static str,
    classes: usize,
    licence: &'static str,
    labels: Option<Vec<String>>,
    streams: Vec<EntryStream>,
}

#[derive(Serialize)]
struct EntryStream {
    stream: Stream,
    format: &'static str,
    files: Vec<EntryFile>,
}

#[derive(Serialize)]
struct EntryFile {
    name: &'static str,
    url: String,
    blob: &'static str,
    size: Option<u64>,
}

/// The released models and where their files lie.
#[wasm_bindgen(unchecked_return_type = "ModelEntry[]")]
pub fn models() -> Answer<JsValue> {
    plain(&MODELS.iter().map(entry).collect::<Vec<_>>())
}

fn entry(model: &Model) -> Entry {
    let Model { name, description, classes, licence, .. } = *model;
    let streams = model.streams().filter_map(|stream| {
        let source = model.source(stream)?;
        let file =
            |&SourceFile { blob, size, .. }: &SourceFile, name, url| EntryFile { name, url, blob, size };
        let files =
            source.files().into_iter().map(|f| file(f, f.name(), source.url(RAW_GITHUB, f))).collect();
        let format = match source.format {
            Format::TensorFlow { .. } => "tensorflow",
            Format::PyTorch(_) => "file",
        };
        Some(EntryStream { stream, format, files })
    });
    Entry { name, description, classes, licence, labels: model.class_labels(), streams: streams.collect() }
}
