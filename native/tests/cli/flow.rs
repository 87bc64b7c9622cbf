//! `i3d flow`: arrays, denseflow's pictures, animations, and videos without flow.

use crate::Sandbox;

/// A noisy picture that moves two pixels to the right per frame, 64x48 pixels.
fn moving(sandbox: &Sandbox, name: &str, frames: usize) {
    sandbox.ffmpeg(&format!(
        "-f lavfi -i gradients=size=256x48:rate=25:c0=black:c1=white:x0=0:x1=255:y0=10:y1=40:seed=3:speed=0.00001 -vf \
         crop=64:48:128-2*n:0 -frames:v {frames} -c:v ffv1 {name}"
    ));
}

fn array(sandbox: &Sandbox, name: &str) -> (Vec<u64>, Vec<f32>) {
    let bytes = sandbox.read(name);
    let npy = npyz::NpyFile::new(&bytes[..]).expect("an array");
    (npy.shape().to_vec(), npy.into_vec::<f32>().expect("float32"))
}

#[test]
fn flow_is_written_as_an_array_in_pixels() {
    let sandbox = Sandbox::new();
    moving(&sandbox, "a.mkv", 20);
    let run = sandbox.i3d("flow a.mkv -o a.npy --short-side 48 -v").ok();
    assert_eq!(run.stdout, "");
    assert!(
        run.stderr.contains("a.npy: flow of 19 pairs") && run.stderr.contains("mean magnitude"),
        "{run:?}"
    );
    let (shape, flow) = array(&sandbox, "a.npy");
    assert_eq!(shape, [19, 48, 64, 2]);
    let mean =
        |component: usize| flow.iter().skip(component).step_by(2).sum::<f32>() / (flow.len() / 2) as f32;
    assert!((mean(0) - 2.0).abs() < 0.3 && mean(1).abs() < 0.3, "u {} v {}", mean(0), mean(1));

    sandbox.i3d("flow a.mkv -o b.npy --short-side 48 --frames 3 --quantize mediapipe").ok();
    let (shape, rounded) = array(&sandbox, "b.npy");
    assert_eq!(shape, [2, 48, 64, 2]);
    let steps = rounded.iter().map(|v| (v / 20.0 + 1.0) / 2.0 * 255.0);
    assert!(steps.map(|q| (q - q.round()).abs()).fold(0.0, f32::max) < 1e-3, "255 steps from -20 to 20 px");
}

#[test]
fn flow_is_written_as_denseflow_writes_it() {
    let sandbox = Sandbox::new();
    moving(&sandbox, "a.mkv", 4);
    sandbox.i3d("flow a.mkv -o flow --short-side 48").ok();
    for name in ["flow_x_00001.jpg", "flow_y_00003.jpg"] {
        let picture =
            image::load_from_memory(&sandbox.read(&format!("flow/{name}"))).expect("a JPEG").into_luma8();
        assert_eq!(picture.dimensions(), (64, 48));
        let mean = picture.iter().map(|&v| f32::from(v)).sum::<f32>() / (64.0 * 48.0);
        // 2 px to the right are 127.5 + 2 / 40 * 255 = 140.
        let wanted = if name.contains('x') { 140.25 } else { 127.5 };
        assert!((mean - wanted).abs() < 3.0, "{name}: {mean}");
    }
    assert!(!sandbox.path("flow/flow_x_00004.jpg").exists());
    let full = "flow: the folder is not empty; give a new one";
    sandbox.i3d("flow a.mkv -o flow").fails(2, full);
}

#[test]
fn pictures_are_numbered_as_either_denseflow_does() {
    let sandbox = Sandbox::new();
    moving(&sandbox, "a.mkv", 4);
    sandbox.i3d("flow a.mkv -o one --short-side 48 --start-index 1").ok();
    sandbox.i3d("flow a.mkv -o nought --short-side 48 --start-index 0").ok();
    sandbox.i3d("flow a.mkv -o default --short-side 48").ok();
    let names = |folder: &str| -> Vec<String> {
        let found = std::fs::read_dir(sandbox.path(folder)).expect("a folder").flatten();
        let mut names: Vec<String> =
            found.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    };
    let numbered = |numbers: [u32; 3]| -> Vec<String> {
        ["x", "y"]
            .iter()
            .flat_map(|name| numbers.map(|number| format!("flow_{name}_{number:05}.jpg")))
            .collect()
    };
    assert_eq!(names("nought"), numbered([0, 1, 2]));
    assert_eq!(names("one"), numbered([1, 2, 3]));
    assert_eq!(names("default"), names("one"));
    assert!(
        sandbox.read("nought/flow_x_00002.jpg") == sandbox.read("one/flow_x_00003.jpg"),
        "the same pictures"
    );
    let one = "a.npy: it is one file, and --start-index numbers pictures in a folder; leave it out";
    sandbox.i3d("flow a.mkv -o a.npy --start-index 0").fails(2, one);
    let help = sandbox.i3d("flow --help").ok().stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(help.contains("1 as yjxiong/dense_flow writes them, 0 as open-mmlab/denseflow does"), "{help}");
}

#[test]
fn flow_is_written_to_look_at() {
    let sandbox = Sandbox::new();
    moving(&sandbox, "a.mkv", 5);
    sandbox.i3d("flow a.mkv -o a.gif --short-side 48").ok();
    sandbox.i3d("flow a.mkv -o a.mp4 --short-side 48").ok();
    // Both are videos that this program reads.
    for name in ["a.gif", "a.mp4"] {
        sandbox.i3d(&format!("flow {name} -o again.npy --short-side 48")).ok();
        assert_eq!(array(&sandbox, "again.npy").0, [3, 48, 64, 2], "{name}");
    }
}

#[test]
fn a_still_video_does_not_move() {
    let sandbox = Sandbox::new();
    sandbox.ffmpeg("-f lavfi -i color=gray:size=32x32:rate=25 -frames:v 4 -c:v ffv1 a.mkv");
    let run = sandbox.i3d("flow a.mkv -o a.npy --short-side 32").ok();
    assert!(run.stderr.contains("nothing moves"), "{run:?}");
    assert!(array(&sandbox, "a.npy").1.iter().all(|&v| v == 0.0));
}

#[test]
fn what_has_no_flow_is_told() {
    let sandbox = Sandbox::new();
    moving(&sandbox, "one.mkv", 1);
    let one =
        "one.mkv: there is one frame, and flow goes from one frame to the next; give a video of at least two";
    sandbox.i3d("flow one.mkv -o a.npy").fails(2, one);
    assert!(!sandbox.path("a.npy").exists());
    sandbox.i3d("flow none.mkv -o a.npy").exits(2);
    sandbox.i3d("flow one.mkv -o a.txt").fails(2, "a.txt: .txt is none of .npy, .gif, .mp4 and a folder");
    moving(&sandbox, "two.mkv", 2);
    sandbox.i3d("flow two.mkv -o two.npy --short-side 48").ok();
    assert_eq!(array(&sandbox, "two.npy").0, [1, 48, 64, 2]);
}

#[test]
fn a_video_that_breaks_gives_the_flow_before_the_break() {
    let sandbox = Sandbox::new();
    sandbox.video("whole.mkv", 100);
    let whole = sandbox.read("whole.mkv");
    sandbox.write("cut.mkv", &whole[..whole.len() / 2]);
    let run = sandbox.i3d("flow cut.mkv -o a.npy --short-side 32").exits(1);
    assert!(run.errors()[0].ends_with("; the flow of what came before is written"), "{run:?}");
    assert!((19..90).contains(&array(&sandbox, "a.npy").0[0]));
}
