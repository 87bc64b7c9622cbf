//! What a command must not destroy: what it reads, what another output is, and what it did not write.

use crate::fixtures::{npy, safetensors};
use crate::train::clips;
use crate::{Sandbox, files};
use i3d::network::Stream;

/// Every file and what it holds.
fn contents(sandbox: &Sandbox) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let mut all: Vec<_> = files(&sandbox.path(""))
        .into_iter()
        .map(|path| (path.clone(), std::fs::read(path).expect("it is read")))
        .collect();
    all.sort();
    all
}

/// Runs every command, which must be refused for the output `path` and change nothing.
#[track_caller]
fn refused(sandbox: &Sandbox, commands: &[(&str, &str)], because: &str) {
    let before = contents(sandbox);
    for (command, path) in commands {
        let run = sandbox.i3d(command).exits(2);
        let errors = run.errors();
        let told = matches!(errors[..], [error] if error.starts_with(&format!("{path}: ")) && error.contains(because));
        assert!(told, "{command}: {run:?}");
        assert_eq!(run.stdout, "", "{command}");
        assert!(contents(sandbox) == before, "{command} changed a file");
    }
}

#[test]
fn an_input_is_never_overwritten() {
    let sandbox = Sandbox::with_weights();
    sandbox.write("a.npy", npy(9, 3));
    sandbox.gif("a.gif", 4);
    sandbox.gif("b.gif", 4);
    sandbox.pictures("pics", 3);
    sandbox.gif("pics/1.gif", 4);
    sandbox.write("labels.txt", "a\nb\nc\nd\ne\n");
    for file in ["tf/model.ckpt.index", "tf/model.ckpt.data-00000-of-00001"] {
        sandbox.write(file, "a part of a checkpoint");
    }
    clips(&sandbox, 2);
    let list = "path,label,split\nclips/rising/00.gif,rising,train\nclips/falling/00.gif,falling,train\n";
    sandbox.write("run/skipped.txt", list.replace("clips/", "../clips/"));
    sandbox.write("run/model.safetensors", safetensors(Stream::Rgb, 2));
    sandbox.write("out/results.json", "{}");
    let classify = "classify --rgb rgb.safetensors --overwrite";
    // With `--overwrite`: that is about what nobody reads.
    let commands = [
        (format!("{classify} a.gif --json a.gif"), "a.gif"),
        (format!("{classify} a.gif --csv ./a.gif"), "./a.gif"),
        (format!("{classify} a.npy b.gif a.gif --json pics/../a.gif"), "pics/../a.gif"),
        (format!("{classify} *.gif --json b.gif"), "b.gif"),
        (format!("{classify} pics --json pics/2.png"), "pics/2.png"),
        (format!("{classify} pics/*.png --json pics/2.png"), "pics/2.png"),
        (format!("{classify} a.npy --json rgb.safetensors"), "rgb.safetensors"),
        (format!("{classify} a.npy --flow tf --json tf/model.ckpt.index"), "tf/model.ckpt.index"),
        (format!("{classify} a.npy --labels labels.txt --csv labels.txt"), "labels.txt"),
        (format!("{classify} --rgb-clip a.npy --json a.npy"), "a.npy"),
        (format!("{classify} --flow-clip a.npy --json a.npy"), "a.npy"),
        ("convert rgb.safetensors rgb.safetensors".into(), "rgb.safetensors"),
        ("convert rgb.safetensors rgb.safetensors --overwrite".into(), "rgb.safetensors"),
        ("convert tf tf/model.ckpt.index --overwrite".into(), "tf/model.ckpt.index"),
        ("convert tf/model.ckpt tf/model.ckpt.data-00000-of-00001 --overwrite".into(), "tf/model.ckpt.data-00000-of-00001"),
        ("convert tf/model.ckpt.index tf/model.ckpt.data-00000-of-00001 --overwrite".into(), "tf/model.ckpt.data-00000-of-00001"),
        ("convert rgb.safetensors labels.txt --labels labels.txt --overwrite".into(), "labels.txt"),
        ("inflate rgb.safetensors rgb.safetensors --stream rgb".into(), "rgb.safetensors"),
        ("flow a.gif -o a.gif".into(), "a.gif"),
        ("flow pics -o pics/1.gif --overwrite".into(), "pics/1.gif"),
        ("dump a.npy --rgb rgb.safetensors --endpoint input -o a.npy".into(), "a.npy"),
        ("dump a.npy --rgb rgb.safetensors --endpoint input -o rgb.safetensors --overwrite".into(), "rgb.safetensors"),
        ("bench --rgb rgb.safetensors --json rgb.safetensors --overwrite".into(), "rgb.safetensors"),
        ("bench --flow flow.safetensors --save-weights flow.safetensors".into(), "flow.safetensors"),
        ("train run/skipped.txt -o run".into(), "run/skipped.txt"),
        ("train clips -o run --from run/model.safetensors".into(), "run/model.safetensors"),
        ("eval --dataset kinetics --data clips --annotations out/results.json --split val --rgb rgb.safetensors -o out".into(), "out/results.json"),
        ("eval --dataset folder --data clips --rgb out/results.json -o out".into(), "out/results.json"),
    ];
    let commands: Vec<(&str, &str)> =
        commands.iter().map(|(command, path)| (command.as_str(), *path)).collect();
    refused(&sandbox, &commands, "which would be lost");
    // Nor is a result beside the parts of a checkpoint.
    sandbox.write("tf/out.safetensors", safetensors(Stream::Rgb, 2));
    let run = sandbox.i3d("convert tf tf/out.safetensors").exits(2);
    assert!(run.errors()[0].starts_with("tf/model.ckpt"), "{run:?}");
    // A result that lies beside the pictures is none of them, and nothing else is read either.
    sandbox.write("pics/old.json", "{}");
    std::fs::remove_file(sandbox.path("pics/1.gif")).expect("it is there");
    sandbox.classify("pics --rgb rgb.safetensors --json pics/old.json").ok();
    sandbox.classify("*.npy --rgb rgb.safetensors --json pics/old.json").ok();
}

