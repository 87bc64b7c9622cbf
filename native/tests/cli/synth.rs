//! `i3d synth`: folders to train on, single films, and requests that cannot be met.

use crate::{Sandbox, files};

const SMALL: &str = "--size 64x48 --frames 10";

#[test]
fn a_folder_of_class_folders_is_written() {
    let sandbox = Sandbox::new();
    let run = |folder: &str, seed: u64| {
        let mut command = sandbox.command(&format!("synth {folder} --clips 2 --seed {seed} {SMALL}"));
        sandbox.finish(command.args(["--split", "train,test", "--classes", "walking,opening a door"])).ok()
    };
    let said = run("set", 0);
    assert_eq!((said.stdout.as_str(), said.stderr.as_str()), ("", "set: 8 clips of 2 classes\n"));
    // In the order of the set, whatever the order of the request.
    assert_eq!(sandbox.read("set/labels.txt"), b"opening a door\nwalking\n");
    let table = String::from_utf8(sandbox.read("set/clips.csv")).expect("UTF-8");
    let rows: Vec<_> = table.lines().collect();
    assert_eq!(rows[..2], ["path,label,split", "opening a door/train_00000.mp4,opening a door,train"]);
    assert_eq!(rows[8], "walking/test_00001.mp4,walking,test");
    for row in &rows[1..] {
        let clip = row.split(',').next().expect("a path");
        assert!(sandbox.path(&format!("set/{clip}")).is_file(), "{clip}");
    }
    assert_eq!(files(&sandbox.path("set")).len(), 10);

    sandbox.i3d(&format!("synth uneven --clips 3,1 --split train,val --classes walking {SMALL}")).ok();
    let names = files(&sandbox.path("uneven/walking"));
    assert_eq!(names.iter().filter(|name| name.to_string_lossy().contains("val_")).count(), 1, "{names:?}");
    assert_eq!(names.len(), 4);

    run("same", 0);
    run("other", 1);
    let clip = |folder: &str| sandbox.read(&format!("{folder}/walking/test_00001.mp4"));
    assert!(clip("set") == clip("same") && clip("set") != clip("other"));
    // What it wrote is a video that it reads.
    std::fs::copy(sandbox.path("set/walking/test_00001.mp4"), sandbox.path("a.mp4")).expect("copied");
    let flow = sandbox.i3d("flow a.mp4 -o a.npy --short-side 48").ok();
    assert!(flow.stderr.contains("a.npy: flow of 9 pairs"), "{flow:?}");
}

#[test]
fn a_single_film_is_written() {
    let sandbox = Sandbox::new();
    for name in ["a.gif", "a.mp4"] {
        let mut command = sandbox.command(&format!("synth {name} {SMALL} --classes"));
        let run = sandbox.finish(command.arg("standing up")).ok();
        assert_eq!(run.stderr, format!("{name}: standing up, 10 frames\n"));
        sandbox.i3d(&format!("flow {name} -o a.npy --short-side 48")).ok();
    }
    sandbox
        .i3d("synth b.gif --classes walking,clapping")
        .fails(2, "b.gif: a single film shows a single class; name it with --classes, or give a folder");
    sandbox.i3d("synth b.gif --classes walking --clips 3").fails(
        2,
        "b.gif: a single film is one clip in the format of its name; leave out --clips and --format",
    );
}

#[test]
fn requests_that_cannot_be_met_are_told() {
    let sandbox = Sandbox::new();
    sandbox.i3d("synth set --classes flying").fails_with(
        2,
        "there is no class `flying`; the classes are: opening a door, closing a door, ",
        &["walking"],
    );
    sandbox
        .i3d("synth set --clips 1,2")
        .fails(2, "--clips has 2 numbers for 3 splits; give one for all, or one for each of --split");
    sandbox.write("full/a.txt", "mine");
    sandbox.i3d("synth full").fails(2, "full: the folder is not empty; give a new one");
    sandbox.write("file", "mine");
    sandbox
        .i3d("synth file")
        .fails(2, "file: it is a file; give a new folder, or a name that ends in .mp4 or .gif");
    let run = sandbox.i3d("synth set --size 128").exits(2);
    assert!(run.stderr.contains("give width and height as in 128x96, each from 16 to 2048"), "{run:?}");
    let mut command = sandbox.command("synth set --classes walking");
    sandbox.finish(command.env("I3D_FFMPEG", "no-such-ffmpeg")).fails_with(
        2,
        "set: ",
        &["no-such-ffmpeg cannot be started", "install ffmpeg, or write a .gif"],
    );
    assert!(!sandbox.path("set").exists());
    assert_eq!(sandbox.read("full/a.txt"), b"mine");
}
