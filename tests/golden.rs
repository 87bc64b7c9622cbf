//! Full-size networks against golden values, on the CPU backend and on the test device: needs a folder with golden
//! checkpoints (`I3D_SHARED`) and minutes, so it runs with `cargo xtask test --full` only.
#![allow(missing_docs, clippy::expect_used, clippy::panic, reason = "tests")]

mod common;

use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};

use i3d::backend::{Device, Model, Output, RunOptions};
use i3d::clip::Clip;
use i3d::network::{FEATURES, LOGITS, LOGITS_PER_STEP, Network, Stream};
use i3d::plan::{Plan, Precision};
use i3d::video::{FrameSource, Pixels, from_image_bytes};
use i3d::weights::{Checkpoint, Weights};

/// Largest difference in standard deviations of an endpoint, and of a feature or a logit. Builds of TensorFlow differ by
/// 1e-5. For f16 it is about twice the worst that was measured; docs/precision.md has the numbers.
const fn bounds(precision: Precision) -> [f32; 2] {
    match precision {
        Precision::F32 => [1e-3, 1e-3],
        Precision::F16 => [0.2, 0.05],
    }
}

fn shared() -> Option<PathBuf> {
    let folder = std::env::var_os("I3D_SHARED").map(PathBuf::from);
    if folder.is_none() {
        eprintln!("SKIPPED: I3D_SHARED names no folder with golden values");
    }
    folder
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn weights(folder: &Path, stream: Stream) -> Weights {
    let prefix = folder.join(format!("golden/deepmind_{stream}/model.ckpt"));
    let file = |end: &str| read(Path::new(&format!("{}{end}", prefix.display())));
    let (index, data) = (file(".index"), file(".data-00000-of-00001"));
    let checkpoint = Checkpoint::from_tensorflow("golden", &index, &[&data]).expect("the checkpoint reads");
    checkpoint.load(&Network::i3d(stream, 400)).expect("the checkpoint is complete").0
}

/// The sample animation as the network sees it: RGB scaled to [-1, 1]; of the flow picture, two channels less 0.5.
fn clip(folder: &Path, stream: Stream) -> Clip {
    let bytes = read(&folder.join(format!("data/cricket_{stream}.gif")));
    let mut frames = from_image_bytes("gif", bytes).expect("the animation opens");
    let mut clip = Clip::empty(224, 224, stream.channels());
    while let Some(frame) = frames.next_frame().expect("the animation decodes") {
        let Pixels::Rgb(rgb) = &frame.pixels else { panic!("a GIF is RGB") };
        let values: Vec<f32> = match stream {
            Stream::Rgb => rgb.iter().map(|&v| f32::from(v) / 127.5 - 1.0).collect(),
            Stream::Flow => {
                rgb.chunks_exact(3).flat_map(|p| [p[0], p[1]]).map(|v| f32::from(v) / 255.0 - 0.5).collect()
            }
        };
        clip.push_frame(&values).expect("frames have one size");
    }
    clip
}

/// Arrays of a `.npz` file.
struct Gold(zip::ZipArchive<Cursor<Vec<u8>>>);

impl Gold {
    fn bytes(&mut self, key: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.0.by_name(&format!("{key}.npy")).expect(key).read_to_end(&mut bytes).expect(key);
        bytes
    }

    fn floats(&mut self, key: &str) -> Vec<f32> {
        let npy = npyz::NpyFile::new(Cursor::new(self.bytes(key))).expect(key);
        if npy.dtype() == npyz::DType::Plain("<f8".parse().expect("a type")) {
            return npy.into_vec::<f64>().expect(key).into_iter().map(|v| v as f32).collect();
        }
        let (shape, order) = (npy.shape().to_vec(), npy.order());
        let values = npy.into_vec::<f32>().expect(key);
        match (order, &shape[..]) {
            (npyz::Order::Fortran, &[rows, columns]) => {
                let (rows, columns) = (rows as usize, columns as usize);
                (0..rows * columns).map(|i| values[i % columns * rows + i / columns]).collect()
            }
            _ => values,
        }
    }

    fn indices(&mut self, key: &str) -> Vec<usize> {
        let npy = npyz::NpyFile::new(Cursor::new(self.bytes(key))).expect(key);
        npy.into_vec::<i64>().expect(key).into_iter().map(|v| v as usize).collect()
    }
}

fn worst(got: impl Iterator<Item = f32>, want: &[f32]) -> f32 {
    let differences =
        got.zip(want).map(|(g, w)| if (g - w).is_nan() { f32::INFINITY } else { (g - w).abs() });
    differences.fold(0.0, f32::max)
}

fn check(device: &Device, stream: Stream, lengths: &[usize], precision: Precision) {
    let Some(folder) = shared() else { return };
    let archive = read(&folder.join(format!("golden/gold_{stream}.npz")));
    let mut gold = Gold(zip::ZipArchive::new(Cursor::new(archive)).expect("the archive opens"));
    let options = RunOptions { precision, ..RunOptions::default() };
    let mut model =
        Model::new(device, weights(&folder, stream), &options).expect("the model fits the device");
    let all = clip(&folder, stream);
    for &frames in lengths {
        let plan = Plan::new(model.network(), 1, frames).expect("plans").with_precision(precision);
        let input = all.clone().first(frames);
        let mut progress = |_| ();
        let names = plan.observable();
        let run = model.run(&plan, &input.data, &names, &mut progress);
        let output = pollster::block_on(run).expect("runs");
        let place = format!("{} {precision} {stream} T={frames}", device.info());
        compare(&mut gold, &plan, &output, frames, &place);
    }
}

fn compare(gold: &mut Gold, plan: &Plan, output: &Output, frames: usize, place: &str) {
    for name in plan.observable() {
        let got = &output.get(name).expect(name).data;
        let (difference, scale) = match name {
            FEATURES => (worst(got.iter().copied(), &gold.floats(&format!("{frames}/features"))), 1.0),
            LOGITS_PER_STEP => {
                (worst(got.iter().copied(), &gold.floats(&format!("{frames}/logits_per_step"))), 1.0)
            }
            LOGITS => (worst(got.iter().copied(), &gold.floats(&format!("{frames}/logits"))), 1.0),
            endpoint => {
                let key = |part: &str| format!("{frames}/{endpoint}/{part}");
                let index = gold.indices(&key("index"));
                let std = gold.floats(&key("mean_std"))[1];
                (worst(index.iter().map(|&i| got[i]), &gold.floats(&key("value"))), std)
            }
        };
        let head = [FEATURES, LOGITS_PER_STEP, LOGITS].contains(&name);
        let bound = bounds(plan.precision)[usize::from(head)];
        println!("{place} {name}: {:.1e}", difference / scale);
        assert!(difference <= bound * scale, "{place} {name}: off by {difference:e}, spread {scale:e}");
    }
    let want = gold.floats(&format!("{frames}/logits"));
    let (got, want) = (top(&output.get(LOGITS).expect("observed").data), top(&want));
    let agree = got.iter().filter(|class| want.contains(class)).count();
    println!("{place}: the best classes are {got:?}, expected {want:?}: {agree} of {TOP} agree");
    assert_eq!(got[0], want[0], "{place}: another class is the best");
}

/// How many of the best classes are compared.
const TOP: usize = 5;

/// The best classes, best first.
fn top(logits: &[f32]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..logits.len()).collect();
    order.sort_by(|&a, &b| logits[b].total_cmp(&logits[a]));
    order.truncate(TOP);
    order
}