#[cfg(unix)]
#[test]
fn an_input_by_another_name_is_an_input() {
    use std::os::unix::fs::symlink;
    let sandbox = Sandbox::with_weights();
    sandbox.gif("a.gif", 4);
    std::fs::hard_link(sandbox.path("a.gif"), sandbox.path("hard.json")).expect("a link");
    symlink("a.gif", sandbox.path("soft.json")).expect("a link");
    sandbox.gif("real.gif", 4);
    sandbox.write("real/a.gif", sandbox.read("real.gif"));
    symlink("real", sandbox.path("here")).expect("a link");
    clips(&sandbox, 2);
    sandbox.write("run/any.txt", "");
    symlink("../clips/rising/00.gif", sandbox.path("run/train.jsonl")).expect("a link");
    let list =
        "path,label,split\n../clips/rising/00.gif,rising,train\n../clips/falling/00.gif,falling,train\n";
    sandbox.write("lists/list.csv", list);
    let classify = "classify --rgb rgb.safetensors --overwrite";
    refused(
        &sandbox,
        &[
            (&format!("{classify} a.gif --json hard.json"), "hard.json"),
            (&format!("{classify} a.gif --json soft.json"), "soft.json"),
            (&format!("{classify} soft.json --json a.gif"), "a.gif"),
            (&format!("{classify} here/a.gif --json real/a.gif"), "real/a.gif"),
            ("flow hard.json -o a.gif", "a.gif"),
            ("train clips -o run --overwrite", "run/train.jsonl"),
            ("train lists/list.csv -o run --overwrite", "run/train.jsonl"),
        ],
        "it is the same file as ",
    );
}

#[test]
fn two_outputs_are_two_files() {
    let sandbox = Sandbox::with_weights();
    sandbox.write("a.npy", npy(9, 3));
    sandbox.write("there.json", "{}");
    let classify = "classify a.npy --rgb rgb.safetensors --timeline --window 9 --step 9 --overwrite";
    std::fs::create_dir(sandbox.path("sub")).expect("a folder");
    let mut commands = vec![
        (format!("{classify} --csv new --json new"), "new"),
        (format!("{classify} --json new --csv sub/../new"), "sub/../new"),
        (format!("{classify} --srt new.srt --vtt new.srt"), "new.srt"),
        (format!("{classify} --json there.json --vtt there.json"), "there.json"),
        ("bench --json there.json --save-weights there.json --overwrite".into(), "there.json"),
    ];
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("new", sandbox.path("dangling")).expect("a link");
        std::fs::hard_link(sandbox.path("there.json"), sandbox.path("other")).expect("a link");
        commands.push((format!("{classify} --json new --csv dangling"), "dangling"));
        commands.push((format!("{classify} --json there.json --csv other"), "other"));
    }
    let before = std::fs::read_dir(sandbox.path("")).expect("it is read").count();
    for (command, path) in commands {
        let run = sandbox.i3d(&command).exits(2);
        let errors = run.errors();
        let told = matches!(errors[..], [error] if error.starts_with(&format!("{path}: ")) && error.ends_with("are one file; give each its own"));
        assert!(told, "{command}: {run:?}");
    }
    assert_eq!(
        std::fs::read_dir(sandbox.path("")).expect("it is read").count(),
        before,
        "nothing was written"
    );
    assert_eq!(sandbox.read("there.json"), b"{}");
}

