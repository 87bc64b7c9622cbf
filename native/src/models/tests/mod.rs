//! The whole way of a model, against a server on 127.0.0.1 that serves small stand-ins.

mod added;
mod cuts;
mod installed;
mod samples;
mod server;
mod wrong_answers;

use std::cell::RefCell;
use std::time::Duration;

use tempfile::TempDir;

use super::*;
use i3d::models::{Format, GitBlob, Labels, Source, SourceData, SourceFile};
use server::{Reply, Request, Server};

const REPOSITORY: &str = "someone/weights";
const COMMIT: &str = "00112233445566778899aabbccddeeff00112233";

/// Stand-ins for the files of a model, by path.
const FILES: &[(&str, usize)] = &[
    ("rgb/model.ckpt.index", 500),
    ("rgb/model.ckpt.data-00000-of-00001", 200_000),
    ("flow/model.ckpt.index", 510),
    ("flow/model.ckpt.data-00000-of-00001", 190_000),
    ("charades.pt", 150_000),
];

/// Contents of a stand-in: no two files alike, no period that a misplaced range could hide in.
fn contents(path: &str) -> Vec<u8> {
    let length = FILES.iter().find(|(name, _)| *name == path).unwrap().1;
    let mut state = length as u64;
    let byte = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u8
    };
    (0..length).map(byte).collect()
}

fn blob(bytes: &[u8]) -> String {
    let mut blob = GitBlob::new(bytes.len() as u64);
    blob.update(bytes);
    blob.finish()
}

/// Two models: `tiny`, a TensorFlow pair with known sizes, and `tiny-torch`, one file of unknown size.
fn registry() -> &'static [Model] {
    let file = |path: &'static str, sized: bool| {
        let bytes = contents(path);
        SourceFile { path, blob: blob(&bytes).leak(), size: sized.then_some(bytes.len() as u64) }
    };
    let source = |format| Source { repository: REPOSITORY, commit: COMMIT, format };
    let bundle =
        |index, data| source(Format::TensorFlow { index: file(index, true), data: file(data, true) });
    let model = |name, rgb, flow| Model {
        name,
        description: "a stand-in",
        classes: 400,
        labels: Labels::BuiltIn,
        licence: "Apache-2.0",
        rgb,
        flow,
    };
    let tiny = model("tiny", bundle(FILES[0].0, FILES[1].0), Some(bundle(FILES[2].0, FILES[3].0)));
    let torch = model("tiny-torch", source(Format::PyTorch(file(FILES[4].0, false))), None);
    vec![tiny, torch].leak()
}

/// Patience that no loaded machine wears out, and pauses that nobody notices.
fn options(server: &Server) -> Options {
    Options {
        base: server.base.clone(),
        connect_timeout: Duration::from_secs(60),
        read_timeout: Duration::from_secs(60),
        attempts: 3,
        backoff: Duration::from_millis(1),
        environment_proxy: false,
        ..Options::default()
    }
}

/// A fresh cache folder.
struct Cache(TempDir);

impl Cache {
    fn new() -> Cache {
        Cache(tempfile::tempdir().unwrap())
    }

    fn models(&self, options: Options) -> Models {
        Models::new(registry(), Store::at(self.0.path()), Downloader::new(options))
    }

    /// Every file in the cache but locks, as paths below the folder of the models.
    fn files(&self) -> Vec<String> {
        fn walk(folder: &std::path::Path, prefix: &str, found: &mut Vec<String>) {
            for entry in fs::read_dir(folder).into_iter().flatten().map(Result::unwrap) {
                let name = format!("{prefix}{}", entry.file_name().into_string().unwrap());
                match entry.file_type().unwrap().is_dir() {
                    true => walk(&entry.path(), &format!("{name}/"), found),
                    false if name.ends_with("/lock") => {}
                    false => found.push(name),
                }
            }
        }
        let mut found = Vec::new();
        walk(&self.0.path().join("models"), "", &mut found);
        found.sort();
        found
    }
}

/// The stand-in that a request's path asks for.
fn wanted(request: &Request) -> Vec<u8> {
    let prefix = format!("/{REPOSITORY}/{COMMIT}/");
    contents(request.path.strip_prefix(&prefix).unwrap_or_else(|| panic!("unexpected path {}", request.path)))
}

/// A server without faults.
fn faultless() -> Server {
    Server::start(|request, _| Reply::ranged(&wanted(request), request))
}

/// Stands in for the converter: what it makes depends on every byte it was given.
fn convert(files: &SourceFiles) -> Result<Vec<u8>> {
    let mut out =
        format!("{} {} {}\n", files.model, files.stream, files.labels.as_ref().unwrap().len()).into_bytes();
    match &files.data {
        SourceData::TensorFlow { index, shards } => {
            assert_eq!(shards.len(), 1);
            out.extend_from_slice(index);
            out.extend_from_slice(&shards[0]);
        }
        SourceData::File(bytes) => out.extend_from_slice(bytes),
    }
    Ok(out)
}

fn pull(models: &Models, name: &str) -> Result<Vec<Installed>> {
    models.pull(name, None, &convert, &mut |_| {})
}

fn is_installed(models: &Models, name: &str) -> bool {
    let row = models.list().into_iter().find(|row| row.model.name == name).unwrap();
    !row.installed.is_empty() || models.path(name).is_ok() || models.verify(Some(name)).is_ok()
}

/// The stored form of `tiny`'s RGB stream.
fn tiny_rgb() -> Vec<u8> {
    [b"tiny rgb 400\n".to_vec(), contents(FILES[0].0), contents(FILES[1].0)].concat()
}