#[test]
#[ignore = "full size; needs I3D_SHARED"]
fn the_cpu_backend_reproduces_the_golden_values() {
    let device = Device::Cpu { threads: 0 };
    for stream in [Stream::Rgb, Stream::Flow] {
        check(&device, stream, &[79, 64, 16, 10], Precision::F32);
    }
}

#[test]
#[ignore = "full size; needs I3D_SHARED"]
fn the_gpu_backend_reproduces_the_golden_values() {
    let Some(gpu) = common::gpu() else { return };
    // SwiftShader is several times slower than lavapipe.
    let lengths: &[usize] = if gpu.adapter.matches("swiftshader") { &[16, 10] } else { &[79, 64, 16, 10] };
    let device = Device::Gpu(gpu);
    for stream in [Stream::Rgb, Stream::Flow] {
        check(&device, stream, lengths, Precision::F32);
    }
}

#[test]
#[ignore = "full size; needs I3D_SHARED"]
fn the_gpu_backend_reproduces_the_golden_values_in_f16() {
    let Some(gpu) = common::gpu() else { return };
    if !gpu.adapter.shader_f16 {
        eprintln!("SKIPPED: {} has no f16", gpu.adapter);
        return;
    }
    let device = Device::Gpu(gpu);
    for stream in [Stream::Rgb, Stream::Flow] {
        check(&device, stream, &[16, 10], Precision::F16);
    }
}