#[test]
fn a_file_of_another_kind_is_replaced_on_demand_alone() {
    let sandbox = Sandbox::with_weights();
    sandbox.write("a.npy", npy(9, 3));
    sandbox.gif("a.gif", 4);
    sandbox.write("b.npy", npy(9, 3));
    sandbox.video("film.mp4", 9);
    sandbox.write("notes.txt", "Dear all,\n\nhere is what I saw.\n");
    sandbox.write("package.toml", "[package]\nname = \"x\"\n");
    sandbox.write("run/train.jsonl", sandbox.read("a.gif"));
    clips(&sandbox, 2);
    let classify = "classify a.npy --device cpu --rgb rgb.safetensors --timeline --window 9 --step 9";
    let commands = [
        (format!("{classify} --json film.mp4"), "film.mp4"),
        (format!("{classify} --json notes.txt"), "notes.txt"),
        (format!("{classify} --json package.toml"), "package.toml"),
        (format!("{classify} --json flow.safetensors"), "flow.safetensors"),
        (format!("{classify} --csv notes.txt"), "notes.txt"),
        (format!("{classify} --srt film.mp4"), "film.mp4"),
        (format!("{classify} --vtt a.gif"), "a.gif"),
        ("convert rgb.safetensors film.mp4".into(), "film.mp4"),
        ("convert rgb.safetensors b.npy".into(), "b.npy"),
        ("dump a.npy --rgb rgb.safetensors --endpoint input -o notes.txt".into(), "notes.txt"),
        ("train clips -o run".into(), "run/train.jsonl"),
    ];
    let commands: Vec<(&str, &str)> =
        commands.iter().map(|(command, path)| (command.as_str(), *path)).collect();
    refused(&sandbox, &commands, "give another name, or --overwrite");
    sandbox.i3d(commands[7].0).fails(
        2,
        "film.mp4: it is there already and is an MP4 video, not safetensors; give another name, or --overwrite",
    );
    for (command, _) in &commands[..10] {
        sandbox.i3d(&format!("{command} --overwrite")).ok();
    }
}

#[test]
fn an_earlier_result_and_an_empty_file_are_replaced() {
    let sandbox = Sandbox::with_weights();
    sandbox.write("a.npy", npy(9, 3));
    sandbox.gif("a.gif", 4);
    let classify = "classify a.npy --device cpu --rgb rgb.safetensors --timeline --window 9 --step 9";
    let commands = [
        format!("{classify} --json x --csv y --srt z --vtt w"),
        "convert rgb.safetensors c".into(),
        "dump a.npy --device cpu --rgb rgb.safetensors --endpoint input -o d".into(),
        "flow a.gif --short-side 32 -o e.npy".into(),
        "flow a.gif --short-side 32 -o f.gif".into(),
        "flow a.gif --short-side 32 -o g.mp4".into(),
        "synth h.gif --classes walking --size 64x48 --frames 5".into(),
        "synth i.mp4 --classes walking --size 64x48 --frames 5".into(),
        "bench --device cpu --width 0.0625 --input-size 32 --frames 9 --runs 1 --json j".into(),
        "bench --width 0.0625 --input-size 32 --save-weights k".into(),
    ];
    let names = ["x", "y", "z", "w", "c", "d", "e.npy", "f.gif", "g.mp4", "h.gif", "i.mp4", "j", "k"];
    names.iter().for_each(|name| sandbox.write(name, ""));
    // Over an empty file, over what that gave, and over what another number of classes or frames gives.
    for _ in 0..2 {
        for command in &commands {
            sandbox.i3d(command).ok();
        }
    }
    assert!(names.iter().all(|name| sandbox.read(name).len() > 10));
}

#[test]
#[cfg(unix)]
fn a_protected_file_is_replaced_on_demand_alone() {
    let sandbox = Sandbox::with_weights();
    sandbox.write("a.npy", npy(9, 3));
    sandbox.write("kept.json", "{}");
    let mut permissions = std::fs::metadata(sandbox.path("kept.json")).expect("it is there").permissions();
    permissions.set_readonly(true);
    std::fs::set_permissions(sandbox.path("kept.json"), permissions).expect("its owner may");
    let classify = "a.npy --rgb rgb.safetensors --json kept.json";
    sandbox
        .classify(classify)
        .fails(2, "kept.json: it is there already and is write-protected; give another name, or --overwrite");
    assert_eq!(sandbox.read("kept.json"), b"{}");
    sandbox.classify(&format!("{classify} --overwrite")).ok();
    assert!(sandbox.read("kept.json").len() > 100);
}
